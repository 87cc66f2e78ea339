"""Fixtures of the two-way channels' tests."""

import io
import logging

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
    logger = logging.getLogger(f"two way {id(object())}")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.text = io.StringIO()
    handler = logging.StreamHandler(logger.text)
    logger.addHandler(handler)
    yield logger
    logger.removeHandler(handler)


@pytest.fixture(params=[Sync, Asyncio], ids=["sync", "aio"])
def channel_of(request):
    """Make channels by the name of their class, of each kind in turn; see either.py."""
    return request.param
