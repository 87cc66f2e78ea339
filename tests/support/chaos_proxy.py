"""A proxy that mistreats HTTP requests at random, but the same way for the same seed and order of requests.

It stands in a thread of its own, on loopback, before a server that takes one request a connection.
"""

import asyncio
import contextlib
import itertools
import random
import re
from collections import Counter

from thread_server import ThreadServer

#: What may happen to a request, and how often out of a thousand; all else is passed on untouched.
FATES = {
    "drop the request": 60,
    "cut the request": 40,
    "drop the answer": 60,
    "cut the answer": 120,
    "send it twice, answer the first": 60,
    "send it twice, answer the second": 60,
    "send an old one again": 60,
    "delay the request": 80,
    "delay the answer": 80,
    "dribble the answer": 60,
    "never answer": 5,
}


class ChaosProxy(ThreadServer):
    """Passes requests on to a server, or does worse.

    Args:
        port: the server's port, on this machine.
        seed: what the chances are drawn from.
        delay: seconds that a delay takes at most.
        fates: what may happen, instead of all that FATES names.
        refuses: bytes of which it wants no request to hold them; as a firewall, it answers 403 itself.

    Attributes:
        fates: how many requests met which fate.
        calm: while True, everything is passed on.
    """

    def __init__(self, port, seed=1, delay=0.05, fates=None, refuses=None):
        super().__init__()
        self.fates = Counter()
        self.calm = False
        self._server_port = port
        self._random = random.Random(seed)
        self._delay = delay
        self._shares = FATES if fates is None else fates
        self._refuses = refuses
        self._old = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def cut_all(self):
        """Cut all connections that there are, those to the server too."""
        asyncio.run_coroutine_threadsafe(self._end_tasks(), self._loop).result(20)

    async def _handle(self, reader, writer):
        try:
            request = await read_request(reader)
            fate = self._choose()
            self.fates[fate] += 1
            await self._meet(fate, request, reader, writer)
        except (OSError, EOFError):
            pass
        finally:
            if self._random.random() < 0.3:
                writer.transport.abort()

    def _choose(self):
        chance = self._random.randrange(1000)
        if not self.calm:
            for fate, share in self._shares.items():
                chance -= share
                if chance < 0:
                    return fate
        return "pass"

    def _some_bytes(self):
        """How much of an answer passes before it is cut: sometimes not its head, sometimes a lot."""
        return int(self._random.expovariate(1 / self._random.choice([50, 500, 5000, 100_000])))

    async def _meet(self, fate, request, reader, writer):
        chances = self._random
        if self._refuses is not None and self._refuses in request:
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
            return
        if fate == "drop the request":
            return
        if fate == "never answer":
            await reader.read()
            return
        if fate == "delay the request":
            await asyncio.sleep(chances.uniform(0, self._delay))
        if fate == "send an old one again" and self._old:
            self._start(self._forget_answer(chances.choice(self._old)))
        if not self.calm:
            self._old = [*self._old[-20:], request]
        if fate == "send it twice, answer the second":
            await self._forget_answer(request, 0.01)
        if fate == "cut the request":
            _, up = await self._send(request[: chances.randrange(len(request))])
            up.close()
            return
        upstream, up = await self._send(request)
        try:
            if fate == "send it twice, answer the first":
                self._start(self._forget_answer(request))
            limit = None
            if fate == "drop the answer":
                limit = 0
            elif fate == "cut the answer":
                limit = self._some_bytes()
            elif fate == "delay the answer":
                await asyncio.sleep(chances.uniform(0, self._delay))
            await self._answer(upstream, reader, writer, limit, fate == "dribble the answer")
        finally:
            up.close()

    async def _send(self, request):
        reader, writer = await asyncio.open_connection("127.0.0.1", self._server_port)
        try:
            writer.write(request)
            await writer.drain()
        except BaseException:
            writer.close()
            raise
        return reader, writer

    async def _forget_answer(self, request, seconds=1.0):
        """Send a request whose answer nobody wants; a back channel is left after some time."""
        with contextlib.suppress(OSError, TimeoutError):
            reader, writer = await self._send(request)
            try:
                async with asyncio.timeout(self._random.uniform(0, seconds)):
                    await reader.read()
            finally:
                writer.close()

    async def _answer(self, upstream, client, writer, limit, dribbles):
        """Pass the answer on, `limit` bytes of it; give up when the client does."""
        gone = asyncio.ensure_future(client.read(1))
        try:
            while limit is None or limit > 0:
                more = asyncio.ensure_future(upstream.read(1 << 16))
                await asyncio.wait([gone, more], return_when=asyncio.FIRST_COMPLETED)
                if not more.done():
                    more.cancel()
                    return
                piece = more.result()
                if not piece:
                    return
                if limit is not None:
                    piece = piece[:limit]
                    limit -= len(piece)
                for part in pieces(piece, self._random if dribbles else None):
                    writer.write(part)
                    await writer.drain()
                    if dribbles:
                        await asyncio.sleep(0)
            if limit == 0:
                await asyncio.sleep(self._random.uniform(0, self._delay))
        finally:
            gone.cancel()


def pieces(data, chances):
    """The whole of it, or cut anywhere."""
    if chances is None:
        return [data]
    cuts = sorted({0, len(data), *(chances.randrange(len(data)) for _ in range(20))})
    return [data[one:other] for one, other in itertools.pairwise(cuts)]


async def read_request(reader):
    """A request, with the wish to have the connection closed after it."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *([0-9]+)", head)
    body = await reader.readexactly(int(length[1])) if length else b""
    return head[:-2] + b"Connection: close\r\n\r\n" + body
