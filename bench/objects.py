"""Channels' objects: what a program gets of a two-way channel, against what loads the same chunks.

    python bench/objects.py [--short] [--kinds KIND … | all] [--peers orjson msgspec json] [--seed N]

Messages like those of living services come over loopback to a WebChannel. Six ways to take them:

messages        `async for message in channel`, of what has been received already: libcurl, the framer and
                the check of the literals have done their part, without the GIL; this is what the consumer has
                left
batches         the same of `channel.batches()`
sync-messages   `for message in channel`, likewise
sync-batches    and likewise
sync            `for message in channel`, from the first message to the last: libcurl and the kernel, too
asyncio         the same of `async for`

And, without a channel,

decoder         Decoder().feed() of the same bodies, whole
chunks          the same a chunk at a time, as it comes from an HTTP stack
raw             Decoder(raw=True).feed() of them: framing and the check alone, data as bytes

A value is a ratio of processor times of the thread that reads, so that neither the server's nor another's
count: of the quickest of some turns of each, taken one after the other in the same process. A peer is given
chunks that are already cut and in memory. What it makes is dropped at once where messages or chunks are
taken one by one, and kept in a list beside the batches, `decoder` and `raw`, which do so, too: to find memory
for all of it takes as long as the rest.

The rows "fresh" have a process for each value, which has decoded nothing before.

Kinds are those of common/living.py: services, values alone, and, by a seed, programs that nobody knows. A
kind's name is one argument: --kinds "strings, CJK" integers. Of integers past 64 bits orjson makes floats,
which is less work; there the goal is beside msgspec.
"""

import common  # noqa: F401 - first: says what to run where one of the others is missing

# isort: split
import argparse
import asyncio
import functools
import gc
import json
import pathlib
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable

import msgspec
import orjson

from common import bodies, living, received, report, serving
from gaechannel import Decoder, Framer, WebChannel, aio

# So many payloads, which differ: more than any cache of keys or branches learns by heart.
COUNT = 2000
SHORT_COUNT = 1000
ROUNDS = 9
SHORT_ROUNDS = 3
# Of which the quickest counts.
TURNS = 5
FRESH_ROUNDS = 11

PEERS: dict[str, Callable[[bytes], object]] = {
    "orjson": orjson.loads,
    "msgspec": msgspec.json.decode,
    "json": json.loads,
}

Take = Callable[[int, int], float]


def one_by_one(loads: Callable[[bytes], object], chunks: list[bytes]) -> float:
    """The seconds that a peer takes, one chunk after the other."""
    started = time.thread_time()
    for chunk in chunks:
        loads(chunk)
    return time.thread_time() - started


def kept(loads: Callable[[bytes], object], chunks: list[bytes]) -> float:
    """The same of all of them, in a list."""
    started = time.thread_time()
    _all = [loads(chunk) for chunk in chunks]
    return time.thread_time() - started


def running(take: Callable[[int, int], Awaitable[float]]) -> Take:
    """In an event loop."""

    async def run(port: int, count: int) -> float:
        return await take(port, count)

    return lambda port, count: asyncio.run(run(port, count))


@running
async def messages(port: int, count: int) -> float:
    """What has been received, one by one."""
    channel = await received.full_channel(port, count)
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
    channel = await received.full_channel(port, count)
    left = count - 1
    started = time.thread_time()
    async for batch in channel.batches():
        left -= len(batch)
        if not left:
            break
    took = time.thread_time() - started
    await channel.close()
    return took


def sync_messages(port: int, count: int) -> float:
    """What has been received, one by one."""
    with received.full_sync_channel(port, count) as channel:
        started = time.thread_time()
        for _, _message in zip(range(count - 1), channel, strict=False):
            pass
        return time.thread_time() - started


def sync_batches(port: int, count: int) -> float:
    """What has been received, in a list."""
    with received.full_sync_channel(port, count) as channel:
        left = count - 1
        started = time.thread_time()
        for batch in channel.batches():
            left -= len(batch)
            if not left:
                break
        return time.thread_time() - started


@running
async def asynchronous(port: int, count: int) -> float:
    """All the way, in an event loop."""
    async with aio.WebChannel(
        f"http://127.0.0.1:{port}/webchannel", logger=received.quiet_logger()
    ) as channel:
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
    with WebChannel(f"http://127.0.0.1:{port}/webchannel", logger=received.quiet_logger()) as channel:
        iterator = channel.messages()
        next(iterator)
        started = time.thread_time()
        for _, _message in zip(range(count - 1), iterator, strict=False):
            pass
        return time.thread_time() - started


def feeding(decoder: Decoder, body: bytes) -> float:
    """A decoder, fed all at once."""
    started = time.thread_time()
    _all = decoder.feed(body)
    return time.thread_time() - started


CHANNEL_WAYS: dict[str, Take] = {
    "messages": messages,
    "batches": batches,
    "sync-messages": sync_messages,
    "sync-batches": sync_batches,
    "sync": synchronous,
    "asyncio": asynchronous,
}
WAYS = (*CHANNEL_WAYS, "decoder", "chunks", "raw")
KEPT = ("batches", "sync-batches", "decoder", "raw")
# orjson makes floats of these.
TRUER_PEER = {"integers past 64 bits": "msgspec"}


