"""Fuzzes Decoder's fast path, Decoder(raw=True) and Framer: arrays as servers write them, as they might, and
spoiled.

    python fuzz/fuzz_objects.py SECONDS [SEED]

feed() and its plain way must give the same objects in the same order, and find the same fault, whatever the
body. What the raw decoder gives must be those objects' text, what the framer gives their payloads; neither
may hang on how the body was cut. Where it is JSON, json reads the same.
"""

import json
import random
import sys
import time
from collections.abc import Callable
from typing import Any

from gaechannel import Decoder, Framer, ParseError, TalkMessageCorrupted, talkparser

SPACE = ["", "", "", "", "", " ", "\n", "\t", "\r\n", "\n          ", " " * 40]
CHARACTERS = [
    "a",
    "Z",
    "0",
    " ",
    "é",
    "ÿ",
    "Ж",
    "次",
    "次のフェリーは七時に出ます",
    "\ud7ff",
    "\ue000",
    "﻿",
    "🚢",
    "\x00",
    "\x1f",
    "\x7f",
    "'",
]
ESCAPES = [r"\"", r"\\", r"\/", r"\b", r"\f", r"\n", r"\r", r"\t", r"\u0041", r"\u00e9", r"\u0000", r"\u6b21"]
ODD_ESCAPES = [
    r"\v",
    r"\'",
    r"\x41",
    r"\xe9",
    r"\0",
    "\\\n",
    "\\é",
    r"\ud83d\udea2",
    r"\ud83d",
    r"\udea2",
    r"\ud800",
    r"\udbff",
    r"\udc00",
    r"\udfff",
    r"\q",
]
BROKEN_ESCAPES = [r"\u12", r"\x4", r"\u00g0", "\\", r"\ud83d\u12"]
WORDS = [
    "null",
    "true",
    "false",
    "undefined",
    "nul",
    "nullx",
    "True",
    "NaN",
    "Infinity",
    "-",
    "+1",
    ".5",
    "1.",
    "01",
    "1e",
]
KEYS = ["stringValue", "a", "", "k" * 30, "k" * 31, "k" * 32, "k" * 33, "mapValue", "fields"]
# As they are written: past ASCII, or with escapes, which may be of the quotation mark.
KEYS += ["é", "имя", r"\u0061", r"a\"", r"a\"b", r"a\\", r"a\\\"", r"\"\""]


def digits(chance: random.Random, most: int) -> str:
    return "".join(chance.choices("0123456789", k=chance.randint(1, most)))


def number(chance: random.Random) -> str:
    whole = chance.choice(["0", str(chance.randint(0, 999)), digits(chance, 25).lstrip("0") or "7"])
    if chance.random() < 0.02:
        whole = "1" + digits(chance, 5000)
    fraction = "." + chance.choice(["", "", "000000"]) + digits(chance, 22) if chance.random() < 0.5 else ""
    exponent = ""
    if chance.random() < 0.3:
        exponent = chance.choice("eE") + chance.choice(["", "+", "-"]) + digits(chance, 4)
    return chance.choice(["", "", "-"]) + whole + fraction + exponent


def string(chance: random.Random) -> str:
    quote = '"' if chance.random() < 0.9 else "'"
    kinds = [CHARACTERS[:4]]
    for kind, share in (CHARACTERS, 0.5), (ESCAPES, 0.4), (ODD_ESCAPES, 0.1), (BROKEN_ESCAPES, 0.01):
        if chance.random() < share:
            kinds.append(kind)
    length = chance.choice([0, 1, 5, 14, 15, 16, 17, 30, 31, 32, 33, 60, 100, 260, 300])
    pieces = [chance.choice(chance.choice(kinds)) for _ in range(length)]
    return quote + "".join(piece for piece in pieces if piece != quote) + quote


def value(chance: random.Random, depth: int) -> str:
    kind = chance.random()
    if depth > 0 and kind < 0.25:
        return array(chance, depth - 1)
    if depth > 0 and kind < 0.5:
        return mapping(chance, depth - 1)
    if kind < 0.7:
        return string(chance)
    if kind < 0.85:
        return number(chance)
    return chance.choice(WORDS[:3] if chance.random() < 0.95 else WORDS)


def spaced(chance: random.Random, text: str) -> str:
    return chance.choice(SPACE) + text + chance.choice(SPACE)


def array(chance: random.Random, depth: int) -> str:
    elements = [value(chance, depth) for _ in range(chance.choice([0, 1, 2, 3, 20]))]
    if chance.random() < 0.2:
        elements = [chance.choice([element, "", "null"]) for element in elements]
    return spaced(chance, "[" + ",".join(spaced(chance, element) for element in elements) + "]")


def mapping(chance: random.Random, depth: int) -> str:
    members = []
    for _ in range(chance.choice([0, 1, 2, 3, 12])):
        key = f'"{chance.choice(KEYS)}"' if chance.random() < 0.8 else string(chance)
        members.append(spaced(chance, key) + ":" + spaced(chance, value(chance, depth)))
    return spaced(chance, "{" + ",".join(members) + "}")


