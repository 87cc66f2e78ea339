"""The ways to read a back channel over a socket: this package, and what would be used without it.

Each takes the server's port and the number of messages, and returns the seconds from the first message (for
libcurl alone, the first byte) to the last.
"""

import asyncio
import contextlib
import http.client
import io
import json
import logging
import subprocess
import time
from collections.abc import Callable

import aiohttp
import orjson
import pycurl

from common import building
from common.framing import CarefulFramingLoop, FramingLoop
from common.serving import BACK_CHANNEL
from gaechannel import Client, aio

Way = Callable[[int, int], float]


def _quiet() -> logging.Logger:
    logger = logging.getLogger("bench")
    logger.setLevel(logging.ERROR)
    return logger


def read_gaechannel(port: int, count: int) -> float:
    """``for message in Client(…)``, with the same in the loop as in an event loop's below."""
    with Client("token", _quiet(), base_url=f"http://127.0.0.1:{port}") as client:
        messages = client.messages()
        next(messages)
        left = count - 1
        started = time.perf_counter()
        for _message in messages:
            left -= 1
            if not left:
                break
        return time.perf_counter() - started


def read_gaechannel_aio(port: int, count: int) -> float:
    """``async for message in aio.Client(…)``."""

    async def read() -> float:
        async with aio.Client("token", _quiet(), base_url=f"http://127.0.0.1:{port}") as client:
            messages = client.messages()
            await anext(messages)
            left = count - 1
            started = time.perf_counter()
            async for _message in messages:
                left -= 1
                if not left:
                    break
            return time.perf_counter() - started

    return asyncio.run(read())


def _sink(port: int, buffer_bytes: int) -> float:
    program = building.program("curl_sink", *building.curl_flags())
    url = f"http://127.0.0.1:{port}{BACK_CHANNEL}"
    output = subprocess.check_output([program, url, str(buffer_bytes)], text=True)
    return float(output.split()[0])


def read_libcurl(port: int, count: int) -> float:
    """libcurl into nothing, as it comes."""
    return _sink(port, 0)


def read_libcurl_large(port: int, count: int) -> float:
    """libcurl into nothing, with the largest buffer it takes."""
    return _sink(port, 512 * 1024)


def read_pycurl(port: int, count: int) -> float:
    """pycurl and orjson: chunks are cut by bytes, which is right for ASCII alone."""
    held = b""
    left = count
    started = 0.0

    def on_body(data: bytes) -> None:
        nonlocal held, left, started
        started = started or time.perf_counter()
        held += data
        at = 0
        while (end := held.find(b"\n", at)) >= 0:
            stop = end + 1 + int(held[at:end])
            if stop > len(held):
                break
            _text = orjson.loads(held[end + 1 : stop])[0][1][1][1][1]
            left -= 1
            at = stop
        held = held[at:]

    with contextlib.closing(pycurl.Curl()) as easy:
        easy.setopt(pycurl.URL, f"http://127.0.0.1:{port}{BACK_CHANNEL}")
        easy.setopt(pycurl.NOPROXY, "*")
        easy.setopt(pycurl.WRITEFUNCTION, on_body)
        easy.perform()
    assert left == 0, left
    return time.perf_counter() - started


def _read_aiohttp(port: int, count: int, loop: FramingLoop) -> float:
    async def read() -> float:
        left = count
        started = 0.0
        url = f"http://127.0.0.1:{port}{BACK_CHANNEL}"
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            async for data in response.content.iter_any():
                started = started or time.perf_counter()
                left -= len(loop.messages(data))
        assert left == 0, left
        return time.perf_counter() - started

    return asyncio.run(read())


def read_aiohttp(port: int, count: int) -> float:
    """aiohttp and the framing loop in Python."""
    return _read_aiohttp(port, count, FramingLoop())


def read_aiohttp_careful(port: int, count: int) -> float:
    """aiohttp and the framing loop by somebody who has profiled it."""
    return _read_aiohttp(port, count, CarefulFramingLoop())


def read_http_client(port: int, count: int) -> float:
    """http.client, the length line a byte at a time, as the 2011 module read; the payload by bytes."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", BACK_CHANNEL)
    response: io.BufferedIOBase = connection.getresponse()
    started = time.perf_counter()
    for _ in range(count):
        line = b""
        while (byte := response.read(1)) != b"\n":
            line += byte
        json.loads(response.read(int(line)))
    took = time.perf_counter() - started
    connection.close()
    return took
