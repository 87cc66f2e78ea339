"""Waiting for what must come."""

import time


def until(condition, seconds=20):
    """Wait until a condition holds; returns what it returned."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.002)
    return found
