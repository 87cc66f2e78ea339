"""gaechannel.server.http.backchannel: how what is sent gets to the connections."""

import asyncio
import threading
from types import SimpleNamespace

import pytest
from aiohttp import HttpVersion10, HttpVersion11, web
from wire_by_hand import chunks

from gaechannel.server import BrowserChannelService
from gaechannel.server.core.sessions import Opening
from gaechannel.server.http.backchannel import HttpBackChannel, Line


class Transport:
    """A connection that remembers each write, and has room for so many bytes that are not read."""

    def __init__(self, room=1 << 30):
        self.room = room
        self.writes = []
        self.waiting = 0
        self.closing = self.aborted = False

    def write(self, data):
        self.writes.append(data)
        self.waiting += len(data)

    def is_closing(self):
        return self.closing

    def get_write_buffer_size(self):
        return self.waiting

    def get_write_buffer_limits(self):
        return 0, self.room

    def get_protocol(self):
        return None

    def abort(self):
        self.aborted = self.closing = True


class Writer:
    """What aiohttp hands out for a response."""

    def __init__(self, transport):
        self.transport = transport
        self.output_size = 0

    async def drain(self):
        await until(lambda: self.transport.waiting <= self.transport.room)


class Response(web.StreamResponse):
    def __init__(self, transport):
        super().__init__()
        self.writer = Writer(transport)
        self.ended = False

    async def prepare(self, request):
        return self.writer

    async def write_eof(self, data=b""):
        self.ended = True


class Open:
    """A session whose back channel is open over a connection that remembers."""

    def __init__(self, line, service, *, room=1 << 30, version=HttpVersion11, one_batch=False):
        self.transport = Transport(room)
        request = SimpleNamespace(transport=self.transport, version=version, keep_alive=True)
        self.session, _ = service.open(Opening({}))
        self.back = HttpBackChannel(request, self.session, service, line, one_batch=one_batch)
        with service.lock:
            self.session.attach(self.back, 0)
        self.response = Response(self.transport)
        self.task = asyncio.create_task(self.back.run(self.response, request))

    async def is_cut_by_another(self, line, service):
        """Another back channel opens, and this one's connection is cut."""
        request = SimpleNamespace(transport=Transport(), version=HttpVersion11, keep_alive=True)
        with service.lock:
            self.session.attach(HttpBackChannel(request, self.session, service, line, one_batch=False), 0)
        await until(lambda: self.transport.aborted)
        self.task.cancel()

    def arrays(self):
        """What each write carried."""
        return [
            [array for one in chunks(dechunked(data).decode()) for array in one]
            for data in self.transport.writes
        ]


def dechunked(data):
    length, _, rest = data.partition(b"\r\n")
    assert rest[int(length, 16) :] == b"\r\n"
    return rest[:-2]


async def until(condition):
    while not condition():  # noqa: ASYNC110 - it is no event that it waits for
        await asyncio.sleep(0.001)


@pytest.fixture
def service():
    return BrowserChannelService()


def test_what_is_sent_in_one_turn_of_the_loop_is_one_write(service):
    async def run():
        one = Open(Line(), service)
        await asyncio.sleep(0)
        for number in range(3):
            one.session.send(number)
        assert one.transport.writes == []
        await asyncio.sleep(0)
        assert one.arrays() == [[[1, 0], [2, 1], [3, 2]]]
        one.session.send("later")
        await asyncio.sleep(0)
        assert one.arrays()[1:] == [[[4, "later"]]]
        one.task.cancel()

    asyncio.run(run())


def test_a_turn_of_the_loop_feeds_so_many_and_lets_others_have_theirs(service):
    async def run():
        line = Line()
        opened = [Open(line, service) for _ in range(300)]
        await asyncio.sleep(0)

        def send():
            for one in opened:
                one.session.send("to all")

        thread = threading.Thread(target=send)
        thread.start()
        thread.join()
        turns = []
        while sum(turns) < 300:
            before = sum(len(one.transport.writes) for one in opened)
            await asyncio.sleep(0)
            turns.append(sum(len(one.transport.writes) for one in opened) - before)
        assert turns == [128, 128, 44]
        for one in opened:
            one.task.cancel()

    asyncio.run(run())


