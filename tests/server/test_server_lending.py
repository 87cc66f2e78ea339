"""gaechannel.server.http.connections.Guard: a back channel is lent its connection, and gives it back."""

import contextlib
import gc
import logging
import re
import socket

import pytest
from aiohttp import web
from tls import contexts
from waiting import until

from gaechannel.server import LocalServer
from gaechannel.server.core.sessions import Opening

#: A request whose answer tells it from a back channel's.
OTHER = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


def lent(server):
    return server.call(lambda: len(server._running.listeners[0].connections.lent))


def of_aiohttp(server):
    """How many connections aiohttp knows of."""
    return server.call(lambda: len(server._running.listeners[0]._runner.server.connections))


class Held:
    """A session, and the connection on which its back channel is open."""

    def __init__(self, server, *, method="GET", head="", behind=b"", version="1.1", tls=None):
        self.server = server
        self.session, _ = server.call(lambda: server.browserchannel.open(Opening({})))
        self.raw = socket.create_connection((server.host, server.port), timeout=20)
        if tls is not None:
            self.raw = tls.wrap_socket(self.raw, server_hostname=server.host)
        target = f"/channel/bind?VER=8&SID={self.session.sid}&RID=rpc&AID=0&CI=0&TYPE=xmlhttp"
        line = f"{method} {target} HTTP/{version}\r\nHost: x\r\n{head}\r\n"
        self.raw.sendall(line.encode() + behind)
        self.came = bytearray()
        self.read(b"\r\n\r\n")
        self.came.clear()
        until(lambda: self.session.has_back_channel)

    def read(self, wanted):
        """All that has come until something wanted has."""
        while wanted not in self.came[-(1 << 17) :]:
            piece = self.raw.recv(1 << 16)
            assert piece, self.came
            self.came += piece
        return self.came

    def end(self):
        """Have the server end the back channel in order."""
        self.server.call(lambda: setattr(self.session.back, "ending", True) or self.session.back.wake())
        self.read(b"0\r\n\r\n")

    def is_answered(self):
        """Whether the connection goes on with other requests."""
        self.raw.sendall(OTHER)
        return self.read(b"HTTP/1.1 200 OK")

    def ended(self):
        """What comes until the server ends the connection."""
        with self.raw, contextlib.suppress(ConnectionError):
            while piece := self.raw.recv(1 << 16):
                self.came += piece
        return self.came


@pytest.fixture
def server():
    with LocalServer(admin=None) as server:
        yield server


def test_aiohttp_holds_nothing_of_an_open_back_channel(server):
    gc.collect()
    before = sum(isinstance(one, web.Request) for one in gc.get_objects())
    held = [Held(server) for _ in range(3)]
    until(lambda: lent(server) == 3 and of_aiohttp(server) == 0)
    gc.collect()
    assert sum(isinstance(one, web.Request) for one in gc.get_objects()) == before
    for number, one in enumerate(held):
        one.session.send(f"number {number}")
        one.read(f'[[1,"number {number}"]\n]'.encode())
        one.raw.close()
    until(lambda: not lent(server) and not any(one.session.has_back_channel for one in held))


def test_the_connection_goes_on_after_the_back_channel(server):
    held = Held(server)
    until(lambda: lent(server) == 1)
    held.end()
    assert held.is_answered()
    assert lent(server) == 0
    held.raw.close()


