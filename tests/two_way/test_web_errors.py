"""Errors that arrive as messages over a WebChannel, in each form that servers give them."""

import itertools

import pytest
from scripted_server import held

from gaechannel import WebChannelError

ERROR = {"code": 403, "message": "Missing or insufficient permissions.", "status": "PERMISSION_DENIED"}

FORMS = {
    "an error": [{"error": ERROR}],
    "wrapped twice": [[{"error": ERROR}]],
    "metadata": [{"__sm__": {"status": [[{"error": ERROR}]]}}],
    "metadata, not wrapped": {"__sm__": {"status": [[{"error": ERROR}]]}},
    "metadata, wrapped once": [{"__sm__": {"status": [{"error": ERROR}]}}],
    "metadata, an object": [{"__sm__": {"status": {"error": ERROR}}}],
    "with a head": [{"__headers__": {"a": "b"}, "__status__": 403, "error": ERROR}],
    "metadata with a head": [{"__status__": 403, "__sm__": {"status": [[{"error": ERROR}]]}}],
}
PBLITE = {
    "metadata, a list": [{"__sm__": {"status": [[[7, "no words"]]]}}],
    "metadata, a list, not wrapped": {"__sm__": {"status": [[[7, "no words"]]]}},
    "metadata, a flat list": [{"__sm__": {"status": [7, "no words"]}}],
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_an_error_object_is_raised_and_what_follows_it_comes(script, channel_of, form):
    script.on("back", held([1, form], [2, ["after"]]))
    with channel_of("WebChannel", script.url) as channel:
        with pytest.raises(WebChannelError, match="Missing or insufficient permissions") as caught:
            channel.take(1)
        error = caught.value
        assert (error.code, error.status, error.message) == (403, ERROR["status"], ERROR["message"])
        assert error.error == ERROR
        assert channel.take(1) == ["after"]


@pytest.mark.parametrize("form", PBLITE.values(), ids=PBLITE)
def test_grpcs_codes_have_their_names(script, channel_of, form):
    script.on("back", held([1, form], [2, ["after"]]))
    with channel_of("WebChannel", script.url) as channel:
        with pytest.raises(WebChannelError, match="7 PERMISSION_DENIED: no words") as caught:
            channel.take(1)
        error = caught.value
        assert (error.code, error.status, error.message) == (7, "PERMISSION_DENIED", "no words")
        assert channel.take(1) == ["after"]


def test_details_and_unknown_codes_are_kept(script, channel_of):
    list_of = {"__sm__": {"status": [[[99, None, [["d"]]]]]}}
    script.on("back", held([1, [list_of]], [2, [{"__sm__": {"status": [16]}}]]))
    with channel_of("WebChannel", script.url) as channel:
        with pytest.raises(WebChannelError) as caught:
            channel.take(1)
        assert (caught.value.code, caught.value.status, caught.value.message) == (99, "", "")
        assert caught.value.error["details"] == [["d"]]
        with pytest.raises(WebChannelError, match="16 UNAUTHENTICATED"):
            channel.take(1)


def test_a_responses_head_is_read_and_not_delivered(script, channel_of):
    heads = [
        [{"__headers__": {"a": "b"}, "__status__": 200}],
        [{"__headers__": {}}],
        [{"__status__": 204}],
        {"__status__": 200},
        [{"__headers__": {}, "__status__": 200, "data": [1]}],
        [{"__status__": 10**30}],
        [{"__status__": 200, "__headers__": {}}],
        ["last"],
    ]
    script.on("back", held(*zip(itertools.count(1), heads, strict=False)))
    with channel_of("WebChannel", script.url) as channel:
        assert channel.take(2) == [{"data": [1]}, "last"]
        assert channel.aid == len(heads)


def test_a_head_of_an_error_is_an_error(script, channel_of):
    script.on("back", held([1, [{"__headers__": {}, "__status__": 503}]], [2, ["after"]]))
    with channel_of("WebChannel", script.url) as channel:
        with pytest.raises(WebChannelError) as caught:
            channel.take(1)
        assert caught.value.code == 503
        assert channel.take(1) == ["after"]


def test_what_only_looks_like_an_error_is_delivered(script, channel_of):
    messages = [
        {"error": "words"},
        {"error": {"code": 1}, "more": 2},
        [{"error": {"code": 1}}, 2],
        {"__sm__": {"status": [[[0, "fine"]]]}},
        {"__sm__": {"status": [["7"]]}},
        {"__sm__": {"other": 1}},
        {"__sm__": 1},
        {"_": 1, "__": 2},
        {f"__{number}": number for number in range(20)},
        [[1]],
    ]
    script.on("back", held(*([number, [one]] for number, one in enumerate(messages, 1))))
    with channel_of("WebChannel", script.url) as channel:
        assert channel.take(len(messages)) == messages


def test_a_browser_channels_arrays_are_the_applications(script, channel_of):
    script.on("back", held([1, [{"error": ERROR}]], [2, [{"__status__": 500}]]))
    with channel_of("BrowserChannel", script.url) as channel:
        assert channel.take(2) == [[{"error": ERROR}], [{"__status__": 500}]]
