"""Receiving: aio.Client's methods, their ends, and their exceptions."""

import asyncio
import socket
import threading
import weakref

import hostile
import pytest
from scripted_server import ScriptedServer, frame, opened
from waiting import until_collected

from gaechannel import aio
from gaechannel.errors import (
    ChannelClosed,
    ChannelError,
    ChannelTimeout,
    HTTPStatusError,
    InvalidToken,
    TalkMessageCorrupted,
    TransportError,
)


def test_messages_come_in_order_in_every_kind_of_event_loop(run_anywhere, server, name, client_of, take):
    async def main():
        async with client_of(name) as client:
            for number in range(50):
                server.send_message(name, f"held {number}")
            iterator = client.messages()
            assert await take(iterator, 50) == [f"held {number}" for number in range(50)]
            for number in range(50):
                server.send_message(name, f"sent {number}")
                assert await anext(iterator) == f"sent {number}"

    run_anywhere(main())


def test_the_client_itself_can_be_iterated_over(run, server, name, client_of):
    async def main():
        server.send_message(name, "one")
        async with client_of(name) as client:
            async for message in client:
                assert message == "one"
                break

    server.create_channel(name)
    run(main())


def test_it_cannot_be_iterated_over_without_async(name, client_of):
    with pytest.raises(TypeError):
        iter(client_of(name))


def test_who_asks_again_before_the_answer_gets_another_message(run, server, name, client_of):
    async def main():
        async with client_of(name) as client:
            for number in range(5):
                server.send_message(name, str(number))
            iterator = client.messages()
            assert await asyncio.gather(*(anext(iterator) for _ in range(3))) == ["0", "1", "2"]
            one, other = anext(iterator), anext(iterator)
            assert [await one, await other] == ["3", "4"]
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(iterator), 0)
            waiting = asyncio.gather(anext(iterator), anext(iterator))
            await asyncio.sleep(0)
            for text in "ab":
                server.send_message(name, text)
            assert await waiting == ["a", "b"]
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await asyncio.gather(anext(iterator), anext(iterator))

    run(main())


def test_a_wait_that_was_cancelled_before_it_began_changes_nothing(run, server):
    async def main():
        async with aio.Client("no token", base_url=server.base_url) as client:
            iterator = client.messages()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(iterator.__anext__(), 0)
            with pytest.raises(InvalidToken):
                await anext(iterator)
            for _ in range(3):
                with pytest.raises(StopAsyncIteration):
                    await anext(iterator)

    run(main())


def test_a_batch_is_all_that_is_there(run, server, name, client_of, until):
    async def main():
        async with client_of(name) as client:
            for number in range(10):
                server.send_message(name, str(number))
            batches = client.batches()
            first = await anext(batches)
            while len(first) < 10:
                first += await anext(batches)
            assert first == [str(number) for number in range(10)]
            for number in range(7):
                server.send_message(name, str(number))
            await until(lambda: client.stats.messages == 17)
            assert await anext(batches) == [str(number) for number in range(7)]

    run(main())


def test_a_new_iterator_goes_on_where_the_last_one_stopped(run, server, name, client_of, until):
    async def main():
        async with client_of(name) as client:
            for text in "abcd":
                server.send_message(name, text)
            async for message in client:
                assert message == "a"
                break
            await until(lambda: client.stats.messages == 4)
            assert await anext(client.messages()) == "b"
            assert await anext(client.batches()) == ["c", "d"]

    run(main())


def test_long_poll_messages_ends_with_its_back_channel(run):
    back = [
        hostile.ok(hostile.messages(1, "a", "b")),
        hostile.ok(hostile.messages(3, "c")),
        hostile.silence,
    ]

    async def main():
        with hostile.TalkServer(back=back) as server:
            async with aio.Client("token", base_url=server.base_url) as client:
                assert [message async for message in client.long_poll_messages()] == ["a", "b"]
                assert [message async for message in client.long_poll_messages()] == ["c"]

    run(main())


