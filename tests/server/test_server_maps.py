"""gaechannel.server.core.maps: maps out of bodies."""

import json
from urllib.parse import unquote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaechannel.server import BROWSERCHANNEL, TALK, Refusal
from gaechannel.server.core.maps import (
    body_steps,
    decode_form,
    decode_headers,
    decode_json,
    form_steps,
    integer,
    run_through,
)


def test_a_form_holds_maps_their_first_id_and_other_fields():
    body = decode_form("count=2&ofs=5&req0_x=3&req0_y=10&req1_abc=d%C3%A9f+g&app=youtube")
    assert body.maps == [{"x": "3", "y": "10"}, {"abc": "déf g"}]
    assert (body.ofs, body.form) == (5, {"app": "youtube"})


@given(st.lists(st.dictionaries(st.text(), st.text())))
def test_every_map_comes_out_of_a_form_as_it_went_in(maps):
    fields = [("count", len(maps)), ("ofs", 7)]
    fields += [(f"req{number}_{key}", value) for number, one in enumerate(maps) for key, value in one.items()]
    body = decode_form(urlencode(fields))
    assert body.maps == maps


@pytest.mark.parametrize("text", ["", "count=0", "headers=a"])
def test_a_form_may_hold_no_map(text):
    assert decode_form(text).maps == []


@pytest.mark.parametrize(
    ("text", "maps", "ofs"),
    [
        ("req0_x=1", [{"x": "1"}], None),
        ("count=1&req0_x=1", [{"x": "1"}], None),
        ("count=1&ofs=3&req7_x=1", [{"x": "1"}], 3),
        ("count=1&req3_x=1&req2_x=0", [{"x": "0"}, {"x": "1"}], None),
        ("count=2&ofs=0&req1_x=1", [{}, {"x": "1"}], 0),
    ],
)
def test_a_form_without_ofs_or_count_or_with_other_numbers_holds_the_maps_that_are_there(text, maps, ofs):
    body = decode_form(text)
    assert (body.maps, body.ofs) == (maps, ofs)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("count=x", "count is not a number"),
        ("count=-1", "count is not a number"),
        ("count=1&ofs=-1&req0_x=1", "ofs is not a number"),
        ("count=10001&ofs=0", "more than 10000 fields"),
        ("&" * 10000, "more than 10000 fields"),
        ("a=&" * 10000, "more than 10000 fields"),
        ("count=99999999999999999999&ofs=0", "count is not a number"),
        ("a=%FF", "URL-encoded UTF-8"),
    ],
)
def test_a_malformed_form_is_refused(text, words):
    with pytest.raises(Refusal, match=words) as refused:
        decode_form(text)
    assert refused.value.status == (413 if "fields" in words else 400)


def test_a_json_body_holds_messages():
    body = decode_json('{"ofs":5,"data":[{"a":1},"é",null]}', "JSON")
    assert body.ofs == 5
    assert [json.loads(one["JSON"]) for one in body.maps] == [{"a": 1}, "é", None]


def test_a_json_body_may_be_null():
    assert decode_json("null", "JSON").maps == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "1",
        "{}",
        '{"ofs":0}',
        '{"data":[]}',
        '{"ofs":"0","data":[]}',
        '{"ofs":-1,"data":[]}',
        '{"ofs":true,"data":[]}',
        '{"ofs":1000000000000000000,"data":[]}',
        '{"ofs":0,"data":{}}',
        "[" * 100_000,
    ],
)
def test_a_malformed_json_body_is_refused(text):
    with pytest.raises(Refusal, match="400"):
        decode_json(text, "JSON")


def test_json_is_read_only_where_the_dialect_has_it():
    text = b'{"ofs":0,"data":[1]}'
    assert run_through(body_steps(text, "application/json", BROWSERCHANNEL)).maps == [{"JSON": "1"}]
    assert run_through(body_steps(text, "application/json", TALK)).maps == []
    assert run_through(body_steps(b"count=1&ofs=0&req0_a=b", "text/plain", BROWSERCHANNEL)).maps == [
        {"a": "b"}
    ]


def test_a_body_that_is_not_utf8_is_refused():
    with pytest.raises(Refusal, match="UTF-8"):
        run_through(body_steps(b"\xff", "application/json", BROWSERCHANNEL))


def test_headers_are_lines_of_names_and_values():
    assert decode_headers("Authorization: Bearer x:y\r\nX-Goog:1\r\n") == {
        "authorization": "Bearer x:y",
        "x-goog": "1",
    }
    assert decode_headers("") == {}


@pytest.mark.parametrize("text", ["nonsense", ":value"])
def test_headers_without_a_name_or_a_colon_are_refused(text):
    with pytest.raises(Refusal, match="Name:Value"):
        decode_headers(text)


@pytest.mark.parametrize(("text", "least"), [(None, 0), ("", 0), ("1.0", 0), ("-2", -1), ("٣", 0), (" 1", 0)])
def test_what_is_no_number_is_refused(text, least):
    with pytest.raises(Refusal, match="AID is"):
        integer(text, "AID", least=least)


def test_numbers_are_read():
    assert integer("-1", "AID", least=-1) == -1
    assert integer("0012", "AID") == 12


def test_a_large_form_is_decoded_in_steps_to_the_same():
    value = "é😀%+& =" * 20_000
    fields = {"count": 1, "ofs": 0, "req0_x": value, **{f"a{number}": number for number in range(3000)}}
    steps = form_steps(urlencode(fields))
    count = 0
    while True:
        try:
            next(steps)
        except StopIteration as end:
            body = end.value
            break
        count += 1
    assert body.maps == [{"x": value}]
    assert body.form == {f"a{number}": str(number) for number in range(3000)}
    assert count > 20
    with pytest.raises(Refusal, match="URL-encoded UTF-8"):
        decode_form("a=" + "%ff" * 20_000)


@pytest.mark.parametrize("cut", range(6))
def test_no_escape_is_cut_in_two(cut):
    text = "x" * cut + "%C3%A9" * 20_000
    assert decode_form(f"a={text}").form == {"a": unquote(text)}
    assert decode_form("a=" + "%%%" * 20_000).form == {"a": "%%%" * 20_000}
