"""Fixtures of the two-way channels' tests."""

import logs
import pytest
from either import Asyncio, Sync
from scripted_server import ScriptedServer

from gaechannel.server import LocalServer


@pytest.fixture
def script():
    """A server that does what the test says."""
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def local():
    """The package's own server."""
    with LocalServer() as server:
        yield server


@pytest.fixture
def log():
    """A logger of the test's own, and what was written to it."""
    with logs.own_logger() as logger:
        yield logger


@pytest.fixture(params=[Sync, Asyncio], ids=["sync", "aio"])
def channel_of(request):
    """Make channels by the name of their class, of each kind in turn; see either.py."""
    return request.param
