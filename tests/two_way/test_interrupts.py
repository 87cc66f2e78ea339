"""Ctrl-C where Python code runs inside a channel's: none of its steps takes that for an error of its own."""

import asyncio
import gc
import sys
import threading

import pytest
from scripted_server import held, opened
from waiting import until

from gaechannel import BrowserChannel, ChannelError, Client, aio, merge


class Once:
    """A place in which a signal's handler raises KeyboardInterrupt, once it is armed."""

    def __init__(self):
        self.armed = False

    def __call__(self):
        if self.armed:
            self.armed = False
            raise KeyboardInterrupt


class Logger:
    """A logger of somebody's own."""

    def __init__(self, **methods):
        self.__dict__.update(methods)

    def isEnabledFor(self, level):  # noqa: N802 - logging's name
        return True


def ignore(text):
    pass


class OldLogger(Logger):
    """Knows only `warn`, and is interrupted while it is asked for something else."""

    def __getattr__(self, name):
        if name == self.interrupted:
            raise KeyboardInterrupt
        raise AttributeError(name)


@pytest.mark.parametrize("interrupted", ["warning", "debug"])
def test_while_a_loggers_method_is_looked_for(script, interrupted):
    script.on("back", lambda request: request.reply(status="400 Bad Request"), held([1, "a"]))
    logger = OldLogger(interrupted=None, warn=ignore, info=ignore)
    with BrowserChannel(script.url, logger=logger, max_backoff=0.01) as channel:
        logger.interrupted = interrupted
        with pytest.raises(KeyboardInterrupt):
            channel.recv(20)
        logger.interrupted = None
        assert channel.recv(20) == "a"


def test_an_error_inside_a_loggers_method_is_no_missing_method(script):
    script.on("back", held([1, "a"]))
    with (
        BrowserChannel(
            script.url, logger=Logger(info=ignore, warning=ignore, debug=lambda text: text.no)
        ) as channel,
        pytest.raises(AttributeError, match="'no'"),
    ):
        channel.recv(20)


# ---- In an event loop ----


class Future(asyncio.Future):
    def set_result(self, result):
        self.get_loop().interrupts["set_result"]()
        super().set_result(result)


class Loop(asyncio.SelectorEventLoop):
    """An event loop that is interrupted in one of its methods."""

    def __init__(self):
        super().__init__()
        self.interrupts = {
            name: Once() for name in ("set_result", "remove_reader", "call_later", "call_soon_threadsafe")
        }

    def create_future(self):
        return Future(loop=self)

    def remove_reader(self, fd):
        self.interrupts["remove_reader"]()
        return super().remove_reader(fd)

    def call_later(self, *args, **kwargs):
        self.interrupts["call_later"]()
        return super().call_later(*args, **kwargs)

    def call_soon_threadsafe(self, *args, **kwargs):
        self.interrupts["call_soon_threadsafe"]()
        return super().call_soon_threadsafe(*args, **kwargs)


@pytest.fixture
def loop():
    loop = Loop()
    yield loop
    loop.close()


def test_while_those_who_wait_are_woken(script, loop):
    go_on = threading.Event()

    def late(request):
        request.begin([1, "a"])
        assert go_on.wait(20)
        request.chunk([2, "b"])
        request.hold()

    script.on("back", late)
    channel = aio.BrowserChannel(script.url)

    async def first():
        assert await channel.recv(20) == "a"

    loop.run_until_complete(first())
    second = loop.create_task(channel.recv(20))
    loop.interrupts["set_result"].armed = True
    loop.call_soon(go_on.set)
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(second)
    # The interrupted future goes on waiting, and is told with the next news.
    loop.run_until_complete(channel.close())
    with pytest.raises(ChannelError):
        loop.run_until_complete(second)


def test_while_a_merges_waiters_are_woken(script, loop):
    go_on = threading.Event()

    def late(request):
        assert go_on.wait(20)
        request.begin([1, "a"])
        request.hold()

    script.on("back", late)
    channel = aio.BrowserChannel(script.url)
    merged = aio.merge([channel])

    async def first():
        return await anext(merged)

    async def begun():
        await asyncio.to_thread(script.wait, "back")

    task = loop.create_task(first())
    loop.run_until_complete(begun())
    loop.interrupts["set_result"].armed = True
    loop.call_soon(go_on.set)
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(task)
    loop.run_until_complete(channel.close())
    with pytest.raises(StopAsyncIteration):
        loop.run_until_complete(task)


def test_while_nobody_waits_for_the_channel(script, loop):
    interrupt = Once()
    go_on = threading.Event()

    def late(request):
        request.begin([1, "a"])
        assert go_on.wait(20)
        request.cut()

    def told(text):
        interrupt()

    script.on("back", late, held([2, "b"]))
    channel = aio.BrowserChannel(
        script.url, logger=Logger(info=told, warning=told, debug=told), max_backoff=0.01
    )

    async def first():
        assert await channel.recv(20) == "a"

    loop.run_until_complete(first())
    interrupt.armed = True
    loop.call_soon(go_on.set)
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(asyncio.sleep(20))
    assert loop.run_until_complete(channel.recv(20)) == "b"
    loop.run_until_complete(channel.close())


