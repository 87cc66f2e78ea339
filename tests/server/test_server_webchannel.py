"""The webchannel dialect over HTTP."""

import json
from urllib.parse import urlencode

import pytest
from wire_by_hand import Peer, Stream

from gaechannel.server import LocalServer


@pytest.fixture
def sessions():
    return []


@pytest.fixture
def server(sessions):
    with LocalServer() as server:
        server.webchannel.on_session = sessions.append
        yield server


@pytest.fixture
def peer(server):
    return Peer(server, "/webchannel", bind="", CVER="22")


def data(message):
    return {"__data__": json.dumps(message)}


def handshake(peer, query, form):
    """The fast handshake: a GET that opens session and back channel."""
    connection = peer.connection()
    connection.request(
        "GET",
        peer.url("", {**peer.params, "SID": "null", "RID": 12345, "$req": urlencode(form), **query}),
    )
    return Stream(connection, connection.getresponse())


def test_the_opening_reply_has_an_empty_host_prefix(peer):
    assert peer.open().arrays == [[0, ["c", peer.sid, "", 8, 14, 25000]]]


def test_the_session_header_is_given_to_who_asks_and_wanted_back(peer, sessions):
    reply = peer.open(**{"X-HTTP-Session-Id": "gsessionid"})
    assert reply.headers["X-HTTP-Session-Id"] == peer.params["gsessionid"] == sessions[0].http_session_id
    assert peer.send(data(1)).status == 200
    del peer.params["gsessionid"]
    assert "Unknown SID" in peer.send(data(1)).text
    assert peer.refused(gsessionid="wrong")[:2] == (400, "Unknown SID")


def test_who_does_not_ask_gets_no_session_header(peer):
    assert "X-HTTP-Session-Id" not in peer.open().headers
    assert peer.send(data(1)).status == 200


def test_messages_are_raw_json_and_data_is_a_list_of_one(peer, sessions):
    def on_session(session):
        session.on_message = lambda message: session.send({"echo": message})

    peer.server.webchannel.on_session = on_session
    reply = peer.open(data({"database": "é", "n": [1]}))
    assert reply.arrays[1:] == [[1, [{"echo": {"database": "é", "n": [1]}}]]]
    stream = peer.back(1)
    heard = []  # an echo would be on its way before the answer, or after it
    (session,) = peer.server.webchannel.sessions
    session.on_message = heard.append
    assert peer.send(data("😀")).value[:2] == [1, 1]
    session.send({"echo": heard.pop()})
    assert stream.next() == [2, [{"echo": "😀"}]]
    stream.cut()


def test_initial_headers_come_in_the_body_or_in_the_query(peer, sessions):
    headers = "Authorization:Bearer x\r\nX-Goog-Api-Client:y\r\n"
    peer.post({"headers": headers, "count": 0})
    peer.post({"count": 0}, SID="", **{"$httpHeaders": headers})
    for session in sessions:
        assert session.headers == {"authorization": "Bearer x", "x-goog-api-client": "y"}
    assert sessions[0].form == {}
    assert peer.post({"headers": "nonsense", "count": 0}, SID="").status == 400


def test_the_fast_handshake_opens_session_and_back_channel_in_one(peer, sessions):
    got = []

    def on_session(session):
        sessions.append(session)
        session.on_message = got.append
        session.send("é")

    peer.server.webchannel.on_session = on_session
    form = {"headers": "A:b\r\n", "count": 1, "ofs": 0, "req0___data__": '{"a":1}'}
    stream = handshake(peer, {"X-HTTP-Session-Id": "gsessionid", "TYPE": "xmlhttp"}, form)
    (session,) = sessions
    assert stream.headers["X-HTTP-Initial-Response"].isascii()
    initial = json.loads(stream.headers["X-HTTP-Initial-Response"])
    assert initial == [[0, ["c", session.sid, "", 8, 14, 25000]]]
    assert stream.headers["X-HTTP-Session-Id"] == session.http_session_id
    assert got == [{"a": 1}]
    session.send("later")
    assert stream.next() == [1, ["é"]]
    assert stream.next() == [2, ["later"]]
    stream.cut()


def test_what_a_fast_handshake_carried_comes_again_until_it_is_acknowledged(peer, sessions):
    stream = handshake(peer, {}, {"count": 0})
    (session,) = sessions
    assert stream.next() == [1, ["noop"]]
    stream.cut()
    session.send("a")
    peer.params["SID"] = session.sid
    assert [identity for identity, _ in peer.back(-1, CI=1).rest()] == [0, 1, 2]
    assert [identity for identity, _ in peer.back(1, CI=1).rest()] == [2]


def test_a_fast_handshake_may_have_a_long_query(peer, sessions):
    stream = handshake(peer, {}, {"headers": f"Authorization:{'x' * 30_000}\r\n", "count": 0})
    assert stream.status == 200
    assert len(sessions[0].headers["authorization"]) == 30_000
    stream.cut()


def test_a_malformed_fast_handshake_is_refused(peer):
    for query, status in (({"$req": "count=x"}, 400), ({"VER": "7"}, 400)):
        stream = handshake(peer, query, {"count": 0})
        assert stream.status == status
        stream.cut()


def test_the_other_dialects_have_no_fast_handshake(server):
    peer = Peer(server, "/channel")
    assert peer.refused(SID="null", **{"$req": "count=0"})[:2] == (400, "Unknown SID")


def test_json_bodies_are_not_webchannels(peer):
    reply = peer.post('{"ofs":0,"data":[1]}', {"Content-Type": "application/json"})
    assert reply.status == 200
    assert len(reply.arrays) == 1


def test_close_tells_the_client(peer, sessions):
    peer.open()
    stream = peer.back()
    sessions[0].send({"last": 1})
    sessions[0].close()
    assert stream.rest() == [[1, [{"last": 1}]], [2, ["close"]]]


def test_stop_is_not_wrapped(peer, sessions):
    peer.open()
    sessions[0].stop()
    assert peer.back().rest() == [[1, ["stop"]]]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_terminate_goes_by_get_or_post(peer, method):
    peer.open()
    assert peer.terminate(method).status == 200
    assert peer.refused()[:2] == (400, "Unknown SID")
