"""recv(), batches() and merge() with a timeout: one message, what is there, or the time is up."""

import asyncio
import itertools
import math
import signal
import threading
import time

import pytest
from scripted_server import brought, held, opened, status
from waiting import until

import gaechannel
from gaechannel import (
    BrowserChannel,
    ChannelClosed,
    ChannelTimeout,
    Client,
    HTTPStatusError,
    WebChannelError,
    aio,
    merge,
)
from gaechannel.server import LocalServer

ERROR = [{"error": {"code": 404, "message": "no such target"}}]


def three(request):
    request.begin([1, "a"], [2, "b"], [3, "c"])
    request.hold()


def test_recv_returns_one_message_after_the_other(script, channel_of):
    script.on("back", three)
    with channel_of("BrowserChannel", script.url) as channel:
        assert [channel.recv(), channel.recv(20), channel.recv(timeout=20.0)] == ["a", "b", "c"]


def test_recv_raises_when_the_time_is_up_and_leaves_the_channel_as_it_was(script, channel_of):
    more = threading.Event()

    def late(request):
        request.begin()
        assert more.wait(20)
        request.chunk([1, "late"])
        request.hold()

    script.on("back", late)
    with channel_of("BrowserChannel", script.url) as channel:
        channel.connect()
        sid = channel.sid
        for timeout in (0.05, 0, 0.001):
            with pytest.raises(ChannelTimeout, match="no message came") as caught:
                channel.recv(timeout=timeout)
            assert isinstance(caught.value, TimeoutError)
        script.wait("back")
        more.set()
        assert channel.recv(20) == "late"
        assert (channel.sid, channel.closed, channel.stats.sessions) == (sid, False, 1)
        assert len(script.of("back")) == 1


def test_a_recv_that_is_late_says_what_keeps_messages_from_coming(script, channel_of):
    go_on = threading.Event()

    def late(channel):
        with pytest.raises(ChannelTimeout, match="no message came within the timeout") as caught:
            channel.recv(0.02)
        return caught.value

    def then(request):
        assert go_on.wait(60)
        held([2, "b"])(request)

    script.on("back", brought([1, "a"]), status("502 Bad Gateway", "no backend"), then)
    options = {"params": {"token": "S3CRET"}, "max_backoff": 0.01}
    with channel_of("BrowserChannel", script.url, **options) as channel:
        assert channel.recv(20) == "a"
        until(lambda: late(channel).__cause__ is not None)
        error = late(channel)
        assert error.__cause__ is channel.last_error
        assert str(error).endswith(f": {error.__cause__}")
        assert "502 Bad Gateway" in str(error)
        assert "S3CRET" not in str(error)
        go_on.set()
        assert channel.recv(20) == "b"
        error = late(channel)
        assert (str(error), error.__cause__) == ("no message came within the timeout", None)


def test_recv_waits_no_longer_than_its_timeout(script, channel_of):
    with channel_of("BrowserChannel", script.url) as channel:
        began = time.monotonic()
        with pytest.raises(ChannelTimeout):
            channel.recv(0.3)
        assert 0.29 <= time.monotonic() - began < 10


def test_recv_of_0_opens_the_session_and_gets_there_when_asked_again(script, channel_of):
    script.on("back", three)
    with channel_of("BrowserChannel", script.url) as channel:
        taken = []

        def polled():
            try:
                taken.append(channel.recv(timeout=0))
            except ChannelTimeout:
                return False
            return len(taken) == 3

        until(polled)
        assert taken == ["a", "b", "c"]


def test_recv_of_0_has_what_came_with_the_opening_reply(script, channel_of):
    script.on("open", opened((1, "with the opening")))
    with channel_of("BrowserChannel", script.url) as channel:
        channel.connect()
        assert channel.recv(timeout=0) == "with the opening"


def test_recv_and_iterators_take_turns(script, channel_of):
    script.on("back", held(*([number, number] for number in range(1, 10))))
    with channel_of("BrowserChannel", script.url) as channel:
        assert channel.recv(20) == 1
        assert channel.take(2) == [2, 3]
        assert channel.recv(20) == 4
        assert channel.batches(1) == [[5, 6, 7, 8, 9]]


