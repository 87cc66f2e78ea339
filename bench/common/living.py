"""Payloads like those that living services send: the same fields, the same sizes, nobody's data."""

import json
import random
import string
from collections.abc import Callable

from common import varied
from common.bodies import frame

# Payloads of a kind, which differ.
COUNT = 64

_LETTERS = string.ascii_letters + string.digits
_NAMES = ["Marta Lindqvist", "Jörg Weiß", "Олена Шевчук", "佐藤花子", "Inês Araújo", "Tom O'Brien", "Zoé 🚢"]
_WORDS = [
    "high",
    "water",
    "is",
    "at",
    "seven",
    "and",
    "the",
    "ferry",
    "leaves",
    "half",
    "an",
    "hour",
    "before",
]

Value = object


def _name(chance: random.Random, length: int) -> str:
    return "".join(chance.choices(_LETTERS, k=length))


def _sentence(chance: random.Random, most: int) -> str:
    return " ".join(chance.choices(_WORDS, k=chance.randint(3, most))) + "."


def _instant(chance: random.Random) -> str:
    month, day, hour, minute = (chance.randint(*span) for span in ((1, 12), (1, 28), (0, 23), (0, 59)))
    return f"2026-{month:02}-{day:02}T{hour:02}:{minute:02}:17.{chance.randrange(10**6):06}Z"


def _firestore(chance: random.Random, first_id: int) -> list[Value]:
    """A document that has changed, as Firestore's Listen tells it: each value in an object of its type."""

    def text(value: str) -> Value:
        return {"stringValue": value}

    def whole(most: int) -> Value:
        return {"integerValue": str(chance.randint(0, most))}

    def array(values: list[Value]) -> Value:
        return {"arrayValue": {"values": values}}

    database = "projects/harbour/databases/(default)/documents"
    fields = {
        "title": text(_sentence(chance, 8)),
        "body": text(_sentence(chance, 25)),
        "author": text(chance.choice(_NAMES)),
        "authorRef": {"referenceValue": f"{database}/people/{_name(chance, 28)}"},
        "views": whole(50_000),
        "price": {"doubleValue": round(chance.uniform(0, 200), chance.randint(1, 6))},
        "open": {"booleanValue": chance.random() < 0.5},
        "closedAt": {"nullValue": None},
        "publishedAt": {"timestampValue": _instant(chance)},
        "pier": {
            "geoPointValue": {"latitude": chance.uniform(-90, 90), "longitude": chance.uniform(-180, 180)}
        },
        "labels": array([text(chance.choice(_WORDS)) for _ in range(chance.randint(1, 6))]),
        "stops": array(
            [
                {"mapValue": {"fields": {"quay": text(_name(chance, 6)), "minute": whole(59)}}}
                for _ in range(3)
            ]
        ),
        "votes": {"mapValue": {"fields": {_name(chance, 20): whole(5) for _ in range(chance.randint(1, 4))}}},
    }
    document = {
        "name": f"{database}/notices/{_name(chance, 20)}",
        "fields": fields,
        "createTime": _instant(chance),
        "updateTime": _instant(chance),
    }
    return [[first_id, [{"documentChange": {"document": document, "targetIds": [chance.choice([2, 4, 6])]}}]]]


def _lounge(chance: random.Random, first_id: int) -> list[Value]:
    """What a screen tells its remotes when a video begins: all values are strings, one is JSON itself."""
    length, at = chance.uniform(60, 4000), chance.uniform(0, 60)
    video, nonce = _name(chance, 11), _name(chance, 16)
    place = {
        "currentTime": f"{at:.3f}",
        "duration": f"{length:.3f}",
        "seekableStartTime": "0",
        "seekableEndTime": f"{length:.2f}",
        "loadedTime": f"{at + 20:.1f}",
        "cpn": nonce,
    }
    device = {
        "app": "web",
        "name": chance.choice(_NAMES),
        "id": _name(chance, 32),
        "capabilities": "que,dsdtr,mus",
    }
    told: list[tuple[str, Value]] = [
        (
            "nowPlaying",
            {
                "videoId": video,
                "listId": f"RQ{_name(chance, 40)}",
                "currentIndex": "3",
                "state": "3",
                **place,
            },
        ),
        ("onStateChange", {"state": "1", **place}),
        ("onVolumeChanged", {"volume": str(chance.randint(0, 100)), "muted": "false"}),
        (
            "onSubtitlesTrackChanged",
            {"videoId": video, "languageCode": "", "kind": "", "vss_id": "", "trackName": ""},
        ),
        ("onHasPreviousNextChanged", {"hasPrevious": "true", "hasNext": "false"}),
        ("onAutoplayModeChanged", {"autoplayMode": "UNSUPPORTED"}),
        ("loungeStatus", {"devices": json.dumps([device]), "queueId": _name(chance, 20)}),
    ]
    return [[first_id + offset, list(message)] for offset, message in enumerate(told)]


