"""Many messages over a network that breaks all the time: each comes once, in order, and memory stays flat.

GAECHANNEL_MESSAGES says how many; a million take a minute or so.
"""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import cutting_server
import pytest

from gaechannel import TransportError

SANITIZED = os.environ.get("GAECHANNEL_SANITIZE") == "1"
COUNT = int(os.environ.get("GAECHANNEL_MESSAGES", "20000" if SANITIZED else "200000"))
STATM = Path("/proc/self/statm")


def resident():
    """Bytes of memory that this process has at this moment."""
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if STATM.exists() else 0


@pytest.mark.timeout(60 + COUNT / 1000)
def test_every_message_comes_once_and_in_order_over_back_channels_that_end_and_are_cut(client_of, log):
    logging.getLogger("Channel").setLevel(logging.CRITICAL)
    # The server imports from beside it, wherever Python is told not to look there by itself.
    script = Path(cutting_server.__file__)
    paths = os.pathsep.join(filter(None, [str(script.parent), os.environ.get("PYTHONPATH")]))
    with subprocess.Popen(
        [sys.executable, script, str(COUNT), "1"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    ) as server:
        try:
            port = int(server.stdout.readline())
            client = client_of(f"http://127.0.0.1:{port}", max_backoff=0.001)
            sizes = []
            for number, text in enumerate(client.messages(), 1):
                if text != cutting_server.text_of(number):
                    pytest.fail(f"{number} was expected, not {text[:50]!r}")
                if number % (COUNT // 20) == 0:
                    sizes.append(resident())
                if number == COUNT:
                    break
            # All are acknowledged only when the next back channel is asked for.
            client.auto_reconnect = False
            iterator = client.messages()
            with pytest.raises(TransportError):
                next(iterator)
            said = json.loads(server.stdout.readline())
            assert server.wait(30) == 0
        finally:
            server.kill()
    stats = client.stats
    assert stats.messages == COUNT
    assert stats.sessions == 1
    assert said["messages"] >= COUNT
    assert said["cut"] > 0
    assert said["ended"] > 0
    assert stats.reconnects >= said["back channels"] - 1
    # Flat from a quarter on: what grew until then were buffers.
    assert SANITIZED or max(sizes[5:]) - sizes[4] < 4 * 2**20, sizes
