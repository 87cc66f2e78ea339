"""When batches() pays: what a message takes in batches of each size, beside what it takes one by one.

    python bench/batches.py [--short] [--kinds KIND …]

Messages wait in a WebChannel's queue, as after a burst. The program takes them, does nothing with them, and
lets go of them: of a batch, when it has taken the next. Python's garbage collector is on, as it is in
programs: it looks through the objects of a batch while more of them are made. The rows "collector off" are
without it, so that what is left there is what memory takes: the next message is made where the last one was,
in the processor's nearest cache, but of a batch each has a place of its own. The way "orjson" is no channel:
it loads the same chunks, one by one or into lists.

A value is a ratio of processor times of the thread that takes, one by one against batches: "2 ×" is half the
time for batches. Each is of the quickest of some turns, taken one after the other in the same process.
"""

import common  # noqa: F401 - first: says what to run where one of the others is missing

# isort: split
import argparse
import asyncio
import functools
import gc
import statistics
import time
from collections.abc import Callable

import orjson

from common import bodies, living, received, report, serving

# The messages in a batch at most; None: all that wait.
SIZES = (2, 10, 30, 100, 1000, None)
ONE_BY_ONE = 0
COUNT, SHORT_COUNT = 10_000, 2_000
ROUNDS, SHORT_ROUNDS = 7, 3
TURNS = 3


def _texts(size: int, count: int) -> list[str]:
    return [f"[[{number},[{bodies.literal('ASCII', size, number)}]]]" for number in range(1, count + 1)]


KINDS: dict[str, Callable[[int], list[str]]] = {
    "texts of 100 B": functools.partial(_texts, 100),
    "texts of 1 kB": functools.partial(_texts, 1000),
    "the Lounge's messages": functools.partial(living.payloads, "Lounge"),
    "Firestore's changes": functools.partial(living.payloads, "Firestore"),
}


def _take_loaded(chunks: list[bytes], max_size: int | None) -> float:
    started = time.thread_time()
    if max_size == ONE_BY_ONE:
        for chunk in chunks:
            last: object = orjson.loads(chunk)
    else:
        for start in range(0, len(chunks), max_size or len(chunks)):
            last = [orjson.loads(chunk) for chunk in chunks[start : start + (max_size or len(chunks))]]
    del last
    return time.thread_time() - started


def _take_sync(port: int, count: int, max_size: int | None) -> float:
    with received.full_sync_channel(port, count) as channel:
        left = count - 1
        started = time.thread_time()
        if max_size == ONE_BY_ONE:
            for last in channel:  # noqa: B007 - it is let go of in the time that is measured
                left -= 1
                if not left:
                    break
        else:
            for last in channel.batches(max_size):
                left -= len(last)
                if not left:
                    break
        del last
        return time.thread_time() - started


async def _taken(port: int, count: int, max_size: int | None) -> float:
    async with await received.full_channel(port, count) as channel:
        left = count - 1
        started = time.thread_time()
        if max_size == ONE_BY_ONE:
            async for last in channel:  # noqa: B007 - likewise
                left -= 1
                if not left:
                    break
        else:
            async for last in channel.batches(max_size):
                left -= len(last)
                if not left:
                    break
        del last
        return time.thread_time() - started


def _take_aio(port: int, count: int, max_size: int | None) -> float:
    return asyncio.run(_taken(port, count, max_size))


def _quickest(take: Callable[[int | None], float], *, collector: bool) -> dict[int | None, float]:
    """The seconds by the size of batches."""
    best: dict[int | None, float] = {}
    for _ in range(TURNS):
        for size in (ONE_BY_ONE, *SIZES):
            gc.collect()
            if not collector:
                gc.disable()
            seconds = take(size)
            gc.enable()
            best[size] = min(best.get(size, seconds), seconds)
    return best


def _rows(what: str, take: Callable[[int | None], float], count: int, rounds: int) -> list[report.Row]:
    rows = []
    for collector in (True, False):
        off = "" if collector else ", collector off"
        found: dict[int | None, list[float]] = {}
        took: dict[int | None, list[float]] = {}
        for _ in range(rounds):
            best = _quickest(take, collector=collector)
            for size in (ONE_BY_ONE, *SIZES):
                took.setdefault(size, []).append(best[size] / count * 1e9)
            for size in SIZES:
                found.setdefault(size, []).append(best[ONE_BY_ONE] / best[size])
        middle = {size: statistics.median(values) for size, values in took.items()}
        batches = ", ".join(f"{size or 'all'}: {middle[size]:.0f}" for size in SIZES)
        report.say(f"{what}{off}: one by one {middle[ONE_BY_ONE]:.0f} ns a message; in batches of {batches}")
        for size, values in found.items():
            rows.append(report.row(f"{what}, batches of {size or 'all'}{off}", "one by one", values))
    return rows


def measure(kind: str, options: argparse.Namespace) -> list[report.Row]:
    """One kind of messages in all ways, with the collector and without."""
    payloads = KINDS[kind](SHORT_COUNT if options.short else COUNT)
    chunks = [payload.encode() for payload in payloads]
    rounds = SHORT_ROUNDS if options.short else ROUNDS
    with serving.serving(
        b"".join(bodies.frame(payload) for payload in payloads), paced=b"IT", period_ns=1, count=0
    ) as port:
        count = received.messages_in(chunks)
        ways: dict[str, Callable[[int | None], float]] = {
            "sync": functools.partial(_take_sync, port, count),
            "asyncio": functools.partial(_take_aio, port, count),
            "orjson": functools.partial(_take_loaded, chunks),
        }
        return [row for way in ways for row in _rows(f"{kind}, {way}", ways[way], count, rounds)]


def main() -> None:
    """Measure all kinds."""
    parser = report.arguments(__doc__)
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS)
    options = parser.parse_args()
    report.clean_environment()
    report.finish([row for kind in options.kinds for row in measure(kind, options)], options)


if __name__ == "__main__":
    main()
