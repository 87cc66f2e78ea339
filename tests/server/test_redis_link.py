"""The link to a Redis that is played here, since a real one is seldom caught at the moment."""

import asyncio

import pytest

pytest.importorskip("redis", reason="redis-py is not installed: pip install gaechannel[redis]")

from gaechannel.server.core import redis_link
from gaechannel.server.core.errors import Refusal
from gaechannel.server.core.redis_link import RedisLink

LOADING = b"-LOADING Redis is loading the dataset in memory\r\n"
#: What is said to PING, too: of a Redis, of a proxy before one, and of what is none.
NOT_NOW = [
    LOADING,
    b"-MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.\r\n",
    b"-NOPERM this user has no permissions to run the 'ping' command\r\n",
    b"-no upstream host\r\n",
    b"HTTP/1.1 503 Service Unavailable\r\n\r\n",
]


class LoadingRedis:
    """Says so often that it is loading, then runs what comes, with every script there already."""

    def __init__(self, says=LOADING):
        self.says = says
        self.loading = 0
        self.ran = []
        self.writers = []

    async def serve(self, reader, writer):
        self.writers.append(writer)
        try:
            while line := await reader.readline():
                words = [await self.word(reader) for _ in range(int(line[1:]))]
                writer.write(self.answer(*words))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def word(self, reader):
        size = int((await reader.readline())[1:])
        return (await reader.readexactly(size + 2))[:-2]

    def answer(self, command, *words):
        if command == b"SUBSCRIBE":
            return b"".join(
                b"*3\r\n$9\r\nsubscribe\r\n$%d\r\n%b\r\n:1\r\n" % (len(word), word) for word in words
            )
        if command in {b"HELLO", b"CLIENT"}:  # answered while it is loading, too
            return b"+OK\r\n"
        if self.loading:
            self.loading -= 1
            return self.says
        if command == b"EVALSHA":
            self.ran.append(words[-1].decode())
        return b"$20\r\nredis_version:7.0.15\r\n" if command == b"INFO" else b"+OK\r\n"

    def cut(self):
        for writer in self.writers:
            writer.close()


def linked(port):
    """A link to what listens there."""
    return RedisLink(
        f"redis://127.0.0.1:{port}",
        prefix="{x}",
        patience=10,
        on_told=lambda what, rest: None,
        on_linked=lambda: None,
    )


@pytest.mark.parametrize("turns", [0, 20])
@pytest.mark.parametrize("says", NOT_NOW)
def test_what_is_asked_of_a_redis_that_is_loading_is_done_in_order(says, turns):
    """Whether its death is noticed before something is asked, or by that."""

    async def play():
        redis = LoadingRedis(says)
        server = await asyncio.start_server(redis.serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        link = linked(port)
        await link.start()
        redis.ran.clear()
        await link.ask("return 1", "before")
        redis.loading = 5
        redis.cut()
        for _ in range(turns):
            await asyncio.sleep(0)
        asked = [str(number) for number in range(10)]
        await asyncio.gather(*(link.ask("return 1", word) for word in asked))
        assert redis.ran == ["before", *asked]
        await link.stop()
        server.close()

    asyncio.run(asyncio.wait_for(play(), 20))


def test_the_link_ends_though_redis_is_away(monkeypatch):
    monkeypatch.setattr(redis_link, "_LAST_SECONDS", 0.3)

    async def play():
        redis = LoadingRedis()
        server = await asyncio.start_server(redis.serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        link = linked(port)
        await link.start()
        server.close()
        redis.cut()
        waits = link.begin("return 1")
        await link.stop()
        with pytest.raises(Refusal):
            await waits
        assert not {"_ask_all", "_hear_all"} & {task.get_coro().__name__ for task in asyncio.all_tasks()}

    asyncio.run(asyncio.wait_for(play(), 20))
