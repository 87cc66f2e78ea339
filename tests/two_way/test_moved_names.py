"""A server's name leads elsewhere after a while: it has moved, or the client has, to another network."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from c_programs import library_to_preload, needs_compiler, preloading

from gaechannel.server import BrowserChannelService, LocalServer

#: How soon a program must be at the new address: far less than the minute that libcurl keeps an old one.
SECONDS = 25

pytestmark = [
    pytest.mark.timeout(SECONDS),
    needs_compiler,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="preloads a library"),
]

PROGRAM = """
import asyncio, logging, sys
from gaechannel import BrowserChannel, aio

logging.basicConfig(format="%(message)s", stream=sys.stdout)

async def listen():
    async with aio.BrowserChannel(sys.argv[2], max_backoff=0.5) as channel:
        async for message in channel:
            print(message, flush=True)

if sys.argv[1] == "asyncio":
    asyncio.run(listen())
with BrowserChannel(sys.argv[2], max_backoff=0.5) as channel:
    for message in channel:
        print(message, flush=True)
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    source = Path(__file__).with_name("names_in_a_file.c")
    return library_to_preload(source, tmp_path_factory.mktemp("names"))


def server(host, port=0):
    service = BrowserChannelService(lambda session: session.send([host]))
    return LocalServer(host=host, port=port, mounts={"/channel": service})


@contextlib.contextmanager
def program(way, port, library, address):
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, way, f"http://elsewhere:{port}/channel"],
        env={**os.environ, "LD_PRELOAD": preloading(library), "ADDRESS": str(address)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        try:
            yield child.stdout
        finally:
            child.kill()


def read_until(lines, words):
    for line in lines:
        if words in line:
            return
    raise AssertionError("the program has ended")


@pytest.mark.parametrize("is_known", [True, False], ids=["at-once", "after-a-time-without-a-name"])
@pytest.mark.parametrize("way", ["sync", "asyncio"])
def test_a_server_is_found_where_its_name_leads_now(library, tmp_path, way, is_known):
    address = tmp_path / "address"
    address.write_text("127.0.0.2")
    with (
        server("127.0.0.2") as first,
        server("127.0.0.3", first.port),
        program(way, first.port, library, address) as lines,
    ):
        read_until(lines, "['127.0.0.2']")
        address.write_text("127.0.0.3" if is_known else "")
        first.stop()
        if not is_known:
            read_until(lines, "resolve host")
            address.write_text("127.0.0.3")
        read_until(lines, "['127.0.0.3']")
