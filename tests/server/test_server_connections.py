"""gaechannel.server.http.connections and listener: who may wait how long, and how many."""

import contextlib
import http.client
import socket
import subprocess
import sys
import threading

import pytest
from tls import contexts
from waiting import until
from wire_by_hand import Talk, texts

from gaechannel.server import ConnectionLimits, LocalServer
from gaechannel.server.http.connections import _CUTS_A_TURN, Phase, address_of

REQUEST = b"GET /talkgadget/d HTTP/1.1\r\nHost: x\r\n\r\n"


def connect(server):
    return socket.create_connection((server.host, server.port), timeout=20)


def connections(server):
    return server._running.listeners[0].connections


def ended(raw):
    """What comes until the server ends the connection."""
    answer = b""
    with contextlib.suppress(ConnectionError):
        while piece := raw.recv(1 << 16):
            answer += piece
    return answer


@pytest.fixture
def listening():
    """listening(**options): a server, and a client of it that has a back channel open."""
    with contextlib.ExitStack() as ending:

        def start(**options):
            server = ending.enter_context(LocalServer(**options))
            stream = Talk(server, server.create_channel("me")).connect().back()
            ending.callback(stream.cut)
            until(lambda: len(connections(server)) == connections(server).count(Phase.ASKED) == 1)
            return server, stream

        yield start


def still_receives(server, stream):
    server.send_message("me", "still here")
    return texts([stream.next()]) == ["still here"]


class Trickle(threading.Thread):
    """Sends a byte every few milliseconds."""

    def __init__(self, raw, byte):
        super().__init__()
        self.raw, self.byte, self.stopped = raw, byte, threading.Event()

    def run(self):
        with contextlib.suppress(OSError):
            while not self.stopped.wait(0.01):
                self.raw.sendall(self.byte)

    def __enter__(self):
        self.start()

    def __exit__(self, *_):
        self.stopped.set()
        self.join()


@pytest.mark.parametrize("begin", [b"GET / HTTP/1.1\r\nX: ", b"\r\n\r\n", REQUEST + b"GET /"])
def test_a_head_that_comes_a_byte_at_a_time_is_given_up(listening, begin):
    server, stream = listening(header_seconds=0.3, idle_seconds=30)
    with connect(server) as raw:
        raw.sendall(begin)
        with Trickle(raw, b"\n" if begin == b"\r\n\r\n" else b"x"):
            answer = ended(raw)
    if begin != b"\r\n\r\n":  # of which aiohttp may make a bad request
        assert b"HTTP/1.1 408 The head did not come in time\r\n" in answer
        assert server.counters.cut == {"head": 1}
    assert still_receives(server, stream)


def test_blank_lines_are_no_request_that_stops_the_clock(listening):
    server, stream = listening(header_seconds=0.2, idle_seconds=30)
    with connect(server) as raw:
        raw.sendall(b"\r\n\r\n")
        ended(raw)
    assert server.counters.cut == {"head": 1}
    assert still_receives(server, stream)


@pytest.mark.parametrize("request_first", [False, True])
def test_who_asks_for_nothing_is_cut_without_a_word(listening, request_first):
    server, stream = listening(idle_seconds=0.3)
    with connect(server) as raw:
        if request_first:
            raw.sendall(REQUEST)
        answer = ended(raw)
    assert answer.count(b"HTTP/1.1") == request_first
    assert server.counters.cut["idle"] >= 1
    assert still_receives(server, stream)


def test_many_whose_time_is_over_at_once_are_cut_a_few_in_a_turn(listening):
    server, stream = listening(idle_seconds=0.5)
    many = [connect(server) for _ in range(3 * _CUTS_A_TURN)]
    until(lambda: server.counters.cut["idle"] >= len(many))
    assert still_receives(server, stream)
    for raw in many:
        raw.close()


