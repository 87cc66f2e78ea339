"""Decoder and TalkDecoder: bodies to arrays and messages, however they are cut."""

import contextlib
import gzip
import json
import random
import resource
import sys
import threading
import tracemalloc
from pathlib import Path

import pytest
from hostile import chunk, frame, message, messages
from hypothesis import given, settings
from hypothesis import strategies as st

from gaechannel import ChannelError, Decoder, Framer, TalkDecoder, TalkMessageCorrupted

CASES = json.loads((Path(__file__).parents[1] / "wire" / "cases.json").read_text())


def pieces(body, cut):
    """The body in pieces: whole, byte by byte, or at random places."""
    if cut == "whole":
        return [body]
    if cut == "bytes":
        return [body[at : at + 1] for at in range(len(body))]
    chance = random.Random(cut)
    places = sorted(chance.randrange(len(body) + 1) for _ in range(chance.randrange(8)))
    return [body[begin:end] for begin, end in zip([0, *places], [*places, len(body)], strict=True)]


def decode(decoder, parts):
    """All that a decoder gives for the parts, and what it raises at the end, if anything."""
    found = []
    try:
        for part in parts:
            found += decoder.feed(part)
        decoder.eof()
    except TalkMessageCorrupted as error:
        return found, error
    return found, None


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
@pytest.mark.parametrize("cut", ["whole", "bytes", *range(20)])
def test_every_case_holds_however_it_is_cut(case, cut):
    body = case["body"].encode("latin-1")
    found, error = decode(Decoder(), pieces(body, cut))
    assert found == [tuple(array) for array in case["arrays"]]
    assert (error is not None) == (case["error"] is not None)
    for (_, got), (_, want) in zip(found, case["arrays"], strict=True):
        assert repr(got) == repr(want)  # 1 is not 1.0, nor True


@pytest.mark.parametrize("seed", range(40))
def test_lone_surrogates_stay_where_they_are_in_long_texts(seed):
    chance = random.Random(seed)
    some = [
        "\ud83d",
        "\ude00",
        "a",
        "0123456789abcdef" * 3,
        "é",
        "한",
        "\ud7ff",
        "\ue000",
        "🚢",
        "\x00",
        '"',
        "\n",
    ]
    text = "".join(chance.choices(some, k=chance.randrange(1, 400)))
    # ASCII and surrogates as escapes, where they must be; all else as it is.
    literal = "".join(c if c >= "\x80" and not is_surrogate(c) else json.dumps(c)[1:-1] for c in text)
    body = frame(f'[[1,["c",["AA",["ae","{literal}"]]]]]')
    # Two halves that meet are a pair.
    assert TalkDecoder().feed(body) == [text.replace("\ud83d\ude00", "😀")]


def is_surrogate(character):
    return 0xD800 <= ord(character) < 0xE000


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
@pytest.mark.parametrize("cut", ["whole", "bytes", 1])
def test_every_case_holds_for_messages(case, cut):
    want = []
    for _, data in case["arrays"]:
        match data:
            case ["c", [str(), ["ae", str(text)]]]:
                want.append(text)
    found, error = decode(TalkDecoder(), pieces(case["body"].encode("latin-1"), cut))
    assert found == want
    assert (error is not None) == (case["error"] is not None)


# ---- What comes before an error ----


def test_arrays_before_the_corruption_are_returned_first_and_it_is_raised_next():
    decoder = Decoder()
    assert decoder.feed(frame("[[1,2]]") + frame("[[3,4]]") + b"oops\n") == [(1, 2), (3, 4)]
    for _ in range(2):
        with pytest.raises(TalkMessageCorrupted, match="length"):
            decoder.feed(b"")
        with pytest.raises(TalkMessageCorrupted, match="length"):
            decoder.eof()


def test_nothing_of_a_corrupt_chunk_is_returned():
    decoder = Decoder()
    assert decoder.feed(frame("[[1,2]]") + frame("[[3,4],[5,oops]]") + frame("[[6,7]]")) == [(1, 2)]
    with pytest.raises(TalkMessageCorrupted):
        decoder.feed(frame("[[8,9]]"))


def test_a_corruption_with_nothing_before_it_is_raised_at_once():
    with pytest.raises(TalkMessageCorrupted):
        Decoder().feed(b"oops\n")


