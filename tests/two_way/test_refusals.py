"""Requests that the server refuses: of sessions that it does not know, and of maps that it does not want."""

import copy
import pickle

import pytest
from scripted_server import confirmed, held, opened, status

from gaechannel import HTTPStatusError, MapsRefused, SessionLost

FAST = {"max_backoff": 0.02}

# How servers say that they do not know a session.
LOST = {
    "google's own": status("400 Bad Request"),
    "in other words": status("400 Bad Request", "<html>Your client has issued a malformed request.</html>"),
    "after much": status("400 Bad Request", "x" * 20_000),
    "gone": status("410 Gone"),
    "403": status("403 Forbidden", "Unknown SID"),
    "404": status("404 Not Found", "unknown sid"),
    "500": status("500 Internal Server Error", "Error: Unknown SID"),
}


@pytest.fixture(params=LOST.values(), ids=LOST)
def lost(request):
    return request.param


def test_a_session_that_the_server_does_not_know_is_followed_by_a_new_one(script, channel_of, log, lost):
    script.on("open", opened(), opened(sid="SID2"))
    script.on("back", lost, held([1, "a"]))
    with channel_of("BrowserChannel", script.url, logger=log, **FAST) as channel:
        assert channel.take(1) == ["a"]
        assert channel.sid == "SID2"
    assert "subscriptions made in the old one are gone" in log.text.getvalue()
    assert script.of("open")[1].query["OSID"] == "SID1"


def test_maps_of_a_session_that_the_server_does_not_know_go_to_the_new_one(script, channel_of, lost):
    script.on("open", opened(), opened(sid="SID2"))
    script.on("maps", lost, confirmed())
    with channel_of("BrowserChannel", script.url, **FAST) as channel:
        channel.connect()
        channel.send({"n": "0"})
        channel.flush(20)
        assert channel.unsent == 0
    assert script.of("open")[1].maps == {0: {"n": "0"}}


def test_a_session_that_is_not_to_be_mended_raises_and_the_next_try_opens_a_new_one(script, channel_of, lost):
    script.on("open", opened(), opened(sid="SID2"))
    script.on("back", lost, held([1, "a"]))
    with channel_of("WebChannel", script.url, auto_reconnect=False) as channel:
        with pytest.raises(SessionLost) as caught:
            channel.take(1)
        assert isinstance(caught.value, HTTPStatusError)
        assert caught.value.code in {400, 403, 404, 410, 500}
        assert channel.sid is None
        assert channel.take(1) == ["a"]


def test_a_server_that_forgets_every_session_is_given_up_after_max_reconnects(script, channel_of):
    script.on("back", status("400 Bad Request"))
    with (
        channel_of("BrowserChannel", script.url, max_reconnects=3, **FAST) as channel,
        pytest.raises(SessionLost),
    ):
        channel.take(1)
    assert len(script.of("open")) == 4


def test_maps_that_are_refused_are_told_once_and_do_not_stop_those_behind_them(script, channel_of, log):
    script.on("maps", status("403 Forbidden", "not these"), confirmed())
    script.on("back", held([1, "a"]))
    with channel_of("BrowserChannel", script.url, logger=log) as channel:
        assert channel.take(1) == ["a"]
        channel.send({"n": "1", "é&=": {"a": [1, None]}})
        with pytest.raises(MapsRefused, match=r"403 Forbidden.*not these") as caught:
            channel.flush(20)
        assert caught.value.code == 403
        assert caught.value.maps == [(0, {"n": "1", "é&=": {"a": [1, None]}})]
        assert channel.unsent == 0
        channel.flush(20)
        assert channel.send({"n": "2"}) == 1
        channel.flush(20)
        assert channel.sid == "SID1"
    one, filler, other = script.of("maps")
    # The server may never have seen the refused one, and wait for its id and RID.
    assert filler.maps == {0: {"type": "_badmap"}}
    assert filler.query["RID"] == one.query["RID"]
    assert other.maps == {1: {"n": "2"}}
    assert "refused maps: 1" in log.text.getvalue()