def _pblite(chance: random.Random, first_id: int) -> list[Value]:
    """A chat's event: protocol buffers as arrays, in which most fields are missing."""

    def fields(size: int, **known: Value) -> list[Value]:
        message: list[Value] = [None] * size
        for name, value in known.items():
            message[int(name[1:])] = value
        return message

    def person() -> Value:
        name = chance.choice(_NAMES)
        picture = f"https://pictures.example/{_name(chance, 24)}"
        return fields(
            14, f0=[str(chance.randrange(10**20, 10**21))], f1=name, f2=picture, f4=name[:5], f9=1, f13=[1]
        )

    def message() -> Value:
        micros = str(chance.randrange(16 * 10**14, 18 * 10**14))
        ids = fields(5, f4=[_name(chance, 11), [None, [_name(chance, 11)]]])
        marks = [[1, 0, chance.randint(1, 40), None, None, None, [2, None, None, [chance.randint(0, 9)]]]]
        known = {"f0": ids, "f1": person(), "f2": micros, "f9": _sentence(chance, 14), "f10": marks, "f13": 0}
        return fields(30, **known, f17=[None, None, 3], f19=1, f27=chance.randrange(10**6), f29=[True, False])

    revision = [chance.randint(0, 255) for _ in range(10)]
    event = fields(
        14, f1=[None, None, [_name(chance, 11)], 5], f3=message(), f9=[[message()], None, 3], f13=revision
    )
    return [[first_id, [[None, event, _name(chance, 20)]]]]


def _compact(arrays: list[Value]) -> str:
    return json.dumps(arrays, ensure_ascii=False, separators=(",", ":"))


def _for_pages(arrays: list[Value]) -> str:
    """With escapes for all that HTML might misread, as servers write them that write pages, too."""
    text = _compact(arrays)
    for sign in "<>&'=":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _unquoted(arrays: list[Value]) -> str:
    """With all strings' text as it is."""
    return _compact(arrays).replace('"', "")


def _pretty(arrays: list[Value]) -> str:
    return json.dumps(arrays, ensure_ascii=False, indent=2)


def _ascii(arrays: list[Value]) -> str:
    """As Python's json writes it, and this package's server."""
    return json.dumps(arrays, separators=(",", ":"))


def _one(make: Callable[[random.Random], Value]) -> Callable[[random.Random, int], list[Value]]:
    """One array of one value."""
    return lambda chance, first_id: [[first_id, [make(chance)]]]


def _hundred(make: Callable[[random.Random], Value]) -> Callable[[random.Random, int], list[Value]]:
    """One array of a hundred values of the same kind."""
    return lambda chance, first_id: [[first_id, [make(chance) for _ in range(100)]]]


def _some_of(letters: str, least: int, most: int) -> Callable[[random.Random], str]:
    return lambda chance: "".join(chance.choices(letters, k=chance.randint(least, most)))


def _words_of(letters: str, length: int) -> Callable[[random.Random], str]:
    return lambda chance: "".join(chance.choices(letters, k=length))


