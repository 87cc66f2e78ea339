"""Opening many channels, beside a libcurl multi loop that makes the same requests and does nothing else.

    python bench/opening.py [--short] [--channels 9000]

A channel here is a WebChannel of gaechannel.aio: a POST, and the GET of a back channel on a connection of its
own, 64 of them under way at a time. Each way runs in a process of its own, in turns, against a server of
prepared bytes; what is compared is the processor time of a channel. Each has two connections, and a process
may often have no more than 20,000 files open.
"""

import argparse
import asyncio
import json
import logging
import subprocess
import sys
import time

from common import bodies, building, report
from common.serving import serving
from gaechannel import aio
from gaechannel.server import raise_file_limit

AT_ONCE = 64  # as many as a loop's channels have under way
GOAL = 1.2
HELLO = bodies.frame('[[1,["hello"]]]')


async def _open(port: int, count: int) -> float:
    logger = logging.getLogger("bench")
    logger.setLevel(logging.ERROR)
    url = f"http://127.0.0.1:{port}/webchannel"
    channels = [aio.WebChannel(url, logger=logger, timeout=600.0) for _ in range(count)]
    iterators = [channel.messages() for channel in channels]
    used = time.process_time()
    await asyncio.gather(*(anext(iterator) for iterator in iterators))
    return (time.process_time() - used) / count * 1e6


def ours(port: int, count: int) -> float:
    """µs a channel, in a fresh process."""
    command = [sys.executable, __file__, "--child", json.dumps([port, count])]
    return float(subprocess.check_output(command, text=True))


def bare(port: int, count: int) -> float:
    """The same of libcurl alone."""
    program = building.program("curl_open", *building.curl_flags())
    return float(subprocess.check_output([program, str(port), str(count), str(AT_ONCE)], text=True))


def main() -> None:
    """Measure."""
    parser = report.arguments(__doc__)
    parser.add_argument("--channels", type=int, help="how many (default: 9000; --short: 1000)")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    report.clean_environment()
    if options.child:
        port, count = json.loads(options.child)
        raise_file_limit(2 * count + 200)
        print(asyncio.run(_open(port, count)), flush=True)
        return
    count = options.channels or (1000 if options.short else 9000)
    raise_file_limit(2 * count + 200)  # the server's, too
    found, least = [], []
    with serving(HELLO, paced=b"IT", period_ns=1, count=0) as port:
        for _ in range(3 if options.short else 5):
            least.append(bare(port, count))
            found.append(ours(port, count))
    ratios = [a / b for a, b in zip(found, least, strict=True)]
    rows = [
        report.row(f"opening one of {count}", "libcurl alone", ratios, goal=GOAL, at_most=True),
        report.row(f"opening one of {count}", "", found, "µs of CPU"),
        report.row("the same of libcurl alone", "", least, "µs of CPU"),
    ]
    report.finish(rows, options)


if __name__ == "__main__":
    main()