def test_recv_goes_on_over_back_channels(script, channel_of):
    script.on("back", brought([1, "a"]), brought([2, "b"]), held([3, "c"]))
    with channel_of("BrowserChannel", script.url) as channel:
        assert [channel.recv(20) for _ in range(3)] == ["a", "b", "c"]


def test_recv_raises_what_iterating_raises(script, channel_of):
    script.on("open", status("403 Forbidden"))
    with channel_of("BrowserChannel", script.url) as channel, pytest.raises(HTTPStatusError, match="403"):
        channel.recv(20)


def test_recv_raises_an_error_object_and_goes_on(script, channel_of):
    script.on("back", held([1, ["a"]], [2, ERROR], [3, ["b"]]))
    with channel_of("WebChannel", script.url) as channel:
        assert channel.recv(20) == "a"
        with pytest.raises(WebChannelError, match="no such target"):
            channel.recv(20)
        assert channel.recv(20) == "b"


def test_recv_after_an_orderly_end_says_so(script, channel_of):
    script.on("back", held([1, ["a"]], [2, ["close"]]))
    with channel_of("WebChannel", script.url) as channel:
        assert channel.recv(20) == "a"
        with pytest.raises(ChannelClosed, match="the session has ended"):
            channel.recv(20)


def test_recv_after_close_says_so(script, channel_of):
    with channel_of("BrowserChannel", script.url) as channel:
        channel.close()
        for timeout in (None, 0, 1):
            with pytest.raises(ChannelClosed):
                channel.recv(timeout)


def test_close_ends_a_recv_that_waits(script):
    channel = BrowserChannel(script.url)
    found = []

    def wait():
        try:
            channel.recv()
        except ChannelClosed as error:
            found.append(str(error))

    thread = threading.Thread(target=wait)
    thread.start()
    script.wait("back")
    channel.close()
    thread.join(20)
    assert found == ["the channel was closed"]


def test_close_ends_a_recv_that_waits_in_asyncio(script):
    async def main():
        channel = aio.BrowserChannel(script.url)
        waiting = asyncio.ensure_future(channel.recv())
        await asyncio.to_thread(script.wait, "back")
        await channel.close()
        with pytest.raises(ChannelClosed, match="the channel was closed"):
            await waiting

    asyncio.run(main())


def test_a_cancelled_recv_loses_nothing(script):
    more = threading.Event()

    def late(request):
        request.begin()
        assert more.wait(20)
        request.chunk(*([number, number] for number in range(1, 200)))
        request.hold()

    script.on("back", late)

    async def main():
        async with aio.BrowserChannel(script.url) as channel:
            await channel.connect()
            waiting = [asyncio.ensure_future(channel.recv(20)) for _ in range(5)]
            await asyncio.to_thread(script.wait, "back")
            more.set()
            waiting[0].cancel()
            first = await asyncio.gather(*waiting, return_exceptions=True)
            taken = [one for one in first if isinstance(one, int)]
            while len(taken) < 199:
                task = asyncio.ensure_future(channel.recv(20))
                if len(taken) % 7 == 0:
                    await asyncio.sleep(0)
                    task.cancel()
                try:
                    taken.append(await task)
                except asyncio.CancelledError:
                    taken.append(await channel.recv(20))
            assert sorted(taken) == list(range(1, 200))

    asyncio.run(main())


