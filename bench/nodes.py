"""Nodes that share a Redis beside one process that has all in memory, or in a state file: what a delivery
costs, how many there can be, and when they come.

    python bench/nodes.py [--short] [--only compare idle nodes sessions] [--out docs]

All stand on one machine, in processes of their own whose processors' time is taken, Redis' as well; they take
turns. Each message goes to a client of its own, over HTTP, and back channels stand open at every node. Also
plots what a delivery costs with more nodes, and what a session takes in Redis with more sessions
(growth-nodes.svg, growth-sessions.svg).
"""

import argparse
import asyncio
import contextlib
import pathlib
import resource
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator

from server import Clients, Server, serving, talk_clients

from common import report

#: Rounds that are under way at once, where as many messages are sent as are read.
AT_ONCE = 2


def processor_seconds(pid: int) -> float:
    """What a process and its threads have taken so far."""
    tasks = pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(one.read_text().split()[0]) for one in tasks) / 1e9


class Redis:
    """A redis-server of its own, on loopback."""

    def __init__(self, folder: str, fsync: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        command = ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--dir", folder]
        command += ["--save", "", "--appendonly", "yes", "--appendfsync", fsync]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while b"+PONG" not in self.says(b"PING"):
            time.sleep(0.01)

    def says(self, command: bytes) -> bytes:
        """Its answer to a command in a line, b"" where it is not there."""
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 60) as raw:
            raw.sendall(command + b"\r\n")
            return raw.recv(1 << 16)
        return b""

    def held(self) -> int:
        """Bytes that it holds in memory."""
        return int(self.says(b"INFO memory").partition(b"used_memory:")[2].split()[0])


@contextlib.contextmanager
def redis(fsync: str = "everysec") -> Iterator[Redis]:
    """A Redis until the block ends."""
    with tempfile.TemporaryDirectory() as folder:
        one = Redis(folder, fsync)
        try:
            yield one
        finally:
            one.process.terminate()
            one.process.wait()


class Side:
    """Some nodes, what keeps their sessions, and clients whose back channels are spread over them."""

    def __init__(self, ending: contextlib.ExitStack, keeper: str, nodes: int, count: int) -> None:
        self.redis: Redis | None = None
        kind = ["gaechannel"]
        if keeper.startswith("redis"):
            self.redis = ending.enter_context(redis(keeper.partition(" ")[2] or "everysec"))
            kind += ["redis", f"redis://127.0.0.1:{self.redis.port}"]
        elif keeper == "state":
            kind += ["state", f"{ending.enter_context(tempfile.TemporaryDirectory())}/state"]
        self.nodes: list[Server] = [ending.enter_context(serving(*kind)) for _ in range(nodes)]
        first, *others = self.nodes
        first.ask("create", count=count)
        made = first.answer()
        for other in others:
            other.ask("know", clients=made["clients"])
            other.answer()
        connections = []
        for number, node in enumerate(self.nodes):
            connections += talk_clients(node.port, made["tokens"][number::nodes])
        self.clients: Clients = Clients(connections)
        ending.callback(self.clients.close)
        self.deliver(4)

    def seconds(self) -> tuple[float, float]:
        """Processor's time of the nodes, and of Redis."""
        nodes = sum(processor_seconds(one.pid) for one in self.nodes)
        return nodes, 0.0 if self.redis is None else processor_seconds(self.redis.process.pid)

    def deliver(self, rounds: int) -> tuple[float, float, float]:
        """A message to each client, so many times, each round by another node, as fast as they are read.

        Returns:
            Deliveries a second, and µs of a delivery that the nodes take, and Redis.
        """
        count, before, began = len(self.clients), self.seconds(), time.monotonic()
        under_way: list[Server] = []
        for number in range(rounds):
            node = self.nodes[number % len(self.nodes)]
            node.ask("send", rounds=1, period=0)
            under_way.append(node)
            if len(under_way) == AT_ONCE:
                self._have(under_way.pop(0), more=True)
        while under_way:
            self._have(under_way.pop(0), more=bool(under_way))
        wall = time.monotonic() - began
        taken = [(b - a) / rounds / count * 1e6 for a, b in zip(before, self.seconds(), strict=True)]
        return rounds * count / wall, taken[0], taken[1]

    def _have(self, node: Server, *, more: bool) -> None:
        self.clients.read(len(self.clients), more=more)
        node.answer()

    def trickle(self, count: int) -> list[float]:
        """Ages in ms, sorted, of messages that are sent one each ms."""
        node = self.nodes[-1]
        node.ask("trickle", count=count, period=0.001)
        ages = sorted(age / 1e6 for age in self.clients.read(count))
        node.answer()
        return ages


#: What is compared: what keeps the sessions, and how many nodes there are.
SIDES = {
    "memory": ("memory", 1),
    "state file": ("state", 1),
    "Redis": ("redis", 1),
    "Redis, appendfsync always": ("redis always", 1),
    "Redis, two nodes": ("redis", 2),
}


