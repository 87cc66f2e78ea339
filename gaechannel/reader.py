"""Reads chunks and arrays from any object with ``read(n)``, under the old module's names."""

from collections.abc import Iterator
from typing import Any, Protocol

from gaechannel import _core
from gaechannel.errors import ParseError, TalkMessageCorrupted

__all__ = ["TalkMessageReader"]

# No length that a talk server sends has more digits; a line without an end must not be read forever.
_MAX_LENGTH_LINE = 64


class Connection(Protocol):
    """What a TalkMessageReader reads from: a response, a file, a socket's file."""

    def read(self, n: int, /) -> bytes | str:
        """Return at most n bytes, or characters; nothing at the end."""


def _units(text: str) -> int:
    """How many UTF-16 code units the text takes, the unit of every length on the wire."""
    return len(text) + sum(character > "\uffff" for character in text)


class TalkMessageReader:
    """Reads the body of a response, chunk by chunk, and never further than the chunk it returns.

    Args:
        connection: any object whose ``read(n)`` returns at most n bytes (UTF-8) or characters, and nothing at
            the end.
        max_chunk_size: the largest chunk length believed, in UTF-16 code units.
    """

    def __init__(self, connection: Connection, *, max_chunk_size: int = 16 * 1024 * 1024) -> None:
        self.conn = connection
        self.max_chunk_size = max_chunk_size
        self._reads_text = False
        self._begun = False

    def messages(self) -> Iterator[Any]:
        """Yield each array, ``[id, data]``.

        Raises:
            TalkMessageCorrupted: the body is no run of chunks of arrays, or ended inside one.
        """
        for submission in self.submissions():
            if not submission.strip(" \t\r\n"):
                continue  # a keep-alive
            try:
                arrays = _core.parse(submission)
            except ParseError as error:
                raise TalkMessageCorrupted(f"Talk message could not be parsed: {error}") from error
            if not isinstance(arrays, list):
                raise TalkMessageCorrupted("Talk message could not be parsed: not an array of arrays")
            yield from arrays

    def submissions(self) -> Iterator[str]:
        """Yield each chunk's payload.

        Raises:
            TalkMessageCorrupted: a length is no number or too large, the body is not UTF-8, or it ended
                inside
                a chunk.
        """
        while (line := self.readline()) is not None:
            # A byte order mark may stand before the body: as text, or as bytes, which _read() takes singly.
            sound = line if self._begun else line.removeprefix("\ufeff").removeprefix("\xef\xbb\xbf")
            self._begun = True
            if sound.strip():
                yield self._payload(self._length(sound))

    def readline(self) -> str | None:
        """Return the next line without its line feed; None at the end. Reads not a byte more."""
        line = ""
        while (character := self._read(1)) != "\n":
            if not character:
                if line.strip():
                    raise TalkMessageCorrupted(f"the body ended inside a length: {line!r}")
                return None
            line += character
            if len(line) > _MAX_LENGTH_LINE:
                raise TalkMessageCorrupted(f"length of submission expected, got {line!r}…")
        return line

    def _length(self, line: str) -> int:
        digits = line.strip(" \r")
        if not (digits.isascii() and digits.isdigit()):
            raise TalkMessageCorrupted(f"length of submission expected, got {line!r}")
        length = int(digits)
        if length > self.max_chunk_size:
            raise TalkMessageCorrupted(f"the length {length} is over the limit of {self.max_chunk_size}")
        return length

    def _payload(self, length: int) -> str:
        # A UTF-16 unit takes one byte of UTF-8 at least, so that asking for as many bytes as units are
        # missing never reads past the chunk's end; and a character two units at most, so that asking for
        # half as many characters does not either.
        parts: list[str] = []
        missing = length
        rest = b""
        while missing > 0 or rest:
            wanted = (missing + 1) // 2 if self._reads_text else missing - len(rest)
            got = self.conn.read(max(wanted, 1))
            if not got:
                raise TalkMessageCorrupted(
                    f"the body ends inside a chunk: {length} chars expected, got {length - missing}"
                )
            if isinstance(got, str):
                text = got
            else:
                text, rest = self._decode(rest + got)
            parts.append(text)
            missing -= _units(text)
        if missing < 0:
            raise TalkMessageCorrupted("the length ends inside a surrogate pair")
        return "".join(parts)

    def _read(self, n: int) -> str:
        got = self.conn.read(n)
        self._reads_text = isinstance(got, str)
        return got if isinstance(got, str) else got.decode("latin-1")

    @staticmethod
    def _decode(data: bytes) -> tuple[str, bytes]:
        """The text of the whole characters in the data, and the beginning of one that is cut."""
        try:
            return data.decode("utf-8"), b""
        except UnicodeDecodeError as error:
            if error.end == len(data) and error.reason == "unexpected end of data":
                return data[: error.start].decode("utf-8"), data[error.start :]
            raise TalkMessageCorrupted(f"the body is not UTF-8: {error}") from error