def test_an_open_back_channel_is_not_idle(listening):
    server, stream = listening(idle_seconds=0.1, header_seconds=0.1)
    with connect(server) as raw:
        ended(raw)
    assert still_receives(server, stream)


def test_a_head_that_is_too_long_is_answered_so(listening):
    server, stream = listening(max_head=20_000)
    line = b"X: " + b"x" * 8000 + b"\r\n"
    with connect(server) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\n" + line * 2)
        raw.sendall(line)
        assert ended(raw).startswith(b"HTTP/1.1 431 The head is too long\r\n")
    assert server.counters.cut == {"head": 1}
    assert still_receives(server, stream)


def test_a_long_body_in_one_piece_with_its_head_is_no_long_head(shared):
    with connect(shared) as raw:
        body = b"count=0&a=" + b"x" * 500_000
        head = b"POST /channel/bind?VER=8&RID=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        raw.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        assert ended(raw).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    "line",
    [
        b"x" * 70_000,
        b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n",
        b"\x16\x03\x01\0\xff\xfe\r\n\r\n",
        b"? ?\r\n\r\n",
    ],
)
def test_nonsense_is_answered_400_and_makes_no_traceback(listening, caplog, line):
    server, stream = listening()
    with connect(server) as raw:
        with contextlib.suppress(ConnectionError):
            raw.sendall(line)
        assert ended(raw)[:13] in (b"HTTP/1.1 400 ", b"HTTP/1.0 400 ")
    until(lambda: server.counters.refused == {"malformed": 1})
    assert still_receives(server, stream)
    assert not [record for record in caplog.records if record.exc_info]


def test_whoever_waits_longest_makes_room_for_who_comes(listening):
    server, stream = listening(max_connections=4)
    waiting = [connect(server) for _ in range(3)]
    until(lambda: len(connections(server)) == 4)
    waiting[0].sendall(REQUEST)
    assert waiting[0].recv(12) == b"HTTP/1.1 400"  # it has asked: others have waited, and done nothing
    late = connect(server)
    assert ended(waiting[1]) == b""
    late.sendall(REQUEST)
    assert late.recv(12) == b"HTTP/1.1 400"
    assert server.counters.cut == {"connections": 1}
    assert still_receives(server, stream)
    for raw in (*waiting, late):
        raw.close()


def test_where_all_are_being_answered_one_more_is_refused(listening, caplog):
    server, stream = listening(max_connections=2)
    other = Talk(server, server.create_channel("you")).connect().back()
    for _ in range(3):
        with connect(server) as raw:
            raw.sendall(REQUEST)
            assert ended(raw).startswith(b"HTTP/1.1 429 Too many connections\r\n")
    assert server.counters.cut["connections"] >= 3
    assert [record.message for record in caplog.records] == ["a connection was refused: too many connections"]
    assert still_receives(server, stream)
    other.cut()
    until(lambda: len(connections(server)) == 1)
    with connect(server) as raw:
        raw.sendall(REQUEST)
        assert raw.recv(12) == b"HTTP/1.1 400"


def test_an_address_has_so_many_connections_at_most(listening):
    server, stream = listening(max_connections_per_address=3)
    waiting = [connect(server) for _ in range(2)]
    until(lambda: len(connections(server)) == 3)
    with connect(server) as raw:
        assert ended(raw).startswith(b"HTTP/1.1 429 Too many connections\r\n")
    with socket.create_connection((server.host, server.port), 20, ("127.0.0.2", 0)) as raw:
        raw.sendall(REQUEST)
        assert raw.recv(12) == b"HTTP/1.1 400"
    assert server.counters.cut == {"connections of an address": 1}
    assert still_receives(server, stream)
    for raw in waiting:
        raw.close()