_SERVICES = {
    "Firestore": (_firestore, _compact),
    "Firestore, pretty-printed": (_firestore, _pretty),
    "Lounge": (_lounge, _compact),
    "pblite": (_pblite, _compact),
}
_LATIN = "äöü abcdefghijklm"
_CYRILLIC = "паром отходит в семь"
_CJK = "次のフェリーは七時に出ます鉛筆を二本"
_EMOJI = "🚢🎉 abc"
_QUOTED = '"\\\n abcdefgh'
# Kinds of values alone.
_VALUES = {
    "small integers": _hundred(lambda chance: chance.randint(0, 100)),
    "integers": _hundred(lambda chance: chance.randint(-(10**9), 10**18)),
    # orjson makes floats of these.
    "integers past 64 bits": _hundred(lambda chance: chance.randint(10**20, 10**30)),
    "floats of 6 digits": _hundred(lambda chance: round(chance.uniform(0, 100), 4)),
    "integers of 64 bits": _hundred(lambda chance: chance.randrange(2**63, 2**64)),
    "floats of 17 digits": _hundred(lambda chance: chance.random()),
    "floats, small": _hundred(lambda chance: chance.random() * 1e-309),
    "exponents": _hundred(lambda chance: chance.random() * 10.0 ** chance.randint(-200, 200)),
    "words": _hundred(lambda chance: chance.choice([True, False, None])),
    "strings": _hundred(lambda chance: _name(chance, chance.randint(1, 60))),
    "strings, Latin-1": _hundred(_words_of(_LATIN, 20)),
    "strings, Cyrillic": _hundred(_words_of(_CYRILLIC, 20)),
    "strings, CJK": _hundred(_words_of(_CJK, 15)),
    "strings, emoji": _hundred(_words_of(_EMOJI, 12)),
    "strings, escapes": _hundred(_words_of(_QUOTED, 20)),
    "strings, JSON": _hundred(
        lambda chance: json.dumps({"id": _name(chance, 5), "at": [1], "of": _name(chance, 9)})
    ),
    "strings, a quotation mark": _hundred(
        lambda chance: f'{_name(chance, chance.randint(1, 8))}"{_name(chance, chance.randint(1, 8))}'
    ),
    "strings, umlauts alone": _hundred(_some_of("äöüß", 8, 16)),
    "strings, empty": _hundred(lambda _chance: ""),
    "a long string": _one(_words_of(_LETTERS + "     ", 3000)),
    "a long string, Latin-1": _one(_words_of(_LATIN, 3000)),
    "a long string, Cyrillic": _one(_words_of(_CYRILLIC, 2000)),
    "a long string, CJK": _one(_words_of(_CJK, 1000)),
    "a long string, emoji": _one(_words_of(_EMOJI, 1500)),
    "a long string, escapes": _one(_words_of(_QUOTED, 2500)),
    "objects": _hundred(lambda chance: {"id": chance.randint(0, 9), "name": _name(chance, 5), "late": False}),
    "objects, new keys": _hundred(lambda chance: {_name(chance, 12): 1}),
    "objects, keys of 32 to 63 letters": _one(
        lambda chance: {_LETTERS[:26] * 2 + _LETTERS[n : n + 9]: chance.randint(0, 9) for n in range(30)}
    ),
    "objects, empty": _hundred(lambda _chance: {}),
    "an object of new keys": _one(lambda chance: {_name(chance, 12): 1 for _ in range(100)}),
    "an object of new long keys": _one(lambda chance: {_name(chance, 90): 1 for _ in range(30)}),
    "an object of known long keys": _one(lambda chance: {f"{number:090}": 1 for number in range(30)}),
    "arrays": _hundred(lambda chance: [[], [[chance.randint(0, 9)]]]),
    "arrays, empty": _hundred(lambda _chance: []),
    "arrays, pairs of floats": _hundred(lambda chance: [chance.uniform(-90, 90), chance.uniform(-180, 180)]),
}
# Written without quotation marks: more digits than a float has.
_DIGITS_VALUES = {
    "floats of 20 digits": _hundred(
        lambda chance: f"{chance.randint(-90, 90)}.{chance.randrange(10**18):018}"
    ),
}
# Written for pages.
_PAGES_VALUES = {"strings, HTML": _hundred(lambda chance: f"<b>{_name(chance, 5)}</b> & 'x'")}
# The same as the first, in which all past ASCII is written as \\u.
_ASCII_VALUES = {
    "strings, \\u Latin-1": _hundred(_words_of(_LATIN, 20)),
    "strings, \\u Cyrillic": _hundred(_words_of(_CYRILLIC, 20)),
    "strings, \\u CJK": _hundred(_words_of(_CJK, 15)),
    "strings, \\u emoji": _hundred(_words_of(_EMOJI, 12)),
    "strings, \\u Cyrillic alone": _hundred(_some_of("ЖБДФЙ", 3, 8)),
    "strings, \\u emoji alone": _hundred(_some_of("🚢🎉", 1, 5)),
    "a long string, \\u Cyrillic": _one(_words_of(_CYRILLIC, 1000)),
    "a long string, \\u emoji": _one(_words_of(_EMOJI, 800)),
}
_KINDS = {
    **_SERVICES,
    **{kind: (make, _compact) for kind, make in _VALUES.items()},
    **{kind: (make, _unquoted) for kind, make in _DIGITS_VALUES.items()},
    **{kind: (make, _for_pages) for kind, make in _PAGES_VALUES.items()},
    **{kind: (make, _ascii) for kind, make in _ASCII_VALUES.items()},
}
SERVICES = list(_SERVICES)
VALUES = [*_VALUES, *_DIGITS_VALUES, *_PAGES_VALUES, *_ASCII_VALUES]
# Of any program that speaks these; the seed says of which.
VARIED = list(varied.KINDS)


def payloads(kind: str, count: int = COUNT, seed: int = 1) -> list[str]:
    """Payloads of a kind, of 1 to 5 kB most of them; the same in each run; the seed is VARIED's."""
    if kind in VARIED:
        return varied.payloads(kind, seed, count)
    make, write = _KINDS[kind]
    chance = random.Random(kind)
    return [write(make(chance, 1 + 10 * number)) for number in range(count)]


def body(kind: str, seed: int = 1) -> bytes:
    """A body of them."""
    return b"".join(frame(payload) for payload in payloads(kind, seed=seed))
