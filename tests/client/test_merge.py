"""Many channels in one iterator."""

import contextlib
import copy
import gc
import math
import os
import pickle
import subprocess
import sys
import threading
import time

import pytest

import gaechannel
from gaechannel import BrowserChannel, ChannelClosed, Client, DevClient, InvalidToken, merge
from gaechannel.server import LocalServer, raise_file_limit


@pytest.fixture
def server():
    with LocalServer() as server:
        yield server


@pytest.fixture
def clients(server):
    clients = [Client(server.create_channel(f"c{i}"), base_url=server.base_url) for i in range(20)]
    yield clients
    for client in clients:
        client.close()


def take(iterator, count):
    return [next(iterator) for _ in range(count)]


def test_each_message_comes_once_and_in_its_channels_order_with_its_channel(server, clients):
    merged = merge(clients)
    for i in range(20):
        for k in range(5):
            server.send_message(f"c{i}", f"{i}:{k}")
    received = {}
    for client, message in take(merged, 100):
        received.setdefault(client, []).append(message)
    assert received == {client: [f"{i}:{k}" for k in range(5)] for i, client in enumerate(clients)}


def test_a_busy_channel_does_not_keep_the_others_waiting(server, clients):
    merged = merge(clients[:2])
    for name in ("c0", "c1"):
        server.send_message(name, "connected")
    take(merged, 2)
    # More than a queue holds: the network has to be read again and again before it is all there.
    for _ in range(10_000):
        server.send_message("c0", "b" * 200)
    for k in range(10):
        server.send_message("c1", f"quiet {k}")
    taken = dict.fromkeys(clients[:2], 1)
    waited = 0
    for _ in range(10_010):
        is_there = clients[1].stats.messages > taken[clients[1]]
        client, _ = next(merged)
        taken[client] += 1
        waited = waited + 1 if is_there and client is clients[0] else 0
        assert waited <= 1
    assert taken == {clients[0]: 10_001, clients[1]: 11}


class Taker:
    """Who takes messages by one merge() of so many channels."""

    def __init__(self, server, count):
        self._names = [f"of {count}: {i}" for i in range(count)]
        self._server = server
        self._clients = [
            Client(server.create_channel(name), base_url=server.base_url) for name in self._names
        ]
        self._merged = merge(self._clients)
        for name in self._names:
            server.send_message(name, "connected")
        take(self._merged, count)
        self.least = math.inf

    def take_some(self):
        """Take some one at a time, and keep the least processor time that its thread has had to give."""
        used = time.thread_time()
        for i in range(40):
            self._server.send_message(self._names[i * 7 % len(self._names)], "one")
            next(self._merged)
        self.least = min(self.least, time.thread_time() - used)

    def close(self):
        for client in self._clients:
            client.close()


def test_a_message_costs_the_same_where_there_are_many_channels(server):
    raise_file_limit(2_000)
    with contextlib.closing(Taker(server, 4)) as few, contextlib.closing(Taker(server, 400)) as many:
        for _ in range(60):  # what else the machine does costs time, too, but not in each round
            few.take_some()
            many.take_some()
            if many.least < 3 * few.least:
                return
        raise AssertionError(f"{many.least} s with 400 channels, {few.least} s with 4")


def test_other_dialects_merge_too(server):
    server.browserchannel.on_session = lambda session: session.send({"hello": 1})
    server.create_channel("dev")
    token = server.create_channel("dev")
    channel = BrowserChannel(server.url + "/channel")
    dev = DevClient(token, server.url)
    server.send_message("dev", "for dev")
    merged = merge([channel, dev])
    assert dict(take(merged, 2)) == {channel: {"hello": 1}, dev: "for dev"}
    channel.close()
    dev.close()
    assert list(merged) == []


def test_a_channel_that_fails_raises_and_the_others_go_on(server, clients):
    bad = Client("forged", base_url=server.base_url)
    server.send_message("c0", "fine")
    merged = merge([bad, clients[0]])
    results = []
    for _ in range(2):
        try:
            results.append(next(merged))
        except InvalidToken as error:
            results.append(error.channel)
    assert sorted(results, key=str) == sorted([bad, (clients[0], "fine")], key=str)


def test_it_ends_when_all_channels_are_closed_from_another_thread(server, clients):
    merged = merge(clients)
    server.send_message("c0", "first")
    next(merged)

    def close_all():
        for client in clients:
            client.close()

    closer = threading.Thread(target=close_all)
    closer.start()
    assert list(merged) == []
    closer.join()


def test_one_closed_before_the_beginning_is_left_out(server, clients):
    merged = merge(clients[:2])
    clients[0].close()
    server.send_message("c1", "still here")
    assert next(merged) == (clients[1], "still here")


def test_a_map_sent_by_another_thread_goes_out_while_it_waits(server):
    received = threading.Event()

    def on_session(session):
        session.on_map = lambda fields: received.set()
        session.send("open")

    server.browserchannel.on_session = on_session
    channel = BrowserChannel(server.url + "/channel")
    merged = merge([channel])
    assert next(merged) == (channel, "open")
    waiter = threading.Thread(target=lambda: list(merged))
    waiter.start()
    channel.send({"x": 1})
    assert received.wait(20)
    channel.close()
    waiter.join()


def test_afterwards_a_channel_can_be_iterated_over_by_itself(server, clients):
    merged = merge(clients[:2])
    server.send_message("c0", "merged")
    assert next(merged) == (clients[0], "merged")
    del merged
    gc.collect()
    server.send_message("c0", "alone")
    assert next(clients[0].messages()) == "alone"