def test_maps_refused_one_behind_the_other_are_each_told_and_each_filled(script, channel_of):
    script.on("maps", status("413 Too Large"), confirmed(), status("413 Too Large"), confirmed())
    with channel_of("WebChannel", script.url) as channel:
        channel.connect()
        for number in range(2):
            channel.send(number)
            with pytest.raises(MapsRefused) as caught:
                channel.flush(20)
            assert caught.value.maps == [(number, number)]
        channel.send(2)
        channel.flush(20)
        assert channel.unsent == 0
    sent = [request.maps for request in script.of("maps")]
    data, filler = "__data__", {"type": "_badmap"}
    assert sent == [{0: {data: "0"}}, {0: filler}, {1: {data: "1"}}, {1: filler}, {2: {data: "2"}}]


def test_a_server_that_refuses_what_fills_the_gap_gets_the_maps_without_it(script, channel_of, log):
    script.on("maps", status("403 Forbidden"), status("403 Forbidden"), confirmed())
    with channel_of("WebChannel", script.url, logger=log) as channel:
        channel.connect()
        channel.send(0)
        with pytest.raises(MapsRefused):
            channel.flush(20)
        channel.send(1)
        channel.flush(20)
        channel.send(2)
        channel.flush(20)
    assert [list(request.maps) for request in script.of("maps")] == [[0], [0], [1], [2]]
    assert "takes nothing for maps that it refused" in log.text.getvalue()


def test_what_fills_a_gap_is_of_its_session_alone(script, channel_of):
    script.on("open", opened(), opened(sid="SID2"))
    script.on("maps", status("403 Forbidden"), status("410 Gone"), confirmed())
    with channel_of("WebChannel", script.url, **FAST) as channel:
        channel.connect()
        channel.send(0)
        with pytest.raises(MapsRefused):
            channel.flush(20)
        channel.send(1)
        channel.flush(20)
    assert script.of("open")[1].maps == {0: {"__data__": "1"}}


def test_who_iterates_hears_of_maps_that_are_refused_and_goes_on(script, channel_of):
    script.on("maps", status("403 Forbidden"), confirmed())
    script.on("back", held([1, ["a"]]), held([2, ["b"]]))
    with channel_of("WebChannel", script.url) as channel:
        assert channel.take(1) == ["a"]
        channel.send({"add": 1})
        with pytest.raises(MapsRefused) as caught:
            channel.take(1)
        assert caught.value.maps == [(0, {"add": 1})]
        assert channel.take(1) == ["b"]
        assert channel.sid == "SID1"
    assert len(script.of("open")) == 1


def test_an_opening_request_is_refused_with_its_maps(script, channel_of):
    script.on("open", status("400 Bad Request", "no such message"), opened())
    with channel_of("WebChannel", script.url) as channel:
        channel.send("poison")
        with pytest.raises(MapsRefused) as caught:
            channel.flush(20)
        assert caught.value.maps == [(0, "poison")]
        channel.send("sound")
        channel.flush(20)
    assert script.of("open")[1].maps == {0: {"__data__": '"sound"'}}


def test_the_exceptions_can_be_copied_and_pickled():
    error = MapsRefused("no", code=403, reason="Forbidden", body="b", maps=[(3, {"a": 1})])
    for twin in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert str(twin) == "no"
        assert (twin.code, twin.reason, twin.body, twin.maps) == (403, "Forbidden", "b", [(3, {"a": 1})])


@pytest.mark.parametrize(
    ("kind", "hint"),
    [
        ("BrowserChannel", "; the channel's URL is what stands before /bind"),
        ("WebChannel", "; the channel's URL is the whole path, such as http://host/Listen/channel"),
    ],
)
def test_a_channel_that_is_not_where_it_is_looked_for_says_what_its_url_is(script, channel_of, kind, hint):
    script.on("open", status("404 Not Found", "nothing here"))
    with channel_of(kind, script.url) as channel, pytest.raises(HTTPStatusError) as caught:
        channel.connect()
    assert script.url in str(caught.value)
    assert str(caught.value).endswith(f"; the server said: nothing here{hint}")
