"""What systemd and a service tell each other: readiness, the watchdog, sockets that are open already.

By the protocols of sd_notify(3) and sd_listen_fds(3), which are environment variables and datagrams: nothing
of systemd's is needed. Where its variables are not set, nothing is done.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import MutableMapping

from .arguments import CommandError

#: The first descriptor of those that are handed over.
_FIRST_FD = 3


def notify(*lines: str) -> bool:
    """Tell the service manager how it stands, such as ``READY=1``.

    Returns:
        Whether there is one that was told. One that does not listen is no error: the service goes on.
    """
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path.startswith(("/", "@")):
        return False
    address = "\0" + path[1:] if path.startswith("@") else path  # an abstract socket
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asked:
        asked.settimeout(1)
        asked.connect(address)
        asked.sendall("\n".join(lines).encode())
        return True
    return False


def watchdog_seconds() -> float | None:
    """How often the service manager is to hear ``WATCHDOG=1``: half of what it bears; None: never."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    try:
        return max(0.05, int(os.environ["WATCHDOG_USEC"]) / 2e6)
    except (KeyError, ValueError):
        return None


def listening_sockets(environ: MutableMapping[str, str] = os.environ) -> list[tuple[str, socket.socket]]:
    """The sockets that were opened for this process, and what each is called; once: the variables go, so that
    no child takes them for its own.

    Raises:
        CommandError: what was handed over is no listening socket.
    """
    pid, count = environ.pop("LISTEN_PID", ""), environ.pop("LISTEN_FDS", "")
    names = environ.pop("LISTEN_FDNAMES", "").split(":")
    if pid != str(os.getpid()) or not count.isdecimal():
        return []
    found = []
    for place in range(int(count)):
        number = _FIRST_FD + place
        try:
            os.set_inheritable(number, False)
            one = socket.socket(fileno=number)
            listens = bool(one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
        except OSError as error:
            raise CommandError(f"LISTEN_FDS: descriptor {number} is no socket: {error.strerror}") from None
        if not listens or one.type != socket.SOCK_STREAM:
            one.close()
            raise CommandError(
                f"LISTEN_FDS: descriptor {number} is a socket on which nothing can be accepted"
            )
        one.setblocking(False)
        found.append((names[place] if place < len(names) else "", one))
    return found
