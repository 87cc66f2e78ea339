"""gaechannel.server.http.bind and .backchannel: what is refused, and how a back channel ends."""

import socket
import struct

import pytest
from waiting import until
from wire_by_hand import Peer, Stream

from gaechannel.server import BrowserChannelService, LocalServer
from gaechannel.server.http.bind import quote_header


@pytest.fixture
def peer(shared):
    peer = Peer(shared, "/channel")
    assert peer.open().status == 200
    return peer


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"VER": "7"}, "VER is not 8"),
        ({"VER": ""}, "VER is not 8"),
        ({"RID": "x"}, "RID is not a number"),
        ({"RID": "-1"}, "RID is not a number"),
        ({"TYPE": "html"}, "TYPE is unknown"),
        ({"AID": "x"}, "AID is not a number"),
        ({"AID": "-2"}, "AID is not a number"),
    ],
)
def test_a_malformed_forward_request_is_refused(peer, query, words):
    reply = peer.post({"count": 0}, **query)
    assert (reply.status, reply.reason, reply.text) == (400, words, words)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"VER": "9"}, "VER is not 8"),
        ({"RID": "1"}, "RID is not rpc"),
        ({"TYPE": "script"}, "TYPE is unknown"),
        ({"CI": "2"}, "CI is neither 0 nor 1"),
        ({"AID": "1e3"}, "AID is not a number"),
        ({"CI": "1", "TO": "soon"}, "TO is not a number"),
    ],
)
def test_a_malformed_back_channel_request_is_refused(peer, query, words):
    assert peer.refused(**query) == (400, words, words)


@pytest.mark.parametrize("sid", ["unknown", ""])
def test_an_unknown_sid_is_said_in_the_reason_and_where_clients_look_for_it_in_the_body(peer, sid):
    """Not at its beginning, where Closure's do not look, and in the title, where plaincast does.

    Behind a proxy that writes reason phrases of its own there is nothing else.
    """
    back, forward = peer.refused(SID=sid), peer.post({"count": 0}, SID=sid or "x")
    assert back[:2] == (forward.status, forward.reason) == (400, "Unknown SID")
    for body in (back[2], forward.text):
        assert body.find("Unknown SID") > 0
        assert "<TITLE>Unknown SID</TITLE>" in body


def test_a_missing_parameter_is_refused(peer):
    reply = peer.request("POST", "/bind", {"VER": 8}, {"count": 0})
    assert (reply.status, reply.text) == (400, "RID is missing")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"count=x", "count is not a number"),
        (b"count=1&ofs=x&req0_a=b", "ofs is not a number"),
        (b"\xff", "the body is not UTF-8"),
    ],
)
def test_a_malformed_body_is_refused(peer, body, words):
    reply = peer.post(body, AID=0)
    assert (reply.status, reply.text) == (400, words)


def back_without_aid(peer, query):
    """The stream of a back channel whose request says no AID, and what is in the place of one."""
    query = {**peer.params, "RID": "rpc", "CI": 0, "TYPE": "xmlhttp", **query}
    connection = peer.connection()
    connection.request("GET", peer.url("/bind", query))
    return Stream(connection, connection.getresponse())


@pytest.mark.parametrize("aid", [{}, {"AID": ""}])
def test_who_says_no_aid_is_sent_again_what_was_cut_off_and_not_what_has_ended_in_order(peer, shared, aid):
    """hangups, and others that have learned of it."""
    session = shared.browserchannel.find(peer.params)
    session.send("one")
    for _ in range(2):
        stream = back_without_aid(peer, aid)
        assert [stream.next(), stream.next()][1] == [1, "one"]
        stream.cut()
        until(lambda: not session.has_back_channel)
    for end, text in ((2, "two"), (3, "three")):
        session.send(text)
        assert back_without_aid(peer, {"CI": 1, **aid}).rest()[-1] == [end, text]
    # Who has said one, and be it that it has nothing, is known to count: it has what it says, and no more.
    assert peer.back(2, CI=1).rest() == [[3, "three"]]
    assert back_without_aid(peer, {"CI": 1, **aid}).rest() == [[3, "three"]]


