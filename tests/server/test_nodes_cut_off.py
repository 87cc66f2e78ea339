"""A node that is cut off, or stands still half-way, or has its clock set; a Redis that has forgotten."""

import contextlib
import json
import os
import shutil
import signal

import pytest
from link_proxy import LinkProxy
from redis_server import RedisServer, skip_without_redis
from serving import Process, ask
from waiting import until
from wire_by_hand import Peer, Talk, texts

from gaechannel.server import LocalServer

skip_without_redis()


def ready(node):
    return Peer(node, "").get("/readyz").status


@pytest.mark.timeout(90)
@pytest.mark.parametrize("how", ["cut", "silent"])
def test_clients_of_a_node_that_is_cut_off_go_to_another_in_time(tmp_path, how):
    redis = RedisServer(tmp_path / "redis").start()
    nodes = []
    try:
        with LinkProxy(redis.port) as link:
            for port in (link.port, redis.port):
                nodes.append(Process("--redis", f"redis://127.0.0.1:{port}", "--session-timeout", "8"))
                nodes[-1].start()
            lonely, other = nodes
            talk = Talk(lonely, lonely.create("client")).connect()
            with contextlib.closing(talk.back()) as stream:
                setattr(link, how, True)
                if how == "cut":
                    link.cut_all()
                with contextlib.closing(other.connection()) as connection:
                    assert ask(connection, "send", client_id="client", message="meanwhile") == ""
                with pytest.raises((OSError, AssertionError, ValueError)):
                    assert stream.next() is not None, "it has ended"  # long before the session does
            assert ready(lonely) == 503
            assert ready(other) == 200
            talk.server = other
            with contextlib.closing(talk.back()) as stream:
                assert stream.status == 200
                while not (came := texts([stream.next()])):
                    pass
                assert came == ["meanwhile"]
            setattr(link, how, False)
            until(lambda: ready(lonely) == 200)
    finally:
        for node in nodes:
            node.kill()
        redis.kill()


def comes(connection, stream, number):
    """A message that is sent now arrives."""
    assert ask(connection, "send", client_id="client", message=str(number)) == ""
    while not (came := texts([stream.next()])):
        pass
    assert came == [str(number)]


def ask_to_send(connection, text):
    """Ask a node to send a message that it may have been asked for before."""
    headers = {"Authorization": "Bearer secret", "Content-Type": "application/json", "Idempotency-Key": text}
    connection.request("POST", "/admin/send", json.dumps({"messages": [["client", text]]}), headers)


@pytest.mark.timeout(90)
@pytest.mark.parametrize("then", [signal.SIGSTOP, signal.SIGKILL], ids=["stopped", "killed"])
def test_what_redis_took_of_a_node_that_never_heard_so_comes_once(tmp_path, then):
    """The node stands still, or ends, between Redis' doing and its own hearing of it."""
    redis = RedisServer(tmp_path / "redis").start()
    nodes = []
    try:
        with LinkProxy(redis.port) as link, contextlib.ExitStack() as stack:
            for port in (link.port, redis.port):
                nodes.append(Process("--redis", f"redis://127.0.0.1:{port}"))
                nodes[-1].start()
            talk = Talk(nodes[1], nodes[1].create("client")).connect()
            stream = stack.enter_context(contextlib.closing(talk.back()))
            one, other = (stack.enter_context(contextlib.closing(node.connection())) for node in nodes)
            comes(one, stream, 0)
            # Not deaf before: the question would wait behind one that has no answer.
            link.deaf_after = b"doubted"
            ask_to_send(one, "doubted")
            while not (came := texts([stream.next()])):
                pass
            assert came == ["doubted"]
            link.deaf_after = None
            nodes[0].processes[-1].send_signal(then)
            ask_to_send(other, "doubted")
            answer = other.getresponse()
            assert (answer.status, json.load(answer)) == (200, {"dropped": []})
            comes(other, stream, 1)
            if then == signal.SIGSTOP:
                link.deaf = False
                nodes[0].processes[-1].send_signal(signal.SIGCONT)
                answer = one.getresponse()
                assert (answer.status, json.load(answer)) == (200, {"dropped": []})
                comes(one, stream, 2)
    finally:
        for node in nodes:
            node.kill()
        redis.kill()


