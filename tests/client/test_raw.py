"""Decoder(raw=True), Framer, and parse() of bytes: for those who have a parser of their own."""

import json
import sys
import threading
from pathlib import Path

import pytest
from hostile import frame
from hypothesis import given
from hypothesis import strategies as st

import gaechannel
from gaechannel import Decoder, Framer, ParseError, TalkMessageCorrupted
from gaechannel.talkparser import parse

CASES = json.loads((Path(__file__).parents[1] / "wire" / "cases.json").read_text())
CASE_IDS = [case["name"] for case in CASES]


def decode(decoder, parts):
    """All that a decoder gives for the parts, and what it raises at the end, if anything."""
    found = []
    try:
        for part in parts:
            found += decoder.feed(part)
        decoder.eof()
    except TalkMessageCorrupted as error:
        return found, str(error)
    return found, None


def by_bytes(body):
    return [body[at : at + 1] for at in range(len(body))]


# ---- Decoder(raw=True) ----


def test_data_comes_as_it_stands_in_the_body():
    body = frame('[[1, {"a" : [1,,"é😀"]} ],[2,\'it\\\'s\'],[3,\n[ ]\n]]') + frame("[[4,null]]")
    assert Decoder(raw=True).feed(body) == [
        (1, '{"a" : [1,,"é😀"]}'.encode()),
        (2, rb"'it\'s'"),
        (3, b"[ ]"),
        (4, b"null"),
    ]


@pytest.mark.parametrize("case", CASES, ids=CASE_IDS)
def test_raw_data_of_every_case_is_what_the_objects_are_made_of(case):
    body = case["body"].encode("latin-1")
    found, error = decode(Decoder(raw=True), [body])
    assert (found, error) == decode(Decoder(raw=True), by_bytes(body))
    want = [tuple(array) for array in case["arrays"]]
    assert [(number, parse(data)) for number, data in found[: len(want)]] == want
    assert error is None or case["error"] is not None


def test_nothing_is_looked_at_but_the_bounds():
    data = ["nul", "[,,}", '"\\q"', "{:]", "01", "[" * 200 + "]" * 200]
    body = frame("[" + ",".join(f"[{number},{one}]" for number, one in enumerate(data)) + "]")
    assert Decoder(raw=True).feed(body) == [(number, one.encode()) for number, one in enumerate(data)]


@pytest.mark.parametrize(
    "payload",
    ["[[1,[2]", "[[1]]", "[[1,2,3]]", '[["1",2]]', "[1,2,3]", '[[1,"]]', "{}", "[[1,2]]x", "[[1,,]]"],
)
def test_what_has_no_bounds_is_corrupt(payload):
    decoder = Decoder(raw=True)
    assert decoder.feed(frame("[[1,2]]") + frame(payload)) == [(1, b"2")]
    for call in (lambda: decoder.feed(b""), decoder.eof):
        with pytest.raises(TalkMessageCorrupted):
            call()


def test_what_is_no_utf_8_is_corrupt():
    with pytest.raises(TalkMessageCorrupted, match="UTF-8"):
        Decoder(raw=True).feed(b'11\n[[1,"\xff\xff"]]')


@pytest.mark.parametrize("raw", [1, None, "yes"], ids=repr)
def test_raw_is_true_or_false(raw):
    with pytest.raises(TypeError, match="raw must be True or False"):
        Decoder(raw=raw)


# ---- Framer ----


def test_payloads_come_alone():
    framer = Framer()
    assert framer.feed('15\n[[1,["é😀"]]]\n\n7\n[0,1,7]'.encode()) == [
        '[[1,["é😀"]]]\n\n'.encode(),
        b"[0,1,7]",
    ]
    framer.eof()


def test_a_payload_may_be_anything_that_is_text():
    assert Framer().feed(b'4\noops5\n{"a":') == [b"oops", b'{"a":']


def test_payloads_that_hold_nothing_are_left_out():
    assert Framer().feed(b"0\n1\n\n3\n \r\n2\n[]") == [b"[]"]


@pytest.mark.parametrize("case", CASES, ids=CASE_IDS)
def test_payloads_of_every_case_hold_its_arrays(case):
    body = case["body"].encode("latin-1")
    payloads, error = decode(Framer(), [body])
    assert (payloads, error) == decode(Framer(), by_bytes(body))
    want = [chunk.encode() for chunk in case["chunks"] if chunk.strip()]
    # More, where what is wrong is in a payload.
    assert payloads[: len(want)] == want
    assert case["error"] is not None or (len(payloads), error) == (len(want), None)


