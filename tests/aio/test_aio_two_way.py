"""aio.BrowserChannel and aio.WebChannel: sending, flushing, connecting, ending."""

import asyncio
import json

import hostile
import pytest
from in_utf8 import in_utf8
from scripted_server import ScriptedServer, opened

from gaechannel import aio
from gaechannel.errors import ChannelClosed, ChannelTimeout, TransportError, WebChannelError
from gaechannel.server import LocalServer


class Echo:
    """A server whose sessions send every map's message back."""

    def __init__(self, **options):
        self.server = LocalServer(test_delay=0.01, **options)
        self.maps = []
        for service in (self.server.browserchannel, self.server.webchannel):
            service.on_session = self.greet

    def greet(self, session):
        def hear(message):
            self.maps.append(message)
            session.send(message)

        session.on_message = hear

    @property
    def url(self):
        return self.server.url + "/channel"

    @property
    def web_url(self):
        return self.server.url + "/webchannel"


@pytest.fixture
def echo():
    made = Echo()
    with made.server:
        yield made


def test_what_brought_a_message_goes_on_having_it_and_no_other(run_anywhere):
    """CPython 3.12 and 3.13 take each message from an exception and drop that: it brings the next, too."""
    texts = ["one", "two", "three", "four", "five", {"six": 6}, "7" * 5000, "eight"]

    async def main():
        async with aio.BrowserChannel(script.url) as channel:
            messages = channel.messages()
            assert await anext(messages) == "zero"
            kept = []
            for text in texts:
                with pytest.raises(StopIteration) as stopped:
                    next(messages.__anext__())
                assert stopped.value.value == text
                if text in ("two", "four"):
                    kept.append(stopped.value)
                del stopped
            assert [stop.value for stop in kept] == ["two", "four"]

    with ScriptedServer() as script:
        script.on("open", opened(*enumerate(["zero", *texts], 1)))
        run_anywhere(main())


@pytest.mark.parametrize("encoding", ["ASCII", "UTF-8"])
def test_maps_go_there_and_arrays_come_back(run_anywhere, echo, encoding):
    if encoding == "UTF-8":
        in_utf8(echo.server)

    async def main():
        async with aio.BrowserChannel(echo.url) as channel:
            assert await channel.send_json({"x": 1}) == 0
            messages = channel.messages()
            assert await anext(messages) == {"x": 1}
            for number in range(1, 50):
                assert await channel.send_json([number, "😀"]) == number
                assert await anext(messages) == [number, "😀"]
            await channel.flush(10)
            assert channel.unsent == 0

    run_anywhere(main())
    assert len(echo.maps) == 50


def test_a_web_channel_sends_and_receives_objects(run, echo):
    async def main():
        async with aio.WebChannel(echo.web_url) as channel:
            await channel.send({"add": "target"})
            async for message in channel:
                assert message == {"add": "target"}
                break

    run(main())


def test_maps_go_though_nobody_iterates(run, echo, until):
    async def main():
        async with aio.BrowserChannel(echo.url) as channel:
            await channel.connect()
            for number in range(20):
                await channel.send_json(number)
            await until(lambda: channel.unsent == 0)
            assert echo.maps == list(range(20))
            await until(lambda: channel.stats.messages == 20)
            assert await anext(channel.batches()) == list(range(20))

    run(main())


def test_connect_does_not_end_an_iteration_that_has_begun(run, echo, take):
    async def main():
        async with aio.BrowserChannel(echo.url) as channel:
            listening = asyncio.create_task(take(channel.messages(), 2))
            await asyncio.sleep(0)
            await channel.connect()
            assert channel.sid
            await channel.send_json("a")
            await channel.flush(10)
            await channel.send_json("b")
            assert await listening == ["a", "b"]

    run(main())


def test_leaving_the_block_delivers_what_was_sent(run, echo):
    async def main():
        async with aio.BrowserChannel(echo.url) as channel:
            await channel.send_json("last words")

    run(main())
    assert echo.maps == ["last words"]


async def fail_in_block(server):
    async with aio.BrowserChannel(server.url) as channel:
        await channel.send_json(1)
        raise ZeroDivisionError


def test_an_exception_in_the_block_does_not_wait_for_delivery(run):
    async def main():
        with hostile.Server(hostile.hang) as server:
            with pytest.raises(ZeroDivisionError):
                await fail_in_block(server)
            assert server.requests == []

    run(main())


def test_the_server_is_told_of_the_end(run, echo, until):
    async def main():
        channel = aio.BrowserChannel(echo.url)
        await channel.connect()
        assert len(echo.server.browserchannel) == 1
        await channel.close()
        assert len(echo.server.browserchannel) == 0

    run(main())


def opened_then(terminate, maps=hostile.hang):
    """A server that opens a session; how it answers maps and the end is said here."""

    def answer(request, peer):
        if request.query.get("TYPE") == "terminate":
            terminate(request, peer)
        elif request.method == "GET":
            hostile.silence(request, peer)
        elif "SID" in request.query:
            maps(request, peer)
        else:
            peer.send(hostile.ok(hostile.opening()))

    return hostile.Server(answer)


