"""Measures many channels in one process, and `websockets` doing the same work beside them.

    python bench/channels.py [--short] [--channels 10000] [--only PART ...]

Parts: idle (memory, processor time at rest, opening), spread (a message that one of many channels receives,
and one that the only channel does), taken (messages already received), restart (the server is killed and
comes back). Each client runs in a process of its own, and so does each server; all on loopback, without TLS.
Numbers are for reading, not for passing or failing.
"""

import argparse
import asyncio
import contextlib
import gc
import importlib
import json
import logging
import os
import subprocess
import sys
import time

from common import report
from gaechannel._core import libcurl_version

PARTS = ("idle", "spread", "taken", "restart")
# KiB of an idle one: since 8.7 libcurl has one receive buffer for all.
IDLE_GOAL = 11.0 if report.libcurl_is(8, 7) else 16.0
# A message's text.
TEXT = "x" * 100
# How many may connect at once, where the library does not see to that itself.
CONNECTING = 64
# Messages are sent one by one, so many seconds apart, whatever number of channels they are for: what several
# that come at once would share is shared by none.
STEP_SECONDS = 0.001
# A channel of a thread has a multi handle of its own until it is merged, and that two descriptors: of more,
# some would find no file.
MOST_IN_A_THREAD = 6000
# Of a server that sends no keep-alives meanwhile, which would be measured, too, and of who waits for it.
NO_KEEPALIVE = 1000.0
PATIENCE = 2000.0


# ---- Servers, each in a process of its own: a command a line on stdin, an answer a line on stdout ----


class Channels:
    """gaechannel.server."""

    def __init__(self, count, keepalive):
        from gaechannel.server import LocalServer

        self.server = LocalServer(keepalive=keepalive, max_unacknowledged=1 << 30).start()
        self.tokens = [self.server.create_channel(f"client {number}", 1440) for number in range(count)]

    def address(self):
        return self.server.base_url

    def send(self, first, count, text):
        for number in range(first, first + count):
            self.server.send_message(f"client {number}", text)

    def burst(self, count, text):
        for _ in range(count):
            self.server.send_message("client 0", text)

    def kill(self):
        self.server.kill(keep_sessions=True)

    def start(self):
        self.server.start()


class WebSockets:
    """The same of `websockets`."""

    def __init__(self, count, keepalive):
        import threading

        ready = threading.Event()
        self.tokens = [str(number) for number in range(count)]
        self.connections = {}
        threading.Thread(target=lambda: asyncio.run(self.run(keepalive, ready)), daemon=True).start()
        ready.wait()

    async def run(self, keepalive, ready):
        from websockets.asyncio.server import serve

        async def handle(connection):
            self.connections[connection.request.path] = connection
            await connection.send("hello")
            await connection.wait_closed()

        self.loop = asyncio.get_running_loop()
        options = {"compression": None, "ping_interval": keepalive, "backlog": 4096}
        async with serve(handle, "127.0.0.1", 0, **options) as server:
            self.port = server.sockets[0].getsockname()[1]
            ready.set()
            await server.wait_closed()

    def address(self):
        return f"ws://127.0.0.1:{self.port}"

    def send(self, first, count, text):
        async def send_all():
            for number in range(first, first + count):
                await self.connections[f"/{number}"].send(text)

        asyncio.run_coroutine_threadsafe(send_all(), self.loop).result()

    def burst(self, count, text):
        async def send_all():
            for _ in range(count):
                await self.connections["/0"].send(text)

        asyncio.run_coroutine_threadsafe(send_all(), self.loop).result()


def obey(server, command, arguments):
    if command == "paced":
        # The same messages at the same times, over as many channels as there are to be.
        channels, messages = arguments
        at = time.monotonic()
        for sent in range(messages):
            server.send(sent % channels, 1, TEXT)
            at += STEP_SECONDS
            time.sleep(max(0.0, at - time.monotonic()))
        return None
    return getattr(server, command)(*arguments)


def serve(kind, count, keepalive):
    from gaechannel.server import raise_file_limit

    try:
        raise_file_limit(count + 200)
    except OSError as error:
        print(json.dumps({"error": str(error)}), flush=True)
        return
    server = {"gaechannel": Channels, "websockets": WebSockets}[kind](count, keepalive)
    print(json.dumps({"address": server.address(), "tokens": server.tokens}), flush=True)
    for line in sys.stdin:
        command, *arguments = json.loads(line)
        print(json.dumps(obey(server, command, arguments)), flush=True)