@pytest.mark.parametrize("body", [b"1", b"9\n", b"9\n[[1,2", b'12\n[[1,"\xf0\x9f', b"5 "])
def test_a_body_that_ends_inside_a_chunk_is_no_whole_body(body):
    for decoder in (Decoder(), Decoder(raw=True), TalkDecoder()):
        assert decoder.feed(body) == []
        for call in (decoder.eof, lambda decoder=decoder: decoder.feed(b"3]]"), decoder.eof):
            with pytest.raises(TalkMessageCorrupted, match="inside a chunk"):
                call()


@pytest.mark.parametrize("body", [b"", b"\n", b"\r\n\n \n", frame("[]"), frame("[[1,2]]") + b"\n\n"])
def test_a_body_may_be_nothing_or_blank(body):
    decoder = Decoder()
    assert decoder.feed(body) in ([], [(1, 2)])
    decoder.eof()


# ---- Whose messages ----


def test_only_the_wanted_clids_messages_are_returned():
    body = chunk(
        message(1, "mine", "ME"), message(2, "yours", "YOU"), '[3,["c",["\\u004dE",["ae","\\u00e9"]]]]'
    )
    assert TalkDecoder("ME").feed(body) == ["mine", "é"]
    assert TalkDecoder(clid="YOU").feed(body) == ["yours"]
    assert TalkDecoder(None).feed(body) == ["mine", "yours", "é"]
    assert TalkDecoder("").feed(body) == []


def test_a_long_escaped_clid_is_compared_in_full():
    name = "é" * 200
    body = chunk(f'[1,["c",["{chr(92)}u00e9{name[1:]}",["ae","x"]]]]')
    assert TalkDecoder(name).feed(body) == ["x"]
    assert TalkDecoder(name[:-1]).feed(body) == []


# ---- Limits ----


def test_max_chunk_size_counts_utf_16_units():
    body = frame('[[1,"😀"]]')
    assert Decoder(max_chunk_size=10).feed(body) == [(1, "😀")]
    with pytest.raises(TalkMessageCorrupted, match="limit"):
        Decoder(max_chunk_size=9).feed(body)


@pytest.mark.parametrize("kind", [Decoder, TalkDecoder])
@pytest.mark.parametrize("size", [0, -1])
def test_max_chunk_size_must_be_positive(kind, size):
    with pytest.raises(ValueError, match=f"max_chunk_size must be at least 1, not {size}"):
        kind(max_chunk_size=size)


@pytest.mark.parametrize("kind", [Decoder, TalkDecoder])
def test_max_chunk_size_is_named_where_it_is_no_number(kind):
    with pytest.raises(TypeError, match=r"max_chunk_size must be an int, not str"):
        kind(max_chunk_size="x")


def test_nesting_has_a_limit():
    def nested(depth):
        return frame("[[1," + "[" * (depth - 2) + "]" * (depth - 2) + "]]")

    (array,) = Decoder().feed(nested(128))
    assert repr(array[1]).count("[") == 126
    with pytest.raises(TalkMessageCorrupted, match="nest"):
        Decoder().feed(nested(129))
    with pytest.raises(TalkMessageCorrupted, match="nest"):
        Decoder().feed(frame("[[1," + "[" * 100_000))


@pytest.mark.parametrize("length", [b"16777216", b"16777217", b"4294967296", b"18446744073709551617"])
def test_no_memory_is_spent_on_a_claimed_length(length):
    unit = 1 if sys.platform == "darwin" else 1024
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    decoders = [Decoder() for _ in range(20)]
    for decoder in decoders:
        try:
            assert decoder.feed(length + b"\n[[1,") == []
        except TalkMessageCorrupted:
            assert length != b"16777216"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit - before < 8 * 2**20


def test_the_interpreters_own_memory_is_not_spent_either():
    tracemalloc.start()
    try:
        decoder = Decoder()
        for _ in range(1000):
            decoder.feed(b"\n" * 100)
        decoder.feed(b"16000000\n[")
        for _ in range(1000):
            decoder.feed(b" " * 100)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 64 * 1024