def look_at_leases(redis):
    """Wait until the nodes have done so once more."""
    when = b"HGET {gaechannel}looked last"
    last = redis.says(when)
    until(lambda: redis.says(when) != last)


#: What the clock of Redis says is less than what stands in its keys, or more, by so many ms.
STEP = b"""
local P, step = '{gaechannel}', ARGV[1]
for _, sid in ipairs(redis.call('ZRANGE', P .. 'leases', 0, -1)) do
    redis.call('ZINCRBY', P .. 'leases', step, sid)
end
redis.call('HINCRBY', P .. 'looked', 'last', step)
redis.call('HINCRBY', P .. 'looked', 'grace', step)
return 'stepped'
"""


@pytest.mark.timeout(90)
def test_sessions_outlive_steps_of_the_clock_of_redis(tmp_path):
    redis = RedisServer(tmp_path / "redis").start()
    node = Process("--redis", redis.url, "--session-timeout", "5")
    node.start()
    script = b'"' + STEP.replace(b"\n", b" ") + b'"'
    try:
        talk = Talk(node, node.create("client")).connect()
        unheard = Talk(node, node.create("another")).connect()  # no back channel keeps it
        with contextlib.closing(talk.back()) as stream, contextlib.closing(node.connection()) as connection:
            comes(connection, stream, 0)
            until(lambda: redis.says(b"EXISTS {gaechannel}looked") == b":1\r\n")
            for step in (-3_600_000, 3_600_000, -86_400_000):  # the clock is put forward, back, and forward
                assert redis.says(b"EVAL %b 0 %d" % (script, step)) == b"$7\r\nstepped\r\n"
                look_at_leases(redis)
                comes(connection, stream, step)
                assert unheard.send({}).status == 200
        # Who is heard of no more goes all the same.
        until(lambda: redis.says(b"ZCARD {gaechannel}leases") == b":0\r\n", 40)
    finally:
        node.kill()
        redis.kill()


#: Has a node's clock be as many seconds ahead as a file says.
AHEAD = """
import pathlib, time
step, now = pathlib.Path({!r}), time.time
time.time = lambda: now() + float(step.read_text())
"""


@pytest.mark.timeout(90)
def test_sessions_outlive_steps_of_the_clock_of_a_node(tmp_path, monkeypatch):
    """Tokens alone ask for it, which are valid for two hours."""
    step = tmp_path / "step"

    def ahead(seconds):
        (tmp_path / "new").write_text(str(seconds))
        (tmp_path / "new").replace(step)

    ahead(0)
    (tmp_path / "sitecustomize.py").write_text(AHEAD.format(str(step)))
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    redis = RedisServer(tmp_path / "redis").start()
    node = Process("--redis", redis.url, "--session-timeout", "5")
    node.start()
    try:
        talk = Talk(node, node.create("client")).connect()
        with contextlib.closing(talk.back()) as stream, contextlib.closing(node.connection()) as connection:
            for seconds in (3600, -86_400, 0):
                ahead(seconds)
                comes(connection, stream, seconds)
                look_at_leases(redis)
                comes(connection, stream, seconds + 1)
        ahead(3 * 3600)
        assert Talk(node, talk.params["token"]).open().status == 401  # it is this clock that was set
    finally:
        node.kill()
        redis.kill()


class Copies:
    """A Redis that can come back as it was some time ago, as one whose last arrays have been lost does."""

    def __init__(self, folder, how):
        self.first = RedisServer(folder / "redis", "--repl-diskless-sync-delay", "0").start()
        self.second = (
            RedisServer(folder / "copy") if how == "log" else RedisServer(folder / "replica").start()
        )
        self.how = how

    def begin(self):
        """The way to the first."""
        if self.how != "log":
            assert self.second.says(b"REPLICAOF 127.0.0.1 %d" % self.first.port) == b"+OK\r\n"
        return LinkProxy(self.first.port)

    def part(self):
        """Nothing from now on is in the second."""
        if self.how == "log":
            shutil.copytree(self.first.folder / "appendonlydir", self.second.folder / "appendonlydir")
            return
        until(lambda: b"state=online" in (said := self.first.says(b"INFO replication")) and b"lag=0" in said)
        assert self.first.says(b"SET {gaechannel}parted 1") == b"+OK\r\n"
        until(lambda: self.second.says(b"EXISTS {gaechannel}parted") == b":1\r\n")
        assert self.second.says(b"REPLICAOF NO ONE") == b"+OK\r\n"

    def change(self, link):
        """The second is there instead of the first."""
        if self.how == "demoted":  # it goes on to tell whoever listens there what the other tells
            link.server_port = self.second.port
            assert self.first.says(b"REPLICAOF 127.0.0.1 %d" % self.second.port) == b"+OK\r\n"
            return
        self.first.kill()
        if self.how == "log":
            self.second.start()
        link.server_port = self.second.port
        link.cut_all()

    def kill(self):
        for one in (self.first, self.second):
            one.kill()


