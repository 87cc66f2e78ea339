"""The framing loop in Python, as projects without this package write it: incremental, by UTF-16 units."""

import codecs
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

_LENGTH = re.compile(r"(\d+)\n")


class FramingLoop:
    """In the form in which it is mostly found.

    Bytes are kept; for each chunk, what is there is decoded as far as it goes, turned into UTF-16, and cut at
    twice the length.
    """

    def __init__(self, loads: Callable[[str], Any] = json.loads) -> None:
        self._loads = loads
        self._held = b""

    def feed(self, data: bytes) -> Iterator[Any]:
        """Take more bytes, and yield the arrays, [id, data], of each chunk that is now complete."""
        self._held += data
        while True:
            decoder = codecs.getincrementaldecoder("utf-8")()
            text = decoder.decode(self._held)
            match = _LENGTH.match(text)
            if match is None:
                return
            wide = text[match.end() :].encode("utf-16-le")
            size = int(match[1]) * 2
            if len(wide) < size:
                return
            chunk = wide[:size].decode("utf-16-le")
            self._held = self._held[len((match[0] + chunk).encode()) :]
            yield from self._loads(chunk)

    def messages(self, data: bytes) -> list[str]:
        """The texts of the messages that are now complete."""
        return [array[1][1][1][1] for array in self.feed(data) if array[1][0] == "c"]


class CarefulFramingLoop(FramingLoop):
    """The same by somebody who has looked at a profile: each byte is decoded once, and UTF-16 is not made."""

    def __init__(self, loads: Callable[[str], Any] = json.loads) -> None:
        self._loads = loads
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._text = ""

    def feed(self, data: bytes) -> Iterator[Any]:
        """Take more bytes, and yield the arrays, [id, data], of each chunk that is now complete."""
        self._text += self._decoder.decode(data)
        while (end := self._text.find("\n")) >= 0:
            length = int(self._text[:end])
            start = end + 1
            stop = self._stop(start, length)
            if stop is None:
                return
            chunk, self._text = self._text[start:stop], self._text[stop:]
            yield from self._loads(chunk)

    def _stop(self, start: int, units: int) -> int | None:
        """Where a payload of so many units ends; None when it is not all there."""
        text = self._text
        stop = start + units
        if len(text) - start >= units and text[start:stop].isascii():
            return stop
        at = start
        while units > 0:
            if at == len(text):
                return None
            units -= 2 if text[at] > "\uffff" else 1
            at += 1
        return at
