"""Objects that several threads use at once: what a free-threaded CPython makes of the C core, and any other.

Each test does for a moment what should never be done to a channel; nothing may crash, hang, or be lost.
"""

import asyncio
import contextlib
import itertools
import logging
import threading
import time

import pytest

from gaechannel import (
    BrowserChannel,
    ChannelClosed,
    ChannelError,
    ChannelTimeout,
    Client,
    Decoder,
    aio,
    merge,
)
from gaechannel.server import LocalServer

COUNT = 2000
DEADLINE = 60.0


@pytest.fixture(scope="module")
def server():
    # No back channel lives for long, so that the threads meet in all of a channel's states.
    with LocalServer(backchannel_seconds=0.1, hold=COUNT) as server:
        yield server


class Crew:
    """Threads that are started together, and whose first exception is raised here."""

    def __init__(self):
        self.threads = []
        self.errors = []
        self.start = threading.Event()
        self.over = threading.Event()

    def add(self, work, *args, again=False):
        """One more thread that does the work; again and again until all others are done."""

        def run():
            self.start.wait()
            try:
                work(*args)
                while again and not self.over.is_set():
                    work(*args)
            except BaseException as error:
                self.errors.append(error)

        self.threads.append((threading.Thread(target=run, daemon=True), again))

    def run(self):
        for thread, _ in self.threads:
            thread.start()
        self.start.set()
        end = time.monotonic() + DEADLINE
        for thread, _ in sorted(self.threads, key=lambda one: one[1]):
            thread.join(max(end - time.monotonic(), 0.1))
            if not any(one.is_alive() for one, again in self.threads if not again):
                self.over.set()
            assert not thread.is_alive(), "a thread hangs"
        if self.errors:
            raise self.errors[0]


@pytest.fixture
def crew():
    return Crew()


@pytest.fixture
def client_of(server):
    numbers = itertools.count()

    def make(cls=Client):
        name = f"thread-{next(numbers)}-{time.monotonic_ns()}"
        client = cls(server.create_channel(name), base_url=server.base_url, max_backoff=0.01)
        return client, lambda text: server.send_message(name, text)

    return make


def send_all(send, count=COUNT):
    for number in range(count):
        send(str(number))
        if number % 50 == 0:
            time.sleep(0.001)


def look(channel):
    """Read what may be read from another thread."""
    repr(channel)
    assert channel.stats.messages >= 0
    assert isinstance(channel.aid, int)
    time.sleep(0)


def swap_loggers(channel):
    # One that nobody else holds: it goes when the next comes.
    channel.logger = logging.Logger("of this moment")  # noqa: LOG001
    assert channel.logger.name
    time.sleep(0)


# ---- One channel ----


def take_all(client, iterate, got):
    """Take numbers with others, until all have come."""
    for text in iterate():
        got.append(int(text))
        if len(got) == COUNT:
            client.close()


def test_threads_in_next_get_every_message_once(client_of, crew):
    client, send = client_of()
    got = []
    for _ in range(3):
        # Made here: a thread that comes late may find that the others have taken all, and closed the channel.
        crew.add(take_all, client, client.messages().__iter__, got)
    crew.add(send_all, send)
    for _ in range(2):
        crew.add(look, client, again=True)
        crew.add(swap_loggers, client, again=True)
    crew.run()
    assert sorted(got) == list(range(COUNT))


def test_threads_on_one_iterator_get_every_message_once(client_of, crew):
    client, send = client_of()
    messages = client.messages()
    got = []
    for _ in range(3):
        crew.add(take_all, client, lambda: messages, got)
    crew.add(send_all, send)
    crew.run()
    assert sorted(got) == list(range(COUNT))


def test_close_from_many_threads_at_once(client_of):
    for _ in range(20):
        crew = Crew()
        client, send = client_of()
        messages = client.messages()
        send("first")
        assert next(messages) == "first"
        crew.add(list, messages)
        for _ in range(4):
            crew.add(client.close)
        crew.add(look, client, again=True)
        crew.run()
        assert client.closed


def test_sending_while_others_receive(server, crew):
    channel = BrowserChannel(f"{server.url}/channel", max_backoff=0.01)
    ids = []

    def send():
        ids.extend(channel.send({"number": str(number)}) for number in range(200))

    def receive():
        for _ in channel.messages():
            pass

    def flush():
        channel.flush(10)

    channel.connect()
    for _ in range(3):
        crew.add(send)
    crew.add(flush)
    receiver = threading.Thread(target=receive, daemon=True)
    receiver.start()
    crew.add(look, channel, again=True)
    crew.run()
    channel.flush(10)
    assert channel.unsent == 0
    assert sorted(ids) == list(range(600))
    channel.close()
    receiver.join(10)
    assert not receiver.is_alive()


# ---- Many channels ----


def test_channels_come_and_go_in_many_threads(client_of, crew):
    def live():
        for _ in range(15):
            client, send = client_of()
            send("a")
            send("b")
            assert list(itertools.islice(client, 2)) == ["a", "b"]
            if client.aid % 2:
                client.close()

    for _ in range(4):
        crew.add(live)
    crew.run()


def test_threads_share_a_merge(client_of, crew):
    pairs = [client_of() for _ in range(4)]
    clients = [client for client, _ in pairs]
    each = COUNT // 4
    merged = merge(clients)
    got = []

    def take():
        for client, text in merged:
            got.append((clients.index(client), int(text)))
            if len(got) == 4 * each:
                for one in clients:
                    one.close()

    for _ in range(3):
        crew.add(take)
    for client, send in pairs:
        crew.add(send_all, send, each)
        crew.add(look, client, again=True)
    crew.run()
    assert sorted(got) == [(index, number) for index in range(4) for number in range(each)]


