"""In programs that gevent or eventlet has patched, neither a channel hangs nor the hub."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from gaechannel.server import LocalServer

ROOT = Path(__file__).parents[2]

ASYNCIO = """
from gevent import monkey

monkey.patch_all()
import asyncio
import sys

import gevent

from gaechannel import aio

ticks = 0


def tick():
    global ticks
    while True:
        gevent.sleep(0.01)
        ticks += 1


async def main():
    async with aio.Client(sys.argv[1], base_url=sys.argv[2]) as client, asyncio.timeout(60):
        async for message in client:
            print(f"after {ticks} ticks: {message}", flush=True)
            if message == "good-bye":
                break


gevent.spawn(tick)
gevent.spawn(asyncio.run, main()).get()
"""

EVENTLET = """
import warnings

warnings.simplefilter("ignore")
import eventlet

eventlet.monkey_patch()
import sys

from eventlet import tpool

from gaechannel import Client

ticks = 0


def tick():
    global ticks
    while True:
        eventlet.sleep(0.01)
        ticks += 1


def listen():
    with Client(sys.argv[1], base_url=sys.argv[2]) as client:
        messages = client.messages()
        while (message := tpool.execute(next, messages, None)) is not None:
            print(f"after {ticks} ticks: {message}", flush=True)
            if message == "good-bye":
                break


eventlet.spawn(tick)
eventlet.spawn(listen).wait()
"""

PROGRAMS = {
    "gevent's pool": ("gevent", (ROOT / "examples" / "gevent_listen.py").read_text()),
    "asyncio in a greenlet": ("gevent", ASYNCIO),
    "eventlet's pool": ("eventlet", EVENTLET),
}


@pytest.fixture(params=PROGRAMS)
def program(request, tmp_path):
    """A program, given a token and a base URL; it prints how often the hub has turned before each message."""
    library, text = PROGRAMS[request.param]
    found = subprocess.run([sys.executable, "-W", "ignore", "-c", f"import {library}"], capture_output=True)
    if found.returncode != 0:
        pytest.skip(f"{library} is not installed")
    file = tmp_path / "program.py"
    file.write_text(text)
    return file


def test_the_hub_turns_while_a_channel_waits(program):
    with LocalServer() as server:
        command = [sys.executable, str(program), server.create_channel("me"), server.base_url]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            ticks = []
            # Were the hub to wait with the channel, it would never have turned between two messages.
            while len(set(ticks)) < 3 and len(ticks) < 5000:
                server.send_message("me", f"message {len(ticks)}")
                line = process.stdout.readline()
                ticks.append(int(re.fullmatch(rf"after (\d+) ticks: message {len(ticks)}\n", line)[1]))
            assert len(set(ticks)) == 3
            server.send_message("me", "good-bye")
            assert "good-bye" in process.stdout.readline()
            assert process.wait(timeout=60) == 0
        finally:
            process.kill()
            process.communicate()