def compare(options: argparse.Namespace) -> list[report.Row]:
    """Each beside memory, in turns."""
    turns, rounds, count = (2, 10, 1000) if options.short else (5, 30, 1000)
    rows = []
    with contextlib.ExitStack() as ending:
        sides = {name: Side(ending, *kind, count) for name, kind in SIDES.items()}
        found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in sides}
        ages: dict[str, list[list[float]]] = {name: [] for name in sides}
        for _ in range(turns):
            for name, side in sides.items():
                found[name].append(side.deliver(rounds))
                ages[name].append(side.trickle(500 if options.short else 1000))
    memory = found["memory"]
    for name, turned in found.items():
        speeds, nodes, keepers = zip(*turned, strict=True)
        both = [a + b for a, b in zip(nodes, keepers, strict=True)]
        rows.append(report.row(f"{name}: deliveries", "", speeds, "/s"))
        rows.append(report.row(f"{name}: CPU a delivery", "", both, "µs"))
        if name.startswith("Redis"):
            rows.append(report.row(f"{name}: Redis' part of it", "", keepers, "µs"))
        if name != "memory":
            ratios = [one[0] / other[0] for one, other in zip(turned, memory, strict=True)]
            least = 0.5 if name == "Redis" else None
            rows.append(report.row(f"{name}: deliveries", "memory", ratios, goal=least))
            ratios = [one / sum(other[1:]) for one, other in zip(both, memory, strict=True)]
            most = 1.3 if name.startswith("Redis") else None
            rows.append(report.row(f"{name}: CPU a delivery", "memory", ratios, goal=most, at_most=True))
        middle = [statistics.median(one) for one in ages[name]]
        late = [one[int(len(one) * 0.99)] for one in ages[name]]
        rows.append(report.row(f"{name}: 1,000 messages/s, p50", "", middle, "ms"))
        rows.append(report.row(f"{name}: 1,000 messages/s, p99", "", late, "ms"))
        if name == "Redis":
            before = [statistics.median(one) for one in ages["memory"]]
            added = [a - b for a, b in zip(middle, before, strict=True)]
            rows.append(report.row("Redis: p50 beyond it", "memory", added, "ms", goal=2.0, at_most=True))
    return rows


def nodes(options: argparse.Namespace) -> list[report.Row]:
    """What a delivery costs with more nodes at one Redis."""
    from growth import plot_lines

    lines: dict[str, dict[int, float]] = {"nodes": {}, "Redis": {}}
    for many in (1, 2, 4, 8):
        with contextlib.ExitStack() as ending:
            side = Side(ending, "redis", many, 1000)
            turned = [side.deliver(8 if options.short else 32) for _ in range(3)]
        _, lines["nodes"][many], lines["Redis"][many] = (
            statistics.median(column) for column in zip(*turned, strict=True)
        )
    plot_lines(lines, options.out / "growth-nodes.svg", "nodes", "µs of CPU a delivery")
    return []


async def _fill(url: str, client_ids: list[str]) -> None:
    """Have so many sessions that listen, and have each hold a message of 100 characters."""
    from gaechannel.server.core.sessions import Opening
    from gaechannel.server.core.shared_service import SharedChannelService

    service = SharedChannelService(url, session_timeout=3600.0)
    await service.take_up()

    async def begin(client_id: str) -> None:
        token = await service.create(client_id)
        params = {"VER": "8", "token": token, "clid": "0123456789ABCDEF", "RID": "1"}
        await service.begin(Opening(params, [{"m": '["connect-add-client"]'}]))
        await service.send(client_id, "x" * 100)

    for at in range(0, len(client_ids), 1000):
        await asyncio.gather(*map(begin, client_ids[at : at + 1000]))
    await service.leave_to_others()


#: Deletes the keys by which sendings are known, as a minute does.
FORGET_SENDINGS = (
    b"""EVAL "for _, key in ipairs(redis.call('KEYS', '*}i:*')) do redis.call('DEL', key) end" 0"""
)


def sessions(options: argparse.Namespace) -> list[report.Row]:
    """What a session takes in Redis, with more of them."""
    from growth import plot_lines

    found: dict[int, float] = {}
    with redis() as one:
        empty, done = one.held(), 0
        for many in (1000, 3000, 10_000) if options.short else (1000, 3000, 10_000, 30_000, 100_000):
            names = [f"client {number}" for number in range(done, many)]
            asyncio.run(_fill(f"redis://127.0.0.1:{one.port}", names))
            done = many
            one.says(FORGET_SENDINGS)
            found[many] = (one.held() - empty) / many
    plot_lines({"": found}, options.out / "growth-sessions.svg", "sessions", "bytes in Redis a session")
    return []


def idle(options: argparse.Namespace) -> list[report.Row]:
    """What sessions take that are silent, keep-alives and leases included."""
    count, seconds = (1000, 10.0) if options.short else (10_000, 60.0)
    with contextlib.ExitStack() as ending:
        side = Side(ending, "redis", 1, count)
        before = side.seconds()
        side.nodes[0].ask("idle", seconds=seconds)
        side.nodes[0].answer()
        taken = [(b - a) / seconds * 100 for a, b in zip(before, side.seconds(), strict=True)]
    what = f"{count} idle sessions"
    return [
        report.row(f"{what}: node", "", taken[:1], "% of a core", goal=1.0, at_most=True),
        report.row(f"{what}: Redis", "", taken[1:], "% of a core"),
    ]


PARTS = {"compare": compare, "idle": idle, "nodes": nodes, "sessions": sessions}


def main() -> None:
    """Measure all."""
    parser = report.arguments(__doc__)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("docs"), help="where the plots go")
    parser.add_argument("--only", nargs="+", default=PARTS, choices=PARTS, help="nothing but these")
    options = parser.parse_args()
    report.clean_environment()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    rows = [row for part in options.only for row in PARTS[part](options)]
    report.finish(rows, options)


if __name__ == "__main__":
    main()
