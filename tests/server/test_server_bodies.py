"""gaechannel.server: which bodies are read, how much of them, and what sessions may hold together."""

import contextlib
import gc
import gzip
import socket
import threading
import zlib

import pytest
from multidict import MultiDict, MultiDictProxy
from waiting import until
from wire_by_hand import Peer, Talk, texts

from gaechannel.server import BrowserChannelService, ChannelService, LocalServer, Refusal, SessionEnded
from gaechannel.server.core.sessions import Opening


def head(peer, length, *lines, **query):
    """A POST's head, whose body is still to come."""
    target = peer.url(peer.bind, {**peer.params, "RID": 7, **query})
    more = "".join(f"{line}\r\n" for line in lines)
    return f"POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n{more}\r\n".encode()


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"token": "forged"}, b"401 Invalid+token."),
        ({"token": None}, b"400 token is missing"),
        ({"SID": "unknown"}, b"400 Unknown SID"),
    ],
)
@pytest.mark.parametrize("expect", [(), ("Expect: 100-continue",)])
def test_nothing_of_a_body_is_read_before_its_token_or_sid_is_known(shared, name, query, status, expect):
    peer = Talk(shared, shared.create_channel(name))
    peer.params = {key: value for key, value in {**peer.params, **query}.items() if value is not None}
    with socket.create_connection((shared.host, shared.port), timeout=20) as raw:
        raw.sendall(head(peer, 1 << 20, *expect))
        answer = raw.recv(1000)
    assert answer.startswith(b"HTTP/1.1 " + status + b"\r\n")
    assert b"\r\nConnection: close\r\n" in answer  # nobody reads the rest


def test_a_body_is_invited_once_its_token_is_known_to_be_right(shared, name):
    peer = Talk(shared, shared.create_channel(name))
    with socket.create_connection((shared.host, shared.port), timeout=20) as raw:
        raw.sendall(head(peer, 7, "Expect: 100-continue", "Connection: close"))
        answer = raw.makefile("rb")
        assert [answer.readline(), answer.readline()] == [b"HTTP/1.1 100 Continue\r\n", b"\r\n"]
        raw.sendall(b"count=0")
        assert answer.readline() == b"HTTP/1.1 200 OK\r\n"
        assert b'["c","' in answer.read()


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "x-unknown"])
def test_no_body_is_decompressed(coding):
    bomb = {"gzip": gzip.compress, "deflate": zlib.compress}.get(coding, bytes)(b"a=&" * 1_000_000)
    with LocalServer() as server:
        peer = Peer(server, "/channel")
        peer.open()
        reply = peer.post(bomb[:100_000], {"Content-Encoding": coding})
        assert (reply.status, reply.text) == (415, "No body is decompressed here")
        assert server.counters.refused == {"coding": 1}
        assert peer.send({"a": "b"}).status == 200


def test_a_body_has_1_mib_at_most_unless_told_otherwise():
    with LocalServer() as server:
        peer = Peer(server, "/channel")
        assert peer.post(b"count=0&a=" + b"x" * ((1 << 20) - 10)).status == 200
        assert peer.post(b"count=0&a=" + b"x" * ((1 << 20) - 9)).status == 413
        assert server.counters.refused == {"body": 1}


def test_a_form_and_a_list_have_so_many_fields_at_most():
    with LocalServer(max_fields=3) as server:
        peer = Peer(server, "/channel")
        assert peer.post(b"count=0&a=1&b=2").status == 200
        assert peer.post(b"count=0&a=1&b=2&c=3").status == 413
        peer.open()
        json = {"Content-Type": "application/json"}
        assert peer.post(b'{"ofs":0,"data":[1,2,3]}', json).status == 200
        assert peer.post(b'{"ofs":3,"data":[1,2,3,4]}', json).status == 413
        assert server.counters.refused == {"fields": 2}
        web = Peer(server, "/webchannel", "")
        assert web.request("GET", "", {"VER": 8, "SID": "null", "$req": "count=4"}).status == 413


def test_a_body_that_comes_a_byte_at_a_time_is_given_up():
    with LocalServer(body_seconds=0.2) as server:
        peer = Peer(server, "/channel")
        with socket.create_connection((server.host, server.port), timeout=20) as raw:
            raw.sendall(head(peer, 100))
            ended = threading.Event()

            def trickle():
                with contextlib.suppress(OSError):  # the server has closed the connection
                    while not ended.wait(0.02):
                        raw.sendall(b"a")

            thread = threading.Thread(target=trickle)
            thread.start()
            try:
                assert raw.recv(100).startswith(b"HTTP/1.1 408 The body did not come in time\r\n")
            finally:
                ended.set()
                thread.join()
        assert server.counters.refused == {"slow": 1}


