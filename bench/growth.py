"""Growth: the cost of a message against the number of messages, their size, and the number of channels.

    python bench/growth.py [--short] [--out docs] [--only messages size channels objects]

And of objects against their size, their nesting and the number of distinct keys, beside orjson's loads().
Writes growth-messages.svg, growth-size.svg, growth-channels.svg, growth-objects.svg, growth-nesting.svg and
growth-keys.svg, and prints what they show.
"""

import common  # noqa: F401 - first: says what to run where one of the others is missing

# isort: split
import gc
import json
import logging
import pathlib
import threading
import time
from collections.abc import Callable

import matplotlib as mpl
import orjson

from common import bodies, report
from common.serving import serving
from gaechannel import Client, Decoder, TalkDecoder

mpl.use("Agg")
import matplotlib.pyplot as plt

PIECE = 64 * 1024


def best_of(passes: int, body: bytes) -> float:
    """The seconds of the quickest pass over a body in pieces, as a socket gives them; nothing is kept."""
    best = float("inf")
    gc.disable()
    for _ in range(passes):
        decoder = TalkDecoder()
        started = time.perf_counter()
        for at in range(0, len(body), PIECE):
            decoder.feed(body[at : at + PIECE])
        best = min(best, time.perf_counter() - started)
    gc.enable()
    return best


def by_messages(short: bool) -> dict[int, float]:
    """ns a message of 100 B, for so many in a body."""
    block = bodies.body("ASCII", 100, 1000)
    most = 6 if short else 7
    return {10**n: best_of(3, block * 10 ** (n - 3)) / 10**n * 1e9 for n in range(3, most + 1)}