def test_those_who_are_woken_first_do_not_wait_for_all_others(service):
    async def run():
        line = Line()
        opened = [Open(line, service) for _ in range(100)]
        await asyncio.sleep(0)
        opened[5].session.stop()  # more is to be done than to write: that waits for its turn
        for text in ("first", "second", "third"):
            for one in opened:
                if one is not opened[5]:
                    one.session.send(text)
        writes = [len(one.transport.writes) for one in opened]
        # All but one of those that came first, and each once in a turn of the loop.
        assert writes == [int(number < 64 and number != 5) for number in range(100)]
        await asyncio.sleep(0)
        early = [[[1, "first"]], [[2, "second"], [3, "third"]]]
        assert [one.arrays() for one in opened[:5]] == [early] * 5
        assert opened[5].arrays() == [[[1, ["stop"]]]]
        assert [one.arrays() for one in opened[64:]] == [[[[1, "first"], [2, "second"], [3, "third"]]]] * 36
        for one in opened[:5] + opened[6:]:
            one.session.send("in another turn")
        assert [len(one.transport.writes) for one in opened[:5]] == [3] * 5
        for one in opened:
            one.task.cancel()

    asyncio.run(run())


def test_a_turn_of_the_loop_does_not_feed_all_there_are_early(service):
    async def run():
        line = Line()
        opened = [Open(line, service) for _ in range(1200)]
        await asyncio.sleep(0)
        for one in opened:
            one.session.send("to all")
        assert sum(len(one.transport.writes) for one in opened) == 1024
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert all(one.transport.writes for one in opened)
        for one in opened:
            one.task.cancel()

    asyncio.run(run())


def test_a_thread_may_send_while_the_loop_writes(service):
    async def run():
        one = Open(Line(), service)
        await asyncio.sleep(0)

        def send():
            for number in range(1000):
                one.session.send(number)

        thread = threading.Thread(target=send)
        thread.start()
        await until(lambda: one.session.next_id == 1001 and one.session.idle)
        thread.join()
        assert [data for write in one.arrays() for _, data in write] == list(range(1000))
        one.task.cancel()

    asyncio.run(run())


def test_who_does_not_read_is_given_no_more_than_the_connection_holds(service):
    async def run():
        one = Open(Line(), service, room=1000)
        await asyncio.sleep(0)
        for number in range(50):
            one.session.send([number, "x" * 100])
            await asyncio.sleep(0)
        held = one.transport.waiting
        assert 1000 < held < 1300
        one.transport.waiting = -10_000  # from now on the client reads all
        await until(lambda: one.session.idle)
        assert [data[0] for write in one.arrays() for _, data in write] == list(range(50))
        one.task.cancel()

    asyncio.run(run())


def test_who_does_not_read_is_cut_when_another_back_channel_comes(service):
    async def run():
        line = Line()
        one = Open(line, service, room=10)
        one.session.send("more than it has room for")
        await until(lambda: one.transport.writes)
        await one.is_cut_by_another(line, service)

    asyncio.run(run())


def test_who_does_not_read_the_last_of_a_response_is_cut_all_the_same(service):
    async def run():
        line = Line()
        one = Open(line, service, room=10, one_batch=True)
        one.response.write_eof = one.response.writer.drain  # as aiohttp's, which waits for room
        one.session.send("more than it has room for")
        await until(lambda: one.transport.writes)
        await asyncio.sleep(0.01)
        await one.is_cut_by_another(line, service)

    asyncio.run(run())


def test_a_connection_that_goes_while_something_is_sent_ends_the_request(service):
    async def run():
        one = Open(Line(), service)
        await asyncio.sleep(0)
        one.transport.closing = True
        one.session.send("into the void")
        with pytest.raises(ConnectionResetError):
            await one.task
        assert one.transport.writes == []

    asyncio.run(run())


def test_what_an_http_1_0_client_is_given_is_not_chunked(service):
    async def run():
        one = Open(Line(), service, version=HttpVersion10)
        one.session.send("plain")
        await until(lambda: one.transport.writes)
        assert one.transport.writes == [b'15\n[[1,"plain"]\n]\n']
        one.task.cancel()

    asyncio.run(run())


def test_one_batch_ends_the_response_though_it_comes_while_its_handler_sleeps(service):
    async def main():
        one = Open(Line(), service, one_batch=True)
        await until(lambda: one.back._waiting)
        one.session.send("a")
        async with asyncio.timeout(20):
            await one.task
        assert one.response.ended
        assert not one.session.stopped

    asyncio.run(main())


def test_the_end_of_a_session_ends_its_response(service):
    async def run():
        one = Open(Line(), service)
        await asyncio.sleep(0)
        one.session.send("last")
        service.end(one.session, "closed")
        await one.task
        assert one.arrays() == [[[1, "last"]]]
        assert one.response.ended
        assert one.response.writer.output_size == one.back.taken > 0

    asyncio.run(run())


def test_a_loop_that_has_closed_is_told_nothing(service):
    async def run():
        one = Open(Line(), service)
        await asyncio.sleep(0)
        one.task.cancel()
        return one

    one = asyncio.run(run())
    one.session.send("nobody")
    assert one.transport.writes == []
