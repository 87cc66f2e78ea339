"""Nodes that share their channels by a real Redis: what any of them answered 200 arrives once and in order,
whatever node a request reaches, and whatever is killed, stopped or away.

GAECHANNEL_KILLS says how often a node is killed; `make kills` kills a hundred times.
"""

import contextlib
import os
import random
import signal
import time

import pytest
from redis_server import RedisServer, skip_without_redis
from serving import Ours, Process, Sender, Strange, ask, end
from waiting import until

from gaechannel.server import LocalServer
from gaechannel.server.core import shared_service
from gaechannel.server.core.errors import Refusal
from gaechannel.server.core.redis_scripts import READ

skip_without_redis()

KILLS = int(os.environ.get("GAECHANNEL_KILLS", "2"))


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    server = RedisServer(tmp_path_factory.mktemp("shared") / "redis").start()
    yield server
    server.kill()


class Nodes:
    """Some nodes; who asks for host and port, or for a connection, gets any of them."""

    host = "127.0.0.1"

    def __init__(self, url, count):
        self.nodes = [Process("--redis", url) for _ in range(count)]
        for node, process in [(node, node.begin()) for node in self.nodes]:
            node.is_up(process)
        self.chance = random.Random(count)

    @property
    def port(self):
        return self.chance.choice(self.nodes).port

    def connection(self):
        return self.chance.choice(self.nodes).connection()

    def create(self, client_id):
        return self.nodes[0].create(client_id)

    def end(self):
        for node in self.nodes:
            node.kill()


@pytest.fixture(scope="module")
def nodes(redis):
    made = Nodes(redis.url, 2)
    yield made
    made.end()


@contextlib.contextmanager
def load(nodes, clients=3):
    """Sends and listens as long as it lasts; all that was answered has come at its end."""
    names = [f"client {number} of {time.monotonic_ns()}" for number in range(clients)]
    listeners = [Strange(nodes, nodes.create(name)) for name in names]
    senders = [Sender(nodes, name) for name in names]
    for thread in (*listeners, *senders):
        thread.start()
    try:
        yield senders
    finally:
        for sender in senders:
            sender.end()
    answered = end(listeners, senders)
    print(f"{answered} messages answered, all arrived once and in order")


@pytest.mark.timeout(60 + 20 * KILLS)
def test_nodes_are_killed(nodes):
    with load(nodes) as senders:
        for number in range(KILLS):
            node = nodes.nodes[number % len(nodes.nodes)]
            for sender in senders:
                sender.must_have(5)
            time.sleep(nodes.chance.uniform(0, 0.3))  # the moment of the kill is chance
            node.end(node.processes[-1], signal.SIGKILL)
            node.start()


@pytest.mark.timeout(120)
def test_a_node_is_ended_and_followed_by_the_next(nodes):
    with load(nodes) as senders:
        for node in nodes.nodes:
            for sender in senders:
                sender.must_have(20)
            assert node.end(node.processes[-1], signal.SIGTERM) == ""
            node.start()


@pytest.mark.timeout(120)
def test_a_node_is_stopped_and_wakes_up_after_others_have_gone_on(nodes):
    with load(nodes) as senders:
        for sender in senders:
            sender.must_have(20)
        stopped = nodes.nodes[0].processes[-1]
        stopped.send_signal(signal.SIGSTOP)
        others = nodes.nodes.pop(0)
        for sender in senders:
            sender.must_have(20)
        stopped.send_signal(signal.SIGCONT)
        nodes.nodes.append(others)
        for sender in senders:
            sender.must_have(20)


@pytest.mark.timeout(120)
def test_redis_is_killed_and_comes_back(redis, nodes):
    with load(nodes) as senders:
        for _ in range(2):
            for sender in senders:
                sender.must_have(20)
            redis.kill()
            time.sleep(0.3)
            redis.start()
        for sender in senders:
            sender.must_have(20)


@pytest.mark.timeout(120)
def test_what_a_full_redis_cannot_take_on_is_refused_and_nothing_else_is_lost(redis, nodes):
    with load(nodes) as senders:
        for sender in senders:
            sender.must_have(20)
        assert redis.says(b"CONFIG SET maxmemory 100kb") == b"+OK\r\n"
        with contextlib.closing(nodes.connection()) as connection:
            assert ask(connection, "send", client_id=senders[0].client_id, message="-1") is None
        assert redis.says(b"CONFIG SET maxmemory 0") == b"+OK\r\n"
        for sender in senders:
            sender.must_have(20)


@pytest.mark.timeout(60)
def test_keep_alives_leave_ids_to_messages(redis):
    """They go out under an id that the client has, to this project's client and to a stranger."""
    client_id = f"silent {time.monotonic_ns()}"
    with LocalServer(redis=redis.url, keepalive=0.05) as one, LocalServer(redis=redis.url) as two:
        ours, strange = Ours(one, one.create_channel(client_id)), Strange(one, two.create_channel(client_id))
        for thread in (ours, strange):
            thread.start()
        until(lambda: one.service.traffic.back_channels == 2)
        for number in range(5):
            before = ours.client.stats.bytes
            until(lambda before=before: ours.client.stats.bytes >= before + 60)  # some keep-alives
            (one, two)[number % 2].send_message(client_id, str(number))
            until(lambda number=number: ours.got[-1:] == strange.got[-1:] == [number])
        assert strange.aid == ours.client.aid == 6
        assert ours.end() == strange.end() == [0, 1, 2, 3, 4]


def test_what_cannot_be_read_at_once_is_read_later(redis, monkeypatch):
    """A Redis that loads its data tells a node of arrays already, and refuses to give them."""
    monkeypatch.setattr(shared_service, "_READ_AGAIN_SECONDS", 0.05)
    client_id = f"late {time.monotonic_ns()}"
    with LocalServer(redis=redis.url) as server:
        listener = Strange(server, server.create_channel(client_id))
        listener.start()
        until(lambda: server.service.traffic.back_channels == 1)
        ask_redis, refused = server.service.link.ask, []

        async def ask(script, *words):
            if script is READ and len(refused) < 3:
                refused.append(words)
                raise Refusal(503, "The store cannot be reached")
            return await ask_redis(script, *words)

        monkeypatch.setattr(server.service.link, "ask", ask)
        server.send_message(client_id, "7" + " " * 9000)  # too long to be told
        until(lambda: listener.got == [7])
        assert len(refused) == 3
        assert listener.end() == [7]


def test_that_redis_is_away_is_told_once(tmp_path):
    redis = RedisServer(tmp_path / "away").start()
    words = tmp_path / "words"
    node = Process("--redis", redis.url, words=words)
    process = node.start()
    try:
        redis.kill()
        until(lambda: "tells us no more" in words.read_text())
        time.sleep(0.5)  # it is asked again, in vain
        redis.start()
        until(lambda: "tells us again" in words.read_text())
        node.end(process, signal.SIGTERM)
    finally:
        node.kill()
        redis.kill()
    err = words.read_text()
    assert err.count("tells us no more") == err.count("tells us again") == 1, err
    assert len(err.splitlines()) <= 4, err
