"""Decoding: a body in memory to what is in it, beside other ways to the same.

First, bodies of the talk dialect to the list of their messages' texts; then, bodies like those of living
services, of one kind of value alone, and of programs that nobody knows, to all of their objects.

    python bench/decode.py [--short] [--pieces] [--more] [--objects] [pyperf's options, such as -o FILE]
    python bench/decode.py --turns [--short] [--pieces] [--more] [--objects]

Each way runs in processes of its own, the ways of a case in turn; a value is the best of some passes over a
body of about a megabyte, in time a message. With --turns all ways run in one process, in turn pass by pass,
and a value is a ratio of the best of thirty: that spreads less, since what the machine does meanwhile meets
all of them. The ways:

gaechannel      TalkDecoder.feed(body)
Decoder         gaechannel's other one, which makes all objects of all arrays, and the text picked out
orjson, json    loads() of chunks that are already cut, and the text picked out: no framing; of objects, also
                msgspec's
framing loop    the loop that projects write in Python, with json.loads: of texts alone
floor           bytes.decode() of the text's own bytes, already cut out and without escapes

Of objects, `gaechannel` is Decoder.feed(body).
"""

import common  # noqa: F401 - first: says what to run where one of the others is missing

# isort: split
import functools
import gc
import json
import time
from collections.abc import Callable
from typing import Any

import msgspec
import orjson
import pyperf

from common import bodies, living, report
from common.framing import FramingLoop
from gaechannel import Decoder, TalkDecoder

BODY_BYTES = 1_000_000
PASSES = 5
TURNS_BYTES = 200_000
TURNS_PASSES = 30
PIECES = {"whole": None, "16 kB pieces": 16 * 1024, "1,400 B pieces": 1400}

# Against orjson's loads() of chunks that are already cut.
OBJECT_GOALS = {
    "Firestore": 1.05,
    "Firestore, pretty-printed": 1.05,
    "Lounge": 1.05,
    "pblite": 1.0,
    "any Firestore": 1.0,
    "any Chat": 1.0,
    "any Lounge": 1.0,
}
# The same of one kind of value alone.
VALUE_GOAL = 0.65

Way = Callable[[], list[Any]]


def gaechannel_way(body: bytes, piece: int | None) -> Way:
    """TalkDecoder, fed the body whole or in pieces."""
    if piece is None:
        return lambda: TalkDecoder().feed(body)
    pieces = [body[at : at + piece] for at in range(0, len(body), piece)]

    def decode() -> list[str]:
        decoder = TalkDecoder()
        return [text for part in pieces for text in decoder.feed(part)]

    return decode


def framing_way(body: bytes, piece: int | None) -> Way:
    """The Python loop; fed 16 kB at most, since its time grows with the square of that."""
    size = piece or 16 * 1024
    pieces = [body[at : at + size] for at in range(0, len(body), size)]

    def decode() -> list[str]:
        loop = FramingLoop()
        return [text for part in pieces for text in loop.messages(part)]

    return decode


def object_ways(kind: str) -> dict[str, Way]:
    """The ways to all objects of a body."""
    body, cut = living.body(kind), [payload.encode() for payload in living.payloads(kind)]
    return {
        "gaechannel": lambda: Decoder().feed(body),
        "orjson": lambda: [orjson.loads(chunk) for chunk in cut],
        "msgspec": lambda: [msgspec.json.decode(chunk) for chunk in cut],
        "json": lambda: [json.loads(chunk) for chunk in cut],
    }