def test_merging_while_others_look_and_iterate(client_of):
    for _ in range(20):
        crew = Crew()
        client, send = client_of()
        other, _ = client_of()
        send("a")

        def begin(client=client, other=other):
            # It may find the channel in use.
            with contextlib.suppress(RuntimeError, ChannelClosed):
                for one, _ in merge([client, other]):
                    one.close()
                    other.close()

        def iterate(client=client, other=other):
            with contextlib.suppress(ChannelClosed):
                for _ in client.messages():
                    client.close()
                    other.close()

        crew.add(begin)
        crew.add(iterate)
        for _ in range(2):
            crew.add(look, client, again=True)
        crew.run()
        client.close()
        other.close()


REST = 0.5  # seconds


def receive_nothing(client):
    with pytest.raises(ChannelTimeout):
        client.recv(timeout=REST)


class MergesOne(Client):
    merged = None

    def merge_nothing(self):
        self.merged = self.merged or merge([self], timeout=REST)
        with pytest.raises(ChannelTimeout):
            next(self.merged)


class AsksLong(Client):
    """Takes its time to make the URL of the init page."""

    def _get_init_url(self):
        time.sleep(REST)
        return super()._get_init_url()


def client_of_slow_token(token, base_url):
    def ask():
        time.sleep(REST)
        return token

    return Client(ask, base_url=base_url)


@pytest.mark.parametrize(
    ("make", "works"),
    [
        pytest.param(Client, [receive_nothing] * 3, id="in-recv"),
        pytest.param(
            MergesOne, [MergesOne.merge_nothing, receive_nothing, receive_nothing], id="beside-a-merge"
        ),
        pytest.param(AsksLong, [Client.initialize] * 3, id="for-a-url"),
        pytest.param(client_of_slow_token, [Client.initialize] * 3, id="for-a-token"),
    ],
)
def test_threads_that_wait_for_one_channel_take_no_time(crew, make, works):
    # A back channel that stays silent, so that nothing is to be done.
    with LocalServer() as server, make(server.create_channel("rests"), base_url=server.base_url) as client:
        if Client.initialize not in works:
            client.initialize()
            works[0](client)
        for work in works:
            crew.add(work, client)
        before = time.process_time()
        crew.run()
        taken = time.process_time() - before
    # One thread takes a hundredth of the time; two that woke each other took all of it.
    assert taken < REST / 5


def test_closing_what_is_being_merged(client_of):
    for _ in range(10):
        crew = Crew()
        clients = [client_of()[0] for _ in range(3)]
        merged = merge(clients)
        for _ in range(2):
            crew.add(list, merged)
        for client in clients:
            crew.add(client.close)
            crew.add(client.close)
            crew.add(look, client, again=True)
        del clients, client, merged
        crew.run()


def test_only_one_merge_gets_a_channel(client_of, crew):
    client, _ = client_of()
    made = []

    def make():
        with contextlib.suppress(ValueError):
            made.append(merge([client]))

    for _ in range(8):
        crew.add(make)
    crew.run()
    assert len(made) == 1
    client.close()


# ---- asyncio ----


def test_an_event_loop_in_each_thread(client_of, crew):
    async def live():
        client, send = client_of(aio.Client)
        async with client:
            for number in range(100):
                send(str(number))
            got = []
            async for text in client:
                got.append(int(text))
                if len(got) == 100:
                    break
        assert got == list(range(100))

    for _ in range(4):
        crew.add(lambda: asyncio.run(live()))
    crew.run()


# So many that threads without the GIL are in the iterator at the same moment.
MUCH = 40 * COUNT


def take_what_is_there(messages, got):
    """Ask an event loop's iterator in a thread that has no event loop, until all have come."""
    while len(got) < MUCH:
        try:
            messages.__next__()
        except StopIteration as stop:
            got.append(int(stop.value))
        except RuntimeError:
            time.sleep(0)  # there is nothing


def test_threads_on_an_event_loops_iterator_get_what_is_there_once(client_of, crew):
    client, send = client_of(aio.Client)
    got = []

    async def main():
        async with client:
            messages = client.messages()
            send("0")
            got.append(int(await anext(messages)))
            for _ in range(3):
                crew.add(take_what_is_there, messages, got)
            crew.add(lambda: [send(str(number)) for number in range(1, MUCH)])
            await asyncio.to_thread(crew.run)

    asyncio.run(main())
    assert sorted(got) == list(range(MUCH))


def test_looking_at_an_event_loops_channel_from_another_thread(client_of, crew):
    client, send = client_of(aio.Client)

    async def live():
        async with client:
            got = []
            async for text in client:
                got.append(int(text))
                if len(got) == COUNT:
                    break
        assert got == list(range(COUNT))

    crew.add(lambda: asyncio.run(live()))
    crew.add(send_all, send)
    crew.add(look, client, again=True)
    crew.add(swap_loggers, client, again=True)
    crew.run()


# ---- Decoders ----


def test_threads_share_a_decoder(crew):
    decoder = Decoder()
    chunk = b'[[1,["some",{"data":[1.5,null]}]]]'
    chunk = b"%d\n%s" % (len(chunk), chunk)
    got = []

    def feed():
        for _ in range(COUNT):
            while True:
                try:
                    got.extend(decoder.feed(chunk))
                    break
                except RuntimeError:  # another feed() is under way
                    time.sleep(0)

    def end():
        with contextlib.suppress(ChannelError, RuntimeError):
            decoder.eof()

    for _ in range(4):
        crew.add(feed)
    crew.add(end, again=True)
    crew.run()
    assert got == [(1, ["some", {"data": [1.5, None]}])] * (4 * COUNT)
    decoder.eof()
