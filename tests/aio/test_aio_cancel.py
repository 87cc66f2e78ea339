"""Cancellation, at every await, at random: nothing is lost, nothing is doubled, nothing is left behind.

GAECHANNEL_CANCELS says how many times (1,000 unless it does).
"""

import asyncio
import contextlib
import gc
import os
import random

import pytest

from gaechannel import aio
from gaechannel.server import LocalServer

CANCELS = int(os.environ.get("GAECHANNEL_CANCELS", "1000"))

pytestmark = pytest.mark.timeout(max(120, CANCELS // 50))


@pytest.fixture
def limited(monkeypatch):
    """Run without the usual limit on time."""
    return asyncio.run


async def cancelled_at_random(coroutine, chance):
    """Run it and cancel it after a few turns of the event loop, or after some time; its result, or None."""
    task = asyncio.create_task(coroutine)
    if chance.random() < 0.1:
        await asyncio.sleep(chance.random() * 0.01)
    else:
        for _ in range(chance.randrange(6)):
            await asyncio.sleep(0)
    task.cancel()
    try:
        return await task
    except asyncio.CancelledError:
        return None


def futures():
    """How many there are of this event loop. (The server, in another thread, has its own.)"""
    gc.collect()
    loop = asyncio.get_running_loop()
    return sum(isinstance(one, asyncio.Future) and one.get_loop() is loop for one in gc.get_objects())


def test_no_message_is_lost_or_doubled(limited, server, name, client_of, take):
    chance = random.Random(1)

    async def main():
        sent, got = 0, []
        async with client_of(name) as client:
            iterator, batches = client.messages(), client.batches()
            choices = [
                lambda: take(iterator, 1),
                lambda: take(client.messages(), 1),
                lambda: flat(batches),
                lambda: flat(client.batches()),
                lambda: in_time(iterator),
            ]
            for _ in range(CANCELS):
                if chance.random() < 0.3:
                    server.send_message(name, str(sent))
                    sent += 1
                with_timeout = chance.choice(choices)
                with contextlib.suppress(TimeoutError):
                    got += await cancelled_at_random(with_timeout(), chance) or []
            while len(got) < sent:
                got.append(await anext(iterator))
        assert got == [str(number) for number in range(sent)]

    limited(main())


async def in_time(iterator):
    return [await asyncio.wait_for(anext(iterator), 0.001)]


async def flat(batches):
    return await anext(batches)


def test_no_map_is_lost_or_doubled(limited):
    chance = random.Random(2)

    async def main(server):
        received = []
        server.browserchannel.on_session = lambda session: setattr(session, "on_message", received.append)
        async with aio.BrowserChannel(server.url + "/channel") as channel:
            sent = 0
            iterator = channel.messages()
            for _ in range(CANCELS // 2):
                choices = [channel.connect, channel.flush, lambda: anext_of(iterator)]
                if chance.random() < 0.2:
                    assert await channel.send_json(sent) == sent
                    sent += 1
                await cancelled_at_random(chance.choice(choices)(), chance)
            await channel.flush(30)
        assert received == list(range(sent))

    with LocalServer(test_delay=0.01) as server:
        limited(main(server))


async def anext_of(iterator):
    return await anext(iterator)


def test_nothing_is_left_behind(limited, descriptors, until):
    chance = random.Random(3)

    async def token():
        for _ in range(chance.randrange(3)):
            await asyncio.sleep(0)
        return made[0]

    async def live(server):
        """A channel's life; it may be cancelled anywhere."""
        kind = chance.randrange(3)
        if kind == 0:
            channel = aio.Client(token, base_url=server.base_url, connect_timeout=5)
        elif kind == 1:
            channel = aio.BrowserChannel(server.url + "/channel")
        else:
            channel = aio.WebChannel(server.url + "/webchannel", fast_handshake=chance.random() < 0.5)
        async with channel:
            if kind == 0:
                await chance.choice([channel.initialize, channel._fetch_sid, channel._connect])()
                server.send_message("me", "hi")
            else:
                await channel.send({"JSON": "1"})
                await channel.connect()
                await channel.flush(10)
                return
            await anext(channel.messages())

    async def main(server):
        for turn in range(CANCELS // 2):
            if turn == 100:
                before = descriptors(), futures()
            await asyncio.gather(*(cancelled_at_random(live(server), chance) for _ in range(2)))
        await asyncio.sleep(0)
        # Not once: while the server's thread collects, this collects nothing.
        await until(lambda: futures() <= before[1])
        # The server's ends of connections go a little later.
        for _ in range(200):
            if descriptors() <= before[0] + 5:
                break
            await asyncio.sleep(0.05)
        # Hundreds of channels later: a few more or less are the server's.
        assert descriptors() <= before[0] + 5
        await until(
            lambda: gc.collect() >= 0 and not any(isinstance(one, aio._Channel) for one in gc.get_objects())
        )
        assert not aio._loops

    with LocalServer(test_delay=0.01, session_timeout=1.0) as server:
        made = [server.create_channel("me")]
        limited(main(server))


@pytest.mark.parametrize("wait", ["wait_for", "timeout", "task"])
def test_a_wait_that_was_given_up_leaves_no_future_behind(run, server, name, client_of, wait, until):
    async def give_up(client):
        if wait == "wait_for":
            await asyncio.wait_for(client.messages().__anext__(), 0)
        elif wait == "timeout":
            async with asyncio.timeout(0):
                await anext(client.messages())
        else:
            task = asyncio.create_task(anext_of(client.messages()))
            await asyncio.sleep(0)
            task.cancel()
            await task

    async def main():
        async with client_of(name) as client:
            reading = asyncio.create_task(anext_of(client.messages()))
            await until(lambda: server.service.is_connected(name))
            before = futures()
            for _ in range(200):
                with pytest.raises((TimeoutError, asyncio.CancelledError)):
                    await give_up(client)
            assert futures() <= before
            server.send_message(name, "a")
            assert await reading == "a"

    run(main())


def test_a_message_that_comes_with_the_cancellation_is_the_next_ones(run, server, name, client_of, until):
    async def main():
        async with client_of(name) as client:
            iterator = client.messages()
            for number in range(100):
                task = asyncio.create_task(anext_of(iterator))
                await asyncio.sleep(0)
                server.send_message(name, str(number))
                await until(lambda expected=number + 1: client.stats.messages == expected)
                # It was woken by now, and perhaps has it.
                task.cancel()
                try:
                    got = await task
                except asyncio.CancelledError:
                    got = await anext(iterator)
                assert got == str(number)

    run(main())


async def fail_with(*iterators):
    async with asyncio.TaskGroup() as group:
        for iterator in iterators:
            group.create_task(anext_of(iterator))
        await asyncio.sleep(0.01)
        raise ZeroDivisionError


def test_a_task_group_that_fails_leaves_the_channel_usable(run, server, name, client_of):
    async def main():
        async with client_of(name) as client:
            with pytest.raises(ExceptionGroup) as caught:
                await fail_with(client.messages(), client.batches())
            assert [type(error) for error in caught.value.exceptions] == [ZeroDivisionError]
            server.send_message(name, "a")
            async with asyncio.timeout(10):
                assert await anext(client.messages()) == "a"

    run(main())


def test_a_wait_that_is_closed_instead_of_cancelled_does_no_harm(run, server, name, client_of, until):
    async def main():
        async with client_of(name) as client:
            waiting = anext_of(client.messages())
            waiting.send(None)  # the future is never awaited
            waiting.close()
            await until(lambda: server.service.is_connected(name))
            server.send_message(name, "a")
            assert await anext(client.messages()) == "a"

    run(main())
