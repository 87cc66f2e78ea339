"""Through a proxy that drops, delays, cuts and doubles requests: each thing arrives once and in order.

GAECHANNEL_CHAOS says how many maps and arrays go each way; the nightly figure is 100000.
"""

import contextlib
import os
import threading

import pytest
from chaos_proxy import ChaosProxy
from in_utf8 import in_utf8

from gaechannel import BrowserChannel, ChannelError, WebChannel
from gaechannel.server import LocalServer

COUNT = int(os.environ.get("GAECHANNEL_CHAOS", "2000"))
OPTIONS = {"max_backoff": 0.02, "timeout": 1.0}


# How many maps may be on their way at once: the fewer, the more requests it takes.
WINDOW = 40


class Handler:
    """The server's side of a session: remembers its messages, and sends an array for each."""

    def __init__(self, session):
        self.session = session
        self.messages = []
        session.on_message = self.answer

    def answer(self, message):
        self.messages.append(message)
        self.session.send({"n": message["n"], "t": "é😀" * (message["n"] % 7)})


def connect(channel):
    """The opening request may fail as any other, and is the caller's to repeat."""
    while channel.sid is None:
        with contextlib.suppress(ChannelError):
            channel.connect()


def exchange(channel, handlers, count):
    connect(channel)
    handler = handlers[channel.sid]
    room = threading.Semaphore(WINDOW)
    sender = threading.Thread(target=send_all, args=(channel, count, room))
    sender.start()
    got = []
    for message in channel:
        got.append(message["n"])
        assert message["t"] == "é😀" * (message["n"] % 7)
        room.release()
        if len(got) == count:
            break
    sender.join()
    channel.flush()
    assert got == list(range(count))
    assert handler.messages == [{"n": number} for number in range(count)]
    assert channel.stats.sessions == 1
    assert channel.sid == handler.session.sid


def send_all(channel, count, room):
    for number in range(count):
        room.acquire()
        if isinstance(channel, WebChannel):
            channel.send({"n": number})
        else:
            channel.send_json({"n": number})


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("path", "make", "seed"),
    [
        ("/channel", BrowserChannel, 1),
        ("/channel", lambda url, **options: BrowserChannel(url, buffered=True, **options), 2),
        ("/webchannel", WebChannel, 3),
        ("/webchannel", lambda url, **options: WebChannel(url, fast_handshake=True, **options), 4),
    ],
    ids=["browserchannel", "buffered", "webchannel", "fast handshake"],
)
def test_everything_arrives_once_and_in_order(log, path, make, seed):
    handlers = {}
    # One of the four at full length is enough.
    count = COUNT if seed == 1 else min(COUNT, 1000)
    with (
        LocalServer(backchannel_bytes=3000) as local,
        ChaosProxy(local.port, seed) as proxy,
    ):
        service = in_utf8(local).mounts[path]
        service.on_session = lambda session: handlers.setdefault(session.sid, Handler(session))
        channel = make(proxy.url + path, logger=log, **OPTIONS)
        try:
            exchange(channel, handlers, count)
        finally:
            proxy.calm = True
            channel.close()
    assert len(proxy.fates) > 5
    assert "reconnecting" in log.text.getvalue()