def ways(kind: str, size: int, piece: int | None, body_bytes: int) -> dict[str, Way]:
    """The ways to decode a body of texts."""
    count = bodies.count_for(size, body_bytes)
    body = bodies.body(kind, size, count)
    if piece is not None:
        return {"gaechannel": gaechannel_way(body, piece), "framing loop": framing_way(body, piece)}
    cut = bodies.chunks(kind, size, count)
    texts = [text.encode() for text in bodies.texts(kind, size, count)]
    return {
        "gaechannel": gaechannel_way(body, None),
        "Decoder": lambda: [data[1][1][1] for _, data in Decoder().feed(body)],
        "orjson": lambda: [orjson.loads(chunk)[0][1][1][1][1] for chunk in cut],
        "json": lambda: [json.loads(chunk)[0][1][1][1][1] for chunk in cut],
        "framing loop": framing_way(body, None),
        "floor": lambda: [text.decode() for text in texts],
    }


WAY_NAMES = ("gaechannel", "Decoder", "orjson", "json", "framing loop", "floor")
OBJECT_WAY_NAMES = ("gaechannel", "orjson", "msgspec", "json")
# It makes floats of these.
ROUNDED = ("integers past 64 bits", "orjson")


def want_of(kind: str, size: int, body_bytes: int) -> list[Any]:
    """What each way is to give; of objects, gaechannel alone gives pairs, and no list a chunk."""
    if kind in bodies.KINDS + bodies.MORE_KINDS:
        return bodies.texts(kind, size, bodies.count_for(size, body_bytes))
    return [json.loads(payload) for payload in living.payloads(kind)]


def as_chunks(given: list[Any], like: list[Any]) -> list[Any]:
    """gaechannel's pairs of all chunks as the others give them."""
    arrays = iter([list(pair) for pair in given])
    return [[next(arrays) for _ in chunk] for chunk in like]


@functools.cache
def case(kind: str, size: int, piece: int | None, body_bytes: int = BODY_BYTES) -> dict[str, Way]:
    """The same, made once, and only in the process that needs it."""
    # glibc gives the heap's end back to the kernel, to be faulted in again page by page, until it has seen a
    # large block freed, as it has in any program that has run for a while. That is not what is measured here.
    del (large := [bytes(16_000_000)])[:]
    assert not large
    is_text = kind in bodies.KINDS + bodies.MORE_KINDS
    made = ways(kind, size, piece, body_bytes) if is_text else object_ways(kind)
    want = want_of(kind, size, body_bytes)
    for name, way in made.items():
        given = way()
        if (kind, name) == ROUNDED:
            continue
        assert (given if is_text or name != "gaechannel" else as_chunks(given, want)) == want, name
    return made


def best_pass(loops: int, kind: str, size: int, piece: int | None, name: str) -> float:
    """The time of the quickest pass; pyperf wants it times `loops`."""
    way = case(kind, size, piece)[name]
    best = float("inf")
    gc.collect()
    gc.disable()
    for _ in range(1 if name == "framing loop" else PASSES):
        started = time.perf_counter()
        way()
        best = min(best, time.perf_counter() - started)
    gc.enable()
    return best * loops


def quickest(ways_in_turn: list[Way], passes: int) -> list[float]:
    """Each way's quickest pass, in seconds."""
    best = [float("inf")] * len(ways_in_turn)
    gc.collect()
    gc.disable()
    for _ in range(passes):
        for i, way in enumerate(ways_in_turn):
            started = time.perf_counter()
            way()
            best[i] = min(best[i], time.perf_counter() - started)
    gc.enable()
    return best


def in_turns(kind: str, size: str, how: str, piece: int | None, rounds: int) -> list[report.Row]:
    """One case, all ways in this process."""
    made = dict(case(kind, bodies.SIZES.get(size, 0), piece, TURNS_BYTES))
    ours = made.pop("gaechannel")
    case.cache_clear()
    found: dict[str, list[float]] = {name: [] for name in made}
    for _ in range(rounds):
        # The loop in Python is slower by so much that one pass is enough.
        slow = [name for name in made if name == "framing loop"]
        quick = [name for name in made if name != "framing loop"]
        for names, passes in (slow, 1), (quick, TURNS_PASSES):
            if names:
                own, *others = quickest([ours, *(made[name] for name in names)], passes)
                for name, other in zip(names, others, strict=True):
                    found[name].append(other / own)
    return rows_of(kind, size, how, piece, found)


