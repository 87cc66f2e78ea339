"""Many channels in one event loop: opening, slow consumers, fair turns, servers that go and come back."""

import asyncio
import gc
import threading
import time

import hostile
import pytest

from gaechannel import aio
from gaechannel.errors import TransportError
from gaechannel.server import LocalServer

# csrc/net/opening.c
MAX_OPENING = 64


async def anext_of(iterator):
    return await anext(iterator)


# ---- Opening ----


class Counting(hostile.TalkServer):
    """Lets nobody through, and counts who stands at the door."""

    def __init__(self, answer=hostile.hang):
        super().__init__(page=self.count)
        self.then = answer
        self.waiting = 0
        self.most = 0
        self.seen = 0
        self.door = threading.Lock()

    def count(self, request, peer):
        with self.door:
            self.waiting += 1
            self.seen += 1
            self.most = max(self.most, self.waiting)
        try:
            self.then(request, peer)
        finally:
            with self.door:
                self.waiting -= 1


async def cancel_all(tasks):
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def test_no_more_than_its_places_connect_at_once(run, until):
    async def main():
        with Counting() as server:
            clients = [aio.Client(f"t{number}", base_url=server.base_url) for number in range(150)]
            tasks = [asyncio.create_task(anext_of(client.messages())) for client in clients]
            await until(lambda: server.waiting == MAX_OPENING)
            # Those in line do not wait for what is theirs already.
            await asyncio.gather(*(client.close() for client in clients[:10]))
            await until(lambda: server.seen == MAX_OPENING + 10)
            # Who closes in line leaves it, and is not connected after all.
            await asyncio.gather(*(client.close() for client in clients[100:]))
            await asyncio.gather(*(client.close() for client in clients[10:64]))
            await until(lambda: server.seen == 100)
            await asyncio.gather(*(client.close() for client in clients))
            assert server.most <= MAX_OPENING + 10  # the server sees an end a little later than a beginning
            assert {task.done() for task in tasks} == {True} or await asyncio.wait(tasks)
            assert server.seen == 100
            await cancel_all(tasks)

    run(main())


def test_handshakes_that_fail_do_not_keep_the_others_waiting(run):
    async def main():
        answer = hostile.Answers([hostile.reply(b"", "403 Forbidden")])
        with Counting(answer) as server:
            clients = [aio.Client(f"t{number}", base_url=server.base_url) for number in range(200)]
            waits = [asyncio.ensure_future(client.messages().__anext__()) for client in clients]
            errors = await asyncio.gather(*waits, return_exceptions=True)
            assert all(isinstance(error, TransportError) for error in errors)
            assert server.most <= MAX_OPENING
            await asyncio.gather(*(client.close() for client in clients))

    run(main())


def test_three_hundred_channels_open_without_a_failure(run, server, client_of, log):
    async def main():
        clients = [client_of(f"many {number}") for number in range(300)]
        for number in range(300):
            server.send_message(f"many {number}", str(number))
        got = await asyncio.gather(*(anext_of(client.messages()) for client in clients))
        assert got == [str(number) for number in range(300)]
        assert sum(client.stats.sessions for client in clients) == 300
        await asyncio.gather(*(client.close() for client in clients))

    run(main())
    assert not [text for text in log.texts if "lost" in text or "reconnecting" in text]


# ---- Slow and fast consumers ----


def test_a_slow_consumer_pauses_its_channel_and_no_other(run, server, client_of, until):
    text = "x" * 1000

    async def main():
        async with client_of("slow", queue_limit=50_000) as slow, client_of("fast") as fast:
            slowly, quickly = slow.messages(), fast.messages()
            server.send_message("slow", "0")
            assert await anext(slowly) == "0"
            for _ in range(20_000):  # more than the sockets' buffers hold
                server.send_message("slow", text)
            await until(lambda: slow.stats.messages > 10)
            received = 0
            for number in range(200):
                server.send_message("fast", str(number))
                assert await anext(quickly) == str(number)
                received = slow.stats.messages
            # At most what the limit lets through, and the chunk that passed it.
            assert received * len(text) < 50_000 + 300_000
            for _ in range(20_000):
                assert await anext(slowly) == text
            assert slow.stats.sessions == 1

    run(main())


