"""TalkMessageReader: chunks and arrays from any object with read(n)."""

import contextlib
import http.client
import io
import json
import socket
from pathlib import Path

import pytest
from hostile import Server, chunk, frame, head, messages, units
from hypothesis import given
from hypothesis import strategies as st

import gaechannel
from gaechannel import TalkMessageCorrupted, TalkMessageReader

CASES = json.loads((Path(__file__).parents[1] / "wire" / "cases.json").read_text())


class OneByOne:
    """Returns one byte, or one character, however many are asked for."""

    def __init__(self, data):
        self.inner = io.BytesIO(data) if isinstance(data, bytes) else io.StringIO(data)

    def read(self, n):
        return self.inner.read(min(n, 1))


SOURCES = {
    "bytes": io.BytesIO,
    "one by one": OneByOne,
    "buffered": lambda body: io.BufferedReader(io.BytesIO(body)),
}
SOUND = [case for case in CASES if case["error"] is None]


def drain(iterator):
    """What came, even before an error."""
    found, error = [], None
    try:
        for one in iterator:
            found.append(one)  # noqa: PERF402 - what came before an error is kept
    except TalkMessageCorrupted as caught:
        error = caught
    return found, error


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
@pytest.mark.parametrize("source", SOURCES)
def test_every_case_holds(case, source):
    body = case["body"].encode("latin-1")
    arrays, error = drain(TalkMessageReader(SOURCES[source](body)).messages())
    assert arrays == case["arrays"]
    assert (error is not None) == (case["error"] is not None)
    # A payload that is no literal is still a payload.
    chunks, _ = drain(TalkMessageReader(SOURCES[source](body)).submissions())
    assert chunks[: len(case["chunks"])] == case["chunks"]


@pytest.mark.parametrize("case", SOUND, ids=[case["name"] for case in SOUND])
@pytest.mark.parametrize("source", [io.StringIO, OneByOne])
def test_texts_can_be_read_as_well(case, source):
    text = case["body"].encode("latin-1").decode()
    connection = source(text) if source is OneByOne else io.StringIO(text, newline="")
    assert drain(TalkMessageReader(connection).messages()) == (case["arrays"], None)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), max_size=6))
def test_characters_of_two_units_are_counted_in_texts_and_bytes(texts):
    payloads = [json.dumps([[1, text]], ensure_ascii=False) for text in texts]
    text = "".join(f"{units(payload)}\n{payload}" for payload in payloads)
    for connection in (io.StringIO(text, newline=""), io.BytesIO(text.encode()), OneByOne(text.encode())):
        assert list(TalkMessageReader(connection).submissions()) == payloads


def test_no_byte_is_read_that_is_not_needed_yet():
    first, second = frame('[[1,"😀é"]]'), frame("[[2,3]]")
    connection = io.BytesIO(first + second + b"rest")
    reader = TalkMessageReader(connection)
    submissions = reader.submissions()
    assert next(submissions) == '[[1,"😀é"]]'
    assert connection.tell() == len(first)
    assert next(submissions) == "[[2,3]]"
    assert connection.tell() == len(first + second)


def test_the_same_holds_for_texts():
    first = frame('[[1,"😀😀😀"]]').decode()
    connection = io.StringIO(first + "9\n[[2,345]]", newline="")
    submissions = TalkMessageReader(connection).submissions()
    assert next(submissions) == '[[1,"😀😀😀"]]'
    assert connection.tell() == len(first)
    assert next(submissions) == "[[2,345]]"


def test_a_live_socket_gives_each_chunk_as_it_comes():
    here, there = socket.socketpair()
    with here, there, there.makefile("rb", buffering=0) as connection:
        arrays = TalkMessageReader(connection).messages()
        for number in range(1, 4):
            here.sendall(chunk(f"[{number},null]"))
            assert next(arrays) == [number, None]
        here.shutdown(socket.SHUT_WR)
        assert list(arrays) == []


@pytest.mark.parametrize("encoding", ["length", "chunked", "close"])
def test_a_response_can_be_read(encoding):
    body = messages(1, "a", "é😀")
    answers = {
        "length": head("200 OK", length=len(body)) + body,
        "chunked": head("200 OK", "Transfer-Encoding: chunked")
        + b"".join(b"1\r\n%c\r\n" % byte for byte in body)
        + b"0\r\n\r\n",
        "close": head("200 OK", "Connection: close") + body,
    }

    def answer(_request, peer):
        peer.send(answers[encoding])
        peer.close()

    with (
        Server(answer) as server,
        contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port)) as connection,
    ):
        connection.request("GET", "/")
        arrays = list(TalkMessageReader(connection.getresponse()).messages())
    assert [data[1][1][1] for _, data in arrays] == ["a", "é😀"]


def test_readline_returns_lines_without_their_ends_and_none_at_the_end():
    reader = TalkMessageReader(io.BytesIO(b"12\r\n\nabc\n"))
    assert [reader.readline() for _ in range(5)] == ["12\r", "", "abc", None, None]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"x\n", "length of submission expected"),
        (b"-1\n", "length of submission expected"),
        (b"1 2\n[]", "length of submission expected"),
        ("１\n".encode(), "length of submission expected"),
        (b"9" * 100, "length of submission expected"),
        (b"99999999999\n", "limit"),
        (b"12", "ended inside a length"),
        (b"5\n[1", "5 chars expected, got 2"),
        (b'3\n"\xf0\x9f', "3 chars expected, got 1"),
        ('2\n"😀"'.encode(), "surrogate pair"),
        (b"2\n\xff\xff", "UTF-8"),
        (b"2\n\xed\xa0\x80", "UTF-8"),
        (b"4\nabcd", "could not be parsed"),
        (b"2\n{}", "could not be parsed"),
    ],
)
@pytest.mark.parametrize("source", SOURCES)
def test_what_is_broken_is_said(body, words, source):
    with pytest.raises(TalkMessageCorrupted, match=words):
        list(TalkMessageReader(SOURCES[source](body)).messages())


def test_a_length_over_the_limit_is_not_read():
    reader = TalkMessageReader(io.BytesIO(b"11\n[1,2,3,4,5]"), max_chunk_size=10)
    with pytest.raises(TalkMessageCorrupted, match="limit of 10"):
        list(reader.submissions())


def test_the_old_names_are_there():
    assert gaechannel._TalkMessageCorrupted is TalkMessageCorrupted
    connection = io.BytesIO(b"")
    assert TalkMessageReader(connection).conn is connection
