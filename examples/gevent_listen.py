"""Listen in a program of gevent's greenlets: gevent_listen.py TOKEN [BASE_URL].

A channel waits in C, where no monkey patch reaches: so let it wait in a thread of gevent's pool, while the
hub runs the other greenlets. A greenlet that is killed leaves its `with` block, which closes the channel and
so frees the thread.
"""

from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402 - what gevent patches is imported afterwards
from collections.abc import Callable  # noqa: E402

import gevent  # noqa: E402

from gaechannel import Client  # noqa: E402


def listen(token: str, base_url: str | None, receive: Callable[[str], object]) -> None:
    """Hand each message to `receive`, which runs in this greenlet."""
    pool = (
        gevent.get_hub().threadpool
    )  # of ten threads: a gevent.threadpool.ThreadPool(n) has as many as you say
    with Client(token, base_url=base_url) as client:
        messages = client.messages()
        while (message := pool.apply(next, (messages, None))) is not None:
            receive(message)


def main() -> int:
    if len(sys.argv) not in (2, 3) or sys.argv[1].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2

    ticks = 0
    ended = False

    def receive(message: str) -> None:
        nonlocal ended
        print(f"after {ticks} ticks: {message}", flush=True)
        ended = message == "good-bye"

    listening = gevent.spawn(listen, sys.argv[1], sys.argv[2] if len(sys.argv) == 3 else None, receive)
    while not (ended or listening.ready()):  # what else the program does
        gevent.sleep(0.01)
        ticks += 1
    listening.kill()  # while it waits for a message that does not come
    return 0 if ended else 1


if __name__ == "__main__":
    sys.exit(main())
