"""What a channel over TLS keeps while nothing is said, in a process that does nothing else."""

import asyncio
import json
import os
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
import asyncio, gc, json, os, sys
from gaechannel import aio

def resident():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

async def main(url, verify, tokens):
    clients = [aio.Client(token, base_url=url, verify=verify, http2=False) for token in tokens]
    iterators = [client.messages() for client in clients]
    # The first one loads libraries.
    await anext(iterators[0])
    before = resident()
    await asyncio.gather(*(anext(iterator) for iterator in iterators[1:]))
    await asyncio.sleep(0.2)
    print((resident() - before) / (len(tokens) - 1) / 1024, flush=True)
    os._exit(0)

asyncio.run(main(sys.argv[1], sys.argv[2], json.loads(sys.stdin.read())))
"""


@pytest.mark.skipif(nghttpx is None, reason="nghttpx is not installed (Debian: nghttp2-proxy)")
@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="this system does not tell in /proc")
@pytest.mark.skipif("GAECHANNEL_SANITIZE" in os.environ, reason="sanitizers keep what is freed")
def test_no_buffers_are_kept_for_idle_connections(tmp_path):
    """OpenSSL's, of 16 KiB to write and 64 to read: with libcurl 8.14, 96 KiB a channel in place of 74.

    AWS-LC keeps none by itself, nor what only a handshake needs: 21 KiB.
    """
    with LocalServer() as server, Proxy(certified(tmp_path), server.port) as proxy:
        names = [f"c{number}" for number in range(CHANNELS)]
        tokens = [server.create_channel(name) for name in names]
        for name in names:
            server.send_message(name, "a")
        command = [sys.executable, "-c", PROGRAM, f"{proxy.url}/talkgadget", str(tmp_path / "ca.pem")]
        done = subprocess.run(
            command, input=json.dumps(tokens), capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < LIMIT_KIB


@pytest.mark.skipif(nghttpx is None, reason="nghttpx is not installed (Debian: nghttp2-proxy)")
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