@pytest.mark.parametrize("method", ["remove_reader", "call_later"])
def test_while_the_event_loop_is_told_what_to_watch(script, loop, method):
    script.on("back", held([1, "a"]))
    channel = aio.BrowserChannel(script.url)
    interrupt = loop.interrupts[method]

    async def interrupted():
        if method == "remove_reader":
            assert await channel.recv() == "a"
            interrupt.armed = True
            await channel.close()
        interrupt.armed = True
        assert await channel.recv() == "a"

    task = loop.create_task(interrupted())
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(task)
    assert not interrupt.armed
    if method == "call_later":
        loop.run_until_complete(task)
        loop.run_until_complete(channel.close())


def test_while_a_channel_that_goes_in_another_thread_is_given_back(script, loop, monkeypatch):
    gone = threading.Event()

    def back(request):
        request.begin([1, "a"])
        request.hold()
        gone.set()

    script.on("back", back)
    unraisable = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)
    channels, made, drop = [], threading.Event(), threading.Event()

    def make_and_drop():
        # Without the GIL an object goes in the thread that made it.
        channels.append(aio.BrowserChannel(script.url))
        made.set()
        assert drop.wait(20)
        channels.clear()
        gc.collect()

    async def main():
        thread = threading.Thread(target=make_and_drop)
        thread.start()
        assert made.wait(20)
        assert await channels[0].recv(20) == "a"
        loop.interrupts["call_soon_threadsafe"].armed = True
        drop.set()
        thread.join(20)
        assert await asyncio.to_thread(gone.wait, 20)

    with pytest.warns(ResourceWarning, match="unclosed channel"):
        loop.run_until_complete(main())
    assert [one.exc_type for one in unraisable] == [KeyboardInterrupt]


# ---- Callables that wait for their own channel ----


def test_a_tokens_callable_cannot_wait_for_its_own_channel(local):
    token = local.create_channel("waiting")
    ways = [lambda: client.recv(20), lambda: next(iter(client)), lambda: next(merge([client]))]
    asked = []

    def ask():
        asked.append(None)
        if len(asked) <= len(ways):
            ways[len(asked) - 1]()
        return token

    with Client(ask, base_url=local.base_url) as client:
        for _ in ways:
            with pytest.raises(ChannelError, match="own callable"):
                client.recv(20)
        local.send_message("waiting", "a")
        assert client.recv(20) == "a"
    assert len(asked) == len(ways) + 1


def test_nor_can_one_that_is_awaited(local):
    token = local.create_channel("waiting")
    asked = []

    async def ask():
        asked.append(None)
        if len(asked) == 1:
            await client.recv(20)
        return token

    async def main():
        nonlocal client
        async with aio.Client(ask, base_url=local.base_url) as client:
            with pytest.raises(ChannelError, match="own callable"):
                await client.recv(20)
            local.send_message("waiting", "a")
            assert await client.recv(20) == "a"

    client = None
    asyncio.run(main())


def test_a_tokens_callable_is_asked_by_one_thread_at_a_time(local):
    token = local.create_channel("waiting")
    inside, go_on = threading.Event(), threading.Event()
    asked = []

    def ask():
        asked.append(threading.get_ident())
        inside.set()
        assert go_on.wait(20)
        return token

    with Client(ask, base_url=local.base_url) as client:
        taken = []
        threads = [threading.Thread(target=lambda: taken.append(client.recv(20))) for _ in range(2)]
        threads[0].start()
        assert inside.wait(20)
        threads[1].start()
        with pytest.raises(TimeoutError):
            client.recv(0.05)  # a third, which comes back in time
        go_on.set()
        until(lambda: client.sid)
        for text in ("a", "b"):
            local.send_message("waiting", text)
        for thread in threads:
            thread.join(20)
        assert sorted(taken) == ["a", "b"]
    assert len(asked) == 1


# ---- What a subclass holds for equal ----


class Alike(BrowserChannel):
    __hash__ = BrowserChannel.__hash__

    def __eq__(self, other):
        return True


def test_merge_drops_the_channel_that_has_ended_and_no_other_that_is_equal(script):
    script.on("back", held([1, "a"]))
    with Alike(script.url) as first, Alike(script.url) as second:
        merged = merge([first, second], timeout=20)
        second.close()
        channel, message = next(merged)
        assert channel is first
        assert message == "a"


class Odd(Exception):
    channel = property(lambda self: None, lambda self, value: self.interrupt())
    interrupt = staticmethod(lambda: None)


def test_while_merge_names_an_errors_channel(script):
    interrupt = Once()

    def fail():
        interrupt.armed = True
        error = Odd()
        error.interrupt = interrupt
        raise error

    script.on("open", opened())
    with (
        BrowserChannel(script.url, headers=lambda: fail()) as channel,
        pytest.raises(KeyboardInterrupt),
    ):
        next(merge([channel], timeout=20))