def test_half_a_mebibyte_may_wait_to_be_taken_where_no_other_limit_is_given(run, server, client_of, until):
    texts = ["x" * 1000] * 2000

    async def main():
        late_of = {"token": "token", "base_url": flood.base_url}
        async with client_of("late", **late_of) as late, client_of("soon") as soon:
            slowly, quickly = late.messages(), soon.messages()
            taken = [await anext(slowly)]
            await until(lambda: late.stats.messages >= 500)
            for number in range(200):
                server.send_message("soon", str(number))
                assert await anext(quickly) == str(number)
            # What libcurl hands over at once may pass it.
            assert late.stats.messages * 1000 < 2**19 + 100_000
            while len(taken) < len(texts):
                taken.append(await anext(slowly))
            assert taken == texts

    with hostile.TalkServer(back=hostile.streams(hostile.messages(1, *texts))) as flood:
        run(main())


def test_a_consumer_that_always_finds_a_message_gives_the_others_turns(run, server, name, client_of, until):
    async def main():
        async with client_of(name, queue_limit=1 << 26) as client:
            iterator = client.messages()
            server.send_message(name, "0")
            assert await anext(iterator) == "0"
            for _ in range(5000):
                server.send_message(name, "x")
            await until(lambda: client.stats.messages == 5001)
            turns = 0

            async def others():
                nonlocal turns
                while True:
                    turns += 1
                    await asyncio.sleep(0)

            task = asyncio.create_task(others())
            begun = time.monotonic()
            for _ in range(5000):
                assert await anext(iterator) == "x"
                end = time.perf_counter() + 0.00005  # work
                while time.perf_counter() < end:
                    pass
            seconds = time.monotonic() - begun
            assert turns >= 5
            assert turns <= seconds * 1000
            task.cancel()

    run(main())


async def hog(iterator, got):
    async with asyncio.timeout(0.02):
        while True:
            got.append(await anext(iterator))
            time.sleep(0.0001)  # noqa: ASYNC251 - it keeps the event loop to itself


def test_a_timeout_ends_a_consumer_that_never_has_to_wait(run, server, name, client_of, until):
    async def main():
        async with client_of(name, queue_limit=1 << 26) as client:
            iterator = client.messages()
            server.send_message(name, "0")
            assert await anext(iterator) == "0"
            for number in range(100_000):
                server.send_message(name, str(number))
            await until(lambda: client.stats.messages == 100_001)
            got = []
            with pytest.raises(TimeoutError):
                await hog(iterator, got)
            # Nothing is lost by it.
            assert got == [str(number) for number in range(len(got))]
            assert await anext(iterator) == str(len(got))

    run(main())


# ---- Servers that go and come back ----


def test_back_channels_that_end_all_the_time_lose_nothing(run, log):
    async def main():
        with LocalServer(backchannel_seconds=0.05, test_delay=0.01) as server:
            client = aio.Client(server.create_channel("me"), base_url=server.base_url)
            async with client:
                iterator = client.messages()
                server.send_message("me", "0")
                assert await anext(iterator) == "0"
                number = 1
                while client.stats.reconnects < 10:
                    for _ in range(5):
                        server.send_message("me", str(number))
                        assert await anext(iterator) == str(number)
                        number += 1
                    await asyncio.sleep(0.005)
                assert client.stats.sessions == 1

    run(main())
    assert "reconnecting" not in "".join(log.texts)


@pytest.mark.parametrize("how", ["kill", "stop", "cut"])
def test_channels_outlive_their_server(run_anywhere, how):
    count = 40

    async def main(server):
        clients = [
            aio.Client(server.create_channel(f"c{number}"), base_url=server.base_url, max_backoff=0.2)
            for number in range(count)
        ]
        iterators = [client.messages() for client in clients]

        async def send_and_receive(text):
            for number in range(count):
                server.send_message(f"c{number}", text)
            return await asyncio.gather(*(anext_of(iterator) for iterator in iterators))

        assert await send_and_receive("first") == ["first"] * count
        for turn in range(3):
            waiting = [asyncio.create_task(anext_of(iterator)) for iterator in iterators]
            if how == "cut":
                await asyncio.to_thread(server.cut)
            else:
                await asyncio.to_thread(getattr(server, how), keep_sessions=True)
            for number in range(count):
                server.send_message(f"c{number}", f"while away {turn}")
            await asyncio.to_thread(server.start)
            assert await asyncio.gather(*waiting) == [f"while away {turn}"] * count
            assert await send_and_receive(f"again {turn}") == [f"again {turn}"] * count
        assert sum(client.stats.sessions for client in clients) == count
        await asyncio.gather(*(client.close() for client in clients))

    with LocalServer(test_delay=0.01) as server:
        run_anywhere(main(server))


