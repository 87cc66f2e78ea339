"""A server in a process of its own that bench/server.py measures: this package's, or websockets'.

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
    """This package's server: each client has a channel of its own, and its messages are sent one by one."""

    def __init__(self) -> None:
        from gaechannel.server import ChannelService

        self.ahead = 0.0
        self.service = ChannelService(clock=lambda: time.time() + self.ahead)
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

    def send(self) -> None:
        """A message to each client."""
        message = stamped()
        for one in self.clients:
            self.service.send_message(one, message)

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


async def main(kind: str) -> None:
    """Serve until standard input ends."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    server = ChannelServer() if kind == "gaechannel" else WebsocketsServer()
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(commands), sys.stdin
    )
    async with server.listening() as ports:
        print(json.dumps({"ports": ports}), flush=True)
        while line := await commands.readline():
            print(json.dumps(await _obey(server, json.loads(line))), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
