"""Fixtures of the two-way channels' tests."""

import pytest
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
