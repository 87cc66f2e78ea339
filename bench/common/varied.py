"""Payloads that nobody has seen: other documents, events and statuses than those of living.py.

Numbers and texts are of all kinds, nesting may be deep, keys may be few or many. A seed makes a program, with
its fields and their sizes: what holds for one seed may not for the next.
"""

import base64
import json
import random
import string
from collections.abc import Callable

Value = object
Make = Callable[[random.Random, int], list[Value]]

_LETTERS = string.ascii_lowercase
ALPHABETS = [
    string.ascii_letters + "    ",
    string.ascii_letters + string.digits + "-_",
    "abcdefgh äöüßéèçñ ÅØ",
    "абвгдежзийклмнопрстуфхцчшщъыьэюя  ",
    "αβγδεζηθικλμνξοπρστυφχψω ",
    "אבגדהוזחטיכלמנסעפצקרשת ",
    "日本語中文字符次のフェリーは七時に出ます、",
    "한국어배는일곱시에떠난다 ",
    "🚢🎉👩\u200d💻📺🙂🇸🇪 ok ",
    'say "it\'s" so\\ \n\t/<b>&\x01\x7f ',
    "mostly plain text with – or … ",
]
_INT64 = [2**63 - 1, -(2**63), 2**63 - 2, 2**53, 2**53 + 1, -(2**53) - 1, 2**31, -(2**31), 0, 1, -1]


def _word(chance: random.Random, most: int = 14) -> str:
    return "".join(chance.choices(_LETTERS, k=chance.randint(1, most)))


def _text(chance: random.Random, most: int = 60) -> str:
    # Half of what people write to each other is ASCII.
    alphabet = chance.choice(ALPHABETS if chance.random() < 0.5 else ALPHABETS[:2])
    return "".join(chance.choices(alphabet, k=chance.randint(0, most)))


def _whole(chance: random.Random) -> int:
    kind = chance.randrange(5)
    if kind == 0:
        return chance.choice(_INT64)
    return chance.randint(-10, 300) if kind < 3 else chance.randint(-(10 ** chance.randint(3, 18)), 10**18)


def _float(chance: random.Random) -> float:
    kind = chance.randrange(6)
    if kind == 0:
        return chance.choice([0.0, -0.0, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 1e22, 0.1])
    if kind == 1:
        return chance.uniform(-180, 180)
    if kind == 2:
        return (chance.random() - 0.5) * 10.0 ** chance.randint(-300, 300)
    return round(chance.uniform(-1000, 1000), chance.randint(0, 7))


def _keys(chance: random.Random, count: int) -> list[str]:
    """Names of a program's fields: most of them words, some in another script, some long."""
    odd = ["Überschrift", "名", "x" * 30]
    words = [
        _word(chance, 8) + chance.choice(["", "", "Id", "_at", _word(chance).title()]) for _ in range(count)
    ]
    return list(dict.fromkeys(word + chance.choice(odd) if chance.random() < 0.1 else word for word in words))


# ---- Firestore ----


def _typed(chance: random.Random, depth: int, names: list[str]) -> Value:
    """A value as Firestore writes it, in an object that tells its type."""
    kind = chance.randrange(11 if depth > 0 else 8)
    if kind >= 9:
        some = chance.sample(names, min(len(names), chance.randint(0, 6)))
        return {"mapValue": {"fields": {name: _typed(chance, depth - 1, names) for name in some}}}
    if kind == 8:
        return {
            "arrayValue": {"values": [_typed(chance, depth - 1, names) for _ in range(chance.randint(0, 5))]}
        }
    leaves: list[Callable[[], Value]] = [
        lambda: {"stringValue": _text(chance)},
        lambda: {"stringValue": _text(chance, 300)},
        lambda: {"integerValue": str(_whole(chance))},
        lambda: {"doubleValue": chance.choice([_float(chance), _float(chance), "NaN", "-Infinity"])},
        lambda: {"booleanValue": chance.random() < 0.5},
        lambda: {"nullValue": None},
        lambda: {"bytesValue": base64.b64encode(chance.randbytes(chance.randint(0, 60))).decode()},
        lambda: {"geoPointValue": {"latitude": _float(chance), "longitude": _float(chance)}},
    ]
    return leaves[kind]()


def firestore(chance: random.Random) -> Make:
    """Changes of documents, and what else Listen tells, of a database with some kinds of documents."""
    kinds = [_keys(chance, chance.randint(3, 14)) for _ in range(chance.randint(1, 6))]
    database = f"projects/{_word(chance)}/databases/(default)/documents"

    def make(turn: random.Random, first_id: int) -> list[Value]:
        names = turn.choice(kinds)
        name = f"{database}/{_word(turn)}/{_text(turn, 20)}"
        time = f"20{turn.randint(10, 40)}-0{turn.randint(1, 9)}-11T10:00:00.{turn.randrange(10**9):09}Z"
        told = turn.randrange(8)
        if told == 0:
            return [
                [
                    first_id,
                    [{"documentDelete": {"document": name, "readTime": time, "removedTargetIds": [2]}}],
                ]
            ]
        if told == 1:
            change = {
                "targetChangeType": "CURRENT",
                "targetIds": [2],
                "resumeToken": _word(turn),
                "readTime": time,
            }
            return [
                [first_id, [{"targetChange": change}]],
                [first_id + 1, [{"filter": {"count": _whole(turn)}}]],
            ]
        fields = {field: _typed(turn, turn.randint(0, 5), names) for field in names}
        document = {"name": name, "fields": fields, "createTime": time, "updateTime": time}
        return [[first_id, [{"documentChange": {"document": document, "targetIds": [_whole(turn)]}}]]]

    return make


