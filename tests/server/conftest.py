"""Fixtures of the server's tests."""

import time

import pytest
from wire_by_hand import Clock, Talk

from gaechannel.server import LocalServer


@pytest.fixture
def clock():
    """A clock that stands still until a test moves it."""
    return Clock()


@pytest.fixture(scope="module")
def shared():
    """A server for tests that change nothing about it."""
    with LocalServer(test_delay=0.01) as server:
        yield server


@pytest.fixture
def name():
    """A client id that no other test has."""
    return f"client {time.monotonic_ns()}"


@pytest.fixture
def talk(shared, name):
    """A connected client of the talk dialect."""
    return Talk(shared, shared.create_channel(name)).connect()
