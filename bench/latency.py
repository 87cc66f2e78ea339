"""Latency: from the server's write to Python holding the message, at 1,000 messages a second.

    python bench/latency.py [--short]

The server puts the monotonic clock's time into each message just before it writes it; the reader looks at the
same clock when it has the text. The ways take turns, round by round. Then each runs in processes of its own,
which have done nothing before: the rows "fresh".
"""

import argparse
import asyncio
import json
import logging
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import aiohttp

from common import bodies, report
from common.framing import FramingLoop
from common.serving import BACK_CHANNEL, serving
from gaechannel import Client, aio

PERIOD_NS = 1_000_000
STAMP = "T" * 19
# Placeholders that prepared_server.c fills in.
MESSAGE = bodies.frame(f'[[IIIIIIIII,["c",["{bodies.CLID}",["ae","{STAMP} {"x" * 80}"]]]\n]\n]\n')
STAMP_AT = MESSAGE.index(STAMP.encode())

Way = Callable[[int, int], list[int]]


def _client(module: type[Client] | type[aio.Client], port: int):
    logger = logging.getLogger("bench")
    logger.setLevel(logging.ERROR)
    return module("token", logger, base_url=f"http://127.0.0.1:{port}")


def with_gaechannel(port: int, count: int) -> list[int]:
    """``for message in Client(…)``."""
    taken = []
    with _client(Client, port) as client:
        for text in client.messages():
            taken.append(time.monotonic_ns() - int(text[:19]))
            if len(taken) == count:
                break
    return taken


def with_gaechannel_aio(port: int, count: int) -> list[int]:
    """``async for message in aio.Client(…)``."""

    async def read() -> list[int]:
        taken: list[int] = []
        async with _client(aio.Client, port) as client:
            async for text in client:
                taken.append(time.monotonic_ns() - int(text[:19]))
                if len(taken) == count:
                    break
        return taken

    return asyncio.run(read())


def with_socket(port: int, count: int) -> list[int]:
    """A blocking recv loop, the time stamp at its known place: what the kernel and Python alone take."""
    taken = []
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(f"GET {BACK_CHANNEL} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
        held = connection.recv(65536)
        held = held[held.index(b"\r\n\r\n") + 4 :]
        while len(taken) < count:
            while len(held) >= len(MESSAGE):
                taken.append(time.monotonic_ns() - int(held[STAMP_AT : STAMP_AT + 19]))
                held = held[len(MESSAGE) :]
            held += connection.recv(65536)
    return taken


def with_aiohttp(port: int, count: int) -> list[int]:
    """aiohttp and the framing loop in Python."""

    async def read() -> list[int]:
        loop = FramingLoop()
        taken: list[int] = []
        url = f"http://127.0.0.1:{port}{BACK_CHANNEL}"
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            async for data in response.content.iter_any():
                taken += [time.monotonic_ns() - int(text[:19]) for text in loop.messages(data)]
        return taken

    return asyncio.run(read())


WAYS: dict[str, Way] = {
    "gaechannel": with_gaechannel,
    "socket.recv": with_socket,
    "gaechannel.aio": with_gaechannel_aio,
    "aiohttp + framing loop": with_aiohttp,
}


def percentile(values: list[int], share: float) -> float:
    """In microseconds."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)] / 1000


def in_fresh_process(name: str, port: int, count: int) -> list[int]:
    """The same of a way in a process that has done nothing before."""
    command = [sys.executable, __file__, "--take", name, str(port), str(count)]
    return list(json.loads(subprocess.check_output(command, text=True)))


def rows_of(found: dict[str, list[list[int]]], fresh: str) -> list[report.Row]:
    """What each way takes more than a socket's recv, printed and as rows; ", fresh" have no goal."""
    for name, samples in found.items():
        taken = [value for sample in samples for value in sample]
        figures = (f"{share:.1%} {percentile(taken, share):6.0f} µs" for share in (0.5, 0.99, 0.999))
        report.say(f"{name + fresh:30} {'   '.join(figures)}")
    floor = [statistics.median(sample) for sample in found["socket.recv"]]
    rows = []
    for name in WAYS:
        if name == "socket.recv":
            continue
        more = [(statistics.median(s) - f) / 1000 for s, f in zip(found[name], floor, strict=True)]
        goal = {"goal": 30.0} if name == "gaechannel" and not fresh else {}
        what = f"latency, {name}{fresh}"
        rows.append(report.row(what, "socket.recv, median", more, "µs more", at_most=True, **goal))
    return rows


def main() -> None:
    """Measure all ways."""
    parser = report.arguments(__doc__)
    parser.add_argument("--take", nargs=3, metavar=("WAY", "PORT", "COUNT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    report.clean_environment()
    if options.take:
        name, port, number = options.take
        print(json.dumps(WAYS[name](int(port), int(number))))
        return
    count, rounds = (1000, 3) if options.short else (5000, 5)
    warm: dict[str, list[list[int]]] = {name: [] for name in WAYS}
    fresh: dict[str, list[list[int]]] = {name: [] for name in WAYS}
    with serving(b"", paced=MESSAGE, period_ns=PERIOD_NS, count=count) as port:
        for _ in range(rounds):
            for name, way in WAYS.items():
                warm[name].append(way(port, count))
        for _ in range(rounds):
            for name in WAYS:
                fresh[name].append(in_fresh_process(name, port, count))
    report.finish(rows_of(warm, "") + rows_of(fresh, ", fresh"), options)


if __name__ == "__main__":
    main()