# ---- What it takes ----


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_anything_with_bytes_can_be_fed(kind):
    assert Decoder().feed(kind(frame("[[1,2]]"))) == [(1, 2)]


@pytest.mark.parametrize("wrong", ["text", None, 7, ["list"]])
def test_all_else_is_a_type_error(wrong):
    decoder = Decoder()
    with pytest.raises(TypeError):
        decoder.feed(wrong)
    assert decoder.feed(frame("[[1,2]]")) == [(1, 2)]


def test_arguments_are_checked():
    with pytest.raises(TypeError):
        Decoder(10)
    with pytest.raises(TypeError):
        Decoder(size=10)
    with pytest.raises(TypeError):
        TalkDecoder(7)


def test_what_was_fed_may_change_afterwards():
    buffer = bytearray(b'12\n[[1,"abc')
    decoder = Decoder()
    decoder.feed(buffer)
    buffer[:] = b"x" * len(buffer)
    assert decoder.feed(b'"]]\n') == [(1, "abc")]


def test_many_threads_that_feed_one_decoder_do_no_harm():
    decoder = TalkDecoder()
    body = messages(1, "x" * 50) * 200
    found = []

    def feed():
        for _ in range(50):
            try:
                found.extend(decoder.feed(body))
            except (RuntimeError, ChannelError):
                return

    threads = [threading.Thread(target=feed) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(found) == {"x" * 50}


def test_a_long_body_is_decoded_in_one_go():
    texts = [f"{n} é😀" * 20 for n in range(20_000)]
    assert TalkDecoder().feed(messages(1, *texts)) == texts


# ---- Whatever there is ----

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=40)
@given(st.lists(st.lists(values, max_size=4), max_size=5), st.booleans(), st.randoms(use_true_random=False))
def test_what_was_encoded_is_decoded(bodies, ascii_only, chance):
    arrays, body = [], b""
    for data in bodies:
        numbered = [[len(arrays) + offset, value] for offset, value in enumerate(data)]
        arrays += numbered
        body += frame(json.dumps(numbered, ensure_ascii=ascii_only))
    places = sorted(chance.randrange(len(body) + 1) for _ in range(chance.randrange(5)))
    parts = [body[begin:end] for begin, end in zip([0, *places], [*places, len(body)], strict=True)]
    found, error = decode(Decoder(), parts)
    assert error is None
    assert found == [tuple(array) for array in arrays]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=5), st.booleans())
def test_every_text_is_a_message(texts, ascii_only):
    body = b"".join(
        frame(json.dumps([[number, ["c", ["X", ["ae", text]]]]], ensure_ascii=ascii_only))
        for number, text in enumerate(texts)
    )
    for cut in ("whole", "bytes", 7):
        assert decode(TalkDecoder("X"), pieces(body, cut)) == (texts, None)


@given(st.binary(max_size=200), st.integers(0, 30))
def test_no_bytes_do_harm_and_cuts_change_nothing(body, cut):
    whole, error = decode(Decoder(max_chunk_size=100), [body])
    cut_up, other = decode(Decoder(max_chunk_size=100), pieces(body, cut))
    assert repr(cut_up) == repr(whole)
    assert str(error) == str(other)


@pytest.mark.parametrize("make", [Decoder, TalkDecoder, Framer])
@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"\n<!DOCTYPE html><html>", "this looks like an HTML page"),
        (b"2\n[]<html>", "this looks like an HTML page"),
        (gzip.compress(b"2\n[]", mtime=0), "this looks compressed, by gzip"),
        (b'[[1,["a"]]]', "this looks like JSON, without the length before it"),
        (b'{"error": 1}', "this looks like JSON, without the length before it"),
        (b"2<", "a chunk's length is not a number$"),
    ],
)
def test_what_a_body_is_instead_is_said(make, body, words):
    decoder = make()
    with contextlib.suppress(TalkMessageCorrupted):
        decoder.feed(body)
    with pytest.raises(TalkMessageCorrupted, match=words):
        decoder.eof()


@pytest.mark.parametrize("make", [Decoder, TalkDecoder, Framer])
def test_a_str_is_no_body(make):
    with pytest.raises(TypeError, match=r"a body's bytes are wanted, not str: of text, its encode\(\)"):
        make().feed("2\n[]")