@pytest.mark.timeout(90)
@pytest.mark.parametrize(
    ("how", "had"),
    [
        pytest.param("replica", 10, id="a replica, away"),
        pytest.param("replica", None, id="a replica, listening"),
        pytest.param("demoted", None, id="a replica, listening to the one before"),
        pytest.param("log", 6, id="a log, away, not given all"),
        pytest.param("log", None, id="a log, listening"),
    ],
)
def test_what_is_sent_after_redis_has_forgotten_arrays_arrives(tmp_path, how, had):
    """Their ids are given to none of those that come after them, though these be more than they."""
    copies = Copies(tmp_path, how)
    node = Process()
    try:
        with copies.begin() as link:
            node.arguments = ("--redis", f"redis://127.0.0.1:{link.port}", "--session-timeout", "20")
            node.start()
            talk = Talk(node, node.create("client")).connect()
            with contextlib.closing(node.connection()) as connection:
                stream = talk.back()
                comes(connection, stream, 0)
                copies.part()
                for number in range(1, 9):
                    comes(connection, stream, number)
                if had is not None:
                    stream.close()
                    name = b"{gaechannel}c:client"
                    until(lambda: b" - " in copies.first.says(b"HGET %b %b" % (name, talk.sid.encode())))
                copies.change(link)
                for number in range(9, 30):
                    assert ask(connection, "send", client_id="client", message=str(number)) == ""
                came = []
                if had is not None:
                    stream = talk.back(aid=had)
                with contextlib.closing(stream):
                    while texts(came)[-1:] != ["29"]:
                        came.append(stream.next())
                assert texts(came) == [str(number) for number in range(9, 30)]
                first = 11 if had is None else had + 1
                ids = [array_id for array_id, data in came if data != ["noop"]]
                assert ids == list(range(first, first + 21))
                # What is not acknowledged is given again; what nobody has any more is not left out.
                with contextlib.closing(talk.back(aid=8 if had is None else first + 18)) as stream:
                    again = [stream.next() for _ in range(2)]
                if had is None:
                    assert again == [[9, ["noop"]], [10, ["noop"]]]
                else:
                    assert texts(again) == ["28", "29"]
    finally:
        node.kill()
        copies.kill()


def test_who_has_an_array_that_has_never_been_is_told_that_the_session_is_lost(tmp_path):
    redis = RedisServer(tmp_path / "redis").start()
    try:
        with LocalServer(redis=redis.url) as server:
            talk = Talk(server, server.create_channel("client")).connect()
            assert talk.refused(aid=2)[0] == 400
            with contextlib.closing(talk.back(aid=1)) as stream:
                assert stream.status == 200
    finally:
        redis.kill()


def test_what_a_session_in_doubt_has_acknowledged_has_ids_that_are_given_to_nothing_else(tmp_path):
    redis = RedisServer(tmp_path / "redis").start()
    try:
        with LocalServer(redis=redis.url) as server:
            talk = Talk(server, server.create_channel("client")).connect()
            assert redis.says(b"HSET {gaechannel}life run 0") == b":0\r\n"  # it was another one
            redis.says(b"CLIENT KILL TYPE normal")
            assert talk.send({}, aid=5).status == 200
            for text in "abc":
                server.send_message("client", text)
            # This request had been on its way for longer than the one with the maps.
            with contextlib.closing(talk.back(aid=1)) as stream:
                came = [stream.next() for _ in range(3)]
            assert texts(came) == ["a", "b", "c"]
            assert [array_id for array_id, _ in came] == [6, 7, 8]
    finally:
        redis.kill()