def test_a_server_that_has_forgotten_its_sessions_gets_new_ones(run):
    async def main():
        with LocalServer(test_delay=0.01) as server:
            client = aio.Client(server.create_channel("me"), base_url=server.base_url, max_backoff=0.05)
            async with client:
                iterator = client.messages()
                server.send_message("me", "a")
                assert await anext(iterator) == "a"
                waiting = asyncio.create_task(anext_of(iterator))
                await asyncio.to_thread(server.kill, keep_sessions=False)
                await asyncio.to_thread(server.start)
                server.send_message("me", "b")
                assert await waiting == "b"
                assert client.stats.sessions == 2

    run(main())


def test_a_server_that_falls_silent_is_left_in_time(run):
    back = [hostile.streams(hostile.messages(1, "a")), hostile.streams(hostile.messages(2, "b"))]

    async def main():
        with hostile.TalkServer(back=back) as server:
            options = {"timeout": 0.2, "max_backoff": 0.01}
            async with aio.Client("token", base_url=server.base_url, **options) as client:
                iterator = client.messages()
                assert await anext(iterator) == "a"
                assert await anext(iterator) == "b"
            assert [request.query["AID"] for request in server.of("back")][:2] == ["0", "1"]

    run(main())


# ---- Many tasks, one merge ----


def test_merge_takes_them_in_turn(run, server, client_of):
    async def main():
        clients = [client_of(f"merged {number}") for number in range(30)]
        for number in range(30):
            for text in "ab":
                server.send_message(f"merged {number}", text)
        got = {}
        count = 0
        async for client, message in aio.merge(clients):
            got.setdefault(client, []).append(message)
            count += 1
            if count == 60:
                break
        assert set(map(tuple, got.values())) == {("a", "b")}
        await asyncio.gather(*(client.close() for client in clients))

    run(main())


def test_a_merge_that_waits_is_not_taken_by_the_garbage_collector(run, server, client_of, until):
    got = []

    async def listen():
        client = client_of("lonely")
        async for _client, message in aio.merge([client]):
            got.append(message)
            await client.close()

    async def main():
        asyncio.create_task(listen())  # noqa: RUF006 - nobody refers to it, on purpose
        await until(lambda: server.service.is_connected("lonely"))
        gc.collect()
        server.send_message("lonely", "a")
        await until(lambda: got == ["a"])

    run(main())


def test_a_cancelled_merge_loses_nothing(run, server, client_of):
    async def main():
        clients = [client_of(f"cancelled {number}") for number in range(3)]
        merged = aio.merge(clients)
        sent, got = [], []
        for number in range(300):
            if number % 3 == 0:
                server.send_message(f"cancelled {number // 3 % 3}", str(number))
                sent.append(str(number))
            try:
                got.append((await asyncio.wait_for(anext(merged), 0.0005))[1])
            except TimeoutError:
                continue
        while len(got) < len(sent):
            got.append((await anext(merged))[1])
        assert sorted(got) == sorted(sent)
        await asyncio.gather(*(client.close() for client in clients))

    run(main())


@pytest.mark.parametrize("kind", ["merge", "messages"])
def test_for_without_async_is_a_type_error_and_takes_nothing(run, server, client_of, kind):
    async def main():
        async with client_of(kind) as client:
            server.send_message(kind, "hello")
            messages = aio.merge([client]) if kind == "merge" else client.messages()
            with pytest.raises(TypeError, match="iterated over by `async for`"):
                iter(messages)
            # By way of its own iterator, as CPython 3.11 has asyncio.ensure_future() do it.
            got = await asyncio.wait_for(anext(messages), 20)
        return got[1] if kind == "merge" else got

    assert run(main()) == "hello"
