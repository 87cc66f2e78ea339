"""Objects and references that are left behind, where what the C core makes comes and goes again and again.

A debug build of CPython counts all references; any build knows the objects that its garbage collector
watches, and the blocks of memory that its own allocator has given out.
"""

import asyncio
import contextlib
import gc
import itertools
import sys

import pytest

from gaechannel import (
    BrowserChannel,
    Client,
    Decoder,
    ParseError,
    TalkMessageCorrupted,
    WebChannel,
    aio,
    merge,
    talkparser,
)
from gaechannel._core import TalkDecoder

# Cycles before counting: caches fill, pools grow.
WARM = 6
# Cycles that are counted.
COUNTED = 10


def chunk(payload):
    return b"%d\n%s" % (len(payload), payload)


BODY = chunk(
    b'[[1,["c",["C1",["ae","text"]]]],[2,{"a":[1,2.5,null,true,"\\u00e9"],"b":12345678901234567890}]]'
)


# ---- What comes and goes ----


def decoder(_server, _names):
    decoder = Decoder()
    for cut in range(len(BODY)):
        decoder.feed(BODY[:cut])
        decoder.feed(BODY[cut:])
    decoder.eof()


def talk_decoder(_server, _names):
    decoder = TalkDecoder("C1")
    assert decoder.feed(BODY) == ["text"]
    decoder.eof()


def corrupt_decoder(_server, _names):
    decoder = Decoder()
    assert len(decoder.feed(BODY + b"no length\n")) == 2
    for call in (lambda: decoder.feed(BODY), decoder.eof):
        with pytest.raises(TalkMessageCorrupted):
            call()


def parser(_server, _names):
    assert talkparser.parse("[1,,'\\x41',{\"a\":undefined}]")
    with pytest.raises(ParseError):
        talkparser.parse('{"a":[1,2,{"b":')


def refused_arguments(_server, _names):
    with pytest.raises(ValueError, match="timeout"):
        Client("token", base_url="http://127.0.0.1:9", timeout=-1)
    with pytest.raises(TypeError):
        merge([1])
    with pytest.raises(TypeError):
        Decoder(1)


def client(server, names):
    name = next(names)
    with Client(server.create_channel(name), base_url=server.base_url, headers={"X-A": "b"}) as client:
        for number in range(10):
            server.send_message(name, str(number))
        assert len(list(itertools.islice(client, 5))) == 5
        assert len(list(itertools.islice(client.messages(), 5))) == 5
        assert client.stats.messages == 10
        repr(client)
        client.logger = client.logger


def client_with_a_callable(server, names):
    name = next(names)
    client = Client(lambda: server.create_channel(name), base_url=server.base_url)
    server.create_channel(name)
    server.send_message(name, "a")
    assert next(client.messages()) == "a"
    client.close()


def client_left_alone(server, names):
    name = next(names)
    client = Client(server.create_channel(name), base_url=server.base_url)
    server.send_message(name, "a")
    # In a cycle, half read, and never closed.
    client.messages_of_mine = client.messages()
    assert next(client.messages_of_mine) == "a"
    client.myself = client


def client_refused(server, _names):
    with Client("gc1.no-token", base_url=server.base_url) as client, contextlib.suppress(OSError):
        next(client.messages())


def client_merge(server, names):
    ours = [next(names) for _ in range(3)]
    clients = [Client(server.create_channel(name), base_url=server.base_url) for name in ours]
    for name in ours:
        server.send_message(name, name)
    for one, text in merge(clients):
        assert ours[clients.index(one)] == text
        one.close()
    # Not begun; begun and left.
    others = [Client(server.create_channel(next(names)), base_url=server.base_url) for _ in range(2)]
    merged = merge(others)
    with pytest.raises(ValueError, match="twice"):
        merge(others)
    del merged
    for one in others:
        one.close()


def browser_channel(server, _names):
    with BrowserChannel(f"{server.url}/channel") as channel:
        channel.connect()
        assert channel.send({"a": 1}) == 0
        channel.flush(10)
        assert channel.unsent == 0


def web_channel(server, _names):
    with WebChannel(f"{server.url}/webchannel", init_headers={"X-A": "b"}) as channel:
        channel.connect()
        channel.send({"a": [1, 2]})
        channel.flush(10)


def run(main):
    asyncio.run(main())


def aio_client(server, names):
    name = next(names)

    async def main():
        async with aio.Client(server.create_channel(name), base_url=server.base_url) as client:
            for number in range(10):
                server.send_message(name, str(number))
            messages = client.messages()
            assert await anext(messages) == "0"
            count = 1
            async for _ in messages:
                count += 1
                if count == 10:
                    break

    run(main)


def aio_cancelled(server, names):
    name = next(names)

    async def main():
        async with aio.Client(server.create_channel(name), base_url=server.base_url) as client:
            waiting = asyncio.ensure_future(anext(client.batches()))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            for _ in range(3):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.02):
                        await anext(client.messages())

    run(main)


def aio_web_channel(server, _names):
    async def main():
        async with aio.WebChannel(f"{server.url}/webchannel") as channel:
            await channel.connect()
            await channel.send({"a": 1})
            await channel.flush(10)

    run(main)


def aio_merge(server, names):
    ours = [next(names) for _ in range(3)]

    async def main():
        clients = [aio.Client(server.create_channel(name), base_url=server.base_url) for name in ours]
        for name in ours:
            server.send_message(name, name)
        async for one, text in aio.merge(clients):
            assert ours[clients.index(one)] == text
            await one.close()

    run(main)


CYCLES = [
    decoder,
    talk_decoder,
    corrupt_decoder,
    parser,
    refused_arguments,
    client,
    client_with_a_callable,
    client_left_alone,
    client_refused,
    client_merge,
    browser_channel,
    web_channel,
    aio_client,
    aio_cancelled,
    aio_web_channel,
    aio_merge,
]


# ---- Counting ----


@pytest.fixture
def cycle(request, server):
    """One of them, and the garbage collected that it leaves."""
    names = (f"{request.node.name}-{number}" for number in itertools.count())

    def once():
        request.param(server, names)
        gc.collect()

    return once


def cycles(which):
    return pytest.mark.parametrize("cycle", which, indirect=True, ids=lambda cycle: cycle.__name__)


def least_growth(count, cycle):
    """By how much each cycle, and be it by chance, lets a number grow: by 1 at least, where one is leaked."""

    def growth(work):
        before = count()
        work()
        return count() - before

    for _ in range(WARM):
        cycle()
    # Counting itself makes an object or two.
    own = min(growth(lambda: None) for _ in range(COUNTED))
    return min(growth(cycle) for _ in range(COUNTED)) - own


@cycles(CYCLES)
def test_no_object_is_left(cycle):
    assert least_growth(lambda: len(gc.get_objects()), cycle) <= 0


# What an event loop keeps for the next one grows for hundreds of cycles.
@cycles([cycle for cycle in CYCLES if not cycle.__name__.startswith("aio_")])
def test_no_memory_is_left(cycle):
    assert least_growth(sys.getallocatedblocks, cycle) <= 0


@pytest.mark.skipif(not hasattr(sys, "gettotalrefcount"), reason="not a debug build of CPython")
@cycles(CYCLES)
def test_no_reference_is_left(cycle):
    # To what is there anyway, that is: new blocks have been counted.
    assert least_growth(lambda: sys.gettotalrefcount() - sys.getallocatedblocks(), cycle) <= 0