# ---- Chat ----


def chat(chance: random.Random) -> Make:
    """Events in pblite: arrays of null mostly, numbers as texts, and an object of far fields at the end."""
    widths = [chance.randint(2, 40) for _ in range(6)]

    def message(turn: random.Random, depth: int) -> Value:
        fields: list[Value] = [None] * turn.choice(widths)
        for at in turn.sample(range(len(fields)), turn.randint(1, min(len(fields), 8))):
            kind = turn.randrange(7 if depth > 0 else 5)
            leaves: list[Callable[[], Value]] = [
                lambda: _text(turn),
                lambda: str(turn.randrange(10**15, 10**21)),
                lambda: _whole(turn),
                lambda: turn.random() < 0.5,
                lambda: f"https://lh3.example/{_word(turn)}{turn.getrandbits(128):x}=s{_whole(turn)}",
                lambda: message(turn, depth - 1),
                lambda: [message(turn, depth - 1) for _ in range(turn.randint(0, 3))],
            ]
            fields[at] = leaves[kind]()
        if turn.random() < 0.1:
            fields.append({str(turn.randrange(10**8, 10**9)): [_text(turn, 10), None, _float(turn)]})
        return fields

    return lambda turn, first_id: [[first_id, [[None, message(turn, turn.randint(1, 4)), _text(turn)]]]]


# ---- Lounge ----


def lounge(chance: random.Random) -> Make:
    """Statuses of screens, whose devices are JSON within a string."""
    names = ["nowPlaying", "onStateChange", "loungeStatus", "playlistModified", *_keys(chance, 6)]
    fields = ["videoId", "currentTime", "duration", "state", "listId", *_keys(chance, 12)]

    def device(turn: random.Random) -> Value:
        return {
            "name": _text(turn, 30),
            "id": f"{turn.getrandbits(160):x}",
            "pairingType": _word(turn),
            "hasCc": True,
        }

    def status(turn: random.Random) -> Value:
        told: dict[str, Value] = {field: _text(turn, 20) for field in turn.sample(fields, turn.randint(1, 9))}
        told["currentTime"] = turn.choice([str(_float(turn)), _float(turn), _whole(turn)])
        if turn.random() < 0.3:
            escapes = turn.random() < 0.5
            told["devices"] = json.dumps(
                [device(turn) for _ in range(turn.randint(1, 3))], ensure_ascii=escapes
            )
        return told

    return lambda turn, first_id: [
        [first_id + offset, [turn.choice(names), *([status(turn)] if turn.random() < 0.9 else [])]]
        for offset in range(turn.randint(1, 9))
    ]


# ---- Any ----


def numbers(chance: random.Random) -> Make:
    """Measurements, of all sizes and in all spellings that a JSON writer has."""
    names = _keys(chance, 8)

    def row(turn: random.Random) -> Value:
        return {name: turn.choice([_float, _whole])(turn) for name in names}

    return lambda turn, first_id: [[first_id, [row(turn) for _ in range(turn.randint(5, 20))]]]


def deep(chance: random.Random) -> Make:
    """Arrays and objects within each other, up to a hundred of them."""
    names = _keys(chance, 5)

    def make(turn: random.Random, first_id: int) -> list[Value]:
        arrays: list[Value] = []
        for offset in range(turn.randint(1, 3)):
            value: Value = _text(turn, 10)
            for _ in range(turn.randint(5, 100)):
                value = [value] if turn.random() < 0.5 else {turn.choice(names): value}
                if turn.random() < 0.2:
                    value = [_whole(turn), value, None]
            # In no more than the decoder allows.
            arrays.append([first_id + offset, [value if _depth(value) < 110 else None]])
        return arrays

    return make


def _depth(value: Value) -> int:
    depth, row = 0, [value]
    while row:
        depth += 1
        nested = [one for one in row if isinstance(one, (list, dict))]
        row = [item for one in nested for item in (one.values() if isinstance(one, dict) else one)]
    return depth


def keys(chance: random.Random) -> Make:
    """Objects by names that hardly come again, such as users' or documents'."""
    length = chance.randint(3, 40)

    def make(turn: random.Random, first_id: int) -> list[Value]:
        table = {
            "".join(turn.choices(string.ascii_letters + string.digits, k=length)): {
                "n": _whole(turn),
                "at": _text(turn, 9),
            }
            for _ in range(turn.randint(10, 60))
        }
        return [[first_id, [table]]]

    return make


KINDS: dict[str, Callable[[random.Random], Make]] = {
    "any Firestore": firestore,
    "any Chat": chat,
    "any Lounge": lounge,
    "any numbers": numbers,
    "any nesting": deep,
    "any keys": keys,
}


def _written(chance: random.Random, arrays: list[Value]) -> str:
    """In one of the spellings that servers' JSON writers have."""
    how = chance.randrange(4)
    if how == 0:
        return json.dumps(arrays, ensure_ascii=False, indent=chance.choice([1, 2, 4]))
    return json.dumps(arrays, ensure_ascii=how == 1, separators=(",", ":") if how > 1 else None)


def payloads(kind: str, seed: int, count: int) -> list[str]:
    """So many payloads of a program of that kind."""
    make = KINDS[kind](random.Random(f"{kind} {seed}"))
    chance = random.Random(f"{seed} {kind}")
    return [_written(chance, make(chance, 1 + 10 * number)) for number in range(count)]
