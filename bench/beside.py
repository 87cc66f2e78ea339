"""Beside another build of this package, such as an older one: each measured in turns, in its own processes.

    python bench/beside.py FOLDER [--rounds N] [--short]

FOLDER is another work tree, in which its extension module was built in place. A ratio is of the other's time
to this one's, in the same round: 1.02 is 2 % faster than the other.

decode      TalkDecoder, and Decoder of objects like those of living services, in one process
stream      a channel whose server writes as fast as it can, sync and asyncio
fresh       sync, each size in a process that has read nothing before
neighbour   a message a millisecond beside a channel of the same event loop that is saturated: p50 and p99
latency     from the server's write to Python holding the message, the median of a thousand
channels    `async for` over what was received; processor time a message of ten channels and of a thousand
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
GOAL = 0.98
STREAM_BYTES = 96_000_000
CHANNELS = 1000
# Messages, one a millisecond.
SPREAD = 2000


def decode() -> dict[str, float]:
    """Seconds a pass."""
    import decode as cases

    from common import bodies, living

    found = {}
    texts = [(kind, size) for kind in ("ASCII", "non-ASCII", "ASCII with escapes") for size in bodies.SIZES]
    for kind, size in texts + [(kind, "") for kind in living.SERVICES]:
        way = cases.case(kind, bodies.SIZES.get(size, 0), None, cases.TURNS_BYTES)["gaechannel"]
        (found[f"decode {kind} {size}".strip()],) = cases.quickest([way], cases.TURNS_PASSES)
    return found


def stream() -> dict[str, float]:
    """Seconds a message, in processes that have read much before."""
    from common import bodies, reading, serving

    found = {}
    for size in bodies.SIZES:
        count = bodies.count_for(bodies.SIZES[size], STREAM_BYTES)
        with serving.serving(bodies.body("ASCII", bodies.SIZES[size], count)) as port:
            for name, read in ("sync", reading.read_gaechannel), ("asyncio", reading.read_gaechannel_aio):
                found[f"stream {size}, {name}"] = min(read(port, count) for _ in range(4))
    return found


def neighbour() -> dict[str, float]:
    """Microseconds: the quietest of some runs."""
    import neighbours

    found = [neighbours.neighbour_us(1000) for _ in range(3)]
    return {
        "neighbour, p50": min(p50 for p50, _ in found),
        "neighbour, p99": min(p99 for _, p99 in found),
    }


def latency() -> dict[str, float]:
    """Nanoseconds."""
    import latency as ways

    from common import serving

    found = {}
    with serving.serving(b"", paced=ways.MESSAGE, period_ns=ways.PERIOD_NS, count=1000) as port:
        for name in "gaechannel", "gaechannel.aio":
            found[f"latency, {name}"] = statistics.median(ways.WAYS[name](port, 1000))
    return found


PARTS = {"decode": decode, "stream": stream, "neighbour": neighbour, "latency": latency}


# And two that are no function of one process.
ALL_PARTS = [*PARTS, "fresh", "channels"]


def in_tree(tree: pathlib.Path, *command: str) -> dict[str, float]:
    """What a program prints that imports the tree's package."""
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    return dict(json.loads(subprocess.check_output([sys.executable, *command], text=True, env=environment)))


def channels(tree: pathlib.Path) -> dict[str, float]:
    """By the tree's own benchmark, whose server is of the same package."""
    program = tree / "bench" / "channels.py"
    # In older trees what is spread cannot be merged.
    kind = ["gaechannel"] if "measure_spread(kind" in program.read_text() else []
    taken = in_tree(tree, str(program), "--child", json.dumps(["taken", "gaechannel", 200_000]))
    spread = in_tree(tree, str(program), "--child", json.dumps(["spread", *kind, CHANNELS, SPREAD]))
    return {
        "channels, async for": 1 / taken["rate"],
        **{f"channels, a message of {n}": spread[str(n)] for n in (10, CHANNELS)},
    }


def fresh(tree: pathlib.Path) -> dict[str, float]:
    """Seconds a message, of this benchmark's loop over the tree's package."""
    from common import bodies, serving

    found = {}
    for size, length in bodies.SIZES.items():
        count = bodies.count_for(length, STREAM_BYTES)
        with serving.serving(bodies.body("ASCII", length, count)) as port:
            command = [str(HERE / "stream.py"), "--read", "gaechannel", str(port), str(count)]
            environment = {**os.environ, "PYTHONPATH": str(tree)}
            found[f"fresh {size}, sync"] = min(
                float(subprocess.check_output([sys.executable, *command], text=True, env=environment))
                for _ in range(3)
            )
    return found


def measure(part: str, tree: pathlib.Path) -> dict[str, float]:
    """A part's times with one tree's package."""
    if part == "fresh":
        return fresh(tree)
    return channels(tree) if part == "channels" else in_tree(tree, __file__, "--measure", part, str(tree))


def compare(options) -> None:
    """Measure both trees, in turns."""
    from common import report

    rows = []
    for part in options.parts:
        found: dict[str, list[float]] = {}
        for _ in range(options.rounds):
            ours, theirs = (measure(part, tree) for tree in (HERE.parent, options.folder.resolve()))
            for what, seconds in ours.items():
                found.setdefault(what, []).append(theirs[what] / seconds)
        rows += [report.row(what, "the other", values, goal=GOAL) for what, values in found.items()]
        everything = [value for values in found.values() for value in values]
        rows.append(report.row(f"{part}, all of it", "the other", everything, goal=GOAL))
    report.finish(rows, options)


def main() -> None:
    """Compare, or be one of those that are compared."""
    if sys.argv[1:2] == ["--measure"]:
        import gaechannel

        part, tree = sys.argv[2:]
        assert pathlib.Path(gaechannel.__file__).is_relative_to(tree), gaechannel.__file__
        print(json.dumps(PARTS[part]()))
        return
    from common import report

    parser = report.arguments(__doc__)
    parser.add_argument("folder", type=pathlib.Path, metavar="FOLDER")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--parts", nargs="+", default=ALL_PARTS, choices=ALL_PARTS)
    options = parser.parse_args()
    report.clean_environment()
    options.rounds = 3 if options.short else options.rounds
    compare(options)


if __name__ == "__main__":
    main()