def test_it_starts_step_by_step_as_the_old_module_did(run, server, name, client_of):
    async def main():
        async with client_of(name) as client:
            assert not client.is_initialized()
            await client.initialize()
            assert client.is_initialized()
            assert client.sid is None
            await client._fetch_sid()
            assert client.sid
            await client._connect()
            assert server.service.is_connected(name)
            server.send_message(name, "hi")
            assert await anext(client.messages()) == "hi"
            clid = client.clid
            await client.initialize()
            assert client.clid != clid

    run(main())


def test_several_tasks_share_a_channels_messages(run, server, name, client_of):
    async def main():
        got = []

        async def listen(client):
            async for message in client:
                got.append(message)
                if len(got) == 100:
                    await client.close()

        async with client_of(name) as client, asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(listen(client))
            for number in range(100):
                server.send_message(name, str(number))
        assert sorted(got, key=int) == [str(number) for number in range(100)]

    run(main())


def test_one_iterator_can_be_waited_for_by_two_tasks(run, server, name, client_of, until, take):
    async def main():
        async with client_of(name) as client:
            iterator = client.messages()
            both = asyncio.gather(take(iterator, 1), take(iterator, 1))
            await until(lambda: server.service.is_connected(name))
            server.send_message(name, "a")
            server.send_message(name, "b")
            assert sorted(await both) == [["a"], ["b"]]

    run(main())


def test_asyncios_own_helpers_take_an_anext(run, server, name, client_of):
    async def main():
        async with client_of(name) as client:
            iterator = client.messages()
            server.send_message(name, "a")
            assert await asyncio.wait_for(iterator.__anext__(), 10) == "a"
            server.send_message(name, "b")
            assert await asyncio.ensure_future(iterator.__anext__()) == "b"
            server.send_message(name, "c")
            assert await asyncio.shield(iterator.__anext__()) == "c"
            server.send_message(name, "d")
            done, _ = await asyncio.wait([asyncio.ensure_future(iterator.__anext__())])
            assert [future.result() for future in done] == ["d"]

    run(main())


def test_what_is_done_to_the_exception_that_brings_a_message_is_not_done_to_the_next(
    run, server, name, client_of, until
):
    # Without pytest.raises(), which keeps what it has caught.
    def spoil(iterator):
        try:
            iterator.__next__()
        except StopIteration as stop:
            stop.add_note("of the second")
            stop.__cause__ = stop.__context__ = OSError()
            return stop.value

    def following(iterator):
        try:
            iterator.__next__()
        except StopIteration as stop:
            return stop.value, stop.__cause__, stop.__context__, hasattr(stop, "__notes__")

    async def main():
        async with client_of(name) as client:
            for text in ("first", "second", "third"):
                server.send_message(name, text)
            iterator = client.messages()
            assert await anext(iterator) == "first"
            await until(lambda: client.stats.messages == 3)
            assert spoil(iterator) == "second"
            assert following(iterator) == ("third", None, None, False)

    run(main())


def test_an_exception_that_is_caught_keeps_its_message_and_its_frame_goes_with_it(
    run, server, name, client_of, until
):
    class Local:
        pass

    def catch(iterator):
        local = Local()
        gone.append(weakref.ref(local))
        try:
            iterator.__next__()
        except StopIteration as stop:
            return stop

    gone = []

    async def main():
        async with client_of(name) as client:
            for text in ("first", "second", "third", "fourth"):
                server.send_message(name, text)
            iterator = client.messages()
            assert await anext(iterator) == "first"
            await until(lambda: client.stats.messages == 4)
            held = catch(iterator).with_traceback(None)
            assert [catch(iterator).value for _ in range(2)] == ["third", "fourth"]
            assert held.value == "second"

    run(main())
    assert len(gone) == 3
    until_collected(*gone)


def test_a_message_that_is_there_costs_no_trip_through_the_event_loop(run, server, name, client_of, until):
    async def main():
        async with client_of(name) as client:
            iterator = client.messages()
            for number in range(20):
                server.send_message(name, str(number))
            assert await anext(iterator) == "0"
            await until(lambda: client.stats.messages == 20)
            turns = []
            asyncio.get_running_loop().call_soon(turns.append, 1)
            for number in range(1, 20):
                assert await anext(iterator) == str(number)
            assert turns == []

    run(main())


