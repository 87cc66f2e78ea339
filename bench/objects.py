"""Channels' objects: what a program gets of a two-way channel, against orjson.loads() of the same chunks.

    python bench/objects.py [--short] [--kinds KIND …]

Messages like those of living services come over loopback to a WebChannel. Four ways to take them:

messages    `async for message in channel`, of what has been received already: libcurl, the framer and the
            check of the literals have done their part, without the GIL; this is what the consumer has left
batches     the same of `channel.batches()`
sync        `for message in channel`, from the first message to the last: libcurl and the kernel, too
asyncio     the same of `async for`

And, without a channel,

raw         Decoder(raw=True).feed() of the same bodies: framing and the check alone, data as bytes

A value is a ratio of processor times of the thread that reads, so that neither the server's nor another's
count; orjson's is taken right before it, in the same process, of chunks that are already cut and in memory.
What it makes is dropped at once where messages are taken one by one, and kept in a list beside `batches` and
`raw`, which do so, too: to find memory for all of it takes as long as the rest.
"""

import asyncio
import gc
import json
import logging
import time
from collections.abc import Awaitable, Callable

import orjson

from common import bodies, living, report, serving
from gaechannel import Decoder, WebChannel, aio

# So many payloads, which differ: more than any cache of keys or branches learns by heart.
COUNT = 2000
SHORT_COUNT = 1000
ROUNDS = 9
SHORT_ROUNDS = 3
# What is received at once must all be held.
ALL = 1 << 30

GOAL = 1.0
RAW_GOAL = 3.0
# Those of the goal: the others have the kernel's and libcurl's part in it.
WITH_GOAL = ("messages", "batches")

Take = Callable[[int, int], float]


def _logger() -> logging.Logger:
    logger = logging.getLogger("bench")
    logger.setLevel(logging.ERROR)
    return logger


def orjson_time(chunks: list[bytes]) -> float:
    """The seconds that orjson takes, one chunk after the other."""
    started = time.thread_time()
    for chunk in chunks:
        orjson.loads(chunk)
    return time.thread_time() - started


def orjson_batch_time(chunks: list[bytes]) -> float:
    """The same of all of them, in a list; the second time, when there is memory that was used before."""
    took = 0.0
    for _ in range(2):
        started = time.thread_time()
        _all = [orjson.loads(chunk) for chunk in chunks]
        took = time.thread_time() - started
        del _all
    return took


def running(take: Callable[[int, int], Awaitable[float]]) -> Take:
    """In an event loop."""

    async def run(port: int, count: int) -> float:
        return await take(port, count)

    return lambda port, count: asyncio.run(run(port, count))


async def _full_channel(port: int, count: int) -> aio.WebChannel:
    """A channel that has received so many messages, the first of which was taken."""
    channel = aio.WebChannel(f"http://127.0.0.1:{port}/webchannel", logger=_logger(), queue_limit=ALL)
    await anext(channel.messages())
    # There is no event for "received and not taken".
    while channel.stats.messages < count:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    return channel


@running
async def messages(port: int, count: int) -> float:
    """What has been received, one by one."""
    channel = await _full_channel(port, count)
    left = count - 1
    started = time.thread_time()
    async for _message in channel:
        left -= 1
        if not left:
            break
    took = time.thread_time() - started
    await channel.close()
    return took


@running
async def batches(port: int, count: int) -> float:
    """What has been received, in a list."""
    channel = await _full_channel(port, count)
    left = count - 1
    started = time.thread_time()
    async for batch in channel.batches():
        left -= len(batch)
        if not left:
            break
    took = time.thread_time() - started
    await channel.close()
    return took


@running
async def asynchronous(port: int, count: int) -> float:
    """All the way, in an event loop."""
    async with aio.WebChannel(f"http://127.0.0.1:{port}/webchannel", logger=_logger()) as channel:
        iterator = channel.messages()
        await anext(iterator)
        left = count - 1
        started = time.thread_time()
        async for _message in iterator:
            left -= 1
            if not left:
                break
        return time.thread_time() - started


def synchronous(port: int, count: int) -> float:
    """All the way, in a thread."""
    with WebChannel(f"http://127.0.0.1:{port}/webchannel", logger=_logger()) as channel:
        iterator = channel.messages()
        next(iterator)
        started = time.thread_time()
        for _, _message in zip(range(count - 1), iterator, strict=False):
            pass
        return time.thread_time() - started


def raw_time(body: bytes) -> float:
    """Decoder(raw=True), fed all at once."""
    decoder = Decoder(raw=True)
    started = time.thread_time()
    _all = decoder.feed(body)
    return time.thread_time() - started


WAYS: dict[str, Take] = {
    "messages": messages,
    "batches": batches,
    "sync": synchronous,
    "asyncio": asynchronous,
}


def measure(kind: str, short: bool) -> list[report.Row]:
    """One kind of payloads in all ways."""
    payloads = living.payloads(kind, SHORT_COUNT if short else COUNT)
    chunks = [payload.encode() for payload in payloads]
    body = b"".join(bodies.frame(payload) for payload in payloads)
    count = sum(len(json.loads(payload)) for payload in payloads)
    found: dict[str, list[float]] = {name: [] for name in WAYS}
    # It runs more or less often by what other ways keep.
    gc.collect()
    gc.disable()
    # The back channel stays open, or what it sends again would be read in the time that is measured.
    with serving.serving(body, paced=b"IT", period_ns=1, count=0) as port:
        for _ in range(SHORT_ROUNDS if short else ROUNDS):
            for name, take in WAYS.items():
                theirs = orjson_batch_time(chunks) if name == "batches" else orjson_time(chunks)
                found[name].append(theirs / take(port, count))
    raw = [orjson_batch_time(chunks) / raw_time(body) for _ in range(SHORT_ROUNDS if short else ROUNDS)]
    gc.enable()
    return [
        report.row(f"{kind}, raw", "orjson", raw, goal=RAW_GOAL),
        *channel_rows(kind, found),
    ]


def channel_rows(kind: str, found: dict[str, list[float]]) -> list[report.Row]:
    """The rows of what channels have taken."""
    return [
        report.row(f"{kind}, {name}", "orjson", values, goal=GOAL if name in WITH_GOAL else None)
        for name, values in found.items()
    ]


def main() -> None:
    """Measure all kinds."""
    parser = report.arguments(__doc__)
    parser.add_argument(
        "--kinds", nargs="+", default=living.SERVICES, choices=living.SERVICES + living.VALUES
    )
    options = parser.parse_args()
    report.clean_environment()
    report.finish([row for kind in options.kinds for row in measure(kind, options.short)], options)


if __name__ == "__main__":
    main()
