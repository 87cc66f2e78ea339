"""Channels over TLS, by HTTP/1.1 and by HTTP/2: memory of an idle one, opening, and throughput.

    python bench/tls.py [--short] [--channels 1000] [--only idle]

Each way in a process of its own, which has done nothing before; the server's bytes are prepared, and an
nghttpx encrypts them. Memory and opening: so many WebChannels, each with a message and then silence; in
asyncio all in one loop, sync a tenth as many, one after the other in one thread, each with a loop of its own.
Throughput: texts of 1 kB to one Client. Processor times are those of the process that reads.
"""

import argparse
import asyncio
import gc
import json
import logging
import os
import subprocess
import sys
import time

from common import bodies, report
from common.serving import serving
from common.tls import encrypting
from gaechannel import Client, WebChannel, aio
from gaechannel.server import raise_file_limit

LINES = {"none": (False, False), "TLS, HTTP/1.1": (True, False), "TLS, HTTP/2": (True, True)}
# KiB of an idle channel, in asyncio. Over HTTP/1.1 half of what it was with such a libcurl when that was set.
GOALS = {"TLS, HTTP/1.1": 45.5 if report.libcurl_is(8, 7) else 32.5, "TLS, HTTP/2": 16.0}
# Over HTTP/2 a channel that holds so much asks anew, and this server begins from the beginning then.
ALL = 1 << 30
HELLO = bodies.frame('[[1,["hello"]]]')


def _logger() -> logging.Logger:
    logger = logging.getLogger("bench")
    logger.setLevel(logging.ERROR)
    return logger


def _resident() -> int:
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _options(verify: str, http2: bool) -> dict[str, object]:
    return {"logger": _logger(), "http2": http2, "timeout": 600.0, **({"verify": verify} if verify else {})}


async def _idle_aio(url: str, verify: str, http2: bool, count: int) -> dict[str, float]:
    # What is not a channel's: the first one loads libraries and certificates.
    channels = [aio.WebChannel(f"{url}/webchannel", **_options(verify, http2)) for _ in range(count + 1)]
    await anext(channels[0].messages())
    before, used, begun = _resident(), time.process_time(), time.monotonic()
    await asyncio.gather(*(anext(channel.messages()) for channel in channels[1:]))
    used, took = time.process_time() - used, time.monotonic() - begun
    result = {"bytes": (_resident() - before) / count, "cpu": used / count, "seconds": took / count}
    # The process ends here: what is not measured need not be waited for.
    print(json.dumps(result), flush=True)
    os._exit(0)


def _idle_sync(url: str, verify: str, http2: bool, count: int) -> dict[str, float]:
    channels = [WebChannel(f"{url}/webchannel", **_options(verify, http2)) for _ in range(count + 1)]
    next(channels[0].messages())
    before, used, begun = _resident(), time.process_time(), time.monotonic()
    for channel in channels[1:]:
        next(channel.messages())
    used, took = time.process_time() - used, time.monotonic() - begun
    result = {"bytes": (_resident() - before) / count, "cpu": used / count, "seconds": took / count}
    print(json.dumps(result), flush=True)
    os._exit(0)


async def _stream_aio(url: str, verify: str, http2: bool, count: int) -> dict[str, float]:
    async with aio.Client("token", base_url=url, queue_limit=ALL, **_options(verify, http2)) as client:
        left, begun, used = count, 0.0, 0.0
        async for _message in client:
            if left == count:
                begun, used = time.monotonic(), time.process_time()
            left -= 1
            if not left:
                break
        took, used = time.monotonic() - begun, time.process_time() - used
    return {"cpu": used / count, "seconds": took / count}


def _stream_sync(url: str, verify: str, http2: bool, count: int) -> dict[str, float]:
    with Client("token", base_url=url, queue_limit=ALL, **_options(verify, http2)) as client:
        messages = client.messages()
        next(messages)
        begun, used = time.monotonic(), time.process_time()
        for _, _message in zip(range(count - 1), messages, strict=False):
            pass
        return {"cpu": (time.process_time() - used) / count, "seconds": (time.monotonic() - begun) / count}


def child(what: str, api: str, url: str, verify: str, http2: bool, count: int) -> None:
    """Measure in this process, and print it as JSON."""
    raise_file_limit(2 * count + 200 if what == "idle" else 200)
    way = globals()[f"_{what}_{api}"](url, verify, http2, count)
    print(json.dumps(asyncio.run(way) if api == "aio" else way), flush=True)


def in_process(*arguments: object) -> dict[str, float]:
    """The same in a process that has done nothing before."""
    command = [sys.executable, __file__, "--child", json.dumps(arguments)]
    return json.loads(subprocess.check_output(command, text=True))


def measure(what: str, count: int, rounds: int) -> dict[tuple[str, str], list[dict[str, float]]]:
    """What was found, by API and line."""
    found: dict[tuple[str, str], list[dict[str, float]]] = {}
    body = HELLO if what == "idle" else bodies.body("ASCII", 1000, count)
    with serving(body, paced=b"IT", period_ns=1, count=0) as port, encrypting(port) as (url, authority):
        for _ in range(rounds):
            for line, (tls, http2) in LINES.items():
                for api in ("sync", "aio"):
                    number = count // 10 if what == "idle" and api == "sync" else count
                    place = (url, authority) if tls else (f"http://127.0.0.1:{port}", "")
                    found.setdefault((api, line), []).append(in_process(what, api, *place, http2, number))
    return found


def idle_rows(options: argparse.Namespace) -> list[report.Row]:
    """Memory and opening."""
    rows = []
    found = measure("idle", options.channels, 1 if options.short else 3)
    for (api, line), results in found.items():
        over = "without TLS" if line == "none" else line
        goal = {"goal": GOALS[line], "at_most": True} if api == "aio" and line in GOALS else {}
        kib = [result["bytes"] / 1024 for result in results]
        rows.append(report.row(f"idle channel, {api}, {over}", "", kib, "KiB", **goal))
        cpu = [result["cpu"] * 1e6 for result in results]
        rows.append(report.row(f"opening one, {api}, {over}", "", cpu, "µs of CPU"))
    return rows


def stream_rows(options: argparse.Namespace) -> list[report.Row]:
    """Throughput, against the same without TLS."""
    rows = []
    found = measure("stream", 20_000 if options.short else 100_000, 2 if options.short else 5)
    for (api, line), results in found.items():
        if line != "none":
            plain = found[api, "none"]
            values = [a["cpu"] / b["cpu"] for a, b in zip(plain, results, strict=True)]
            rows.append(report.row(f"stream 1 kB, {api}, {line}", "without TLS", values))
    return rows


def main() -> None:
    """Measure all lines."""
    parser = report.arguments(__doc__)
    parser.add_argument("--channels", type=int, help="how many (default: 1000; --short: 300)")
    parts = {"idle": idle_rows, "stream": stream_rows}
    parser.add_argument("--only", choices=parts, help="memory and opening, or throughput (default: both)")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    report.clean_environment()
    if options.child:
        child(*json.loads(options.child))
        return
    options.channels = options.channels or (300 if options.short else 1000)
    raise_file_limit(4 * options.channels + 1000)
    chosen = [options.only] if options.only else parts
    report.finish([row for part in chosen for row in parts[part](options)], options)


if __name__ == "__main__":
    main()