def test_payloads_before_the_corruption_come_first():
    framer = Framer()
    assert framer.feed(b"2\n[]oops\n") == [b"[]"]
    for call in (lambda: framer.feed(b""), framer.eof):
        with pytest.raises(TalkMessageCorrupted, match="length"):
            call()


def test_a_body_that_ends_inside_a_payload_is_told():
    framer = Framer()
    assert framer.feed(b"5\n[[1,") == []
    for call in (framer.eof, lambda: framer.feed(b"2]]"), framer.eof):
        with pytest.raises(TalkMessageCorrupted, match="ended inside a chunk"):
            call()


def test_the_framers_limit_holds():
    assert Framer(max_chunk_size=2).feed(b"2\n[]") == [b"[]"]
    with pytest.raises(TalkMessageCorrupted, match="longer than the limit"):
        Framer(max_chunk_size=2).feed(b"3\n[ ]")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"max_chunk_size": 0}, ValueError),
        ({"max_chunk_size": -(2**70)}, ValueError),
        ({"max_chunk_size": "1"}, TypeError),
        ({"max_chunk_size": 1.5}, TypeError),
        ({"max_chunk_size": True}, TypeError),
        ({"raw": True}, TypeError),
    ],
    ids=str,
)
def test_the_framers_arguments_are_checked(arguments, error):
    with pytest.raises(error, match=f"{next(iter(arguments))}( must be|')"):
        Framer(**arguments)
    assert Framer(max_chunk_size=2**70).feed(b"2\n[]") == [b"[]"]
    with pytest.raises(TypeError):
        Framer(1)


@pytest.mark.parametrize("data", ["2\n[]", None, 1], ids=repr)
def test_bytes_are_fed(data):
    for reader in (Framer(), Decoder(raw=True)):
        with pytest.raises(TypeError):
            reader.feed(data)
        assert reader.feed(bytearray(b"8\n[[1,[]]]")) != []


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 2**63 - 1), values), max_size=4), max_size=4),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_payloads_and_json_are_what_decoders_give(chunks, ascii_only, chance):
    texts = [json.dumps(chunk, ensure_ascii=ascii_only) for chunk in chunks]
    body = b"".join(frame(text) for text in texts if is_text(text))
    places = sorted(chance.randrange(len(body) + 1) for _ in range(5))
    parts = [body[begin:end] for begin, end in zip([0, *places], [*places, len(body)], strict=True)]
    want = decode(Decoder(), parts)
    payloads, error = decode(Framer(), parts)
    assert ([tuple(array) for one in payloads for array in json.loads(one)], error) == want
    raw, error = decode(Decoder(raw=True), parts)
    assert ([(number, json.loads(data)) for number, data in raw], error) == want


def is_text(text):
    return not any(0xD800 <= ord(character) < 0xE000 for character in text)


def test_one_feed_at_a_time():
    """Threads that share a framer get all payloads between them, or are told that another one is at it."""
    framer = Framer()
    body = b"".join(b"6\n[%04d]" % number for number in range(2000))
    found, refused = [], []

    def feed():
        for _ in range(50):
            try:
                found.extend(framer.feed(body))
            except RuntimeError as error:
                refused.append(str(error))

    threads = [threading.Thread(target=feed) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == (200 - len(refused)) * 2000
    assert set(refused) <= {"another feed() is under way"}


# ---- parse() ----


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview], ids=lambda kind: kind.__name__)
def test_parse_takes_bytes(kind):
    assert parse(kind("[1,,\"é😀\",'x']".encode())) == [1, None, "é😀", "x"]


def test_parse_of_bytes_says_where_it_is_wrong_in_characters():
    with pytest.raises(ParseError, match="char 5") as caught:
        parse('["é",nul]'.encode())
    assert caught.value.pos == 5


@pytest.mark.parametrize(
    "text", [b'["\xff"]', b'["\xc3"]', b'["\xed\xa0\x80"]', b'["\xf4\x90\x80\x80"]', b'["\xc3']
)
def test_parse_of_bytes_that_are_no_utf_8_says_so(text):
    with pytest.raises(ParseError, match="not UTF-8: char 2"):
        parse(text)


@pytest.mark.parametrize("text", [None, 1, [91, 93]], ids=repr)
def test_parse_takes_nothing_else(text):
    with pytest.raises(TypeError, match="a str or bytes"):
        parse(text)


def test_all_is_public():
    assert "Framer" in gaechannel.__all__
    assert gaechannel.Framer is sys.modules["gaechannel._core"].Framer
