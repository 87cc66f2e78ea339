"""A server in a process of its own that bench/server.py and bench/nodes.py measure: this package's, or
websockets'.

    python bench/common/live_server.py gaechannel [redis URL | state FILE] | websockets

It reads commands from its standard input, a JSON object a line, and answers each on its standard output, with
the processor's time that the command took. Each message begins with the monotonic clock's nanoseconds.
"""

import asyncio
import contextlib
import gc
import json
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable

PADDING = "x" * 80


def stamped() -> str:
    """A message of 100 characters."""
    return f"{time.monotonic_ns():019} {PADDING}"


def resident_bytes() -> int:
    """What the process holds in memory."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


class ChannelServer:
    """This package's server: each client has a channel of its own, and its messages are sent one by one.

    Args:
        keeper: what keeps its sessions, and where: ``redis`` and a URL, ``state`` and a file; None: memory.
    """

    def __init__(self, *keeper: str) -> None:
        from gaechannel.server import ChannelService, SqliteStore

        self.ahead = 0.0
        options = {"clock": lambda: time.time() + self.ahead}
        if keeper[:1] == ("redis",):
            from gaechannel.server.core.shared_service import SharedChannelService

            self.service = SharedChannelService(keeper[1], **options)
        else:
            store = SqliteStore(keeper[1]) if keeper else None
            self.service = ChannelService(store=store, **options)
        self.clients: list[str] = []

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[list[int]]:
        """The public port, and administration's, served as ``gaechannel serve`` does."""
        from gaechannel.server import ConnectionLimits, make_admin_app, make_app
        from gaechannel.server.http.listener import Listener

        ports = []
        async with contextlib.AsyncExitStack() as ending:
            for app in (make_app(self.service), make_admin_app(self.service, "bench")):
                listening = socket.create_server(("127.0.0.1", 0), backlog=4096)
                ports.append(listening.getsockname()[1])
                # Connections that are idle between two measurements are not cut.
                limits = ConnectionLimits(idle_seconds=3600.0)
                listener = Listener(
                    app, [listening], ssl_context=None, limits=limits, counters=self.service.counters
                )
                ending.push_async_callback(listener.stop)
                await listener.start()
            yield ports

    def create(self, count: int, *, shared: bool = False) -> list[str]:
        """The tokens of so many new channels, or of one that all share."""
        self.clients = ["all"] if shared else [f"client {number}" for number in range(count)]
        return [self.service.create_channel("all" if shared else f"client {one}") for one in range(count)]

    def know(self, clients: list[str]) -> None:
        """Send to these from now on, though another node has created them."""
        self.clients = clients

    def send(self) -> None:
        """A message to each client."""
        message = stamped()
        for one in self.clients:
            self.service.send_message(one, message)

    async def trickle(self, count: int, period: float) -> None:
        """A message to one client after the other, so many seconds apart."""
        at = time.monotonic()
        for number in range(count):
            self.service.send_message(self.clients[number % len(self.clients)], stamped())
            at += period
            await asyncio.sleep(max(0.0, at - time.monotonic()))

    async def expire(self, count: int) -> dict[str, float]:
        """Have that many tokens expire at once: the longest turn of the event loop, in ms it computed."""
        for number in range(count):
            self.service.create_channel(f"gone {number}")
        gc.collect()
        self.ahead = 2 * 24 * 3600.0
        longest, last = 0.0, time.thread_time()
        while len(self.service.channels):
            await asyncio.sleep(0)
            now = time.thread_time()
            longest, last = max(longest, now - last), now
        return {"longest_ms": longest * 1000}


class WebsocketsServer:
    """websockets' server: its ``broadcast`` sends a message to all."""

    def __init__(self) -> None:
        self.connections: set[object] = set()

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[list[int]]:
        """The port."""
        from websockets.asyncio.server import ServerConnection, serve

        async def handle(connection: ServerConnection) -> None:
            self.connections.add(connection)
            try:
                await connection.wait_closed()
            finally:
                self.connections.discard(connection)

        async with serve(
            handle, "127.0.0.1", 0, compression=None, ping_interval=None, backlog=4096
        ) as server:
            yield [server.sockets[0].getsockname()[1]]

    def send(self) -> None:
        """A message to each client."""
        from websockets.asyncio.server import broadcast

        broadcast(self.connections, stamped())


async def _rounds(send: Callable[[], None], rounds: int, period: float) -> None:
    at = time.monotonic()
    for _ in range(rounds):
        send()
        at += period
        await asyncio.sleep(max(0.0, at - time.monotonic()))


async def _obey(server: ChannelServer | WebsocketsServer, command: dict) -> dict:
    wall, cpu, before = time.monotonic(), time.process_time(), os.times()
    answer: dict = {}
    match command["do"]:
        case "create":
            answer["tokens"] = server.create(command["count"], shared=command.get("shared", False))
            answer["clients"] = server.clients
        case "know":
            server.know(command["clients"])
        case "trickle":
            await server.trickle(command["count"], command["period"])
        case "send":
            await _rounds(server.send, command["rounds"], command["period"])
        case "expire":
            answer |= await server.expire(command["count"])
        case "idle":
            await asyncio.sleep(command["seconds"])
    answer["cpu"], answer["wall"] = time.process_time() - cpu, time.monotonic() - wall
    answer["kernel"] = os.times().system - before.system
    answer["resident"] = resident_bytes()
    return answer


async def main(kind: str, *keeper: str) -> None:
    """Serve until standard input ends."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    server = ChannelServer(*keeper) if kind == "gaechannel" else WebsocketsServer()
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(commands), sys.stdin
    )
    async with server.listening() as ports:
        print(json.dumps({"ports": ports}), flush=True)
        while line := await commands.readline():
            print(json.dumps(await _obey(server, json.loads(line))), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
