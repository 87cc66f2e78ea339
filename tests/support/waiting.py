"""Waiting for what must come."""

import gc
import time


def until(condition, seconds=20):
    """Wait until a condition holds; returns what it returned."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.002)
    return found


def until_collected(*references):
    """Collect garbage until all that these weak references lead to has gone.

    Not once: while another thread collects, this one collects nothing.
    """
    until(lambda: gc.collect() >= 0 and all(reference() is None for reference in references))
