"""talkparser.parse: literals as the talk servers write them."""

import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaechannel import ChannelError, ParseError, talkparser
from gaechannel.talkparser import parse


@pytest.mark.parametrize(
    ("text", "value"),
    [
        # Holes, counted as JavaScript counts them.
        ("[,]", [None]),
        ("[1,]", [1]),
        ("[1,,]", [1, None]),
        ("[,1]", [None, 1]),
        ("[,,]", [None, None]),
        ("[ , , 1]", [None, None, 1]),
        ("[[],]", [[]]),
        ("[]", []),
        # Strings.
        ("'it\\'s'", "it's"),
        ('"a\'b"', "a'b"),
        (r'"\b\f\n\r\t\v\0"', "\b\f\n\r\t\v\0"),
        (r'"\x41\u00e9\/\\"', "Aé/\\"),
        (r'"\q\-\é"', "q-é"),
        ('"a\\\nb"', "ab"),
        ('"a\\\r\nb"', "ab"),
        ('"raw\ttab and\nline end"', "raw\ttab and\nline end"),
        (r'"\ud83d\ude00"', "😀"),
        (r'"\ud83d"', "\ud83d"),
        (r'"\ude00\ud83d"', "\ude00\ud83d"),
        ('"\ud83d"', "\ud83d"),
        ('""', ""),
        # Words and numbers.
        ("undefined", None),
        ("null", None),
        ("true", True),
        ("false", False),
        ("[undefined,,null]", [None, None, None]),
        ("0", 0),
        ("-0", 0),
        ("-0.0", -0.0),
        ("1e3", 1000.0),
        ("1E-2", 0.01),
        ("123456789012345678901234567890", 123456789012345678901234567890),
        ("-9223372036854775808", -9223372036854775808),
        ("999999999999999999", 999999999999999999),
        ("1e999", float("inf")),
        # Objects.
        ("{}", {}),
        ("{'a':1,\"b\":[{}]}", {"a": 1, "b": [{}]}),
        ('{"a":1,"a":2}', {"a": 2}),
        (" \t\r\n[ 1 , 2 ] \n", [1, 2]),
    ],
)
def test_literals_have_values(text, value):
    found = parse(text)
    assert found == value
    assert repr(found) == repr(value)


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 0),
        ("  ", 2),
        ("nul", 0),
        ("NaN", 0),
        ("Infinity", 0),
        ("-Infinity", None),
        ("hello", 0),
        ("[1 2]", 3),
        ("[1,2", 4),
        ("[1,2}", 4),
        ("[1]]", 3),
        ("[1] 2", 4),
        ("01", None),
        ("1.", None),
        (".5", 0),
        ("+1", 0),
        ("1e", None),
        ("-", None),
        ("0x10", None),
        ('"abc', None),
        ("'abc\"", None),
        (r'"\u12"', None),
        (r'"\u123g"', None),
        (r'"\xg0"', None),
        ('"\\', None),
        ("{a:1}", 1),
        ('{"a" 1}', 5),
        ('{"a":}', 5),
        ('{"a":1,}', None),
        ("{1:2}", 1),
        ("{,}", 1),
        ('["é😀",x]', 6),
        ("\ufeff1", 0),
        ("\u00a01", 0),
        ("1 // no comments", 2),
        ("alert(1)", 0),
        ("[" * 129, 128),
    ],
)
def test_all_else_is_a_parse_error_with_its_position_in_characters(text, position):
    with pytest.raises(ParseError) as caught:
        parse(text)
    error = caught.value
    assert isinstance(error, ValueError)
    assert isinstance(error, ChannelError)
    assert 0 <= error.pos <= len(text)
    if position is not None:
        assert error.pos == position
    assert str(error) == f"{error.msg}: char {error.pos}"


def test_a_parse_error_is_the_modules_own_and_can_be_pickled():
    assert talkparser.ParseError is ParseError
    with pytest.raises(ParseError) as caught:
        parse("[1 2]")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (copy.msg, copy.pos, str(copy)) == (caught.value.msg, 3, str(caught.value))


@pytest.mark.parametrize("wrong", [None, 7, ["[]"]])
def test_only_texts_are_parsed(wrong):
    with pytest.raises(TypeError):
        parse(wrong)


def test_nesting_of_arrays_and_objects_has_a_limit_of_128():
    assert parse("[" * 128 + "]" * 128)
    assert parse('{"a":' * 128 + "1" + "}" * 128)
    for text in ("[" * 129 + "]" * 129, '{"a":[' * 64 + "[1]" + "]}" * 64, "[" * 1_000_000):
        with pytest.raises(ParseError, match="nest"):
            parse(text)


def test_an_integer_has_as_many_digits_as_python_would_read():
    assert parse("9" * 4300) == int("9" * 4300)
    with pytest.raises(ParseError):
        parse("9" * 4301)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=30,
)


@given(values, st.booleans(), st.sampled_from([None, 0, 2]))
def test_all_of_json_is_read_as_json_reads_it(value, ascii_only, indent):
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert repr(parse(text)) == repr(json.loads(text))


@given(st.text(alphabet="[]{},:'\"\\ux0123456789abcdefnulltrue.-+eE \n😀é", max_size=40))
def test_what_json_reads_is_read_the_same_and_the_rest_does_no_harm(text):
    try:
        want = json.loads(text)
    except ValueError:
        want = ...
    try:
        found = parse(text)
    except ParseError:
        assert want is ...
        return
    if want is not ...:
        assert repr(found) == repr(want)
