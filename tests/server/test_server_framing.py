"""gaechannel.server.core.framing: arrays and chunks as bytes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire_by_hand import units

from gaechannel.server.core import framing


@pytest.mark.parametrize(
    ("text", "length"), [("", 0), ("a", 1), ("é", 1), ("€", 1), ("😀", 2), ("a\U0010ffffé", 4), ("\n", 1)]
)
def test_a_length_counts_utf16_code_units(text, length):
    assert framing.utf16_units(text.encode()) == length


@given(st.text())
def test_a_length_is_what_javascript_counts(text):
    assert framing.utf16_units(text.encode()) == units(text)


@given(st.text(st.characters(exclude_categories=[])))
def test_any_string_comes_back_lone_surrogates_included(text):
    joined = json.loads(json.dumps(text))
    assert json.loads(framing.encode_json(text, ascii_only=False)) == joined
    for ascii_literal in (framing.encode_string(text), framing.encode_json(text)):
        assert ascii_literal.isascii()
        assert json.loads(ascii_literal) == joined


def test_utf_8_is_not_escaped_where_it_need_not_be():
    assert framing.encode_json({"é": ["😀", 1.5, None]}, ascii_only=False) == '{"é":["😀",1.5,null]}'.encode()


def test_lone_surrogates_and_line_separators_are_escaped():
    assert framing.encode_json("\ud800é\u2028\u2029", ascii_only=False) == '"\\ud800é\\u2028\\u2029"'.encode()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_number_that_json_has_not_is_refused(value, ascii_only):
    with pytest.raises(ValueError, match="JSON"):
        framing.encode_json([value], ascii_only=ascii_only)


def test_a_run_of_chunks_of_one_array_each():
    arrays = [b"[1,0]", b'[2,"ab"]', '[3,"é😀"]'.encode()]
    assert framing.frame_each(arrays) == b"".join(framing.frame(framing.payload_of([one])) for one in arrays)


def test_a_chunk_is_its_length_a_line_feed_and_the_payload():
    assert framing.frame_json([1, 2, 23]) == b"9\n[1,2,23]\n"
    assert framing.frame("[😀]".encode()) == b"4\n[\xf0\x9f\x98\x80]"


def test_whoever_reads_by_lines_finds_each_array_and_the_chunks_end():
    arrays = [b'[1,["a"]]', b'[2,[[["b"]]]]', b'[3,["]"]]']
    for run, ends in ((framing.frame(framing.payload_of(arrays)), 1), (framing.frame_each(arrays), 3)):
        lines = run.decode().split("\n")
        assert lines.count("]") == ends
        assert lines[-2:] == ["]", ""]
        assert [json.loads(line[1:]) for line in lines if line[:1] in {"[", ","}] == [
            json.loads(one) for one in arrays
        ]
    assert framing.frame_one(arrays[0]) == framing.frame(framing.payload_of(arrays[:1]))
