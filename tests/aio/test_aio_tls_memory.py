"""What a channel over TLS keeps while nothing is said, in a process that does nothing else."""

import asyncio
import ctypes
import json
import os
import re
import subprocess
import sys

import pytest
from nghttpx import Proxy, nghttpx
from tls import certified

from gaechannel import _core, aio
from gaechannel.server import LocalServer

CHANNELS = 100
# Of one channel, by what speaks TLS.
LIMIT_KIB = 40 if " AWS-LC/" in _core._libcurl_details()["version"] else 86
# csrc/net/transfer.c: IDLE_OWN, and as many that opened while others waited.
IDLE = 16

PROGRAM = """
import asyncio, ctypes, gc, json, os, sys
from gaechannel import aio

class Mallinfo2(ctypes.Structure):
    _fields_ = [(f"field_{number}", ctypes.c_size_t) for number in range(10)]

def resident():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

# What malloc() has given and has not got back, by mmap() or not.
def allocated():
    gc.collect()
    ask = ctypes.CDLL(None).mallinfo2
    ask.restype = Mallinfo2
    found = ask()
    return found.field_4 + found.field_7

kept = globals()[sys.argv[3]]

async def main(url, verify, names):
    options = {"verify": verify, "http2": False}
    if url.endswith("talkgadget"):
        clients = [aio.Client(token, base_url=url, **options) for token in names]
    else:
        clients = [aio.WebChannel(url, params={"name": name}, **options) for name in names]
    iterators = [client.messages() for client in clients]
    # The first one loads libraries.
    await anext(iterators[0])
    before = kept()
    if sys.argv[3] == "resident":
        await asyncio.gather(*(anext(iterator) for iterator in iterators[1:]))
    # As many connections as chance will have it stay behind where many open at once.
    for iterator in iterators[1:] if sys.argv[3] == "allocated" else []:
        await anext(iterator)
    # What only the beginning needs goes by and by.
    for _ in range(200):
        await asyncio.sleep(0.1)
        found = (kept() - before) / (len(names) - 1) / 1024
        if found < float(sys.argv[4]):
            break
    print(found, flush=True)
    os._exit(0)

asyncio.run(main(sys.argv[1], sys.argv[2], json.loads(sys.stdin.read())))
"""

needs_nghttpx = pytest.mark.skipif(nghttpx is None, reason="nghttpx is not installed (Debian: nghttp2-proxy)")
needs_mallinfo = pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="this C library has no mallinfo2()"
)
no_sanitizer = pytest.mark.skipif("GAECHANNEL_SANITIZE" in os.environ, reason="sanitizers keep what is freed")


def must_keep_less_than(limit, folder, how, path="talkgadget"):
    """What a channel that lies idle keeps must be fewer KiB, `resident` or `allocated`."""
    names = [f"c{number}" for number in range(CHANNELS)]
    with LocalServer() as server, Proxy(certified(folder), server.port) as proxy:
        if path == "webchannel":
            server.webchannel.on_session = lambda session: session.send("a")
        else:
            tokens = [server.create_channel(name) for name in names]
            for name in names:
                server.send_message(name, "a")
            names = tokens
        arguments = [f"{proxy.url}/{path}", str(folder / "ca.pem"), how, str(limit)]
        command = [sys.executable, "-c", PROGRAM, *arguments]
        done = subprocess.run(
            command, input=json.dumps(names), capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < limit


@needs_nghttpx
@no_sanitizer
@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="this system does not tell in /proc")
def test_no_buffers_are_kept_for_idle_connections(tmp_path):
    """OpenSSL's, of 16 KiB to write and 64 to read: with libcurl 8.14, 96 KiB a channel in place of 74.

    AWS-LC keeps none by itself, nor what only a handshake needs: 21 KiB.
    """
    must_keep_less_than(LIMIT_KIB, tmp_path, "resident")


def libcurl():
    return tuple(int(part) for part in _core.libcurl_version.split(".")[:2])


def openssl():
    """Of the one that libcurl speaks TLS by; () where that is another library."""
    found = re.search(r" OpenSSL/(\d+)\.(\d+)\.(\d+)", _core._libcurl_details()["version"])
    return tuple(int(part) for part in found.groups()) if found else ()


@needs_nghttpx
@no_sanitizer
@needs_mallinfo
@pytest.mark.skipif(
    libcurl() >= (8, 7), reason="this libcurl copies no head of a request to a buffer that it keeps"
)
def test_the_buffer_of_a_sent_request_is_given_back(tmp_path):
    """csrc/net/buffers.c: 64 KiB, 108 a channel in place of 45."""
    must_keep_less_than(75, tmp_path, "allocated")


@needs_nghttpx
@no_sanitizer
@needs_mallinfo
@pytest.mark.skipif(
    not (3, 0, 14) <= openssl() < (3, 1), reason="this OpenSSL keeps nothing for the next record"
)
@pytest.mark.skipif(libcurl() != (7, 88), reason="of another libcurl than 7.88 it is not known what it keeps")
def test_what_a_record_was_written_in_is_given_back(tmp_path):
    """csrc/net/openssl.c: 4.3 KiB, 50 a channel in place of 45.7."""
    must_keep_less_than(48, tmp_path, "allocated", "webchannel")


@needs_nghttpx
@pytest.mark.skipif(not os.path.exists("/proc/net/tcp"), reason="this system does not tell in /proc")
def test_few_connections_stay_behind_where_many_channels_have_opened(tmp_path):
    """As many as opened at once, 64, without."""

    async def main(proxy):
        options = {"verify": str(tmp_path / "ca.pem"), "http2": False}
        channels = [aio.WebChannel(f"{proxy.url}/webchannel", **options) for _ in range(CHANNELS)]
        await asyncio.gather(*(channel.connect() for channel in channels))
        async with asyncio.timeout(20):
            while proxy.connections() > IDLE:  # noqa: ASYNC110 - of another process
                await asyncio.sleep(0.05)
        await asyncio.gather(*(channel.close() for channel in channels))

    with LocalServer() as server, Proxy(certified(tmp_path), server.port) as proxy:
        asyncio.run(main(proxy))
