"""A Redis that cannot be used, and what is none: a line says why, without the password, and `serve` ends."""

import asyncio
import contextlib
import re
import socket
import subprocess

import pytest
from ports import free_port
from redis_server import RedisServer, skip_without_redis
from serving import Process
from thread_server import ThreadServer
from tls import certified
from waiting import until

pytest.importorskip("redis", reason="redis-py is not installed: pip install gaechannel[redis]")

from gaechannel.server.core import redis_link
from gaechannel.server.core.shared_service import SharedChannelService
from gaechannel.server.core.store import StoreError

skip_without_redis()


class Answering(ThreadServer):
    """Answers each command with the same, or not at all; several may come in one segment."""

    def __init__(self, answer, ends=False):
        super().__init__()
        self._answer, self._ends = answer, ends

    async def _handle(self, reader, writer):
        with contextlib.suppress(OSError):
            while words := await reader.readline():
                for _ in range(2 * int(words[1:])):  # each word's length, and the word
                    await reader.readline()
                writer.write(self._answer)
                await writer.drain()
                if self._ends:
                    return


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    server = RedisServer(tmp_path_factory.mktemp("unusable") / "redis").start()
    server.says(b"ACL SETUSER alice on >secret-word +@all ~{gaechannel}* &{gaechannel}*")
    server.says(b"ACL SETUSER deaf on >secret-word +@all ~* resetchannels")
    server.says(b"ACL SETUSER dumb on >secret-word +@all -evalsha ~* &*")
    server.says(b"ACL SETUSER blind on >secret-word +@all ~other* &*")
    yield server
    server.kill()


def with_user(redis, user, password="secret-word"):
    return redis.url.replace("//", f"//{user}:{password}@")


def why(*urls):
    """What is said of each URL."""

    async def ask(url):
        with pytest.raises(StoreError) as told:
            await SharedChannelService(url).take_up()
        return str(told.value)

    async def ask_all():
        return await asyncio.gather(*map(ask, urls))

    said = asyncio.run(ask_all())
    for words in said:
        assert words.startswith("Redis "), words
        assert "\n" not in words
        assert "secret-word" not in words
    return said


def serve(url):
    """It can be used."""

    async def use():
        service = SharedChannelService(url)
        await service.take_up()
        assert await service.create("client")
        assert await service.send("client", "message")
        await service.leave_to_others()

    asyncio.run(use())


@pytest.mark.parametrize(
    ("place", "command"),
    [(2, b"ZADD {gaechannel}leases 1 sid"), (3, b"HSET {gaechannel}life run 1 since 0 form 2")],
)
def test_sessions_of_another_version_are_left_alone(redis, place, command):
    redis.says(b"SELECT %d\r\n%b" % (place, command))
    (words,) = why(f"{redis.url}/{place}")
    assert "another version of gaechannel has its sessions in {gaechannel}*" in words
    serve(f"{redis.url}/1")


def test_who_is_not_let_in_is_told_in_a_line(redis):
    serve(with_user(redis, "alice"))
    process = Process("--redis", with_user(redis, "alice", "wrong")).begin()
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    words = "gaechannel: --redis: Redis does not let us in: invalid username-password pair.*\n"
    assert re.fullmatch(words, err)
    deaf, dumb, blind = why(*(with_user(redis, user) for user in ("deaf", "dumb", "blind")))
    # Redis 8 says it in other words than 7.
    assert "permissions to access" in deaf
    assert "permissions to run the 'evalsha'" in dumb
    assert "permissions to access" in blind


def test_addresses_that_nobody_has(tmp_path):
    port = free_port()
    free, there, other, odd = why(
        f"redis://:secret-word@127.0.0.1:{port}",
        f"unix://{tmp_path}/none",
        "http://127.0.0.1",
        "redis://127.0.0.1:x",
    )
    assert "cannot be used: Error 111 connecting to 127.0.0.1" in free
    assert "No such file" in there
    assert "redis://, rediss://, unix://" in other
    assert "Port" in odd


def test_what_is_no_redis_or_one_of_old(redis, monkeypatch):
    monkeypatch.setattr(redis_link, "_ANSWER_SECONDS", 1.0)
    page = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
    old = b"$21\r\nredis_version:6.2.1\r\n\r\n"
    with Answering(page, ends=True) as http, Answering(b"") as silent, Answering(old) as six:
        urls = [f"redis://127.0.0.1:{one.port}" for one in (http, silent, six)]
        told, silence, version, needless = why(*urls, redis.url.replace("redis:", "rediss:"))
    assert "what answers there is no Redis" in told
    assert "Timeout" in silence
    assert "is it a Redis" in silence
    assert "Redis 6.2.1 is too old: 7 is needed" in version
    assert "is it redis://" in needless


def test_tls_where_plain_is_expected(tmp_path):
    certified(tmp_path)
    other = RedisServer(tmp_path / "redis")
    command = ["redis-server", "--port", "0", "--tls-port", str(other.port), "--dir", str(tmp_path)]
    command += ["--tls-cert-file", str(tmp_path / "cert.pem"), "--tls-key-file", str(tmp_path / "key.pem")]
    command += ["--tls-ca-cert-file", str(tmp_path / "ca.pem"), "--tls-auth-clients", "no"]
    other.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    secure = other.url.replace("redis:", "rediss:")
    try:
        until(lambda: other.process.poll() is not None or reachable(other))
        if other.process.poll() is not None:
            pytest.skip("this redis-server was built without TLS")
        plain, stranger = why(other.url, secure)
        assert "rediss:// for TLS?" in plain
        assert "CERTIFICATE_VERIFY_FAILED" in stranger

        serve(f"{secure}?ssl_ca_certs={tmp_path}/ca.pem")
    finally:
        other.kill()


def reachable(server):
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", server.port)) == 0


def test_a_redis_that_has_no_room(redis, tmp_path):
    assert redis.says(b"CONFIG SET maxmemory 1mb") == b"+OK\r\n"
    (full,) = why(redis.url)
    assert redis.says(b"CONFIG SET maxmemory 0") == b"+OK\r\n"
    assert "used memory > 'maxmemory'" in full
    few = RedisServer(tmp_path / "few").start()
    try:
        assert few.says(b"CONFIG SET maxclients 1") == b"+OK\r\n"
        with socket.create_connection(("127.0.0.1", few.port)) as one:
            one.sendall(b"PING\r\n")
            assert one.recv(100) == b"+PONG\r\n"
            (many,) = why(few.url)
        assert "max number of clients reached" in many
    finally:
        few.kill()


def test_a_replica(redis, tmp_path):
    replica = RedisServer(tmp_path / "replica").start()
    try:
        assert replica.says(b"REPLICAOF 127.0.0.1 %d" % redis.port) == b"+OK\r\n"
        (told,) = why(replica.url)
        assert "read only replica" in told
    finally:
        replica.kill()
