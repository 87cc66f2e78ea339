"""A node whose way to Redis is cut, while others' are not; Redis' clock is set; it has forgotten."""

import contextlib
import time

import pytest
from link_proxy import LinkProxy
from redis_server import RedisServer, skip_without_redis
from serving import Process, ask
from waiting import until
from wire_by_hand import Peer, Talk, texts

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
            node.processes[-1].kill()
            node.processes[-1].communicate()
        redis.kill()


def comes(connection, stream, number):
    """A message that is sent now arrives."""
    assert ask(connection, "send", client_id="client", message=str(number)) == ""
    while not (came := texts([stream.next()])):
        pass
    assert came == [str(number)]


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
    node = Process("--redis", redis.url, "--session-timeout", "3")
    node.start()
    script = b'"' + STEP.replace(b"\n", b" ") + b'"'
    try:
        talk = Talk(node, node.create("client")).connect()
        with contextlib.closing(talk.back()) as stream, contextlib.closing(node.connection()) as connection:
            comes(connection, stream, 0)
            until(lambda: redis.says(b"EXISTS {gaechannel}looked") == b":1\r\n")
            for step in (-3_600_000, 3_600_000, -86_400_000):  # the clock is put forward, back, and forward
                assert redis.says(b"EVAL %b 0 %d" % (script, step)) == b"$7\r\nstepped\r\n"
                time.sleep(1)  # leases are looked at
                comes(connection, stream, step)
        # Who is heard of no more goes all the same.
        until(lambda: redis.says(b"ZCARD {gaechannel}leases") == b":0\r\n")
    finally:
        node.processes[-1].kill()
        node.processes[-1].communicate()
        redis.kill()


@pytest.mark.timeout(90)
@pytest.mark.parametrize("listens", ["meanwhile", "again"])
def test_what_is_sent_after_a_redis_that_lacks_arrays_took_over_arrives(tmp_path, listens):
    """A replica that had not been told of the last arrays gives their ids again, to others."""
    redis, replica = (RedisServer(tmp_path / name).start() for name in ("redis", "replica"))
    node = Process()
    try:
        with LinkProxy(redis.port) as link:
            assert replica.says(b"REPLICAOF 127.0.0.1 %d" % redis.port) == b"+OK\r\n"
            node.arguments = ("--redis", f"redis://127.0.0.1:{link.port}", "--session-timeout", "20")
            node.start()
            talk = Talk(node, node.create("client")).connect()
            session = b"{gaechannel}s:" + talk.sid.encode()
            with contextlib.closing(node.connection()) as connection:
                with contextlib.closing(talk.back()) as stream:
                    comes(connection, stream, 0)
                    both = [
                        lambda one=one: one.says(b"HMGET %b next node" % session) for one in (redis, replica)
                    ]
                    until(lambda: both[0]() == both[1]())
                    assert replica.says(b"REPLICAOF NO ONE") == b"+OK\r\n"
                    for number in range(1, 9):
                        comes(connection, stream, number)
                    if listens == "again":
                        stream.close()
                        until(lambda: redis.says(b"HGET %b node" % session) == b"$0\r\n\r\n")
                    link.server_port = replica.port
                    redis.kill()
                    link.cut_all()
                    if listens == "meanwhile":
                        assert stream.next() is None
                with contextlib.closing(talk.back(aid=10)) as refused:
                    assert refused.status == 400
                with contextlib.closing(Talk(node, talk.params["token"]).connect().back()) as stream:
                    comes(connection, stream, 9)
    finally:
        for process in node.processes:
            process.kill()
            process.communicate()
        for server in (redis, replica):
            server.kill()