def goal_of(kind: str, way: str, peer: str) -> float | None:
    """What docs/performance.rst has; nothing where the kernel's and libcurl's parts are in it."""
    if peer != TRUER_PEER.get(kind, "orjson") or way in ("sync", "asyncio"):
        return None
    if kind in living.VALUES:
        return None if way == "raw" else 0.65
    if way in ("decoder", "chunks"):
        return {"pblite": 1.0}.get(kind, 1.05) if kind in living.SERVICES else None
    return 3.0 if way == "raw" else 1.0


# ---- In one process ----


def taking(way: str, port: int, body: bytes, count: int) -> Callable[[], float]:
    """What takes a turn of ours."""
    if way in CHANNEL_WAYS:
        return lambda: CHANNEL_WAYS[way](port, count)
    if way == "chunks":
        frames = [bodies.frame(payload.decode()) for payload in Framer().feed(body)]
        return lambda: one_by_one(Decoder().feed, frames)
    return lambda: feeding(Decoder(raw=way == "raw"), body)


def loading(way: str, peer: str, chunks: list[bytes]) -> Callable[[], float]:
    """What takes a turn of a peer's."""
    return functools.partial(kept if way in KEPT else one_by_one, PEERS[peer], chunks)


def turns(way: str, sides: dict[str, Callable[[], float]], found: dict[tuple[str, str], list[float]]) -> None:
    """A value of a way against each peer."""
    best = dict.fromkeys(sides, float("inf"))
    for _ in range(TURNS):
        for name, side in sides.items():
            gc.collect()
            best[name] = min(best[name], side())
    ours = best.pop("ours")
    for peer, seconds in best.items():
        found.setdefault((way, peer), []).append(seconds / ours)


def in_one_process(kind: str, port: int, body: bytes, chunks: list[bytes], options: argparse.Namespace):
    """All ways of a kind, and all peers: ratios by both."""
    found: dict[tuple[str, str], list[float]] = {}
    count = received.messages_in(chunks)
    # It runs more or less often by what other ways keep.
    gc.disable()
    for _ in range(SHORT_ROUNDS if options.short else ROUNDS):
        for way in options.ways:
            sides = {peer: loading(way, peer, chunks) for peer in options.peers}
            turns(way, {**sides, "ours": taking(way, port, body, count)}, found)
    gc.enable()
    return found


# ---- In fresh processes ----


def child(way: str, peer: str, port: str, path: str, count: str) -> float:
    """The one turn of a process."""
    text = pathlib.Path(path).read_bytes()
    gc.disable()
    if peer:
        return loading(way, peer, text.split(b"\0"))()
    return taking(way, int(port), text, int(count))()


def in_fresh_process(way: str, peer: str, port: int, path: pathlib.Path, count: int) -> float:
    """The same, by its parent."""
    command = [sys.executable, __file__, "--child", way, peer, str(port), str(path), str(count)]
    return float(subprocess.check_output(command, text=True))


def in_fresh_processes(port: int, body: bytes, chunks: list[bytes], options: argparse.Namespace):
    """As in_one_process(), against orjson."""
    found: dict[tuple[str, str], list[float]] = {}
    count = received.messages_in(chunks)
    with tempfile.TemporaryDirectory() as folder:
        whole, cut = pathlib.Path(folder, "body"), pathlib.Path(folder, "chunks")
        whole.write_bytes(body)
        cut.write_bytes(b"\0".join(chunks))
        for _ in range(SHORT_ROUNDS if options.short else FRESH_ROUNDS):
            for way in options.ways:
                theirs = in_fresh_process(way, "orjson", 0, cut, 0)
                ours = in_fresh_process(way, "", port, whole, count)
                found.setdefault((way, "orjson"), []).append(theirs / ours)
    return found


# ---- Both ----


def measure(kind: str, options: argparse.Namespace) -> list[report.Row]:
    """One kind of payloads in all ways."""
    payloads = living.payloads(kind, SHORT_COUNT if options.short else COUNT, options.seed)
    chunks = [payload.encode() for payload in payloads]
    body = b"".join(bodies.frame(payload) for payload in payloads)
    # The back channel stays open, or what it sends again would be read in the time that is measured.
    with serving.serving(body, paced=b"IT", period_ns=1, count=0) as port:
        warm = in_one_process(kind, port, body, chunks, options)
        fresh = in_fresh_processes(port, body, chunks, options)
    return [
        *rows_of(kind, "", warm),
        *rows_of(kind, ", fresh", fresh),
    ]


def rows_of(kind: str, how: str, found: dict[tuple[str, str], list[float]]) -> list[report.Row]:
    """The rows of what one kind has given."""
    return [
        report.row(f"{kind}, {way}{how}", peer, values, goal=None if how else goal_of(kind, way, peer))
        for (way, peer), values in found.items()
    ]


def main() -> None:
    """Measure all kinds."""
    parser = report.arguments(__doc__)
    every = living.SERVICES + living.VALUES + living.VARIED
    parser.add_argument(
        "--kinds",
        nargs="+",
        default=living.SERVICES,
        choices=[*every, "all"],
        metavar="KIND",
        help=f"of {' '.join(shlex.quote(kind) for kind in every)}; or all (default: the first four)",
    )
    parser.add_argument("--peers", nargs="+", default=list(PEERS), choices=PEERS)
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=WAYS)
    parser.add_argument("--seed", type=int, default=1, help="of the programs that nobody knows")
    parser.add_argument("--child", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    report.clean_environment()
    if options.child:
        print(child(*options.child))
        return
    kinds = every if "all" in options.kinds else options.kinds
    report.finish([row for kind in kinds for row in measure(kind, options)], options)


if __name__ == "__main__":
    main()
