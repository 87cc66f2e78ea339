"""Arrays and chunks as bytes: JSON, and lengths in UTF-16 code units."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from json.encoder import encode_basestring_ascii
from typing import Any

_CONTINUATION_BYTES = bytes(range(0x80, 0xC0))
_ALL_BUT_FOUR_BYTE_LEADS = bytes(range(0xF0))

#: What must not stand raw in a chunk: a lone surrogate has no UTF-8, and U+2028 and U+2029 end a line inside
#: the string for the old clients that evaluate a chunk as JavaScript.
_ESCAPED = re.compile("[\ud800-\udfff\u2028\u2029]")

_encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_ascii_encoder = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def utf16_units(data: bytes) -> int:
    """The length of a UTF-8 text in UTF-16 code units: a JavaScript string's ``length``.

    Each character counts once by its first byte, and those of four bytes once more; both counts are done by
    ``bytes.translate``, without decoding.
    """
    if data.isascii():
        return len(data)
    characters = len(data.translate(None, _CONTINUATION_BYTES))
    return characters + len(data.translate(None, _ALL_BUT_FOUR_BYTE_LEADS))


def frame(payload: bytes) -> bytes:
    """A chunk: the payload after its length and a line feed."""
    return b"%d\n%b" % (utf16_units(payload), payload)


def payload_of(arrays: Iterable[bytes]) -> bytes:
    """The payload of a chunk that holds these arrays.

    It is laid out as Google's servers do it: each array begins a line, and the last bracket has its own.
    SmartTube reads a back channel by lines, and takes that one for the chunk's end.
    """
    return b"[" + b"\n,".join(arrays) + b"\n]\n"


def data_of(array: bytes) -> bytes:
    """An array's data, without its id."""
    return array.partition(b",")[2][:-1]


def frame_one(array: bytes) -> bytes:
    """A chunk of one array."""
    units = len(array) if array.isascii() else utf16_units(array)
    return b"%d\n[%b\n]\n" % (units + 4, array)


def frame_each(arrays: Iterable[bytes]) -> bytes:
    """A run of chunks, each of one array."""
    return b"".join(
        [
            b"%d\n[%b\n]\n" % ((len(array) if array.isascii() else utf16_units(array)) + 4, array)
            for array in arrays
        ]
    )


def encode_json(value: Any, *, ascii_only: bool = True) -> bytes:
    """Compact JSON.

    Args:
        value: anything that has JSON.
        ascii_only: whether all that is not ASCII is escaped; False: it is UTF-8, escaped where it must be.

    Raises:
        TypeError, ValueError: the value has no JSON (``NaN`` and the infinities have none).
    """
    if ascii_only:
        return _ascii_encoder.encode(value).encode("ascii")
    text = _encoder.encode(value)
    if text.isascii():
        return text.encode("ascii")
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode("utf-8")


def encode_string(text: str) -> bytes:
    """A string as a JSON literal with its quotes, in ASCII: ``encode_json`` for what is known to be one."""
    return encode_basestring_ascii(text).encode("ascii")


def frame_json(value: Any) -> bytes:
    """A chunk that holds one JSON value and a line feed."""
    return frame(encode_json(value) + b"\n")
