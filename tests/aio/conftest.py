"""Fixtures of the asyncio tests. Each runs its coroutine by asyncio.run(), with a time limit."""

import asyncio
import itertools
import os
import time

import logs
import pytest

from gaechannel import aio
from gaechannel.server import LocalServer

# How long a test may take: longer means that it hangs.
DEADLINE = 30.0


async def limited(coroutine):
    async with asyncio.timeout(DEADLINE):
        return await coroutine


@pytest.fixture
def run():
    """Run a coroutine in a new event loop."""
    return lambda coroutine: asyncio.run(limited(coroutine))


class WatchingLoop(aio._EventLoop):
    """Has the event loop watch every socket, as where there is no epoll."""

    def __new__(cls, event_loop):
        return super().__new__(cls, event_loop, watches_sockets=True)


@pytest.fixture(params=["asyncio", "debug", "sockets", "uvloop"])
def run_anywhere(request, monkeypatch):
    """The same, in each kind of event loop."""
    if request.param == "uvloop":
        uvloop = pytest.importorskip("uvloop", reason="uvloop is not installed")

        def run_in_uvloop(coroutine):
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                return runner.run(limited(coroutine))

        return run_in_uvloop
    if request.param == "sockets":
        monkeypatch.setattr(aio, "_EventLoop", WatchingLoop)
    return lambda coroutine: asyncio.run(limited(coroutine), debug=request.param == "debug")


@pytest.fixture(scope="session")
def server():
    """A server for tests that change nothing about it."""
    with LocalServer(test_delay=0.01) as server:
        yield server


_numbers = itertools.count()


@pytest.fixture
def name():
    """A client id that no other test has."""
    return f"client {next(_numbers)}"


@pytest.fixture
def client_of(server):
    """Make clients of the server; or of another, by its base_url."""

    def make(name, cls=aio.Client, **options):
        options = {"timeout": 10.0, "max_backoff": 0.05, "base_url": server.base_url, **options}
        token = options.pop("token", None)
        return cls(token or server.create_channel(name), **options)

    return make


async def until(condition, seconds=20.0):
    """Wait for the condition; returns what it returned."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "waited in vain"
        await asyncio.sleep(0.002)
    return found


@pytest.fixture(name="until")
def until_fixture():
    return until


async def take(iterator, count):
    return [await anext(iterator) for _ in range(count)]


@pytest.fixture(name="take")
def take_fixture():
    """The next so many messages of an iterator."""
    return take


@pytest.fixture
def descriptors():
    """How many files and sockets this process has open."""
    return lambda: len(os.listdir("/proc/self/fd"))


@pytest.fixture
def log():
    """What the logger `Channel` is told, from DEBUG on."""
    with logs.clients_records() as records:
        yield records