def test_close_does_not_wait_long_for_a_server_that_says_nothing(run):
    async def main():
        with opened_then(hostile.hang) as server:
            channel = aio.BrowserChannel(server.url)
            await channel.connect()
            async with asyncio.timeout(10):
                await channel.close()
            assert channel.closed

    run(main())


def test_a_cancelled_close_closes(run, until, descriptors):
    async def main():
        with opened_then(hostile.hang) as server:
            channel = aio.BrowserChannel(server.url)
            await channel.connect()
            closing = asyncio.create_task(channel.close())
            await until(lambda: server.requests[-1].query.get("TYPE") == "terminate")
            closing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await closing
            assert channel.closed
            with pytest.raises(ChannelClosed):
                await channel.send_json(1)

    run(main())


def test_flush_gives_up_in_time_and_the_maps_stay(run):
    async def main():
        with opened_then(lambda _request, peer: peer.send(hostile.ok())) as server:
            channel = aio.BrowserChannel(server.url)
            await channel.connect()
            await channel.send_json(1)
            with pytest.raises(ChannelTimeout, match="1 maps"):
                await channel.flush(0.05)
            with pytest.raises(ChannelTimeout):
                await channel.flush(0)
            assert channel.unsent == 1
            await channel.close()

    run(main())


def test_flush_raises_what_went_wrong(run):
    async def main():
        channel = aio.BrowserChannel("http://127.0.0.1:1")
        await channel.send_json(1)
        with pytest.raises(TransportError):
            await channel.flush(10)
        with pytest.raises(TransportError):
            await channel.connect(retry=False)
        await channel.close()

    run(main())


def test_what_waits_for_more_than_messages_hears_of_close(run):
    async def main():
        with hostile.Server(hostile.hang) as server:
            channel = aio.BrowserChannel(server.url)
            await channel.send_json(1)
            waits = [asyncio.create_task(channel.connect()), asyncio.create_task(channel.flush())]
            await asyncio.sleep(0.01)
            await channel.close()
            errors = await asyncio.gather(*waits, return_exceptions=True)
            assert [type(error) for error in errors] == [ChannelClosed, ChannelClosed]

    run(main())


def web_channel_with(*arrays):
    def answer(request, peer):
        if request.method == "GET":
            peer.start()
            peer.send(hostile.chunk(*(hostile.array(number, data) for number, data in enumerate(arrays, 1))))
            peer.until_gone()
        else:
            peer.send(hostile.ok(hostile.opening()))

    return hostile.Server(answer)


ERROR = {"error": {"code": 403, "message": "no", "status": "PERMISSION_DENIED"}}


def test_an_error_object_is_raised_and_the_iteration_goes_on(run):
    async def main():
        with web_channel_with([{"a": 1}], [ERROR], [{"a": 2}]) as server:
            async with aio.WebChannel(server.url) as channel:
                iterator = channel.messages()
                assert await anext(iterator) == {"a": 1}
                with pytest.raises(WebChannelError, match="PERMISSION_DENIED"):
                    await anext(iterator)
                assert await anext(iterator) == {"a": 2}

    run(main())


def test_an_error_object_ends_a_batch(run, until):
    async def main():
        with web_channel_with([{"a": 1}], [{"a": 2}], [ERROR], [{"a": 3}]) as server:
            async with aio.WebChannel(server.url) as channel:
                batches = channel.batches()
                assert await anext(batches) == [{"a": 1}, {"a": 2}]
                with pytest.raises(WebChannelError):
                    await anext(batches)
                assert await anext(batches) == [{"a": 3}]

    run(main())


def test_the_arguments_are_the_synchronous_classes(run):
    async def main():
        with opened_then(lambda _request, peer: peer.send(hostile.ok())) as server:
            channel = aio.BrowserChannel(
                server.url, params={"who": "me"}, open_form={"pair": "1"}, replaces=("old", 7), buffered=True
            )
            await channel.connect()
            await channel.close()
            opening = server.requests[0]
            assert opening.query["who"] == "me"
            assert opening.query["OSID"] == "old"
            assert opening.query["OAID"] == "7"
            assert opening.form["pair"] == "1"

    run(main())


def test_maps_survive_a_server_that_restarts(run, echo, until):
    async def main():
        async with aio.BrowserChannel(echo.url, timeout=5.0, max_backoff=0.05) as channel:
            sent = 0
            messages = channel.messages()
            for _ in range(3):
                for _ in range(10):
                    await channel.send_json(sent)
                    assert await anext(messages) == sent
                    sent += 1
                await asyncio.to_thread(echo.server.kill, keep_sessions=True)
                await channel.send_json(sent)
                await asyncio.to_thread(echo.server.start)
                assert await anext(messages) == sent
                sent += 1
        assert echo.maps == list(range(sent))

    run(main())


def test_json_that_is_no_json_is_refused(run, echo):
    async def main():
        async with aio.BrowserChannel(echo.url) as channel:
            with pytest.raises(TypeError):
                await channel.send_json({1, 2})
            await channel.send({"JSON": json.dumps("own")})
            assert await anext(channel.messages()) == "own"

    run(main())
