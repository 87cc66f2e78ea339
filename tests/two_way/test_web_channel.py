"""WebChannel: what it asks differently, and what it makes of the answers."""

import itertools
import json
from urllib.parse import parse_qs

import pytest
from scripted_server import brought, confirmed, frame, held, opened, status

from gaechannel import ChannelClosed, ChannelError, WebChannel, WebChannelError


def first(channel, count):
    return list(itertools.islice(channel, count))


def messages(request):
    return [json.loads(one["__data__"]) for one in request.maps.values()]


def test_the_opening_request(script):
    with WebChannel(
        script.url, params={"database": "projects/p/x"}, init_headers={"A-B": "c d", "X": "é"}
    ) as channel:
        channel.send({"addTarget": {"é": "😀"}})
        channel.flush(10)
    (request,) = script.of("open")
    assert request.path == "/channel"
    assert request.method == "POST"
    assert request.query["CVER"] == "22"
    assert request.query["X-HTTP-Session-Id"] == "gsessionid"
    assert request.query["database"] == "projects/p/x"
    assert 10000 <= int(request.query["RID"]) < 100000
    assert request.form["headers"] == "A-B:c d\r\nX:é\r\n"
    assert messages(request) == [{"addTarget": {"é": "😀"}}]


def test_the_session_id_header_comes_back_in_every_query(script):
    script.on("open", opened(X_HTTP_Session_Id="g+1/="))
    script.on("back", held([1, ["x"]]))
    with WebChannel(script.url, init_headers={"A": "b"}) as channel:
        assert first(channel, 1) == ["x"]
        channel.send(1)
        channel.flush(10)
    for request in script.of("back") + script.of("maps") + script.of("terminate"):
        assert request.query["gsessionid"] == "g+1/="
        assert "X-HTTP-Session-Id" not in request.query
        assert "headers" not in request.form
    assert "gsessionid" not in script.of("open")[0].query


def test_a_lost_session_is_opened_with_the_headers_and_without_the_old_id(script):
    script.on("open", opened(X_HTTP_Session_Id="g1"), opened(sid="SID2", X_HTTP_Session_Id="g2"))
    script.on("back", brought([1, ["a"]]), status("400 Unknown SID"), held([1, ["b"]]))
    with WebChannel(script.url, init_headers={"A": "b"}) as channel:
        assert first(channel, 2) == ["a", "b"]
        assert channel.gsessionid == "g2"
    _, other = script.of("open")
    assert other.form["headers"] == "A:b\r\n"
    assert "gsessionid" not in other.query
    assert script.of("back")[2].query["gsessionid"] == "g2"


def test_messages_are_unwrapped(script):
    values = [{"a": 1}, [1, 2], "text", None, {"error": "no object"}, {"error": {"code": 1}, "more": 2}, []]
    script.on("back", held(*([number, [value]] for number, value in enumerate(values, 1))))
    with WebChannel(script.url) as channel:
        assert first(channel, len(values)) == values


def test_an_error_object_is_raised_and_the_iteration_may_go_on(script):
    error = {"code": 403, "message": "Missing or insufficient permissions.", "status": "PERMISSION_DENIED"}
    script.on("back", held([1, [{"error": error}]], [2, [{"after": 1}]]))
    with WebChannel(script.url) as channel:
        arrays = iter(channel)
        with pytest.raises(ChannelError) as caught:
            next(arrays)
        assert isinstance(caught.value, WebChannelError)
        assert (caught.value.code, caught.value.message, caught.value.status) == (
            403,
            "Missing or insufficient permissions.",
            "PERMISSION_DENIED",
        )
        assert next(arrays) == {"after": 1}


def test_the_keep_alive_time_is_array_0s(script):
    script.on("open", opened(keepalive=100))
    script.on("back", held(), held([1, ["a"]]))
    with WebChannel(script.url, max_backoff=0.02) as channel:
        assert first(channel, 1) == ["a"]


def test_close_is_an_orderly_end_and_stop_an_error(script):
    script.on("back", held([1, ["a"]], [2, ["close"]]), held([1, ["stop"]]))
    script.on("open", opened(), opened(sid="SID2"))
    with WebChannel(script.url) as channel:
        assert list(channel) == ["a"]
        with pytest.raises(ChannelClosed):
            list(channel)