# ---- The end ----


def test_close_ends_whoever_iterates_with_the_end_of_iteration(run, server, name, client_of, until):
    async def main():
        client = client_of(name)
        tasks = [asyncio.create_task(collect(client.messages())) for _ in range(3)]
        tasks.append(asyncio.create_task(collect(client.batches())))
        await until(lambda: server.service.is_connected(name))
        await client.close()
        assert await asyncio.gather(*tasks) == [[], [], [], []]

    run(main())


async def collect(iterator):
    return [message async for message in iterator]


def test_messages_that_were_not_taken_are_dropped_by_close(run, server, name, client_of, until):
    async def main():
        client = client_of(name)
        iterator = client.messages()
        for text in "abc":
            server.send_message(name, text)
        assert await anext(iterator) == "a"
        await until(lambda: client.stats.messages == 3)
        await client.close()
        assert await collect(iterator) == []
        with pytest.raises(ChannelClosed):
            await collect(client.messages())
        with pytest.raises(ChannelClosed):
            await client.initialize()
        assert client.stats.messages == 3
        assert client.closed

    run(main())


def test_close_may_be_called_twice_and_before_anything_else(run, name, client_of):
    async def main():
        client = client_of(name)
        await client.close()
        await client.close()
        assert "closed" in repr(client)

    run(main())


def test_two_tasks_may_close_at_once(run, server, name, client_of):
    async def main():
        client = client_of(name)
        server.send_message(name, "a")
        assert await anext(client.messages()) == "a"
        await asyncio.gather(*(client.close() for _ in range(5)))
        assert client.closed

    run(main())


def test_the_repr_tells_no_secrets(run, name, client_of):
    client = client_of(name, token="t0ken-secret", base_url="http://me:pass@127.0.0.1:1/x")
    assert "secret" not in repr(client)
    assert "pass" not in repr(client)
    assert "new" in repr(client)


def test_the_log_has_the_records_of_the_synchronous_client(run, server, name, client_of, log):
    async def main():
        async with client_of(name) as client:
            server.send_message(name, "it's me")
            await anext(client.messages())

    run(main())
    assert any(text == 'channel msg: "it\'s me"' for text in log.texts)
    assert any(text.startswith("clid: ") for text in log.texts)


# ---- Exceptions ----


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ({"page": hostile.reply(b"", "401 Invalid+token.")}, InvalidToken),
        ({"page": hostile.reply(b"", "403 Forbidden")}, HTTPStatusError),
        ({"page": hostile.ok(b"<html>")}, ChannelError),
        ({"page": hostile.hang}, ChannelTimeout),
        ({"page": hostile.cut}, TransportError),
        ({"opening": hostile.ok(b"x")}, TalkMessageCorrupted),
        ({"opening": hostile.reply(b"", "404 Not Found")}, HTTPStatusError),
        ({"back": hostile.reply(b"", "401 Invalid+token.")}, InvalidToken),
        ({"back": hostile.ok(b"99999999999\n")}, TalkMessageCorrupted),
        ({"back": hostile.ok(hostile.chunk(hostile.array(1, ["stop"])))}, ChannelClosed),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else next(iter(value)),
)
def test_the_exceptions_are_the_synchronous_classes(run, answers, error):
    async def main():
        with hostile.TalkServer(**answers) as server:
            options = {
                "timeout": 0.3,
                "request_timeout": 0.3,
                "max_backoff": 0.01,
                "base_url": server.base_url,
            }
            async with aio.Client("token", **options) as client:
                iterator = client.messages()
                with pytest.raises(error) as caught:
                    await anext(iterator)
                assert type(caught.value) is error
                assert await collect(iterator) == []

    run(main())


