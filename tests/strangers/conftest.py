"""Fixtures of the strangers' tests."""

import logging

import pytest


class Tail(logging.Handler):
    """Keeps the last lines that were logged."""

    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        self.lines = [*self.lines[-40:], record.getMessage()]


@pytest.fixture
def log():
    """A logger of the test's own; its last lines are shown where the test fails."""
    logger = logging.getLogger("strangers")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    tail = Tail()
    logger.addHandler(tail)
    yield logger
    logger.removeHandler(tail)
    print(*tail.lines, sep="\n")
