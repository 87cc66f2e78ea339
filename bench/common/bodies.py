"""Response bodies of the talk dialect, with messages of given sizes and kinds."""

import json

CLID = "9D6CBAE40D6C4500"

SIZES = {"100 B": 100, "1 kB": 1000, "32 kB": 32000}

_PROSE = (
    "The tide table for Tuesday says high water at seven, and the ferry leaves half an hour before it. "
    "Bring the blue folder, two pencils; and ask Marta whether room 14 is free (it was not, last week). "
)
_WIDE = (
    "Паром отходит в семь, возьмите синюю папку. 🚢 次のフェリーは七時に出ます、鉛筆を二本。"
    "Das Café öffnet früh – mañana también. 🎉👩‍💻 Αύριο το πρωί, στις επτά. "
)
_RECORD = {
    "type": "departure",
    "pier": 4,
    "ferry": {"name": "Marta II", "seats": 212, "late": False},
    "stops": ["North Quay", "Mill Island", "Lighthouse"],
    "note": 'sign says "closed"\n',
    "at": 1700000000.25,
}


def _cycle(text: str, size: int, shift: int) -> str:
    """Of a text repeated for ever, `size` bytes of UTF-8 or a few less; each shift begins elsewhere."""
    start = shift * 7 % len(text)
    long = text[start:] + text * (size // len(text.encode()) + 2)
    return long.encode()[:size].decode(errors="ignore")


def _json_text(size: int, shift: int) -> str:
    """A JSON document whose escaped form takes about `size` bytes."""
    record = json.dumps({**_RECORD, "seq": shift}, separators=(",", ":"))
    records = [record] * (size // len(json.dumps(record)) + 1)
    text = "[" + ",".join(records) + "]"
    while len(json.dumps(text)) - 2 > size:
        text = text[:-8]
    return text


def _latin(size: int, shift: int) -> str:
    return _cycle("Grüße aus Köln, où l'été dure; så långt, año a año – ".replace("–", "-"), size, shift)


def _repeated(sample: str):
    return lambda size, shift: _cycle(sample, size, shift)


# What makes a message's text of about `size` bytes on the wire; whether all but ASCII is written as \u.
_TEXTS = {
    "ASCII": (_repeated(_PROSE), False),
    "ASCII with escapes": (_json_text, False),
    "non-ASCII": (_repeated(_WIDE), False),
    "\\u escapes": (lambda size, shift: _cycle(_WIDE, size // 3, shift), True),
}
# Without a goal, but what users write: each is another way through the decoders.
_MORE_TEXTS = {
    "Cyrillic": (_repeated("Паром отходит в семь, возьмите синюю папку и два карандаша. "), False),
    "CJK": (_repeated("次のフェリーは七時に出ます、青いファイルと鉛筆を二本持ってきてください。"), False),
    "Latin-1": (_latin, False),
    "emoji": (_repeated("🚢🎉👩‍💻📺🙂"), False),
    "mostly ASCII": (_repeated(_PROSE + "– 🙂 "), False),
    "\\u Latin-1": (lambda size, shift: _latin(size // 2, shift), True),
}
KINDS = list(_TEXTS)
MORE_KINDS = list(_MORE_TEXTS)


def text(kind: str, size: int, shift: int = 0) -> str:
    """A message's text."""
    make, _ = {**_TEXTS, **_MORE_TEXTS}[kind]
    return make(size, shift)


def literal(kind: str, size: int, shift: int = 0) -> str:
    """The same as a literal."""
    _, escapes = {**_TEXTS, **_MORE_TEXTS}[kind]
    return json.dumps(text(kind, size, shift), ensure_ascii=escapes)


def payload(array_id: int, text_literal: str) -> str:
    """A chunk's payload with one message, in the talk servers' spelling."""
    return f'[[{array_id},["c",["{CLID}",["ae",{text_literal}]]]\n]\n]\n'


def frame(payload: str) -> bytes:
    """A chunk: the length in UTF-16 units, and the payload."""
    return b"%d\n%s" % (len(payload.encode("utf-16-le", "surrogatepass")) // 2, payload.encode())


def chunks(kind: str, size: int, count: int, first_id: int = 1) -> list[bytes]:
    """`count` payloads, whose messages differ."""
    literals = [literal(kind, size, shift) for shift in range(min(count, 64))]
    return [payload(first_id + i, literals[i % len(literals)]).encode() for i in range(count)]


def body(kind: str, size: int, count: int, first_id: int = 1) -> bytes:
    """A body of `count` chunks with one message each."""
    literals = [literal(kind, size, shift) for shift in range(min(count, 64))]
    return b"".join(frame(payload(first_id + i, literals[i % len(literals)])) for i in range(count))


def texts(kind: str, size: int, count: int) -> list[str]:
    """The messages that the body holds."""
    some = [text(kind, size, shift) for shift in range(min(count, 64))]
    return [some[i % len(some)] for i in range(count)]


def count_for(size: int, total: int) -> int:
    """How many messages of a size make a body of about `total` bytes."""
    return max(total // (size + 50), 1)