def test_who_says_that_it_has_nothing_is_sent_all_again(peer, shared):
    """It counts, and what a back channel has carried may not have come all the way."""
    shared.browserchannel.find(peer.params).send("one")
    for _ in range(2):
        assert peer.back(-1, CI=1).rest()[-1] == [1, "one"]


def test_type_may_be_init_and_bind(shared):
    peer = Peer(shared, "/channel")
    assert peer.open(TYPE="init").status == 200
    session = shared.browserchannel.find(peer.params)
    maps = []
    session.on_map = maps.append
    assert peer.send({"x": "1"}, TYPE="bind").status == 200
    assert maps == [{"x": "1"}]
    session.send("here")
    assert peer.back(TYPE="bind", CI=1).rest() == [[1, "here"]]


def test_maps_without_ofs_are_taken_in_the_order_of_their_requests(shared):
    """As remotes of the Lounge send them; one that is tried again is known by its RID and t."""
    peer = Peer(shared, "/channel")
    peer.open()
    maps = []
    shared.browserchannel.find(peer.params).on_map = maps.append
    for rid, trial, form in [
        (1, 1, b"count=1&req0__sc=setPlaylist&req0_videoId=a"),
        (2, 1, b"count=1&req1__sc=pause"),  # casttube counts on over its requests
        (2, 2, b"count=1&req1__sc=pause"),
        (2, 1, b"req2__sc=play"),  # a remote whose RID stands still
        (3, 2, b"count=2&req0__sc=next&req1__sc=stop"),
    ]:
        assert peer.post(form, RID=rid, t=trial).status == 200
    assert [one["_sc"] for one in maps] == ["setPlaylist", "pause", "play", "next", "stop"]
    assert peer.send({"_sc": "numbered"}, ofs=5).status == 200
    assert len(maps) == 6


def test_a_back_channel_may_be_asked_for_by_post(shared):
    """As casttube does."""
    peer = Peer(shared, "/channel")
    peer.open()
    shared.browserchannel.find(peer.params).send({"listId": "x"})
    reply = peer.post(RID="rpc", TYPE="xmlhttp", CI=1, AID=5, t=1)
    assert reply.arrays == [[1, {"listId": "x"}]]


def test_other_paths_and_methods_are_refused(peer):
    assert peer.get("/other").status == 404
    assert peer.request("PUT", "/bind", peer.params).status == 405


def test_a_body_over_the_limit_is_refused_with_and_without_a_length():
    with LocalServer(max_body=1000) as server:
        peer = Peer(server, "/channel")
        peer.open()
        assert peer.send({"a": "x" * 500}).status == 200
        assert peer.send({"a": "x" * 1000}).status == 413
        reply = peer.post(iter([b"x" * 600, b"x" * 600]))
        assert (reply.status, reply.text) == (413, "The body is longer than 1000 bytes")
        # A length that is only claimed is refused before a byte of it has come.
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as raw:
            raw.sendall(
                b"POST /channel/bind?VER=8&RID=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 4294967296\r\n\r\n"
            )
            assert raw.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_client_that_goes_away_in_the_middle_of_a_body_harms_nobody(shared, peer, caplog):
    (session,) = [one for one in shared.browserchannel.sessions if one.sid == peer.sid]
    with socket.create_connection(("127.0.0.1", shared.port), timeout=20) as raw:
        line = f"POST /channel/bind?VER=8&RID=2&AID=0&SID={peer.sid} HTTP/1.1"
        raw.sendall(line.encode() + b"\r\nHost: x\r\nContent-Length: 100\r\n\r\ncount=1&ofs=0")
        until(lambda: len(shared._running.listeners[0].transports) == 1)
    until(lambda: not shared._running.listeners[0].transports)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
    assert session._next_map == 0