def test_a_body_that_makes_progress_may_take_longer():
    with LocalServer(body_seconds=0.2) as server:
        peer = Peer(server, "/channel")
        with socket.create_connection((server.host, server.port), timeout=20) as raw:
            raw.sendall(head(peer, 20_010) + b"count=0&a=" + b"x" * 10_000)
            raw.settimeout(0.5)
            with pytest.raises(TimeoutError):
                raw.recv(1)
            raw.settimeout(20)
            raw.sendall(b"x" * 10_000)
            assert raw.recv(100).startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_token_has_so_many_sessions_at_most():
    with LocalServer(max_sessions_per_token=2) as server:
        tokens = [server.create_channel("me"), server.create_channel("me"), server.create_channel("you")]
        mine = [Talk(server, token).connect() for token in tokens[:2]]
        late = Talk(server, tokens[0])
        reply = late.open()
        assert (reply.status, reply.text) == (429, "Too many sessions of this token")
        assert reply.headers["Retry-After"] == "5"
        Talk(server, tokens[2]).connect()
        mine[0].terminate()
        assert late.open().status == 200
        assert server.counters.refused == {"sessions of a token": 1}


def make(**limits):
    service = BrowserChannelService(**limits)
    return service, [service.open(Opening({}))[0] for _ in range(4)]


def test_sessions_hold_so_much_together_and_those_that_hold_most_are_stopped():
    service, (small, large, larger, receiving) = make(max_queued=10_000)
    began = service.queued
    for session, size in ((small, 500), (large, 4000), (larger, 5000)):
        session.send("x" * size)
    receiving.send("x" * 2000)  # there is no room
    assert larger.stopped
    assert not any(one.stopped for one in (small, large, receiving))
    assert service.queued <= 10_000
    assert service.queued == sum(one.outstanding for one in service.sessions)
    for session in service.sessions:
        service.end(session, "test")
    assert began > service.queued == 0


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_open_request_keeps_no_query(method):
    with LocalServer() as server:
        talk = Talk(server, server.create_channel("me")).connect()
        marker = f"marker{method}"
        query = {**talk.params, "RID": "rpc", "AID": 1, "CI": 0, "TYPE": "xmlhttp", marker: "x" * 1000}
        connection = talk.connection()
        connection.request(method, talk.url(talk.bind, query))
        response = connection.getresponse()
        session = server.service.sessions[0]
        until(lambda: session.has_back_channel)
        gc.collect()
        kept = [
            one for one in gc.get_objects() if isinstance(one, (MultiDict, MultiDictProxy)) and marker in one
        ]
        assert kept == []
        server.send_message("me", "hi")
        assert b"hi" in response.read1(1000)
        response.close()
        connection.close()


def test_it_is_said_once_that_sessions_are_stopped(caplog):
    _, sessions = make(max_queued=10_000)
    for _ in range(20):
        for session in sessions:
            with contextlib.suppress(SessionEnded):
                session.send("x" * 3000)
    assert all(one.stopped for one in sessions)
    assert [record.message for record in caplog.records] == [
        "sessions hold too much: those that hold most are stopped"
    ]


def test_a_message_that_fits_nowhere_stops_its_own_session():
    service, sessions = make(max_queued=1000)
    sessions[0].send("x" * 500)
    with pytest.raises(SessionEnded):
        sessions[1].send("x" * 2000)
    assert sessions[1].stopped
    assert service.queued <= 1000


def test_what_was_acknowledged_is_held_no_more():
    service = ChannelService()
    token = service.create_channel("me")
    session, _ = service.open(Opening({"token": token, "clid": "C"}, [{"m": '["connect-add-client"]'}]))
    began = service.queued
    service.send_message("me", "x" * 1000)
    assert service.queued > began + 1000
    session.take_reply()
    with service.lock:
        session.acknowledge(session.next_id)
    assert service.queued < began
    service.forget()
    assert service.queued == 0


def test_what_an_opening_request_said_is_held_too():
    service = BrowserChannelService(max_queued=1000)
    service.open(Opening({"a": "x" * 1000}))
    with pytest.raises(Refusal, match="429 Too much is waiting"):
        service.open(Opening({}))
    service.forget()
    service.open(Opening({}))


def test_who_is_stopped_for_others_is_told_so():
    with LocalServer(max_queued=100_000) as server:
        stuck, fine = (Talk(server, server.create_channel(name)).connect() for name in ("stuck", "fine"))
        for _ in range(10):
            server.send_message("stuck", "x" * 9000)
        for number in range(10):
            server.send_message("fine", str(number) * 3000)
        assert texts(fine.back(CI=1).rest()) == [str(number) * 3000 for number in range(10)]
        assert [data for _, data in stuck.back().rest()] == [["stop"]]