@pytest.mark.parametrize("together", [True, False])
def test_what_is_asked_behind_a_back_channel_is_answered_after_it(server, together):
    held = Held(server, behind=OTHER * 2 if together else b"")
    until(lambda: lent(server) == (not together))
    if not together:
        held.raw.sendall(OTHER[:20])
        held.raw.sendall(OTHER[20:] + OTHER)
    held.session.send("first")
    held.read(b'[1,"first"]')
    assert b"HTTP/1.1" not in held.came
    held.end()
    while held.came.count(b"HTTP/1.1 200 OK") < 2:
        piece = held.raw.recv(1 << 16)
        assert piece
        held.came += piece
    held.raw.close()


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("head", "body"),
    [
        (f"Content-Length: {len(OTHER)}\r\n", OTHER),
        ("Transfer-Encoding: chunked\r\n", b"%x\r\n%b\r\n0\r\n\r\n" % (len(OTHER), OTHER)),
    ],
)
def test_a_body_that_comes_late_is_never_taken_for_a_request(server, method, head, body):
    held = Held(server, method=method, head=head)
    held.raw.sendall(body)
    held.session.send("first")
    held.read(b'[1,"first"]')
    held.end()
    held.came.clear()
    assert held.is_answered()
    held.raw.sendall(b"GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert re.findall(rb"HTTP/1.1 (\d+)", held.ended()) == [b"200", b"404"]


def test_too_much_behind_a_back_channel_is_cut(server):
    held = Held(server)
    until(lambda: lent(server) == 1)
    with contextlib.suppress(ConnectionError):
        for _ in range(20):
            held.raw.sendall(b"x" * 10_000)
    held.ended()
    assert server.counters.cut == {"pipelined": 1}
    until(lambda: not held.session.has_back_channel)
    assert len(server._running.listeners[0].connections) == 0


@pytest.mark.parametrize(("head", "version"), [("Connection: close\r\n", "1.1"), ("", "1.0")])
def test_a_connection_that_is_not_to_go_on_is_closed(server, head, version):
    held = Held(server, head=head, version=version)
    until(lambda: lent(server) == 1)
    held.session.send("all")
    held.read(b'[[1,"all"]\n]')
    server.call(lambda: setattr(held.session.back, "ending", True) or held.session.back.wake())
    assert held.ended().endswith(b"0\r\n\r\n" if version == "1.1" else b'[[1,"all"]\n]\n')
    until(lambda: lent(server) == 0)


@pytest.mark.parametrize("tls", [False, True])
def test_who_reads_late_gets_all_and_others_are_not_held_up(tls):
    server_context, client_context = contexts() if tls else (None, None)
    with LocalServer(admin=None, ssl_context=server_context, max_unacknowledged=64 << 20) as server:
        held = Held(server, tls=client_context)
        until(lambda: lent(server) == 1)
        for number in range(1, 201):
            held.session.send(f"{number} " + "x" * 100_000)
        until(lambda: held.session.back._blocked)
        came = held.read(b'"200 ')
        assert [int(one) for one in re.findall(rb'\[\d+,"(\d+) x', came)] == list(range(1, 201))
        held.raw.close()


#: More than a socket's buffers hold, and more than one back channel carries.
MUCH = "x" * (24 << 20)
ROOM = {"backchannel_bytes": 1 << 20}


def test_a_client_that_is_still_reading_when_the_back_channel_has_ended_is_answered_next(caplog):
    with LocalServer(admin=None, **ROOM) as server:
        held = Held(server)
        until(lambda: lent(server) == 1)
        held.session.send(MUCH)
        until(lambda: not held.session.has_back_channel)
        held.read(b"0\r\n\r\n")
        assert held.is_answered()
        held.raw.close()
    assert not [record for record in caplog.records if record.name == "asyncio"]


@pytest.mark.parametrize(("head", "version"), [("Connection: close\r\n", "1.1"), ("", "1.0")])
def test_who_does_not_read_the_end_of_a_back_channel_does_not_keep_its_connection(head, version):
    with LocalServer(admin=None, idle_seconds=1.0, **ROOM) as server:
        held = Held(server, head=head, version=version)
        until(lambda: lent(server) == 1)
        held.session.send(MUCH)
        until(lambda: not held.session.has_back_channel)
        until(lambda: len(server._running.listeners[0].connections) == 0)
        assert server.counters.cut == {"idle": 1}
        held.raw.close()


def test_a_server_that_ends_ends_what_it_has_lent_in_order():
    server = LocalServer(admin=None).start()
    held = [Held(server) for _ in range(20)]
    until(lambda: lent(server) == 20)
    server.stop()
    assert [one.ended() for one in held] == [b"0\r\n\r\n"] * 20


def test_who_does_not_read_does_not_keep_a_server_from_ending():
    with LocalServer(admin=None) as server:
        held = Held(server)
        until(lambda: lent(server) == 1)
        for _ in range(300):
            held.session.send("x" * 100_000)
        until(lambda: held.session.back._blocked)
    held.raw.close()


def test_with_an_access_log_nothing_is_lent_and_the_end_is_logged(caplog):
    logger = logging.getLogger("lending")
    logger.setLevel(logging.INFO)
    with LocalServer(admin=None, access_log=logger) as server:
        held = Held(server)
        held.session.send("x")
        held.read(b'"x"')
        assert lent(server) == 0
        held.end()
        assert held.is_answered()
        held.raw.close()
    logged = [record.message.split()[2] for record in caplog.records if record.name == "lending"]
    assert [path.partition("?")[0] for path in logged] == ["/channel/bind", "/healthz"]


def test_an_old_client_that_would_keep_its_connection_hears_where_the_back_channel_ends(tmp_path):
    with LocalServer(admin=None, state=tmp_path / "state") as server:
        held = Held(server, version="1.0", head="Connection: keep-alive\r\n")
        server.call(lambda: setattr(held.session.back, "ending", True) or held.session.back.wake())
        held.raw.settimeout(20)
        assert b"HTTP" not in held.ended()


def test_a_store_is_asked_before_anything_is_written(tmp_path):
    with LocalServer(admin=None, state=tmp_path / "state") as server:
        held = Held(server)
        held.session.send("kept")
        held.read(b'"kept"')
        assert lent(server) == 0
        held.raw.close()