def rows_of(
    kind: str, size: str, how: str, piece: int | None, found: dict[str, list[float]]
) -> list[report.Row]:
    """The rows of one case."""
    what = f"decode {kind}" + (f", {size}" if size else ", objects") + ("" if piece is None else f", {how}")
    return [report.row(what, peer, values, goal=goal_of(kind, size, peer)) for peer, values in found.items()]


def ratios(slower: pyperf.Benchmark, faster: pyperf.Benchmark) -> list[float]:
    """How many times faster, from each pair of values."""
    return [a / b for a, b in zip(slower.get_values(), faster.get_values(), strict=False)]


def goal_of(kind: str, size: str, peer: str) -> float | None:
    """What docs/performance.rst has."""
    if not size:
        return OBJECT_GOALS.get(kind, VALUE_GOAL) if peer == "orjson" else None
    if peer == "floor":
        return 0.7 if (kind, size) == ("ASCII", "100 B") else None
    if peer != "orjson":
        return None
    return 3.0 if kind == "ASCII" else 1.5


def add_arguments(command: list[str], options: object) -> None:
    """pyperf starts this script again for its workers."""
    command += [f"--{name}" for name in ("short", "pieces", "more", "objects") if getattr(options, name)]


def main() -> None:
    """Measure all cases."""
    runner = pyperf.Runner(
        values=3, processes=4, warmups=0, loops=1, add_cmdline_args=add_arguments, program_args=(__file__,)
    )
    parser = runner.argparser
    parser.add_argument("--short", action="store_true", help="two processes a way instead of four")
    parser.add_argument("--turns", action="store_true", help="all ways in one process, in turn")
    parser.add_argument("--pieces", action="store_true", help="bodies that come in pieces, too")
    parser.add_argument("--objects", action="store_true", help="nothing but objects")
    parser.add_argument("--more", action="store_true", help="more kinds of text")
    parser.add_argument("--rows", help="write the rows to this file, as JSON")
    options = runner.parse_args()
    if options.short:
        options.processes = 2
    pieces = PIECES if options.pieces else {"whole": None}
    rows = []
    texts = [] if options.objects else bodies.KINDS + (bodies.MORE_KINDS if options.more else [])
    for kind in texts:
        for size in bodies.SIZES:
            for how, piece in pieces.items():
                if options.turns:
                    rows += in_turns(kind, size, how, piece, 3 if options.short else 9)
                else:
                    rows += measure(runner, kind, size, how, piece)
    for kind in living.SERVICES + living.VALUES + living.VARIED:
        if options.turns:
            rows += in_turns(kind, "", "whole", None, 3 if options.short else 9)
        else:
            rows += measure(runner, kind, "", "whole", None)
    if options.worker:
        return
    print(report.table(rows))
    if options.rows:
        report.write_rows(rows, options.rows)


def measure(runner: pyperf.Runner, kind: str, size: str, how: str, piece: int | None) -> list[report.Row]:
    """One case in all ways; rows only in the process that is no worker."""
    count = bodies.count_for(bodies.SIZES[size], BODY_BYTES) if size else living.COUNT
    names = WAY_NAMES if size else OBJECT_WAY_NAMES
    found = {}
    for name in names if piece is None else ("gaechannel", "framing loop"):
        found[name] = runner.bench_time_func(
            f"{kind}, {size}, {how}: {name}",
            best_pass,
            kind,
            bodies.SIZES.get(size, 0),
            piece,
            name,
            inner_loops=count,
        )
    ours = found.pop("gaechannel")
    if runner.args.worker or ours is None:
        return []
    compared = {peer: ratios(benchmark, ours) for peer, benchmark in found.items() if benchmark is not None}
    return rows_of(kind, size, how, piece, compared)


if __name__ == "__main__":
    main()