def payload(chance: random.Random) -> str:
    """The payload of a chunk; most are well-formed."""
    if chance.random() < 0.02:
        depth = chance.randint(120, 130)
        return "[[1," + chance.choice("[{") * depth
    if chance.random() < 0.02:
        depth = chance.randint(120, 130)
        return "[[1," + "[" * depth + chance.choice(["", "1", "[]", "{}"]) + "]" * depth + "]]"
    arrays = []
    for number_ in range(chance.choice([0, 1, 1, 2, 5])):
        array_id = str(number_) if chance.random() < 0.95 else number(chance)
        arrays.append(spaced(chance, f"[{spaced(chance, array_id)},{value(chance, chance.randint(0, 4))}]"))
    return spaced(chance, "[" + ",".join(arrays) + "]")


def spoil(chance: random.Random, text: str) -> str:
    """One change to a text: a piece cut out, doubled, or put in."""
    if not text:
        return text
    at, end = sorted(chance.randrange(len(text) + 1) for _ in range(2))
    end = min(end, at + chance.choice([1, 1, 1, 4, 40]))
    put = chance.choice(["", text[at:end] * 2, chance.choice([*'"\\[]{},:0-.eEu', "null", "\\u"])])
    return text[:at] + put + text[end:]


def body(chance: random.Random) -> bytes:
    """Some chunks; every third may be spoiled."""
    chunks = []
    for _ in range(chance.choice([1, 1, 2, 4])):
        text = payload(chance)
        if chance.random() < 0.3:
            text = spoil(chance, text)
        chunks.append(b"%d\n%s" % (len(text.encode("utf-16-le")) // 2, text.encode()))
    return b"".join(chunks)


def outcome(feed: Callable[[bytes], object], eof: Callable[[], None], text: bytes) -> list[str]:
    """What a decoder gives for the text, call by call: objects (1 is not 1.0), or what was raised."""
    told = []
    for call in (lambda: feed(text), lambda: feed(b"6\n[[1,2"), eof):
        try:
            told.append(repr(call()))
        except TalkMessageCorrupted as error:
            told.append(f"raised: {error}")
    return told


def compare(text: bytes) -> None:
    """Fail where the two ways to read a body differ."""
    fast, plain = Decoder(), Decoder()
    got, want = outcome(fast.feed, fast.eof, text), outcome(plain._feed_plain, plain.eof, text)
    assert got == want, f"{text!r}\nfast:  {got}\nplain: {want}"


def taken(reader: Any, pieces: list[bytes]) -> tuple[list[Any], str]:
    """All that a reader gives for the pieces, and what it raises at the end."""
    found: list[Any] = []
    try:
        for piece in pieces:
            found += reader.feed(piece)
        reader.eof()
    except TalkMessageCorrupted as error:
        return found, str(error)
    return found, ""


def cut(chance: random.Random, text: bytes) -> list[bytes]:
    places = sorted(chance.randrange(len(text) + 1) for _ in range(chance.randrange(1, 9)))
    return [text[begin:end] for begin, end in zip([0, *places], [*places, len(text)], strict=True)]


def compare_json(data: bytes, value: Any) -> None:
    """Fail where Python's json reads the data, and otherwise."""
    try:
        want = json.loads(data)
    except (ValueError, RecursionError):
        return  # no JSON, of which more is read here, or with more digits than an int may have
    assert repr(value) == repr(want), f"{data!r}\njson: {want!r}\nhere: {value!r}"


def compare_raw(chance: random.Random, text: bytes) -> None:
    """Fail where bytes and payloads are not what the objects were made of."""
    pieces = cut(chance, text)
    for make in (lambda: Decoder(raw=True), Framer):
        assert taken(make(), pieces) == taken(make(), [text]), f"{pieces!r}"
    objects, fault = taken(Decoder(), [text])
    raw, raw_fault = taken(Decoder(raw=True), [text])
    read = [(number, talkparser.parse(data)) for number, data in raw[: len(objects)]]
    assert repr(read) == repr(objects), f"{text!r}"
    for (_, data), (_, value) in zip(raw, objects, strict=False):
        compare_json(data, value)
    assert fault or not raw_fault, f"{text!r}: {raw_fault}"
    arrays: list[Any] = []
    try:
        for one in taken(Framer(), [text])[0]:
            arrays += [tuple(array) for array in talkparser.parse(one)]
    except (ParseError, TypeError):
        assert fault, f"{text!r}"
    assert repr(arrays[: len(objects)]) == repr(objects), f"{text!r}"


def main() -> None:
    seconds = float(sys.argv[1])
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else time.time_ns()
    ends, count = time.monotonic() + seconds, 0
    while time.monotonic() < ends:
        chance = random.Random(seed + count)
        text = body(chance)
        compare(text)
        compare_raw(chance, text)
        count += 1
    print(f"objects: no difference in {seconds:g} s, {count} bodies from seed {seed}")


if __name__ == "__main__":
    main()