def test_an_unreachable_server_is_a_transport_error(run):
    async def main():
        async with aio.Client("token", base_url="http://127.0.0.1:1") as client:
            with pytest.raises(TransportError):
                await anext(client.messages())
            with pytest.raises(TransportError):
                await client.initialize()

    run(main())


def test_every_waiting_task_hears_of_a_failure(run):
    async def main():
        with hostile.TalkServer(page=hostile.reply(b"", "403 Forbidden")) as server:
            async with aio.Client("token", base_url=server.base_url) as client:
                waits = [asyncio.ensure_future(client.messages().__anext__()) for _ in range(4)]
                errors = await asyncio.gather(*waits, return_exceptions=True)
                assert [type(error) for error in errors] == [HTTPStatusError] * 4

    run(main())


def test_messages_before_a_failure_come_before_it(run, until):
    back = [hostile.ok(hostile.messages(1, "a", "b")), hostile.reply(b"", "401 Invalid token.")]

    async def main():
        with hostile.TalkServer(back=back) as server:
            async with aio.Client("token", base_url=server.base_url) as client:
                iterator = client.messages()
                assert await anext(iterator) == "a"
                await until(lambda: len(server.of("back")) == 2)
                assert await anext(iterator) == "b"
                with pytest.raises(HTTPStatusError):
                    await anext(iterator)

    run(main())


def test_after_a_failure_messages_can_be_asked_for_again(run):
    back = [hostile.reply(b"", "403 Forbidden"), hostile.streams(hostile.messages(1, "a"))]

    async def main():
        with hostile.TalkServer(back=back) as server:
            async with aio.Client("token", base_url=server.base_url) as client:
                with pytest.raises(HTTPStatusError):
                    await anext(client.messages())
                assert await anext(client.messages()) == "a"

    run(main())


def test_a_logger_that_raises_raises_in_who_waits(run, name, client_of, server):
    class Angry:
        def isEnabledFor(self, level):  # noqa: N802 - logging's name
            return True

        def debug(self, *args):
            raise ZeroDivisionError

        info = warning = error = debug

    async def main():
        async with client_of(name) as client:
            client.logger = Angry()
            with pytest.raises(ZeroDivisionError):
                await anext(client.messages())
            client.logger = __import__("logging").getLogger("Channel")
            server.send_message(name, "a")
            assert await anext(client.messages()) == "a"

    run(main())


class CountingLoop(asyncio.SelectorEventLoop):
    """Knows how often somebody waited."""

    waits = 0

    def create_future(self):
        self.waits += 1
        return super().create_future()


def test_who_is_sent_much_is_given_it_without_a_turn_of_the_event_loop_for_each_look():
    limit = 65536
    count = 800
    text = "x" * 1000
    is_wanted, is_there = threading.Event(), threading.Event()

    def much(request):
        request.begin([1, "first"])
        data = "".join(frame([[number, text]]) for number in range(2, count + 2)).encode()
        data = b"%x\r\n%b\r\n" % (len(data), data)
        is_wanted.wait()
        # What the system has room for is there before the client looks.
        gone = request.connection.send(data, socket.MSG_DONTWAIT)
        is_there.set()
        request.connection.sendall(data[gone:])
        request.hold()

    async def main():
        loop = asyncio.get_running_loop()
        async with aio.BrowserChannel(script.url, queue_limit=limit) as channel:
            messages = channel.messages()
            assert await anext(messages) == "first"
            is_wanted.set()
            assert is_there.wait(20)
            before = loop.waits
            assert [await anext(messages) for _ in range(count)] == [text] * count
            return loop.waits - before

    # The fewest: at times, the machine has other things to do for so long that others would get their turn.
    fewest = count
    for _ in range(10):
        is_wanted.clear()
        is_there.clear()
        with ScriptedServer() as script:
            script.on("open", opened()).on("back", much)
            with asyncio.Runner(loop_factory=CountingLoop) as runner:
                fewest = min(fewest, runner.run(main()))
    # A look at the socket brings what the queue's limit lets in, and as much that libcurl has kept.
    assert fewest < count * len(text) / (2 * limit) - 1
