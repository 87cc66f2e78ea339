"""Opening many channels, beside a libcurl multi loop that makes the same requests and does nothing else.

    python bench/opening.py [--short] [--channels 9000]

A channel here is a WebChannel of gaechannel.aio: a POST, and the GET of a back channel on a connection of its
own, 64 of them under way at a time, until each has brought a message. They are waited for in one task, by
`merge()`, which the goal is for, and in a task each; what of the latter is asyncio's is measured without
channels, by as many tasks that wait for a future each. All is against a server of prepared bytes, each way in
a process of its own, in turns, and what is compared is the processor time of a channel. A process may often
have no more than 20,000 files open.
"""

import argparse
import asyncio
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Awaitable

from common import bodies, building, report
from common.serving import serving
from gaechannel import aio
from gaechannel.server import raise_file_limit

AT_ONCE = 64  # as many as a loop's channels have under way
# Of one task for all. What a task each takes more is asyncio's in part, and shown without a goal.
GOALS = {"merge()": 1.2}
HELLO = bodies.frame('[[1,["hello"]]]')


def _channels(port: int, count: int) -> list[aio.WebChannel]:
    logger = logging.getLogger("bench")
    logger.setLevel(logging.ERROR)
    url = f"http://127.0.0.1:{port}/webchannel"
    return [aio.WebChannel(url, logger=logger, timeout=600.0) for _ in range(count)]


async def _merged(port: int, count: int) -> float:
    channels = _channels(port, count)
    left = count  # each has one message
    used = time.process_time()
    async for _channel, _message in aio.merge(channels):
        left -= 1
        if not left:
            break
    return time.process_time() - used


async def _tasks(port: int, count: int) -> float:
    iterators = [channel.messages() for channel in _channels(port, count)]
    used = time.process_time()
    await asyncio.gather(*(anext(iterator) for iterator in iterators))
    return time.process_time() - used


async def _nothing(_port: int, count: int) -> float:
    async def wait(future: asyncio.Future[None]) -> None:
        await future

    futures = [asyncio.get_running_loop().create_future() for _ in range(count)]
    used = time.process_time()
    asyncio.get_running_loop().call_later(0.01, lambda: [future.set_result(None) for future in futures])
    await asyncio.gather(*(wait(future) for future in futures))
    return time.process_time() - used


async def _print(way: Awaitable[float], count: int) -> None:
    print(await way / count * 1e6, flush=True)
    # The process ends here: closing them is not measured, and need not be waited for.
    os._exit(0)


WAYS = {"merge()": _merged, "a task each": _tasks, "tasks alone": _nothing}


def in_process(way: str, port: int, count: int) -> float:
    """µs a channel, in a fresh process."""
    command = [sys.executable, __file__, "--child", json.dumps([way, port, count])]
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
        way, port, count = json.loads(options.child)
        raise_file_limit(2 * count + 200)
        asyncio.run(_print(WAYS[way](port, count), count))
    count = options.channels or (1000 if options.short else 9000)
    raise_file_limit(2 * count + 200)  # the server's, too
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    least = []
    with serving(HELLO, paced=b"IT", period_ns=1, count=0) as port:
        for _ in range(3 if options.short else 5):
            least.append(bare(port, count))
            for way in WAYS:
                found[way].append(in_process(way, port, count))
    what = f"opening one of {count}"
    rows = []
    for way in ("merge()", "a task each"):
        ratios = [a / b for a, b in zip(found[way], least, strict=True)]
        rows.append(report.row(f"{what}, {way}", "libcurl alone", ratios, goal=GOALS.get(way), at_most=True))
    rows += [report.row(f"{what}, {way}", "", values, "µs of CPU") for way, values in found.items()]
    rows.append(report.row("the same of libcurl alone", "", least, "µs of CPU"))
    report.finish(rows, options)


if __name__ == "__main__":
    main()
