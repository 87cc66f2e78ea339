"""The server: what a delivery costs it, when it comes, what idle sessions hold, and what expiry stops.

    python bench/server.py [--short]

The server stands in a process of its own, whose processor's time is taken; the clients are sockets that a
third process reads. ``websockets.broadcast`` and this package take turns.
"""

import array
import asyncio
import contextlib
import json
import re
import resource
import selectors
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from common import building, report

SERVER = Path(__file__).parent / "common" / "live_server.py"


class Server:
    """A server's process."""

    def __init__(self, *kind: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, SERVER, *kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.pid: int = self._process.pid
        self.port: int
        self.port, *self.admin = self.answer()["ports"]

    def ask(self, do: str, **more: object) -> None:
        """Give a command."""
        assert self._process.stdin is not None
        print(json.dumps({"do": do, **more}), file=self._process.stdin, flush=True)

    def answer(self) -> dict:
        """What came of it."""
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def has_answered(self, seconds: float) -> bool:
        """Whether there is an answer, after so long at most."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            return bool(selector.select(seconds))

    def stop(self) -> None:
        """Have it end."""
        self._process.stdin.close()
        self._process.wait()


@contextlib.contextmanager
def serving(*kind: str) -> Iterator[Server]:
    """A server until the block ends."""
    server = Server(*kind)
    try:
        yield server
    finally:
        server.stop()


def _read_head(connection: socket.socket) -> bytes:
    """What came behind a response's head."""
    held = b""
    while b"\r\n\r\n" not in held:
        piece = connection.recv(65536)
        assert piece, held
        held += piece
    head, _, rest = held.partition(b"\r\n\r\n")
    assert head.split()[1] in (b"200", b"101"), head
    return rest


def _post(connection: socket.socket, target: str, body: str) -> bytes:
    request = (
        f"POST {target} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    )
    connection.sendall(request.encode())
    held = b""
    while True:
        held += connection.recv(65536)
        head, found, rest = held.partition(b"\r\n\r\n")
        if found:
            assert head.startswith(b"HTTP/1.1 200"), held
            length = int(re.search(rb"Content-Length: (\d+)", head)[1])
            if len(rest) >= length:
                return rest


def talk_clients(port: int, tokens: list[str]) -> list[socket.socket]:
    """A back channel for each token, open."""
    back_channels = []
    with socket.create_connection(("127.0.0.1", port)) as forward:
        for number, token in enumerate(tokens):
            base = f"/talkgadget/dch/bind?VER=8&token={token}&clid=C{number:015}"
            opening = _post(forward, f"{base}&RID=1", "count=0")
            sid = re.search(rb'"c","([^"]+)"', opening)[1].decode()
            connect = quote('["connect-add-client"]')
            _post(forward, f"{base}&RID=2&AID=1&SID={sid}", f"count=1&ofs=0&req0_m={connect}")
            back = socket.create_connection(("127.0.0.1", port))
            target = f"{base}&RID=rpc&AID=1&SID={sid}&CI=0&TYPE=xmlhttp"
            back.sendall(f"GET {target} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
            _read_head(back)
            back_channels.append(back)
    return back_channels


def websocket_clients(port: int, count: int) -> list[socket.socket]:
    """Open WebSockets."""
    connections = []
    for _ in range(count):
        one = socket.create_connection(("127.0.0.1", port))
        one.sendall(
            b"GET / HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        _read_head(one)
        connections.append(one)
    return connections


class Clients:
    """Connections that are read, by a program in C: a reader in Python takes longer than the server."""

    def __init__(self, connections: list[socket.socket]) -> None:
        self._connections = connections
        descriptors = [one.fileno() for one in connections]
        self._program = subprocess.Popen(
            [building.program("message_sink"), *map(str, descriptors)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=descriptors,
        )

    def __len__(self) -> int:
        return len(self._connections)

    def read(self, count: int, *, more: bool = False) -> list[int]:
        """The ages, in ns, of so many messages as they are read; ``more`` may be under way."""
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.write(b"%d%b\n" % (count, b"+" if more else b""))
        self._program.stdin.flush()
        ages = array.array("q")
        ages.frombytes(self._program.stdout.read(count * ages.itemsize))
        assert len(ages) == count, (len(ages), count)
        return ages.tolist()

    def close(self) -> None:
        """Close all."""
        self._program.stdin.close()
        self._program.wait()
        self._program.stdout.close()
        for one in self._connections:
            one.close()


def deliver(server: Server, clients: Clients, rounds: int, period: float) -> tuple[dict, list[int]]:
    """Have a message sent to every client, so many times."""
    server.ask("send", rounds=rounds, period=period)
    ages = clients.read(rounds * len(clients))
    return server.answer(), ages


def measure_deliveries(count: int, turns: int, rounds: int) -> list[report.Row]:
    """The processor's time of a delivery, against websockets.broadcast in turns, and latencies.

    ``websockets.broadcast`` is one call; so is a message to one channel that all listen to. Those to channels
    of their own are a call each.
    """
    names = ("of one channel", "each by itself", "websockets.broadcast")
    with contextlib.ExitStack() as ending:
        sides: dict[str, tuple[Server, Clients]] = {}
        for name in names:
            server = ending.enter_context(
                serving("websockets" if name == "websockets.broadcast" else "gaechannel")
            )
            if name == "websockets.broadcast":
                connections = websocket_clients(server.port, count)
            else:
                server.ask("create", count=count, shared=name == "of one channel")
                connections = talk_clients(server.port, server.answer()["tokens"])
            sides[name] = server, Clients(connections)
            ending.callback(sides[name][1].close)
            deliver(*sides[name], 3, 0.1)
        taken: dict[str, list[float]] = {name: [] for name in names}
        busy, latencies = [], []
        for _ in range(turns):
            for name, side in sides.items():
                answer, ages = deliver(*side, rounds, 0.1)
                taken[name].append(answer["cpu"] / rounds / count * 1e6)
                if name == "each by itself":
                    busy.append(answer["cpu"] / answer["wall"] * 100)
                    latencies.append(sorted(age / 1e6 for age in ages))
    theirs = taken.pop("websockets.broadcast")
    report.say(f"websockets.broadcast: {statistics.median(theirs):.1f} µs a delivery")
    rows = []
    for name, ours in taken.items():
        what = f"delivery to {count} clients, {name}"
        ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
        rows.append(report.row(what, "websockets.broadcast", ratios, "×", goal=1.0, at_most=True))
        rows.append(report.row(what, "", ours, "µs", goal=9.0, at_most=True))
    what = f"{count} clients × 10/s"
    middle = [statistics.median(ages) for ages in latencies]
    late = [ages[int(len(ages) * 0.99)] for ages in latencies]
    return [
        *rows,
        report.row(f"{what}, p50", "", middle, "ms", goal=8.0, at_most=True),
        report.row(f"{what}, p99", "", late, "ms", goal=20.0, at_most=True),
        report.row(f"{what}, busy", "", busy, "% of a core", goal=10.0, at_most=True),
    ]


def measure_idle(count: int, seconds: float) -> list[report.Row]:
    """What idle sessions hold and take."""
    with serving("gaechannel") as server:
        server.ask("create", count=count)
        clients = talk_clients(server.port, server.answer()["tokens"])
        server.ask("idle", seconds=0)
        held = server.answer()["resident"]
        server.ask("idle", seconds=seconds)
        answer = server.answer()
        for one in clients:
            one.close()
    what = f"{count} idle sessions"
    return [
        report.row(f"{what}, memory", "", [held / 1e6], "MB", goal=160.0, at_most=True),
        report.row(
            f"{what}, busy", "", [answer["cpu"] / answer["wall"] * 100], "% of a core", goal=0.5, at_most=True
        ),
    ]


def measure_expiry(count: int) -> list[report.Row]:
    """The longest turn of the event loop while tokens expire."""
    with serving("gaechannel") as server:
        server.ask("expire", count=count)
        longest = server.answer()["longest_ms"]
    return [report.row(f"{count} tokens expire, longest pause", "", [longest], "ms", goal=5.0, at_most=True)]


def measure_sending(count: int) -> list[report.Row]:
    """Messages a second that another process sends by ChannelAPI, to one channel after the other."""
    from gaechannel.server.remote import ChannelAPI, aio

    messages = [(f"client {number % 1000}", "x" * 100) for number in range(count)]

    async def by_tasks(url: str, tasks: int) -> float:
        """So many tasks, each of which sends one message after the other."""
        async with aio.ChannelAPI(url, "bench") as api:

            async def send(first: int) -> None:
                for one in messages[first::tasks]:
                    await api.send_message(*one)

            began = time.monotonic()
            await asyncio.gather(*map(send, range(tasks)))
            return count / (time.monotonic() - began)

    with serving("gaechannel") as server:
        server.ask("create", count=1000)
        server.answer()
        url = f"http://127.0.0.1:{server.admin[0]}"
        many, each, gathered = [], [], []
        for _ in range(3):
            with ChannelAPI(url, "bench") as api:
                began = time.monotonic()
                api.send_messages(messages)
                many.append(count / (time.monotonic() - began))
            each.append(asyncio.run(by_tasks(url, 1000)))
            gathered.append(asyncio.run(by_tasks(url, count)))
    return [
        report.row("ChannelAPI.send_messages", "", many, "/s", goal=30_000.0),
        report.row("aio.ChannelAPI.send_message, 1,000 tasks", "", each, "/s", goal=30_000.0),
        report.row(f"aio.ChannelAPI.send_message, {count:,} tasks", "", gathered, "/s", goal=30_000.0),
    ]


def main() -> None:
    """Measure all."""
    parser = report.arguments(__doc__)
    options = parser.parse_args()
    report.clean_environment()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    short = options.short
    rows = measure_deliveries(1000, *((3, 10) if short else (5, 50)))
    rows += measure_expiry(100_000)
    rows += measure_sending(20_000 if short else 200_000)
    rows += measure_idle(1_000 if short else 10_000, 5.0 if short else 50.0)
    report.finish(rows, options)


if __name__ == "__main__":
    main()