def test_threads_that_recv_share_the_messages(script):
    script.on("back", held(*([number, number] for number in range(1, 101))))
    taken = []
    with BrowserChannel(script.url) as channel:

        def take():
            while len(taken) < 100:
                try:
                    taken.append(channel.recv(0.05))
                except ChannelTimeout:
                    continue

        threads = [threading.Thread(target=take) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert sorted(taken) == list(range(1, 101))


def test_recv_of_every_kind_of_channel(channel_of):
    with LocalServer() as server:
        token, dev = server.create_channel("talk"), server.create_channel("dev")
        server.send_message("talk", "to talk")
        server.send_message("dev", "to dev")
        with channel_of("Client", token, base_url=server.base_url) as client:
            assert client.recv(20) == "to talk"
        with channel_of("DevClient", dev, server.url) as client:
            server.send_message("dev", "to dev")
            assert client.recv(20) == "to dev"


def test_recv_obeys_what_a_subclass_overrides():
    asked = []

    class Own(Client):
        def _get_bind_url(self, **kwargs):
            asked.append(kwargs)
            return super()._get_bind_url(**kwargs)

    with LocalServer() as server:
        token = server.create_channel("talk")
        server.send_message("talk", "text")
        with Own(token, base_url=server.base_url) as client:
            assert client.recv(20) == "text"
    assert asked


@pytest.mark.parametrize("timeout", [True, "1", [], 1j], ids=repr)
def test_a_timeout_of_another_type_is_named_before_anything_is_asked(script, channel_of, timeout):
    with (
        channel_of("BrowserChannel", script.url) as channel,
        pytest.raises(TypeError, match="timeout must be"),
    ):
        channel.recv(timeout)
    for function in (merge, aio.merge):
        with pytest.raises(TypeError, match="timeout must be"):
            function([], timeout)
    assert script.requests == []


def test_a_timeout_that_is_no_number_is_refused(script, channel_of):
    with (
        channel_of("BrowserChannel", script.url) as channel,
        pytest.raises(ValueError, match="timeout must be"),
    ):
        channel.recv(math.nan)


# ---- Batches ----


def test_a_batch_is_what_is_there(script, channel_of):
    script.on("back", held(*([number, number] for number in range(1, 8))))
    with channel_of("BrowserChannel", script.url) as channel:
        assert channel.batches(1) == [[1, 2, 3, 4, 5, 6, 7]]


def test_batches_hold_no_more_than_they_may(script, channel_of):
    script.on("back", held(*([number, number] for number in range(1, 8))))
    with channel_of("BrowserChannel", script.url) as channel:
        assert channel.batches(2, max_size=3) == [[1, 2, 3], [4, 5, 6]]
        assert channel.batches(1, max_size=10**30) == [[7]]


def test_batches_end_with_the_session(script):
    script.on("back", held([1, ["a"]], [2, ["b"]], [3, ["close"]]))
    with gaechannel.WebChannel(script.url) as channel:
        assert list(channel.batches()) == [["a", "b"]]


def test_what_came_before_an_error_comes_first(script, channel_of):
    script.on("back", held([1, ["a"]], [2, ERROR], [3, ["b"]], [4, ERROR]))
    with channel_of("WebChannel", script.url) as channel:
        assert channel.batches(1) == [["a"]]
        with pytest.raises(WebChannelError):
            channel.batches(1)
        assert channel.batches(1) == [["b"]]
        with pytest.raises(WebChannelError):
            channel.recv(20)


def test_an_error_kept_from_a_batch_is_raised_by_a_merge(script, channel_of):
    script.on("back", held([1, ["a"]], [2, ERROR], [3, ["b"]]))
    with channel_of("WebChannel", script.url) as channel:
        assert channel.batches(1) == [["a"]]
        found = channel.merged(2)
        assert "b" in found
        assert WebChannelError in map(type, found)


def test_a_fast_server_makes_no_endless_batch():
    """More than a queue holds: while a batch is taken, the network brings more."""
    count, size = 40_000, 100
    with LocalServer() as server:
        token = server.create_channel("c")
        with Client(token, base_url=server.base_url, queue_limit=64 * 1024) as client:
            server.send_message("c", "first")
            assert client.recv(20) == "first"
            for _ in range(count):
                server.send_message("c", "x" * size)
            most = taken = 0
            for batch in client.batches():
                most, taken = max(most, len(batch)), taken + len(batch)
                if taken == count:
                    break
    # One write of the network's more than may wait.
    assert most * size < 64 * 1024 + 1024 * 1024


@pytest.mark.parametrize(
    ("max_size", "error"),
    [(0, ValueError), (-1, ValueError), (True, TypeError), (1.5, TypeError), ("1", TypeError)],
    ids=repr,
)
def test_a_batch_size_that_makes_no_sense_is_named(script, max_size, error):
    for channel in (
        BrowserChannel(script.url),
        aio.BrowserChannel(script.url),
        Client("t", base_url=script.url),
    ):
        with pytest.raises(error, match="max_size must be"):
            channel.batches(max_size)
    assert script.requests == []


# ---- merge() ----


def test_a_merge_raises_when_the_time_is_up_and_goes_on(script, channel_of):
    more = threading.Event()

    def late(request):
        request.begin([1, "a"])
        assert more.wait(20)
        request.chunk([2, "b"])
        request.hold()

    script.on("back", late)
    with channel_of("BrowserChannel", script.url) as channel:
        assert channel.recv(20) == "a"
        found = channel.merged(2, 0.05)
        assert [type(one) for one in found] == [ChannelTimeout, ChannelTimeout]
        assert not hasattr(found[0], "channel")
        more.set()
        assert channel.merged(1, 20) == ["b"]


def test_a_merge_of_timeout_0_gets_there_when_asked_again(script):
    script.on("back", three)
    with BrowserChannel(script.url) as channel:
        merged = merge([channel], timeout=0)
        taken = []

        def polled():
            try:
                taken.append(next(merged)[1])
            except ChannelTimeout:
                return False
            return len(taken) == 3

        until(polled)
    assert taken == ["a", "b", "c"]
    assert list(itertools.islice(merged, 1)) == []


def test_a_merge_of_timeout_0_gets_there_in_asyncio(script):
    script.on("back", three)

    async def main():
        async with aio.BrowserChannel(script.url) as channel:
            merged = aio.merge([channel], timeout=0)
            taken = []
            async with asyncio.timeout(30):
                while len(taken) < 3:
                    try:
                        taken.append((await anext(merged))[1])
                    except ChannelTimeout:
                        await asyncio.sleep(0.001)
            assert taken == ["a", "b", "c"]

    asyncio.run(main())


def test_a_merges_timeout_holds_while_another_thread_has_its_turn(script):
    with BrowserChannel(script.url) as channel:
        merged = merge([channel], timeout=3)
        late = []

        def wait():
            with pytest.raises(ChannelTimeout):
                next(merged)
            late.append(True)

        threads = [threading.Thread(target=wait) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert late == [True, True]


class Interrupted:
    """A logger in whose code a signal's handler runs, once; it came before, in the channel's own."""

    def __init__(self):
        self.interrupts = 1

    def isEnabledFor(self, level):  # noqa: N802 - logging's name
        if self.interrupts:
            self.interrupts -= 1
            signal.raise_signal(signal.SIGINT)
        return False

    def info(self, text):
        pass

    warning = debug = info


WAITS = {
    "recv": lambda channel: channel.recv(20),
    "messages": lambda channel: next(channel.messages()),
    "batches": lambda channel: next(channel.batches()),
    "connect": lambda channel: channel.connect(20),
    "flush": lambda channel: channel.flush(20),
    "merge": lambda channel: next(merge([channel])),
}


@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS)
def test_ctrl_c_is_not_taken_for_the_answer_of_a_logger(script, wait):
    script.on("back", three)
    with BrowserChannel(script.url, logger=Interrupted()) as channel:
        with pytest.raises(KeyboardInterrupt):
            wait(channel)
        wait(channel)


@pytest.mark.parametrize("name", ["recv", "connect", "flush"])
def test_ctrl_c_is_not_taken_for_the_answer_of_a_logger_in_an_event_loop(script, name):
    script.on("back", three)

    async def main():
        async with aio.BrowserChannel(script.url, logger=Interrupted()) as channel:
            with pytest.raises(KeyboardInterrupt):
                await getattr(channel, name)(20)
            await getattr(channel, name)(20)

    # Not by asyncio.run(), whose own handler cancels the task.
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()