def test_sessions_over_the_limit_are_refused_for_a_while():
    with LocalServer(max_sessions=2) as server:
        peers = [Peer(server, "/channel") for _ in range(3)]
        replies = [peer.open() for peer in peers]
        assert [reply.status for reply in replies] == [200, 200, 429]
        assert replies[2].headers["Retry-After"] == "5"
        peers[0].terminate()
        assert peers[2].open().status == 200


def test_ci_1_ends_the_back_channel_after_each_batch():
    service = BrowserChannelService()
    with LocalServer(mounts={"/channel": service}) as server:
        peer = Peer(server, "/channel")
        peer.open()
        (session,) = service.sessions
        stream = peer.back(CI=1)
        session.send("a")
        assert stream.rest() == [[1, "a"]]
        session.send("b")
        session.send("c")
        assert peer.back(1, CI=1).rest() == [[2, "b"], [3, "c"]]


def test_a_ci_1_wait_is_bounded_by_to():
    with LocalServer(backchannel_seconds=0.1) as server:
        peer = Peer(server, "/channel")
        peer.open()
        assert peer.back(CI=1, TO=1).rest() == []
        assert peer.back(CI=0, TO=0).rest() == []


def test_a_back_channels_headers_come_before_its_first_array(peer):
    stream = peer.back()  # returns once the headers are there
    assert stream.status == 200
    assert stream.headers["X-Content-Type-Options"] == "nosniff"
    stream.cut()


def test_a_new_back_channel_ends_the_old_one_in_order(peer):
    first = peer.back()
    second = peer.back()
    assert first.next() is None
    peer.terminate()
    assert second.next() is None


def test_arrays_queued_together_go_in_one_chunk(shared, peer):
    (session,) = [one for one in shared.browserchannel.sessions if one.sid == peer.sid]
    with shared.browserchannel.lock:
        for number in range(100):
            session.send(number)
    stream = peer.back(CI=1)
    length, payload = stream.response.read().split(b"\n", 1)
    assert int(length) == len(payload)
    stream.close()


def test_a_client_that_does_not_read_is_cut_by_its_next_back_channel():
    service = BrowserChannelService()
    with LocalServer(mounts={"/channel": service}) as server:
        peer = Peer(server, "/channel")
        peer.open()
        (session,) = service.sessions
        stuck = peer.back()
        for _ in range(300):
            session.send("x" * 100_000)
        until(lambda: session.back is not None and session.back._blocked)
        fresh = peer.back()
        assert fresh.next()[0] == 1
        until(lambda: len(server._running.listeners[0].transports) == 1)
        stuck.cut()
        fresh.cut()


def test_a_connection_that_is_reset_in_the_middle_loses_nothing():
    service = BrowserChannelService()
    with LocalServer(mounts={"/channel": service}) as server:
        peer = Peer(server, "/channel")
        peer.open()
        (session,) = service.sessions
        for _ in range(5):
            stream = peer.back()
            stream.connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            session.send("x" * 100_000)
            stream.cut()
        until(lambda: not session.has_back_channel)
        stream = peer.back()
        assert [stream.next()[0] for _ in range(5)] == [1, 2, 3, 4, 5]
        stream.cut()


def test_an_http_1_0_client_is_served():
    service = BrowserChannelService(lambda session: session.send("hi"))
    with LocalServer(mounts={"/channel": service}) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as raw:
            raw.sendall(b"POST /channel/bind?VER=8&RID=1 HTTP/1.0\r\nContent-Length: 7\r\n\r\ncount=0")
            reply = b""
            while piece := raw.recv(1000):
                reply += piece
        assert reply.endswith(b'[1,"hi"]\n]\n')


def test_what_stands_in_a_header_is_ascii():
    assert quote_header('[[0,["é😀"]]]\n'.encode()) == '[[0,["\\u00e9\\ud83d\\ude00"]]]'
    assert quote_header(b"[[0]\n]\n") == "[[0]]"
