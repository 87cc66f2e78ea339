"""Over loopback: one channel whose server writes as fast as it can.

    python bench/stream.py [--short] [--all] [--pin]

The ways take turns, round by round, each on the same bytes; a ratio is of two times in the same round. --pin
gives the server one processor and the reader another: good on a quiet machine, bad on a busy one.

A process that has read much before keeps what it once had of the system. So each way also runs in processes
of its own, which have read nothing yet: the rows "fresh".
"""

import argparse
import statistics
import subprocess
import sys
from collections.abc import Callable

from common import bodies, reading, report
from common.serving import cpus, serving

WAYS = {
    "gaechannel": reading.read_gaechannel,
    "libcurl into nothing": reading.read_libcurl,
    "libcurl, 512 kB buffer": reading.read_libcurl_large,
    "gaechannel.aio": reading.read_gaechannel_aio,
    "pycurl + orjson": reading.read_pycurl,
    "aiohttp + framing loop": reading.read_aiohttp,
    "aiohttp + careful framing loop": reading.read_aiohttp_careful,
    "http.client, bytewise": reading.read_http_client,
}
# How much of the body the slow ways read, so that a round ends some day.
SHARES = {
    "pycurl + orjson": 0.2,
    "aiohttp + framing loop": 0.02,
    "aiohttp + careful framing loop": 0.05,
    "http.client, bytewise": 0.02,
}
GOALS = {("1 kB", "libcurl into nothing"): 0.9, ("100 B", "aiohttp + framing loop"): 50.0}
# asyncio against sync, each in processes that have read nothing before.
FRESH_GOAL = 0.8
# A part of a response in chunked transfer coding, as a server writes that gathers a little.
CHUNKED = {"until closed": 0, "chunked": 16 * 1024}


def _in_this_process(name: str, port: int, number: int) -> float:
    return WAYS[name](port, number)


def seconds_a_message(
    size: int, coding: int, options: argparse.Namespace, seconds: Callable[[str, int, int], float]
) -> dict[str, list[float]]:
    """For each way, its time a message in each round, by `seconds` of a way, a port and a number."""
    total, rounds = (48_000_000, 5) if options.short else (128_000_000, 11)
    count = bodies.count_for(size, total)
    found: dict[str, list[float]] = {name: [] for name in options.ways}
    for share in sorted({SHARES.get(name, 1.0) for name in options.ways}, reverse=True):
        number = max(int(count * share), 50)
        body = bodies.body("ASCII", size, number)
        with serving(body, chunked=coding, pin=cpus() if options.pin else None) as port:
            for _ in range(rounds):
                for name in (name for name in options.ways if SHARES.get(name, 1.0) == share):
                    found[name].append(seconds(name, port, number) / number)
    return found


def _in_fresh_process(name: str, port: int, number: int) -> float:
    command = [sys.executable, __file__, "--read", name, str(port), str(number)]
    return float(subprocess.check_output(command, text=True))


def measure(size: str, coding: str, options: argparse.Namespace) -> list[report.Row]:
    """One size in all ways."""
    found = seconds_a_message(bodies.SIZES[size], CHUNKED[coding], options, _in_this_process)
    return rows_of(size, coding, found, "")


def fresh(size: str, options: argparse.Namespace) -> list[report.Row]:
    """The same where each is a process's first reading."""
    found = seconds_a_message(bodies.SIZES[size], 0, options, _in_fresh_process)
    sync, asynchronous = found["gaechannel"], found.pop("gaechannel.aio", None)
    rows = rows_of(size, "fresh process", found, ", fresh")
    if asynchronous is not None:
        say("fresh process", size, "gaechannel.aio", asynchronous)
        ratios = [a / b for a, b in zip(sync, asynchronous, strict=True)]
        what = f"stream {size}, asyncio, fresh"
        rows.append(report.row(what, "gaechannel, fresh", ratios, goal=FRESH_GOAL))
    return rows


def say(how: str, size: str, name: str, times: list[float]) -> None:
    """What a way takes."""
    middle = statistics.median(times)
    report.say(
        f"{size:>6} {how:13} {name:30} {middle * 1e9:10.0f} ns a message"
        f" {1 / middle:12,.0f} messages/s {bodies.SIZES[size] / middle / 1e6:8.0f} MB/s",
        sys.stderr,
    )


def rows_of(size: str, how: str, found: dict[str, list[float]], fresh: str) -> list[report.Row]:
    """The rows of all ways of a size; ", fresh" are those of such processes, which have no goal."""
    for name, times in found.items():
        say(how, size, name, times)
    ours = found.pop("gaechannel")
    what = f"stream {size}" + (fresh or ("" if how == "until closed" else f", {how}"))
    return [
        report.row(
            what,
            name + fresh,
            [a / b for a, b in zip(times, ours, strict=True)],
            goal=None if fresh else GOALS.get((size, name)),
        )
        for name, times in found.items()
    ]


def main() -> None:
    """Measure all sizes."""
    parser = report.arguments(__doc__)
    parser.add_argument("--all", action="store_true", help="chunked transfer coding, too")
    parser.add_argument("--sizes", nargs="+", default=list(bodies.SIZES), choices=bodies.SIZES)
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=WAYS)
    parser.add_argument("--pin", action="store_true", help="a processor for each side")
    parser.add_argument("--read", nargs=3, metavar=("WAY", "PORT", "COUNT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    report.clean_environment()
    if options.read:
        name, port, number = options.read
        print(WAYS[name](int(port), int(number)))
        return
    rows = []
    for coding in CHUNKED if options.all else ["until closed"]:
        for size in options.sizes:
            rows += measure(size, coding, options)
    for size in options.sizes:
        rows += fresh(size, options)
    report.finish(rows, options)


if __name__ == "__main__":
    main()
