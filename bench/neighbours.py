"""Channels beside each other: one whose consumer has stopped, and one beside another that is saturated.

    python bench/neighbours.py [--short]

stopped     resident memory of a channel whose server writes as fast as it can, while its consumer has taken
            one message and asks for no more: what the queue and the kernel's buffers let in
neighbour   from the server's write to Python holding the message, one a millisecond, while another channel of
            the same event loop has more to take than its task can
"""

import asyncio
import contextlib
import gc
import logging
import os
import pathlib
import statistics
import time

from common import bodies, report
from common.serving import serving
from gaechannel import Client, aio

MESSAGE_BYTES = 4000
# More than is read while anything is measured.
NO_END = 1_000_000_000
# Placeholders that prepared_server.c fills in.
FLOOD = bodies.frame(f'[[IIIIIIIII,["c",["{bodies.CLID}",["ae","{"T" * 19} {"x" * MESSAGE_BYTES}"]]]\n]\n]\n')
PACED = bodies.frame(f'[[IIIIIIIII,["c",["{bodies.CLID}",["ae","{"T" * 19} {"x" * 80}"]]]\n]\n]\n')
PERIOD_NS = 1_000_000
STOPPED = 20
STOPPED_GOAL = 700.0


def _client(module: type[Client] | type[aio.Client], port: int):
    logger = logging.getLogger("bench")
    logger.setLevel(logging.ERROR)
    return module("token", logger, base_url=f"http://127.0.0.1:{port}")


def _resident() -> int:
    gc.collect()
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def _settled(stats, seconds: float = 0.5) -> None:
    """Until a channel has received nothing more for so long."""
    before = -1
    while stats().messages != before:
        before = stats().messages
        await asyncio.sleep(seconds)


async def stopped(port: int, count: int) -> float:
    """KiB a channel in an event loop."""
    # What is not a channel's.
    async with _client(aio.Client, port) as client:
        await anext(client.messages())
    before = _resident()
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(_client(aio.Client, port)) for _ in range(count)]
        for client in clients:
            await anext(client.messages())
        for client in clients:
            await _settled(lambda client=client: client.stats)
        return (_resident() - before) / count / 1024


async def neighbour(paced_port: int, busy_port: int, count: int) -> list[int]:
    """ns of each message."""
    taken: list[int] = []

    async def take_all(client: aio.Client) -> None:
        async for _text in client:
            pass

    async with _client(aio.Client, busy_port) as busy, _client(aio.Client, paced_port) as paced:
        taking = asyncio.create_task(take_all(busy))
        async for text in paced:
            taken.append(time.monotonic_ns() - int(text[:19]))
            if len(taken) == count:
                break
        assert busy.stats.messages > count
        taking.cancel()
        await asyncio.gather(taking, return_exceptions=True)
    return taken


def percentile(values: list[int], share: float) -> float:
    """µs."""
    return sorted(values)[int(len(values) * share)] / 1000


def neighbour_us(count: int) -> tuple[float, float]:
    """The median and the 99th of a hundred, in µs."""
    flood = serving(b"", paced=FLOOD, period_ns=1, count=NO_END)
    paced = serving(b"", paced=PACED, period_ns=PERIOD_NS, count=count)
    with flood as busy_port, paced as paced_port:
        taken = asyncio.run(neighbour(paced_port, busy_port, count))
    return statistics.median(taken) / 1000, percentile(taken, 0.99)


def main() -> None:
    """Measure."""
    parser = report.arguments(__doc__)
    options = parser.parse_args()
    report.clean_environment()
    rounds = 3 if options.short else 9
    with serving(b"", paced=FLOOD, period_ns=1, count=NO_END) as port:
        memory = [asyncio.run(stopped(port, STOPPED)) for _ in range(rounds)]
    beside = [neighbour_us(1000) for _ in range(rounds)]
    report.finish(
        [
            report.row("a stopped consumer", "", memory, "KiB", goal=STOPPED_GOAL, at_most=True),
            report.row("beside a saturated channel, p50", "", [p50 for p50, _ in beside], "µs"),
            report.row("beside a saturated channel, p99", "", [p99 for _, p99 in beside], "µs"),
        ],
        options,
    )


if __name__ == "__main__":
    main()
