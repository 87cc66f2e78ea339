"""Google's Firestore emulator: one for each test that kills it, and one for all others."""

import io
import logging

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
    logger = logging.getLogger(f"emulator {id(object())}")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.text = io.StringIO()
    handler = logging.StreamHandler(logger.text)
    logger.addHandler(handler)
    yield logger
    logger.removeHandler(handler)
