"""Google's Firestore emulator behind a network that cuts connections, and asked by many."""

import asyncio
import contextlib
import itertools

import pytest
import waiting
from chaos_proxy import ChaosProxy
from firestore import (
    DATABASE,
    LISTENERS,
    SyncListener,
    address,
    document,
    document_target,
    is_current,
    skip_where_there_is_none,
)

from gaechannel import MapsRefused, WebChannel, aio

skip_where_there_is_none()
FACES = pytest.mark.parametrize("face", ["sync", "aio"])


@FACES
def test_a_session_outlives_its_connections(face, emulator, log):
    path = f"open/cut-{face}"
    emulator.write({path: {"topic": "0"}})
    with ChaosProxy(emulator.port) as proxy:
        proxy.calm = True
        with LISTENERS[face](address(proxy.url, "Listen"), path, logger=log) as listener:
            waiting.until(lambda: listener.heard == ["0"], 60)
            numbers = itertools.count(1)

            def hears_again(known):
                # The emulator gives up what it has written to a connection, even to one that was cut.
                emulator.write({path: {"topic": str(next(numbers))}})
                with contextlib.suppress(AssertionError):
                    waiting.until(lambda: len(listener.heard) > known, 1)
                return len(listener.heard) > known

            for _ in range(5):
                known = len(listener.heard)
                requests = proxy.fates.total()
                proxy.cut_all()
                waiting.until(lambda before=requests: proxy.fates.total() > before, 60)
                waiting.until(lambda before=known: hears_again(before), 60)
            stats = listener.channel.stats
    said = list(map(int, listener.heard))
    assert said == sorted(set(said))
    assert stats.sessions == 1
    assert stats.reconnects >= 5
    assert "reconnecting" in log.text.getvalue()


def test_a_target_behind_one_that_a_firewall_refused_is_heard_of(emulator):
    """The emulator waits for the id of a map that never came to it."""
    emulator.write({"open/heard": {"topic": "heard"}})
    with (
        ChaosProxy(emulator.port, fates={}, refuses=b"malice") as proxy,
        WebChannel(address(proxy.url, "Listen"), params={"database": DATABASE}) as channel,
    ):
        channel.connect()
        channel.send(document_target("open/malice", 2))
        with pytest.raises(MapsRefused):
            channel.flush(60)
        channel.send(document_target("open/heard", 4))
        channel.flush(60)
        assert next(filter(None, map(document, channel))) == ("open/heard", {"topic": "heard"})


CHANNELS = 20


def test_20_channels_in_threads_each_hear_their_own(emulator):
    paths = [f"open/own/threads/{n}" for n in range(CHANNELS)]
    emulator.write({path: {"topic": "before"} for path in paths})
    with contextlib.ExitStack() as stack:
        url = address(emulator.url, "Listen")
        listeners = [stack.enter_context(SyncListener(url, path)) for path in paths]
        waiting.until(lambda: all(one.current for one in listeners), 60)
        emulator.write({path: {"topic": path} for path in paths})
        waiting.until(lambda: all(len(one.heard) == 2 for one in listeners), 60)
        for one in listeners:
            assert one.heard == ["before", one.path]


def test_20_channels_in_one_event_loop_each_hear_their_own(emulator):
    paths = [f"open/own/tasks/{n}" for n in range(CHANNELS)]
    emulator.write({path: {"topic": "before"} for path in paths})
    url = address(emulator.url, "Listen")

    async def hear(path, current):
        heard = []
        async with aio.WebChannel(url, params={"database": DATABASE}) as channel:
            await channel.send(document_target(path))
            async for message in channel:
                if is_current(message):
                    current.release()
                if found := document(message):
                    heard.append(found)
                if len(heard) == 2:
                    break
        return heard

    async def hear_all():
        current = asyncio.Semaphore(0)
        async with asyncio.timeout(100), asyncio.TaskGroup() as tasks:
            hearing = [tasks.create_task(hear(path, current)) for path in paths]
            for _ in paths:
                await current.acquire()
            await asyncio.to_thread(emulator.write, {path: {"topic": path} for path in paths})
        return [task.result() for task in hearing]

    assert asyncio.run(hear_all()) == [
        [(path, {"topic": "before"}), (path, {"topic": path})] for path in paths
    ]
