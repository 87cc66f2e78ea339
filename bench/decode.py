"""Decoding: a body in memory to the list of its messages' texts, beside other ways to the same list.

    python bench/decode.py [--short] [--pieces] [--more] [pyperf's options, such as -o FILE]
    python bench/decode.py --turns [--short] [--pieces] [--more]

Each way runs in processes of its own, the ways of a case in turn; a value is the best of some passes over a
body of about a megabyte, in time a message. With --turns all ways run in one process, in turn pass by pass,
and a value is a ratio of the best of thirty: that spreads less, since what the machine does meanwhile meets
all of them. The ways:

gaechannel      TalkDecoder.feed(body)
Decoder         gaechannel's other one, which makes all objects of all arrays, and the text picked out
orjson, json    loads() of chunks that are already cut, and the text picked out: no framing
framing loop    the loop that projects write in Python, with json.loads
floor           bytes.decode() of the text's own bytes, already cut out and without escapes
"""

import functools
import gc
import json
import time
from collections.abc import Callable

import orjson
import pyperf

from common import bodies, report
from common.framing import FramingLoop
from gaechannel import Decoder, TalkDecoder

BODY_BYTES = 1_000_000
PASSES = 5
TURNS_BYTES = 200_000
TURNS_PASSES = 30
PIECES = {"whole": None, "16 kB pieces": 16 * 1024, "1,400 B pieces": 1400}

Way = Callable[[], list[str]]


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


def ways(kind: str, size: int, piece: int | None, body_bytes: int) -> dict[str, Way]:
    """The ways to decode a body."""
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


@functools.cache
def case(kind: str, size: int, piece: int | None, body_bytes: int = BODY_BYTES) -> dict[str, Way]:
    """The same, made once, and only in the process that needs it."""
    # glibc gives the heap's end back to the kernel, to be faulted in again page by page, until it has seen a
    # large block freed, as it has in any program that has run for a while. That is not what is measured here.
    del (large := [bytes(16_000_000)])[:]
    assert not large
    made = ways(kind, size, piece, body_bytes)
    want = bodies.texts(kind, size, bodies.count_for(size, body_bytes))
    for name, way in made.items():
        assert way() == want, name
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
    made = case(kind, bodies.SIZES[size], piece, TURNS_BYTES)
    ours = made.pop("gaechannel")
    case.cache_clear()
    found: dict[str, list[float]] = {name: [] for name in made}
    for _ in range(rounds):
        # The loop in Python is slower by so much that one pass is enough.
        for names, passes in (["framing loop"], 1), ([n for n in made if n != "framing loop"], TURNS_PASSES):
            if names:
                own, *others = quickest([ours, *(made[name] for name in names)], passes)
                for name, other in zip(names, others, strict=True):
                    found[name].append(other / own)
    return rows_of(kind, size, how, piece, found)


def rows_of(
    kind: str, size: str, how: str, piece: int | None, found: dict[str, list[float]]
) -> list[report.Row]:
    """The rows of one case."""
    what = f"decode {kind}, {size}" + ("" if piece is None else f", {how}")
    return [report.row(what, peer, values, goal=goal_of(kind, size, peer)) for peer, values in found.items()]


def ratios(slower: pyperf.Benchmark, faster: pyperf.Benchmark) -> list[float]:
    """How many times faster, from each pair of values."""
    return [a / b for a, b in zip(slower.get_values(), faster.get_values(), strict=False)]


def goal_of(kind: str, size: str, peer: str) -> float | None:
    """What docs/performance.rst has."""
    if peer == "floor":
        return 0.7 if (kind, size) == ("ASCII", "100 B") else None
    if peer != "orjson":
        return None
    return 3.0 if kind == "ASCII" else 1.5


def add_arguments(command: list[str], options: object) -> None:
    """pyperf starts this script again for its workers."""
    command += [f"--{name}" for name in ("short", "pieces", "more") if getattr(options, name)]


def main() -> None:
    """Measure all cases."""
    runner = pyperf.Runner(
        values=3, processes=4, warmups=0, loops=1, add_cmdline_args=add_arguments, program_args=(__file__,)
    )
    parser = runner.argparser
    parser.add_argument("--short", action="store_true", help="two processes a way instead of four")
    parser.add_argument("--turns", action="store_true", help="all ways in one process, in turn")
    parser.add_argument("--pieces", action="store_true", help="bodies that come in pieces, too")
    parser.add_argument("--more", action="store_true", help="more kinds of text")
    parser.add_argument("--rows", help="write the rows to this file, as JSON")
    options = runner.parse_args()
    if options.short:
        options.processes = 2
    pieces = PIECES if options.pieces else {"whole": None}
    rows = []
    for kind in bodies.KINDS + (bodies.MORE_KINDS if options.more else []):
        for size in bodies.SIZES:
            for how, piece in pieces.items():
                if options.turns:
                    rows += in_turns(kind, size, how, piece, 3 if options.short else 9)
                else:
                    rows += measure(runner, kind, size, how, piece)
    if options.worker:
        return
    print(report.table(rows))
    if options.rows:
        report.write_rows(rows, options.rows)


def measure(runner: pyperf.Runner, kind: str, size: str, how: str, piece: int | None) -> list[report.Row]:
    """One case in all ways; rows only in the process that is no worker."""
    count = bodies.count_for(bodies.SIZES[size], BODY_BYTES)
    found = {}
    for name in WAY_NAMES if piece is None else ("gaechannel", "framing loop"):
        found[name] = runner.bench_time_func(
            f"{kind}, {size}, {how}: {name}",
            best_pass,
            kind,
            bodies.SIZES[size],
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
