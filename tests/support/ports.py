"""Ports for servers that are to come back on them, or that cannot be asked which one they have."""

import collections
import errno
import os
import random
import socket

# Below those that the system gives away by itself: of these, somebody else's connection may have taken one by
# the time the server comes, and whoever looks whether it has come may connect to himself.
_LOWEST, _RANGE = 10_000, "/proc/sys/net/ipv4/ip_local_port_range"
# Tests may have seeded the module's own, each worker alike.
_random = random.SystemRandom()
# Each of pytest's workers has ports of its own, and gives none to two servers that are still to come.
_WORKERS = 16
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
_given = collections.deque(maxlen=500)


def _highest():
    try:
        with open(_RANGE) as file:
            return max(int(file.read().split()[0]) - 1, _LOWEST + 1000)
    except OSError:
        return 32_000


def free_port():
    """A port of this machine that nobody listens on now."""
    while True:
        port = _random.randrange(_LOWEST + _worker, _highest() + 1, _WORKERS)
        if port in _given:
            continue
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            _given.append(port)
            return port
