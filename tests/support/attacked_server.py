"""A channel server whose application sends to all its clients, while others attack it; a program of its own.

    python attacked_server.py CLIENTS PAUSE

Prints, as JSON, a line with its port and tokens; then sends every client the round's number and the time,
once in PAUSE seconds, until a line comes on standard input; then prints a line with what there was.
"""

import asyncio
import json
import logging
import resource
import sys
import threading
import time

from gaechannel.server import LocalServer

#: Who attacks is a client, too, with messages that it does not read.
ATTACKER = "attacker"


def memory():
    """Peak of the resident memory, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Lag:
    """How late a server's event loop comes to what it has set itself."""

    def __init__(self, server):
        self.worst = 0.0
        server.call(self._begin)

    def _begin(self):
        self._loop = asyncio.get_running_loop()
        self._again()

    def _again(self, due=None):
        if due is not None:
            self.worst = max(self.worst, self._loop.time() - due)
        due = self._loop.time() + 0.01
        self._loop.call_at(due, self._again, due)


def main(clients, pause):
    logging.basicConfig(format="%(levelname)s %(message)s")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (2 * clients + 400, hard))
    options = {
        "header_seconds": 2.0,
        "body_seconds": 3.0,
        "idle_seconds": 5.0,
        "backchannel_seconds": 5.0,
        "session_timeout": 30.0,
        "max_queued": 128 << 20,
        "max_sessions_per_token": 500,
    }
    with LocalServer(admin=None, **options) as server:
        names = [f"client {number}" for number in range(clients)]
        tokens = [server.create_channel(name) for name in names]
        said = {"port": server.port, "attacker": server.create_channel(ATTACKER), "tokens": tokens}
        print(json.dumps(said), flush=True)
        ended = threading.Event()
        threading.Thread(target=lambda: (sys.stdin.readline(), ended.set()), daemon=True).start()
        while not all(map(server.service.is_connected, names)):
            time.sleep(0.02)
        began, rounds, lag = memory(), 0, Lag(server)
        while not ended.wait(pause):
            for name in names:
                server.send_message(name, f"{rounds} {time.time()}")
            server.send_message(ATTACKER, "x" * 30_000)
            rounds += 1
        for name in names:
            server.send_message(name, f"{rounds} {time.time()} last")
        refused, cut = server.counters.refused, server.counters.cut
        said = {"rounds": rounds + 1, "refused": refused, "cut": cut, "memory": (began, memory())}
        print(json.dumps({**said, "lag": lag.worst}))
        sys.stdout.flush()
        sys.stdin.readline()  # all have received


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
