"""Ports for servers that are to come back on them, or that cannot be asked which one they have."""

import errno
import random
import socket

# Below those that the system gives away by itself: of these, somebody else's connection may have taken one by
# the time the server comes, and whoever looks whether it has come may connect to himself.
_LOWEST, _RANGE = 10_000, "/proc/sys/net/ipv4/ip_local_port_range"
# Tests may have seeded the module's own, each worker alike.
_random = random.SystemRandom()


def _highest():
    try:
        with open(_RANGE) as file:
            return max(int(file.read().split()[0]) - 1, _LOWEST + 1000)
    except OSError:
        return 32_000


def free_port():
    """A port of this machine that nobody listens on now."""
    while True:
        port = _random.randint(_LOWEST, _highest())
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            return port