def test_requests_behind_a_back_channel_are_not_kept_for_ever(listening):
    # Where aiohttp has stopped to read, the next keep-alive finds that the client has gone.
    server, _ = listening(keepalive=0.3)
    talk = Talk(server, server.create_channel("you")).connect()
    query = {**talk.params, "RID": "rpc", "AID": 1, "CI": 0, "TYPE": "xmlhttp"}
    with connect(server) as raw:
        raw.sendall(f"GET {talk.url(talk.bind, query)} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        until(lambda: connections(server).count(Phase.ASKED) == 2)
        raw.settimeout(1)
        with contextlib.suppress(OSError):  # cut, or not read any more
            for _ in range(200):
                raw.sendall(REQUEST * 1000)
        raw.settimeout(20)
    until(lambda: connections(server).count(Phase.ASKED) == 1)


def test_who_does_not_shake_hands_over_tls_is_cut():
    context, client = contexts()
    with LocalServer(ssl_context=context, header_seconds=2.0, max_connections=2) as server:
        with connect(server) as silent, connect(server) as nonsense:
            nonsense.sendall(REQUEST)
            ended(nonsense)
            assert ended(silent) == b""
        until(lambda: server.counters.cut["tls"] == 2)
        many = [connect(server) for _ in range(10)]
        connection = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=20, context=client)
        connection.request("GET", "/talkgadget/d")
        assert connection.getresponse().status == 400
        connection.close()
        for raw in many:
            raw.close()


EXHAUSTED = """
import contextlib, logging, resource, socket, sys, threading, time
sys.path.insert(0, sys.argv[1])
from wire_by_hand import Talk, texts
from gaechannel.server import LocalServer
logging.basicConfig(format="%(levelname)s %(message)s")
with LocalServer(max_connections=1000) as server:
    stream = Talk(server, server.create_channel("me")).connect().back()
    stuck = [Talk(server, server.create_channel(str(n))).connect().back() for n in range(20)]
    many = [socket.socket() for _ in range(300)]
    low = socket.socket().fileno() + 10
    resource.setrlimit(resource.RLIMIT_NOFILE, (low, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    for raw in many:
        raw.settimeout(20)
        raw.connect((server.host, server.port))
    # Nobody waits for nothing: those are cut, one for each that comes, until all that are there are answered.
    for number in range(20):
        server.send_message("me", str(number))
        assert texts([stream.next()]) == [str(number)]
        time.sleep(0.02)
    while not server.counters.cut["descriptors"]:
        time.sleep(0.01)
    for raw in many:
        raw.close()
    while len(server._running.listeners[0].connections) > 1 + len(stuck):
        time.sleep(0.01)
    assert Talk(server, server.create_channel("late")).open().status == 200
    for one in (stream, *stuck):
        one.cut()
"""


def test_used_up_descriptors_are_said_in_one_line_and_end_nobodys_back_channel():
    support = next(path for path in sys.path if path.endswith("support"))
    done = subprocess.run(
        [sys.executable, "-c", EXHAUSTED, support], capture_output=True, text=True, timeout=100, check=False
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    lines = done.stderr.splitlines()
    assert "WARNING no connection can be accepted: Too many open files" in lines
    assert len(lines) <= 2, done.stderr


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        (("192.0.2.1", 5), "192.0.2.1"),
        (("::1", 5, 0, 0), "::1"),
        (("::ffff:192.0.2.1", 5, 0, 0), "192.0.2.1"),
        (("2001:db8:1:2:3:4:5:6", 5, 0, 0), "2001:db8:1:2::"),
        (("fe80::1%eth0", 5, 0, 2), "fe80::"),
        ("", None),
        ("/run/socket", None),
        (None, None),
        ((), None),
        (("nonsense", 1), None),
    ],
)
def test_addresses_are_counted_ipv6_by_network(peer, address):
    assert address_of(peer) == address


@pytest.mark.parametrize("name", ConnectionLimits.__dataclass_fields__)
def test_a_limit_of_nothing_is_refused(name):
    with pytest.raises(ValueError, match=name):
        LocalServer(**{name: 0})
