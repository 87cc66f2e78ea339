"""Google's Firestore emulator: one for each test that kills it, and one for all others."""

import logs
import pytest
from firestore import Emulator, jar


@pytest.fixture(scope="session")
def emulator(tmp_path_factory):
    """An emulator that no test kills."""
    found, _ = jar()
    with Emulator(found, tmp_path_factory.mktemp("firestore")) as one:
        yield one


@pytest.fixture
def own_emulator(tmp_path):
    """An emulator to be killed."""
    found, _ = jar()
    with Emulator(found, tmp_path) as one:
        yield one


@pytest.fixture
def log():
    """A logger of the test's own, and what was written to it."""
    with logs.own_logger() as logger:
        yield logger