class Server:
    """A server in another process."""

    def __init__(self, kind, count, keepalive=25.0):
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--serve", kind, str(count), str(keepalive)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        line = self.process.stdout.readline()
        started = json.loads(line) if line else {"error": "it did not start"}
        if "error" in started:
            raise SystemExit(f"bench: the server for {count} channels: {started['error']}")
        self.address, self.tokens = started["address"], started["tokens"]

    def begin(self, *command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    async def answer(self):
        return json.loads(await asyncio.to_thread(self.process.stdout.readline))

    async def ask(self, *command):
        self.begin(*command)
        return await self.answer()

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


# ---- Clients ----


def resident():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Warnings(logging.Handler):
    """Counts what the channels complain about."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.count = 0
        self.first = ""

    def emit(self, record):
        self.first = self.first or record.getMessage()
        self.count += 1


class OurClients:
    def __init__(self, server, on_message, **options):
        from gaechannel import aio

        self.warnings = Warnings()
        logger = logging.getLogger("bench")
        logger.propagate = False
        logger.addHandler(self.warnings)
        self.clients = [
            aio.Client(token, logger, base_url=server.address, **options) for token in server.tokens
        ]
        self.on_message = on_message
        self.tasks = []

    def start(self):
        self.tasks = [asyncio.create_task(self.listen(*pair)) for pair in enumerate(self.clients)]

    async def listen(self, number, client):
        async for message in client:
            self.on_message(number, message)

    async def stop(self):
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await asyncio.gather(*(client.close() for client in self.clients))


class OurMerged(OurClients):
    """One task for all."""

    def start(self):
        self.tasks = [asyncio.create_task(self.listen_to_all())]

    async def listen_to_all(self):
        from gaechannel import aio

        async for client, message in aio.merge(self.clients):
            self.on_message(client, message)


class TheirClients:
    def __init__(self, server, on_message):
        self.warnings = Warnings()
        self.server = server
        self.on_message = on_message
        self.tasks = []

    def start(self):
        self.places = asyncio.Semaphore(CONNECTING)
        self.tasks = [asyncio.create_task(self.listen(number)) for number in range(len(self.server.tokens))]

    async def listen(self, number):
        from websockets.asyncio.client import connect

        async with self.places:
            # As little memory as its documentation knows how to use.
            connection = await connect(f"{self.server.address}/{number}", compression=None, max_queue=1)
        async for message in connection:
            self.on_message(number, message)

    async def stop(self):
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


class Arrivals:
    """Counts messages; somebody can wait for so many."""

    def __init__(self):
        self.count = 0
        self.times = {}
        self.wanted = None
        self.done = None

    def __call__(self, number, message):
        self.count += 1
        self.times[number] = time.monotonic()
        if self.count == self.wanted:
            self.done.set_result(None)

    async def wait_for(self, count, seconds=300):
        if self.count >= count:
            return
        self.wanted, self.done = count, asyncio.get_running_loop().create_future()
        async with asyncio.timeout(seconds):
            await self.done


def greet(server, kind):
    # So that each channel says, by its first message, that it is open. websockets' server does so itself.
    if kind == "gaechannel":
        server.begin("send", 0, len(server.tokens), "hello")
        json.loads(server.process.stdout.readline())


async def at_rest(seconds):
    used, begun = time.process_time(), time.monotonic()
    await asyncio.sleep(seconds)
    return (time.process_time() - used) / (time.monotonic() - begun)


async def measure_idle(kind, count, seconds):
    # What is not a channel's.
    importlib.import_module("websockets.asyncio.client" if kind == "websockets" else "gaechannel.aio")
    makes = {"gaechannel": OurClients, "merged": OurMerged, "websockets": TheirClients}[kind]
    kind = "websockets" if kind == "websockets" else "gaechannel"
    with Server(kind, count) as server:
        greet(server, kind)
        arrivals = Arrivals()
        before = resident()
        clients = makes(server, arrivals)
        begun = time.monotonic()
        clients.start()
        await arrivals.wait_for(count)
        opened = time.monotonic() - begun
        arrivals.times.clear()
        # Past the server's first keep-alive, so that it is steady.
        share = await at_rest(seconds)
        after = resident()
        result = {
            "bytes": (after - before) / count,
            "opened": opened,
            "warnings": clients.warnings.count,
            "warning": clients.warnings.first,
            "share": share,
        }
        await clients.stop()
    return result


async def measure_spread(kind, channels, messages):
    """Seconds of processor time a message."""
    with Server("gaechannel", channels, NO_KEEPALIVE) as server:
        greet(server, "gaechannel")
        arrivals = Arrivals()
        clients = {"tasks": OurClients, "merge": OurMerged}[kind](server, arrivals, timeout=PATIENCE)
        clients.start()
        await arrivals.wait_for(channels)
        rounds = []
        for _ in range(3):
            begun, used = arrivals.count, time.process_time()
            server.begin("paced", channels, messages)
            await arrivals.wait_for(begun + messages)
            rounds.append((time.process_time() - used) / messages)
            await server.answer()
        await clients.stop()
    return min(rounds)


def measure_sync_spread(channels, messages):
    """The same in a thread."""
    from gaechannel import Client, merge

    with Server("gaechannel", channels, NO_KEEPALIVE) as server:
        greet(server, "gaechannel")
        logger = logging.getLogger("bench")
        clients = [
            Client(token, logger, base_url=server.address, timeout=PATIENCE) for token in server.tokens
        ]
        arriving = merge(clients)
        for _ in range(channels):
            next(arriving)
        rounds = []
        for _ in range(3):
            used = time.process_time()
            server.begin("paced", channels, messages)
            for _ in range(messages):
                next(arriving)
            rounds.append((time.process_time() - used) / messages)
            server.process.stdout.readline()
    return min(rounds)


async def measure_taken(kind, messages):
    with Server(kind, 1, NO_KEEPALIVE) as server:
        if kind == "gaechannel":
            from gaechannel import aio

            channel = aio.Client(
                server.tokens[0], base_url=server.address, queue_limit=1 << 30, timeout=PATIENCE
            )
            iterator = channel.messages()
            await server.ask("send", 0, 1, "hello")
            await anext(iterator)
            server.begin("burst", messages, TEXT)
            # There is no event for "received and not taken".
            while channel.stats.messages < messages + 1:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        else:
            from websockets.asyncio.client import connect

            channel = await connect(server.address + "/0", compression=None, max_queue=None)
            await channel.recv()
            iterator = aiter(channel)
            server.begin("burst", messages, TEXT)
        await server.answer()
        if kind == "websockets":
            await (await channel.ping())  # the answer comes behind the messages
        gc.collect()
        left = messages
        begun = time.perf_counter()
        async for _message in iterator:
            left -= 1
            if not left:
                break
        seconds = time.perf_counter() - begun
        await channel.close()
    return {"rate": messages / seconds}


async def measure_restart(count, down):
    with Server("gaechannel", count, NO_KEEPALIVE) as server:
        greet(server, "gaechannel")
        arrivals = Arrivals()
        clients = OurClients(server, arrivals, timeout=PATIENCE)
        clients.start()
        await arrivals.wait_for(count)
        await server.ask("kill")
        arrivals.times.clear()
        await server.ask("send", 0, count, TEXT)  # what the server holds while nobody is connected
        await asyncio.sleep(down)
        await server.ask("start")
        begun = time.monotonic()
        with contextlib.suppress(TimeoutError):
            await arrivals.wait_for(2 * count, 120)
        late = sorted(at - begun for at in arrivals.times.values())
        result = {
            "late": late,
            "received": arrivals.count - count,
            "sessions": sum(client.stats.sessions for client in clients.clients),
        }
        await clients.stop()
    return result


# ---- Printing ----


def run_child(*arguments):
    command = [sys.executable, __file__, "--child", json.dumps(arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"bench: {arguments} failed")
    return json.loads(done.stdout)


def child(name, *arguments):
    from gaechannel.server import raise_file_limit

    try:
        raise_file_limit(19_000)
    except OSError as error:
        raise SystemExit(f"bench: {error}") from None
    measured = globals()[f"measure_{name}"](*arguments)
    print(json.dumps(asyncio.run(measured) if asyncio.iscoroutine(measured) else measured))


def line(what, ours, theirs="", ratio="", goal=""):
    print(f"{what:<48} {ours:>14} {theirs:>14} {ratio:>8}  {libcurl_version:<8}  {goal}".rstrip(), flush=True)


def print_idle(options):
    ours = run_child("idle", "gaechannel", options.channels, options.seconds)
    merged = run_child("idle", "merged", options.channels, 1.0)
    theirs = run_child("idle", "websockets", options.channels, options.seconds)
    line(
        f"resident memory a channel, {options.channels} idle",
        f"{ours['bytes'] / 1024:.1f} KiB",
        f"{theirs['bytes'] / 1024:.1f} KiB",
        f"{ours['bytes'] / theirs['bytes']:.2f}",
        f"goal: {IDLE_GOAL:g} KiB; a task for each",
    )
    line(
        "the same with one task, merge()",
        f"{merged['bytes'] / 1024:.1f} KiB",
        "",
        f"{merged['bytes'] / theirs['bytes']:.2f}",
    )
    memory = f"memory of one of {options.channels} idle channels"
    yield report.row(memory, "goal", [ours["bytes"] / 1024], "KiB", goal=IDLE_GOAL, at_most=True)
    yield report.row(memory, "websockets", [ours["bytes"] / theirs["bytes"]])
    yield report.row(memory + ", merge()", "websockets", [merged["bytes"] / theirs["bytes"]])
    yield report.row(
        f"{options.channels} channels at rest", "a core", [ours["share"] * 100], "%", goal=1.0, at_most=True
    )
    yield report.row(f"opening {options.channels}", "websockets", [ours["opened"] / theirs["opened"]])
    line(
        "processor time at rest, of a core",
        f"{ours['share']:.2%}",
        f"{theirs['share']:.2%}",
        f"{ours['share'] / theirs['share']:.2f}",
        "goal: 1 %, a keep-alive every 25 s",
    )
    line(
        "opening all",
        f"{ours['opened']:.1f} s",
        f"{theirs['opened']:.1f} s",
        f"{ours['opened'] / theirs['opened']:.2f}",
        f"4 requests a channel against 1; warnings: {ours['warnings']} {ours['warning']}".rstrip(),
    )


def print_spread(options):
    for what, measure, channels in (
        ("a task each", ("spread", "tasks"), options.channels),
        ("aio.merge()", ("spread", "merge"), options.channels),
        ("merge()", ("sync_spread",), min(options.channels, MOST_IN_A_THREAD)),
    ):
        one, many = (run_child(*measure, count, options.messages) for count in (1, channels))
        line(f"processor time a message, {what}, one channel", f"{one * 1e6:.1f} µs")
        line(
            f"the same with {channels}",
            f"{many * 1e6:.1f} µs",
            "",
            f"{many / one:.2f}",
            "goal: 1.5",
        )
        named = f"a message of {channels} channels, {what}"
        yield report.row(named, "of one", [many / one], goal=1.5, at_most=True)


def print_taken(options):
    ours = max(run_child("taken", "gaechannel", 500_000)["rate"] for _ in range(3))
    theirs = max(run_child("taken", "websockets", 100_000)["rate"] for _ in range(3))
    line(
        "async for over received messages, 100 B",
        f"{ours / 1e6:.2f} M/s",
        f"{theirs / 1e6:.2f} M/s",
        f"{ours / theirs:.1f}",
        "goal: 3 M/s, 5 ×",
    )
    yield report.row("async for over received messages", "goal", [ours / 1e6], "M/s", goal=3.0)
    yield report.row("async for over received messages", "websockets", [ours / theirs], goal=5.0)


def print_restart(options):
    result = run_child("restart", options.channels, options.down)
    late = result["late"]
    line(
        f"killed for {options.down:.0f} s: back, with what was held",
        f"{len(late)} of {options.channels}",
        "",
        "",
        f"{result['received']} messages over {result['sessions']} sessions",
    )
    back = [100 * len(late) / options.channels]
    yield report.row(f"{options.channels} back after a kill", "all", back, "%", goal=100.0)
    if not late:
        return
    line("reconnected after the restart, half / all", f"{late[len(late) // 2]:.1f} s", f"{late[-1]:.1f} s")
    width = max(0.5, late[-1] / 24)
    bars = [0] * (int(late[-1] / width) + 1)
    for seconds in late:
        bars[int(seconds / width)] += 1
    for index, height in enumerate(bars):
        report.say(f"  {index * width:5.1f} s {height:6d} {'#' * (height * 60 // max(bars)):60}")


def main():
    parser = report.arguments(__doc__.splitlines()[0])
    parser.add_argument("--channels", type=int, help="how many (default: 10000; --short: 2000)")
    parser.add_argument("--messages", type=int, default=5_000, help="for spread (default: 5000)")
    parser.add_argument("--seconds", type=float, default=30.0, help="at rest (default: 30)")
    parser.add_argument("--down", type=float, default=5.0, help="the server is gone for so long (default: 5)")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help=str(PARTS))
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.channels = options.channels or (2000 if options.short else 10_000)
    if options.serve:
        serve(options.serve[0], int(options.serve[1]), float(options.serve[2]))
    elif options.child:
        child(*json.loads(options.child))
    else:
        print(f"{'':<48} {'gaechannel':>14} {'websockets':>14} {'ratio':>8}  libcurl")
        rows = [row for part in options.only for row in globals()[f"print_{part}"](options)]
        if options.rows:
            report.write_rows(rows, options.rows)


if __name__ == "__main__":
    main()