def by_size(short: bool) -> dict[int, float]:
    """ns a byte, for messages of so many bytes."""
    found = {}
    for size in [10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000]:
        count = max((2_000_000 if short else 20_000_000) // size, 1)
        body = bodies.body("ASCII", size, min(count, 100_000))
        found[size] = best_of(5, body) / len(body) * 1e9
    return found


def by_channels(short: bool) -> dict[int, float]:
    """µs a message of 100 B, over so many channels at once, each in a thread of its own."""
    logger = logging.getLogger("bench")
    logger.setLevel(logging.ERROR)
    found = {}
    for channels in [1, 3, 10, 30, 100]:
        count = (200_000 if short else 1_000_000) // channels

        def drain(port: int, number: int) -> None:
            with Client("token", logger, base_url=f"http://127.0.0.1:{port}") as client:
                for _, _message in zip(range(number), client.messages(), strict=False):
                    pass

        with serving(bodies.body("ASCII", 100, count + 1)) as port:
            threads = [threading.Thread(target=drain, args=(port, count)) for _ in range(channels)]
            started = time.perf_counter()
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            found[channels] = (time.perf_counter() - started) / (count * channels) * 1e6
    return found


# ---- Objects ----

# A line of a plot for each.
OURS, THEIRS = "Decoder", "orjson.loads()"
Lines = dict[str, dict[int, float]]


def _seconds(times: int, decode: Callable[[], object]) -> float:
    """Of processor time, each."""
    started = time.thread_time()
    for _ in range(times):
        decode()
    return (time.thread_time() - started) / times


def _both(lines: Lines, x: int, value: object, per: int, short: bool) -> None:
    """Add how many ns `value` takes, in an array of its own, for each of `per`."""
    payload = json.dumps([[1, value]], separators=(",", ":"))
    chunk, frame = payload.encode(), bodies.frame(payload)
    assert Decoder().feed(frame) == [tuple(pair) for pair in orjson.loads(chunk)]
    decoder, times, passes = Decoder(), max(300_000 // len(chunk), 1), 10 if short else 100
    gc.collect()
    gc.disable()
    # In turns, so that what the machine does meanwhile meets both.
    best = {OURS: float("inf"), THEIRS: float("inf")}
    for _ in range(passes):
        best[OURS] = min(best[OURS], _seconds(times, lambda: decoder.feed(frame)))
        best[THEIRS] = min(best[THEIRS], _seconds(times, lambda: orjson.loads(chunk)))
    gc.enable()
    for name, seconds in best.items():
        lines.setdefault(name, {})[x] = seconds / per * 1e9


def _record(number: int) -> dict[str, object]:
    return {"id": number, "name": f"name {number}", "late": False, "at": number + 0.25, "tags": ["a", None]}


def objects_by_size(short: bool) -> Lines:
    """ns a byte of a list of records, for lists of about so many bytes."""
    lines: Lines = {}
    for size in [100, 1000, 10_000, 100_000, 1_000_000]:
        records = [_record(number) for number in range(max(size // 80, 1))]
        _both(lines, size, records, len(json.dumps(records, separators=(",", ":"))), short)
    return lines


def objects_by_nesting(short: bool) -> Lines:
    """ns an object, for objects within each other."""
    lines: Lines = {}
    for depth in [1, 2, 4, 8, 16, 32, 64, 120]:
        value: object = 1
        for _ in range(depth):
            value = {"inner": value}
        _both(lines, depth, value, depth, short)
    return lines


def objects_by_keys(short: bool) -> Lines:
    """ns a member, for so many distinct keys in 10,000 objects of one member."""
    lines: Lines = {}
    for keys in [1, 10, 100, 1000, 10_000]:
        _both(lines, keys, [{f"key {number % keys}": 1} for number in range(10_000)], 10_000, short)
    return lines


def plot_lines(lines: Lines, path: pathlib.Path, across: str, up: str) -> None:
    """Lines, logarithmic across, from zero up."""
    figure, axes = plt.subplots(figsize=(5, 2.6), layout="constrained")
    for name, found in lines.items():
        axes.semilogx(list(found), list(found.values()), "o-", label=name)
        report.say(f"{path.name}, {name}: {', '.join(f'{x:,}: {y:.3g}' for x, y in found.items())} ({up})")
    axes.set_ylim(bottom=0)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.grid(alpha=0.3)
    if len(lines) > 1:
        axes.legend()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def plot(found: dict[int, float], path: pathlib.Path, across: str, up: str) -> None:
    """A line, logarithmic across, from zero up."""
    plot_lines({"": found}, path, across, up)


def plot_messages(out: pathlib.Path, short: bool) -> None:
    """The first of PARTS."""
    plot(by_messages(short), out / "growth-messages.svg", "messages in a body", "ns a message")


def plot_size(out: pathlib.Path, short: bool) -> None:
    """And so on."""
    plot(by_size(short), out / "growth-size.svg", "bytes of a message", "ns a byte")


def plot_channels(out: pathlib.Path, short: bool) -> None:
    """And so on."""
    plot(by_channels(short), out / "growth-channels.svg", "channels", "µs a message")


def plot_objects(out: pathlib.Path, short: bool) -> None:
    """And so on."""
    plot_lines(objects_by_size(short), out / "growth-objects.svg", "bytes of objects", "ns a byte")
    plot_lines(
        objects_by_nesting(short), out / "growth-nesting.svg", "objects within each other", "ns an object"
    )
    plot_lines(objects_by_keys(short), out / "growth-keys.svg", "distinct keys", "ns a member")


PARTS = ("messages", "size", "channels", "objects")


def main() -> None:
    """Measure and plot."""
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "gaechannel", "font.size": 8})
    parser = report.arguments(__doc__)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("docs"), help="where the plots go")
    parser.add_argument("--only", nargs="+", default=PARTS, choices=PARTS, help="nothing but these")
    options = parser.parse_args()
    report.clean_environment()
    options.out.mkdir(exist_ok=True)
    for part in options.only:
        globals()[f"plot_{part}"](options.out, options.short)
    if options.rows:
        report.write_rows([], options.rows)


if __name__ == "__main__":
    main()