def test_what_is_no_synchronous_channel_or_is_given_twice_is_refused(clients):
    with pytest.raises(TypeError, match="a channel is wanted"):
        merge([clients[0], "no channel"])
    for merge_of_its_own in (merge, gaechannel.aio.merge):
        with pytest.raises(TypeError, match=r"merge\(\) takes channels, in an iterable, not int"):
            merge_of_its_own(5)
    with pytest.raises(ValueError, match="twice"):
        merge([clients[0], clients[0]])
    with pytest.raises(TypeError, match=r"aio\.merge"):
        merge([gaechannel.aio.Client("token")])
    merged = merge([clients[0]])
    with pytest.raises(ValueError, match="being merged"):
        merge([clients[0]])
    del merged
    merge([clients[0]])


def test_a_closed_channel_is_refused(clients):
    clients[0].close()
    with pytest.raises(ChannelClosed):
        merge(clients)


def test_of_no_channels_there_are_no_messages():
    assert list(merge([])) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork()")
def test_a_forked_child_gets_an_exception_and_no_messages_of_its_parents(server, clients):
    merged = merge(clients[:1])
    server.send_message("c0", "one")
    server.send_message("c0", "two")
    next(merged)
    deadline = time.monotonic() + 10
    while clients[0].stats.messages < 2 and time.monotonic() < deadline:
        server.send_message("c0", "more")
        next(merged)
    child = os.fork()
    if child == 0:
        try:
            next(merged)
        except gaechannel.ChannelError:
            os._exit(0)
        os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


class Tokens:
    """Hands out a channel's token; the first so many times there is none."""

    def __init__(self, server, name, failures=0):
        self.server = server
        self.name = name
        self.failures = failures
        self.asked = 0

    def __call__(self):
        self.asked += 1
        if self.asked <= self.failures:
            raise LookupError("no token now")
        return self.server.create_channel(self.name)


def test_callables_are_asked_for_their_tokens(server):
    tokens = [Tokens(server, f"c{number}") for number in range(5)]
    clients = [Client(one, base_url=server.base_url) for one in tokens]
    for one in tokens:
        server.create_channel(one.name)
        server.send_message(one.name, one.name)
    received = dict(take(merge(clients), 5))
    assert received == {client: one.name for client, one in zip(clients, tokens, strict=True)}
    assert [one.asked for one in tokens] == [1] * 5
    for client in clients:
        client.close()


def test_a_callable_that_has_no_token_is_asked_again_after_its_exception(server):
    for name in ("one", "other"):
        server.create_channel(name)
        server.send_message(name, name)
    failing = Client(Tokens(server, "one", failures=2), base_url=server.base_url)
    with failing, Client(server.create_channel("other"), base_url=server.base_url) as other:
        merged = merge([failing, other])
        for _ in range(2):
            with pytest.raises(LookupError, match="no token now") as raised:
                next(merged)
            assert raised.value.channel is failing
        assert {*take(merged, 2)} == {(failing, "one"), (other, "other")}


def test_overridden_urls_are_asked_for(server):
    class Custom(Client):
        asked = 0

        def _get_bind_url(self, **kwargs):
            type(self).asked += 1
            return super()._get_bind_url(**kwargs)

    server.create_channel("me")
    server.send_message("me", "hello")
    with Custom(server.create_channel("me"), base_url=server.base_url) as client:
        assert next(merge([client])) == (client, "hello")
        assert Custom.asked


def test_a_callable_that_never_has_a_token_keeps_nothing_from_the_others(server):
    server.create_channel("other")
    for number in range(3):
        server.send_message("other", str(number))
    failing = [Client(Tokens(server, "x", failures=1 << 30), base_url=server.base_url) for _ in range(2)]
    other = Client(Tokens(server, "other"), base_url=server.base_url)
    merged = merge([failing[0], other, failing[1]])
    got, blamed = [], set()
    deadline = time.monotonic() + 20
    while len(got) < 3 and time.monotonic() < deadline:
        try:
            got.append(next(merged))
        except LookupError as error:
            blamed.add(error.channel)
    assert got == [(other, str(number)) for number in range(3)]
    assert blamed == set(failing)
    for client in (*failing, other):
        client.close()
    assert list(merged) == []


DROPS = """
import asyncio
from gaechannel import _core, aio

def drop(channel, session):
    channel._finish_close()
    raised.append(anext(merged).__next__)
    try:
        raised.pop()()
    except StopAsyncIteration:
        raised.append("the end")

async def main():
    global merged
    merged = aio.merge([aio.BrowserChannel("http://127.0.0.1:1", on_session=drop)])
    async for _ in merged:
        pass

raised = []
asyncio.run(main())
assert raised == ["the end"]
"""


def test_a_callable_may_have_the_channel_dropped_that_is_being_begun():
    # What is freed is overwritten, so that whoever still uses it crashes.
    environment = {"PYTHONMALLOC": "debug", **os.environ}
    program = [sys.executable, "-c", DROPS]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_error_gets_out_of_another_process_though_its_channel_cannot(server):
    with Client("nonsense", base_url=server.base_url) as failing:
        with pytest.raises(InvalidToken) as raised:
            next(merge([failing]))
        error = raised.value
        assert error.channel is failing
        for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
            assert type(twin) is InvalidToken
            assert str(twin) == str(error)
            assert twin.__dict__ == {name: value for name, value in vars(error).items() if name != "channel"}


@pytest.mark.parametrize("kind", gaechannel.errors.__all__)
def test_every_error_that_names_a_channel_can_be_pickled(kind):
    given = {"WebChannelError": [{"code": 7, "message": "no"}], "ParseError": ["no", 3]}.get(kind, ["no"])
    error = getattr(gaechannel.errors, kind)(*given)
    error.channel = threading.Lock()
    error.more = "more"
    twin = pickle.loads(pickle.dumps(error))
    assert (type(twin), str(twin), twin.more) == (type(error), str(error), "more")
    assert not hasattr(twin, "channel")
