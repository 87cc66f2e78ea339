"""Code as it was written for the 2011 module goes on working, unchanged but for where the server is."""

import logging
import threading
import time

import pytest
from hostile import TalkServer, cut, hang_up, messages, ok, reply, streams

import gaechannel
from gaechannel.server import LocalServer

pytestmark = pytest.mark.timeout(30)


def test_the_shortest_program(monkeypatch):
    with LocalServer() as server:
        monkeypatch.setenv("GAECHANNEL_BASE_URL", server.base_url)
        token = server.create_channel("me")
        for text in ("one", "two"):
            server.send_message("me", text)
        got = []
        chan = gaechannel.Client(token)
        chan.logger.setLevel(logging.WARNING)
        for msg in chan.messages():
            got.append(msg)
            if msg == "two":
                break
        assert got == ["one", "two"]


class Listener(threading.Thread):
    """A worker as bots had it: it listens, and when the network breaks it listens again."""

    def __init__(self, token, wanted, **options):
        super().__init__(daemon=True)
        self.client = gaechannel.Client(token, logging.getLogger("bot"), **options)
        self.wanted = wanted
        self.got = []
        self.broken = 0

    def run(self):
        while len(self.got) < self.wanted:
            try:
                for msg in self.client.messages():
                    self.handle(msg)
                    if len(self.got) == self.wanted:
                        break
            except IOError:  # noqa: UP024 - as it was written in 2011
                self.broken += 1
                time.sleep(0.001)

    def handle(self, msg):
        self.got.append(msg)


def test_a_program_that_catches_ioerror_and_goes_on_loses_nothing():
    back = []
    for number in range(1, 31):
        back += [ok(messages(number, f"m{number}")[:-5]), ok(messages(number, f"m{number}")), hang_up, cut]
    back += [streams(messages(31, "last"))]
    with TalkServer(back=back) as server:
        listener = Listener("token", 31, base_url=server.base_url, auto_reconnect=False)
        listener.start()
        listener.join(20)
        assert listener.got == [f"m{number}" for number in range(1, 31)] + ["last"]
        assert listener.broken >= 30
        assert len(server.of("opening")) == 1
        aids = [int(request.query["AID"]) for request in server.of("back")]
        assert aids == sorted(aids)


def test_the_same_with_a_server_that_comes_and_goes():
    server = LocalServer(port=0)
    with server:
        listener = Listener(server.create_channel("me"), 50, base_url=server.base_url, auto_reconnect=False)
        listener.start()
        for number in range(50):
            server.send_message("me", str(number))
            if number % 10 == 5:
                server.kill()
                server.start()
        listener.join(20)
    assert listener.got == [str(number) for number in range(50)]
    listener.client.close()


def test_a_program_that_stops_by_an_exception_of_its_own_can_go_on():
    class Enough(Exception):
        pass

    with TalkServer(back=streams(messages(1, "a", "b", "c"))) as server:
        client = gaechannel.Client("token", base_url=server.base_url)
        with pytest.raises(Enough):  # noqa: PT012 - it is the loop that is tested
            for _ in client.messages():
                raise Enough
        assert next(client.messages()) == "b"
        client.close()


def test_a_program_that_polls_by_hand():
    class Polling(gaechannel.Client):
        def _get_bind_url(self, **kwargs):
            return super()._get_bind_url(**kwargs) + "&via=proxy"

    with TalkServer(back=[ok(messages(1, "a")), reply(b"", "500 Oops"), ok(messages(2, "b", "c"))]) as server:
        client = Polling("token", base_url=server.base_url)
        if not client.is_initialized():
            client.initialize()
        client._fetch_sid()
        client._connect()
        got = []
        while len(got) < 3:
            try:
                for msg in client.long_poll_messages():
                    got.append((client._msg_id, msg))  # noqa: PERF401
            except IOError:  # noqa: UP024
                pass
        assert [text for _, text in got] == ["a", "b", "c"]
        assert all(request.query.get("via") for request in server.of("back"))
        client.close()
