"""A channel that meets, at random, all that servers, proxies and networks were ever seen to do: each message
arrives once and in order, or somebody says that it does not.

GAECHANNEL_STRANGERS says how many messages go each way; `make strangers` sends a million.
"""

import contextlib
import gc
import json
import os
import threading
import time
from array import array
from pathlib import Path

import pytest
from chaos_proxy import ChaosProxy
from stranger import Numbers, Stranger

from gaechannel import (
    BrowserChannel,
    ChannelError,
    MapsRefused,
    TalkMessageCorrupted,
    WebChannel,
    WebChannelError,
)

COUNT = int(os.environ.get("GAECHANNEL_STRANGERS", "0"))
#: How many numbers may be on their way at once. The fewer, the more requests it takes, and so the more faults
#: a message; what takes the time is waiting for what never comes, so a million has more on its way instead.
WINDOW = max(30, COUNT // 5000)
OPTIONS = {"max_backoff": 0.02, "timeout": 1.0, "request_timeout": 1.0}


def resident_bytes():
    """The process's resident memory, the servers' included."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


class Exchange:
    """Sends numbers, and takes what comes back and what is raised."""

    def __init__(self, channel, count):
        self.channel = channel
        self.count = count
        self.room = threading.Semaphore(WINDOW)
        self.got = array("L")
        self.seen = Numbers()
        self.controls = []
        self.refused = []
        self.poisoned = 0
        self.errors = 0
        self.resident = []

    @property
    def settled(self):
        # Some of those that were refused had been taken in a try whose answer was lost.
        return len(self.seen) + self.poisoned

    def run(self):
        while self.channel.sid is None:  # the opening request is the caller's to repeat
            with contextlib.suppress(ChannelError):
                self.channel.connect()
        sender = threading.Thread(target=self.send)
        sender.start()
        try:
            while self.settled < self.count:
                self.take()
        finally:
            self.room.release(self.count)
            sender.join()

    def send(self):
        web = isinstance(self.channel, WebChannel)
        for number in range(self.count):
            self.room.acquire()
            if web:
                self.channel.send({"n": number})
            else:
                self.channel.send_json({"n": number})

    def take(self):
        """Until all is settled, or something is raised that was to be expected."""
        try:
            for message in self.channel:
                if isinstance(message, dict):
                    number = message["n"]
                    assert message["t"] == "é😀" * (number % 7)
                    self.got.append(number)
                    self.seen.add(number)
                    self.room.release()
                    if len(self.got) % (self.count // 10) == 0:
                        self.resident.append(resident_bytes())
                else:
                    self.controls.append(message)
                if self.settled == self.count:
                    return
        except TalkMessageCorrupted:
            self.poisoned += 1
            self.room.release()
        except WebChannelError:
            self.errors += 1
        except MapsRefused as error:
            maps = [one for _, one in error.maps]
            numbers = [json.loads(one["JSON"])["n"] if "JSON" in one else one["n"] for one in maps]
            self.refused += numbers
            for number in numbers:
                self.seen.add(number)
            self.room.release(len(numbers))


@pytest.mark.skipif(COUNT == 0, reason="make strangers runs it")
# Of the servers here, whose clients vanish on purpose.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.timeout(max(300, COUNT // 40))
@pytest.mark.parametrize(
    ("make", "dialect", "seed"),
    [
        (BrowserChannel, "browserchannel", 1),
        (lambda url, **options: BrowserChannel(url, buffered=True, **options), "browserchannel", 2),
        (WebChannel, "webchannel", 3),
    ],
    ids=["browserchannel", "buffered", "webchannel"],
)
def test_each_message_arrives_once_and_in_order(log, make, dialect, seed):
    # One of them at full length is enough.
    count = COUNT if seed == 1 else min(COUNT, 20_000) // 4
    started = time.monotonic()
    with Stranger(dialect, seed) as server, ChaosProxy(server.port, seed) as proxy:
        channel = make(f"{proxy.url}/channel", logger=log, **OPTIONS)
        exchange = Exchange(channel, count)
        try:
            exchange.run()
        finally:
            proxy.calm = server.calm = True
            channel.close()
        said = f"{count} in {time.monotonic() - started:.0f} s, {channel.stats}, {server.did}"
        print(said)
        if server.failure:
            raise server.failure
    assert list(exchange.got) == [number for number in server.numbers if number not in server.poisoned]
    assert list(server.numbers) == sorted(set(server.numbers))
    assert set(server.numbers) | server.refused == set(range(count))
    assert set(exchange.refused) == server.refused
    assert len(exchange.refused) == len(server.refused)
    assert exchange.poisoned == len(server.poisoned)
    assert exchange.errors == server.errors
    assert exchange.controls == server.controls
    assert len(server.did) > min(20, count // 200), said
    # Less than 50 bytes a message: of the tenth that is refused, this test itself keeps the numbers in a set.
    first, last = exchange.resident[1], exchange.resident[-1]
    print(f"resident: {[size >> 20 for size in exchange.resident]} MiB")
    assert last - first < (8 << 20) + 50 * count
