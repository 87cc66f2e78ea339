"""What comes and goes, and what of it is left behind: run by test_refs.py.

`python cycles.py [NAME ...]` prints it as JSON, a line each. Not in the process of pytest, so that nothing is
counted that other tests have left running; and the server in another.
"""

import asyncio
import contextlib
import gc
import itertools
import json
import subprocess
import sys

import pytest

from gaechannel import (
    BrowserChannel,
    ChannelTimeout,
    Client,
    Decoder,
    Framer,
    ParseError,
    SendQueueFull,
    TalkMessageCorrupted,
    WebChannel,
    aio,
    merge,
    talkparser,
)
from gaechannel._core import TalkDecoder

# Cycles before counting: caches fill, pools grow.
WARM = 6
# Cycles between two counts.
ROUND = 10
# One round without growth is enough; so many with it are a leak.
MOST = 20


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


def raw_decoder(_server, _names):
    for reader in (Decoder(raw=True), Framer()):
        for cut in range(len(BODY)):
            reader.feed(BODY[:cut])
            reader.feed(BODY[cut:])
        reader.eof()
    decoder = Decoder(raw=True)
    assert len(decoder.feed(BODY + chunk(b"[[3,[]],[4]]"))) == 2
    with pytest.raises(TalkMessageCorrupted):
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
    assert talkparser.parse(b"[1]") == [1]
    for text in ('{"a":[1,2,{"b":', b"[1", b"\xff"):
        with pytest.raises(ParseError):
            talkparser.parse(text)


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


def client_that_receives(server, names):
    name = next(names)
    with Client(server.create_channel(name), base_url=server.base_url) as client:
        for number in range(10):
            server.send_message(name, str(number))
        assert client.recv(20) == "0"
        while client.stats.messages < 10:
            with contextlib.suppress(ChannelTimeout):
                client.recv(0)
        list(itertools.islice(client.batches(2), 2))
        with pytest.raises(ChannelTimeout):
            list(merge([client], 0))


def aio_that_receives(server, names):
    name = next(names)

    async def main():
        async with aio.Client(server.create_channel(name), base_url=server.base_url) as client:
            for number in range(10):
                server.send_message(name, str(number))
            assert await client.recv() == "0"
            assert await anext(client.batches(2))
            while client.stats.messages < 10:
                with contextlib.suppress(ChannelTimeout):
                    await client.recv(0.001)
            with contextlib.suppress(ChannelTimeout):
                await client.recv(0)
            with pytest.raises(ChannelTimeout):
                [found async for found in aio.merge([client], 0)]

    asyncio.run(main())


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


def channel_of_bytes(server, _names):
    with WebChannel(server.url + "/webchannel", raw=True, unwrap=False, max_unsent=60) as channel:
        channel.send({"n": 1})
        assert channel.pending() == [(0, {"n": 1})]
        assert channel.drop_unsent() == [(0, {"n": 1})]
        channel.send_raw(b'{"n":2}')
        channel.send_map({"a": "b", "c": [3]})
        for large in ("x" * 50, "x" * 100):
            with pytest.raises(SendQueueFull):
                channel.send(large)
        with pytest.raises(UnicodeEncodeError):
            channel.send_map({"a": "\ud83d"})
        channel.flush(20)


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
    raw_decoder,
    talk_decoder,
    corrupt_decoder,
    parser,
    refused_arguments,
    client,
    client_that_receives,
    aio_that_receives,
    client_with_a_callable,
    client_left_alone,
    client_refused,
    client_merge,
    browser_channel,
    web_channel,
    channel_of_bytes,
    aio_client,
    aio_cancelled,
    aio_web_channel,
    aio_merge,
]


# ---- The server ----

SERVER = """
import json, sys
from gaechannel.server import LocalServer

with LocalServer() as server:
    print(json.dumps([server.url, server.base_url]), flush=True)
    for line in sys.stdin:
        method, *arguments = json.loads(line)
        print(json.dumps(getattr(server, method)(*arguments)), flush=True)
"""


class RemoteServer:
    """Does in the other process what LocalServer's methods of the same names do."""

    def __init__(self, process):
        self._process = process
        self.url, self.base_url = json.loads(process.stdout.readline())

    def create_channel(self, name):
        return self._ask("create_channel", name)

    def send_message(self, name, text):
        self._ask("send_message", name, text)

    def _ask(self, *call):
        print(json.dumps(call), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())


# ---- Counting ----


COUNTS = {"objects": lambda: len(gc.get_objects()), "blocks": sys.getallocatedblocks}
if hasattr(sys, "gettotalrefcount"):
    COUNTS["references"] = sys.gettotalrefcount

# What a type has by what name is remembered, and names made for the asking with it: thousands of them.
forget_names = getattr(sys, "_clear_internal_caches", None) or sys._clear_type_cache


def leaked(count, work):
    """How much a cycle leaves behind: 0 as soon as a round of them has left less than half an object each.

    What the interpreter keeps for itself grows ever less often, and counting makes an object or two; a leak
    is there each time.
    """
    for _ in range(MOST):
        forget_names()
        before = count()
        for _ in range(ROUND):
            work()
        forget_names()
        grown = count() - before
        if grown < ROUND / 2:
            return 0
    return grown / ROUND


def main(chosen):
    command = [sys.executable, "-c", SERVER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        server = RemoteServer(process)
        names = (f"name {number}" for number in itertools.count())
        for cycle in CYCLES:
            if chosen and cycle.__name__ not in chosen:
                continue

            def once(cycle=cycle):
                cycle(server, names)
                gc.collect()

            for _ in range(WARM):
                once()
            print(json.dumps({what: leaked(count, once) for what, count in COUNTS.items()}), flush=True)
        process.stdin.close()


if __name__ == "__main__":
    main(sys.argv[1:])
