"""The npm package against this package's own server.

GAECHANNEL_CHAOS says how many messages go each way through the proxy that cuts.
"""

import os
import threading

import pytest
from chaos_proxy import ChaosProxy
from waiting import until

from gaechannel.server import LocalServer

COUNT = int(os.environ.get("GAECHANNEL_CHAOS", "1000"))
TEXTS = ["", "plain", "é€😀", "\u2028\u2029\0\x7f", "\"\\/'", "x" * 30_000]


def test_messages_of_a_channel_come_and_leaving_the_loop_ends_it(run):
    with LocalServer() as server:
        token = server.create_channel("me")
        for text in TEXTS:
            server.send_message("me", text)
        assert run("receive.mjs", server.base_url, token, len(TEXTS)) == {"got": TEXTS, "state": "closed"}


def test_a_worker_receives(run):
    with LocalServer() as server:
        token = server.create_channel("me")
        for text in TEXTS:
            server.send_message("me", text)
        assert run("worker.mjs", server.base_url, token, len(TEXTS)) == TEXTS


class Echo:
    """The server's side of a session: answers each message, and remembers it."""

    def __init__(self, session):
        self.sid, self.got, self._session = session.sid, [], session
        session.on_message = self._answer

    def _answer(self, message):
        self.got.append(message["n"])
        self._session.send(message["echo"])


def exchange(run, count, **options):
    """Exchange messages with a server over a proxy that does all that it can; the proxy."""
    options = {"maxBackoff": 20, "timeout": 1000, "requestTimeout": 1000, **options}
    sessions = {}
    with LocalServer() as server:
        server.browserchannel.on_session = lambda one: sessions.setdefault(one.sid, Echo(one))
        with ChaosProxy(server.port, seed=5) as proxy:
            said = run("exchange.mjs", f"{proxy.url}/channel", count, options, seconds=3000)
    assert (said["got"], said["wrong"]) == (count, 0)
    assert sessions[said["sid"]].got == list(range(count))
    return proxy


@pytest.mark.timeout(3600)
def test_what_goes_through_a_proxy_that_cuts_comes_once_and_in_order(run):
    proxy = exchange(run, COUNT)
    assert sum(count for fate, count in proxy.fates.items() if fate != "pass") > 0


@pytest.mark.timeout(3600)
def test_a_channels_messages_come_once_and_in_order_through_it(run):
    options = {"maxBackoff": 20, "timeout": 1000, "requestTimeout": 1000}
    with LocalServer() as server, ChaosProxy(server.port, seed=7) as proxy:
        token = server.create_channel("me")
        proxy.calm = True  # a first request that fails is the caller's to repeat

        def send():
            until(lambda: server.service.is_connected("me"))
            proxy.calm = False
            for number in range(COUNT):
                until(lambda: server.service.outstanding("me") < 100_000)
                server.send_message("me", f"{number} é😀")

        sender = threading.Thread(target=send)
        sender.start()
        said = run("receive.mjs", f"{proxy.url}/talkgadget", token, COUNT, options, seconds=3000)
        sender.join()
    assert said == {"got": [f"{number} é😀" for number in range(COUNT)], "state": "closed"}
    assert sum(count for fate, count in proxy.fates.items() if fate != "pass") > 0