@pytest.mark.parametrize("headers", [{"A": "b\r\nC: d"}, {"A\n": "b"}, {"A": "b\0"}])
def test_initial_headers_hold_no_line_ends(script, headers):
    with pytest.raises(ValueError, match=r"line end|not an initial header's name"):
        WebChannel(script.url, init_headers=headers)


# ---- The fast handshake ----


def greeting(sid="SID1"):
    return json.dumps([[0, ["c", sid, "", 8, 14, 30000]]])


def handshake(*arrays, sid="SID1"):
    def answer(request):
        request.begin(*arrays, X_HTTP_Initial_Response=greeting(sid), X_HTTP_Session_Id="g1")
        request.hold()

    return answer


def test_the_fast_handshake_opens_session_and_back_channel_in_one_get(script):
    script.on("open", handshake([1, ["a"]]))
    with WebChannel(script.url, fast_handshake=True, init_headers={"A": "b"}) as channel:
        channel.send({"n": 0})
        assert first(channel, 1) == ["a"]
        assert channel.sid == "SID1"
        assert channel.unsent == 0
        assert channel.stats.sessions == 1
        channel.send({"n": 1})
        channel.flush(10)
    (request,) = script.of("open")
    assert request.method == "GET"
    assert (request.query["SID"], request.query["TYPE"], request.query["CI"]) == ("null", "xmlhttp", "0")
    assert request.query["X-HTTP-Session-Id"] == "gsessionid"
    form = {key: one for key, [one] in parse_qs(request.query["$req"]).items()}
    assert form == {"headers": "A:b\r\n", "count": "1", "ofs": "0", "req0___data__": '{"n":0}'}
    assert script.of("back") == []
    (maps,) = script.of("maps")
    assert maps.form == {"count": "1", "ofs": "1", "req0___data__": '{"n":1}'}
    assert maps.query["gsessionid"] == "g1"
    assert int(maps.query["RID"]) == int(request.query["RID"]) + 1


def test_a_server_that_knows_no_fast_handshake_may_answer_in_the_body(script):
    script.on("open", held([0, ["c", "SID1", "", 8]], [1, ["a"]]))
    with WebChannel(script.url, fast_handshake=True) as channel:
        channel.send({"n": 0})
        assert first(channel, 1) == ["a"]
        assert channel.unsent == 0


def test_a_session_lost_after_the_fast_handshake_is_opened_by_another(script):
    script.on("open", brought_with_greeting([1, ["a"]]), handshake([1, ["b"]], sid="SID2"))
    script.on("back", status("400 Unknown SID"))
    with WebChannel(script.url, fast_handshake=True) as channel:
        channel.send({"n": 0})
        assert first(channel, 2) == ["a", "b"]
        channel.send({"n": 1})
        channel.flush(10)
    one, other = script.of("open")
    assert "n" in one.query["$req"]
    assert parse_qs(other.query["$req"])["count"] == ["0"]
    assert script.of("maps")[0].form["ofs"] == "0"


def brought_with_greeting(*arrays):
    def answer(request):
        request.begin(*arrays, X_HTTP_Initial_Response=greeting(), X_HTTP_Session_Id="g1")
        request.end()

    return answer


@pytest.mark.parametrize("fast", [False, True])
def test_a_refused_opening_is_raised(script, fast):
    script.on("open", status("400 Unknown SID"))
    with WebChannel(script.url, fast_handshake=fast) as channel, pytest.raises(ChannelError, match="400"):
        next(iter(channel))
    assert len(script.of("open")) == 1


def test_replies_to_messages_are_obeyed_as_browserchannels(script):
    script.on("maps", status("503 Busy"), confirmed(), lambda request: request.reply(frame([0, 0, 0])))
    with WebChannel(script.url, max_backoff=0.02) as channel:
        channel.connect()
        for number in range(3):
            channel.send(number)
            channel.flush(10)
    assert [messages(request) for request in script.of("maps")] == [[0], [0], [1], [2]]
