"""Bodies that end where memory does: whatever is read behind them ends the process."""

import subprocess
import sys

import pytest

pytest.importorskip("resource", reason="this system has no pages to be closed off by mprotect()")

PROGRAM = r"""
import ctypes, mmap
from gaechannel import Decoder, Framer, TalkDecoder, TalkMessageCorrupted

ROOM = 16 * mmap.PAGESIZE
memory = mmap.mmap(-1, ROOM + mmap.PAGESIZE)
libc = ctypes.CDLL(None, use_errno=True)
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
closed = ctypes.addressof(ctypes.c_char.from_buffer(memory)) + ROOM
assert libc.mprotect(closed, mmap.PAGESIZE, 0) == 0, ctypes.get_errno()
view = memoryview(memory)

PIECES = [
    "a", "quiet harbour ", "é", "ж", "次", "🚢", "次a", "é🚢ж",
    "\\n", "\\u00e9", "\\ud83d\\udea2", "\\u6b21x", "\\n0123456789abcdef", "\\q", "\\",
]
PAIR = "\\ud83d\\udea2"
NUMBERS = [
    "0", "-7", "1.5", "1e5", "-1E-300", "123456789012345678", "12345678901234567890123",
    "0.00000001234567890123456789",
]
WORDS = ["null", "true", "false", "undefined", "[]", "{}", "[,,null,null,null]"]
LENGTHS = [*range(36), *range(60, 68), *range(124, 132), 255, 256, 257, 300]

def payloads():
    for piece in PIECES:
        for length in LENGTHS:
            string = piece * (length // len(piece)) + "y" * (length % len(piece))
            yield f'[[1,"{string}"]]'
            yield f'[[1,["c",["9D6C",["ae","{string}"]]]]]'
            yield f'[[1,{{"{string}":"y"}}]]'
            yield f'[[1,"{string}]'
            yield f'[[1,{{"{string}]'
    # A text that ends in a string, or in an escape, wherever that is read.
    for before in "", "é", "次", "y" * 40, "é" + "y" * 70, "次" * 9, "次\\\"":
        for length in range(len(PAIR)):
            yield f'[[1,"{before}{PAIR[:length]}]'
    # The last byte that is looked at together with others, and what is left behind it.
    for before in range(27, 33):
        for behind in range(40):
            yield f'[[1,"é{"y" * before}é{"z" * behind}"]]'
            yield f'[[1,"次{"y" * before}次{"z" * behind}"]]'
    for value in NUMBERS + WORDS:
        yield f"[[1,{value}]]"
        yield f'[[1,[{value} , \n       {value}]], [2,{{"a" :{value}}}]]'

def outcome(make, body):
    reader = make()
    try:
        return repr(reader.feed(body))
    except TalkMessageCorrupted as error:
        return str(error)

READERS = [Decoder, lambda: Decoder(raw=True), TalkDecoder, Framer]
for payload in payloads():
    # Whole, and cut off near its end, which a length says is all.
    for cut in 0, 1, 2, 3, 4, 5, 9:
        text = payload[: len(payload) - cut]
        body = b"%d\n%b" % (len(text.encode("utf-16-le")) // 2, text.encode())
        view[ROOM - len(body) : ROOM] = body
        for make in READERS:
            assert outcome(make, view[ROOM - len(body) : ROOM]) == outcome(make, body), body
print("all hold")
"""


def test_no_byte_is_read_behind_a_body():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.returncode, done.stdout) == (0, "all hold\n"), done.stderr
