"""`gaechannel decode`: a captured response body, a line an array."""

from __future__ import annotations

import argparse
import gzip
import io
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from gaechannel._core import Decoder, parse
from gaechannel.errors import ParseError, TalkMessageCorrupted
from gaechannel.reader import TalkMessageReader

from .arguments import CommandError, add_command
from .output import as_json, one_line, stdin

if TYPE_CHECKING:
    from .arguments import _Commands

_GZIP = b"\x1f\x8b"


class _Array(NamedTuple):
    """An array of a body; or, with no id, a chunk that holds none, such as a forward reply."""

    id: int | None
    #: Where its chunk's length begins, in bytes.
    offset: int
    data: object


class _Broken(Exception):
    """What is wrong with a body, and at which byte."""

    def __init__(self, words: str, offset: int) -> None:
        super().__init__(words)
        self.offset = offset


class _Body:
    """A body as it is read, chunk by chunk."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.offset = 0
        self.chunk = bytearray()

    def read(self, n: int, /) -> bytes:
        data = self._file.read(n)
        self.offset += len(data)
        self.chunk += data
        return data


def add_decode(commands: _Commands) -> None:
    parser = add_command(
        commands,
        "decode",
        _decode,
        "print the arrays of a response body, one a line",
        "The body is what a server answered, as a browser's network tab or curl saves it, and may be"
        " compressed by gzip. Each line is an array's id and its data as JSON; a chunk that holds no arrays,"
        " as in an answer to sent maps, has - for an id. Where the body breaks off or makes no sense, the"
        " arrays before that are printed, and then what is wrong at which byte.",
    )
    parser.add_argument(
        "file", metavar="FILE", nargs="?", default="-", help="the body; -: standard input (%(default)s)"
    )
    parser.add_argument(
        "--raw",
        action="store_true",
        help="print the data as it stands in the body, not parsed: what is no JSON in it, too",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help='print {"id": ID, "offset": N, "data": DATA}; N is where its chunk begins, in bytes;'
        " with --raw, DATA is text",
    )


def _open(name: str) -> BinaryIO:
    """The body, decompressed where gzip has compressed it."""
    file = stdin().buffer if name == "-" else open(name, "rb")  # noqa: SIM115 - until the process ends
    buffered = file if isinstance(file, io.BufferedReader) else io.BufferedReader(file)  # type: ignore[type-var]
    if buffered.peek(len(_GZIP)).startswith(_GZIP):
        return gzip.GzipFile(fileobj=buffered)  # type: ignore[return-value]
    return buffered


def _decode(args: argparse.Namespace) -> int:
    body = _Body(_open(args.file))
    try:
        for array in _arrays(body, args.raw):
            print(_line(args, array))
    except _Broken as broken:
        raise CommandError(f"{_name(args.file)}, at byte {broken.offset}: {broken}") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise CommandError(
            f"{_name(args.file)}, after byte {body.offset} of what is compressed: {error}"
        ) from None
    return 0


def _line(args: argparse.Namespace, array: _Array) -> str:
    if isinstance(array.data, bytes):
        array = array._replace(data=array.data.decode())
    if args.json:
        return as_json(array._asdict())
    data = one_line(str(array.data)) if args.raw else as_json(array.data)
    return f"{'-' if array.id is None else array.id} {data}"


def _name(file: str) -> str:
    return "standard input" if file == "-" else file


def _arrays(body: _Body, raw: bool) -> Iterator[_Array]:
    chunks = TalkMessageReader(body).submissions()
    while True:
        begin = body.offset
        body.chunk.clear()
        try:
            payload = next(chunks, None)
        except TalkMessageCorrupted as error:
            hint = "; this is no BrowserChannel body" if begin == 0 and not _has_length(body.chunk) else ""
            raise _Broken(f"{error}{hint}", _where_framing_broke(body, begin)) from None
        if payload is None:
            return
        for id_, data in _arrays_of(payload, bytes(body.chunk), body.offset, raw):
            yield _Array(id_, begin, data)


def _has_length(chunk: bytearray) -> bool:
    """Whether these bytes begin with a digit, as a chunk does and a page of HTML does not."""
    return chunk.lstrip(b" \t\r\n")[:1].isdigit()


def _where_framing_broke(body: _Body, begin: int) -> int:
    """Where a senseless length begins; or the first byte that is not UTF-8; or the body's end."""
    length_and_payload = body.chunk.lstrip(b" \t\r\n")
    if not length_and_payload.partition(b"\n")[2]:
        return body.offset - len(length_and_payload)
    try:
        body.chunk.decode()
    except UnicodeDecodeError as error:
        return begin + error.start
    return body.offset


def _arrays_of(payload: str, chunk: bytes, end: int, raw: bool) -> Iterator[tuple[int | None, object]]:
    """A chunk's arrays, read as channels do."""
    if not payload.strip(" \t\r\n"):
        return  # a keep-alive
    try:
        yield from Decoder(raw=raw).feed(chunk)
        return
    except TalkMessageCorrupted as error:
        words = str(error)
    begin = end - len(payload.encode())
    try:
        value = parse(payload)
    except ParseError as error:
        raise _Broken(error.msg, begin + len(payload[: error.pos].encode())) from None
    if not isinstance(value, list) or (value and isinstance(value[0], list)):
        raise _Broken(words, begin)
    yield None, payload.encode() if raw else value
