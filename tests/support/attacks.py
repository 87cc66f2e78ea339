"""What strangers do to a channel server: a program of its own, so that only the server suffers.

    python attacks.py PORT TOKEN SECONDS SIZE NAME…

Each attack named runs for so many seconds, all at once; SIZE is how many connections each may have.
"""

import asyncio
import contextlib
import gzip
import itertools
import json
import socket
import struct
import sys
import time
import zlib
from urllib.parse import quote

HOST = "127.0.0.1"
FORM = "Content-Type: application/x-www-form-urlencoded\r\n"


class Target:
    """The server, and a token for a channel on it."""

    def __init__(self, port, token, seconds, size):
        self.port, self.token, self.size = port, token, size
        self.until = time.monotonic() + seconds
        self.numbers = itertools.count()

    @property
    def running(self):
        return time.monotonic() < self.until

    async def connect(self):
        return await asyncio.open_connection(HOST, self.port)

    def line(self, method, path, **params):
        query = "&".join(f"{key}={quote(str(value), safe='')}" for key, value in params.items())
        return f"{method} {path}?{query} HTTP/1.1\r\nHost: {HOST}\r\n"

    def opening(self, token=None, **params):
        token = self.token if token is None else token
        clid = f"attacker{next(self.numbers)}"
        path = "/talkgadget/dch/bind"
        return self.line("POST", path, VER=8, RID=1, token=token, clid=clid, t=1, **params)

    async def ask(self, head, body=b"", more=""):
        """One request on a connection of its own; what is answered, as far as it comes."""
        reader, writer = await self.connect()
        try:
            length = f"Content-Length: {len(body)}\r\n" if body or head.startswith("POST") else ""
            writer.write(f"{head}{length}{more}Connection: close\r\n\r\n".encode("latin-1") + body)
            async with asyncio.timeout(10):
                with contextlib.suppress(ConnectionError):
                    await writer.drain()
                return await reader.read(1 << 20)
        finally:
            writer.close()

    async def session(self):
        """Open a session and connect it; its parameters."""
        params = {"VER": 8, "token": self.token, "clid": f"attacker{next(self.numbers)}", "t": 1}
        path = "/talkgadget/dch/bind"
        answer = await self.ask(self.line("POST", path, RID=1, **params), b"count=0", FORM)
        params["SID"] = answer.partition(b'["c","')[2].partition(b'"')[0].decode()
        form = b"count=1&ofs=0&req0_m=%5B%22connect-add-client%22%5D"
        await self.ask(self.line("POST", path, RID=2, AID=1, **params), form, FORM)
        return params


async def repeat(target, count, work):
    """Have so many workers do it again and again until the time is over, once at least, come what may."""

    async def worker():
        while True:
            with contextlib.suppress(OSError, EOFError, TimeoutError, ValueError):
                await work()
            await asyncio.sleep(0.001)
            if not target.running:
                return

    await asyncio.gather(*(worker() for _ in range(count)))


async def trickle(target, begin, byte):
    _, writer = await target.connect()
    try:
        writer.write(begin)
        while target.running:
            writer.write(byte)
            await writer.drain()
            await asyncio.sleep(0.5)
    finally:
        writer.close()


async def nothing(target):
    """No attack: what the machine and so many clients take by themselves."""
    await asyncio.sleep(target.until - time.monotonic())


async def head_slowly(target):
    """Heads that come a byte at a time."""
    await repeat(target, target.size, lambda: trickle(target, b"GET / HTTP/1.1\r\nX: ", b"x"))


async def body_slowly(target):
    """Bodies that come a byte at a time, with a token."""
    begin = (target.opening() + FORM + "Content-Length: 100000\r\n\r\n").encode()
    await repeat(target, target.size, lambda: trickle(target, begin, b"a"))


async def idle(target):
    """Connections that ask for nothing, more of them than there are descriptors."""
    held = []

    async def hold():
        held.append((await target.connect())[1])
        if len(held) > 4 * target.size:
            held.pop(0).close()
        await asyncio.sleep(0.005)

    await repeat(target, 20, hold)
    for writer in held:
        writer.close()


async def many_empty_fields(target):
    """16 MB of ``a=&``, and as much as a body may have."""
    bodies = itertools.cycle([b"a=&" * 5_600_000, b"a=&" * 349_000, b"a=&" * 3000])
    await repeat(target, 4, lambda: target.ask(target.opening(), next(bodies), FORM))


async def large_without_token(target):
    """Thirty bodies of 15 MB at once, without a token."""
    body = b"x" * 15_000_000
    await repeat(target, 30, lambda: target.ask(target.opening(token="gc1.forged.forged"), body, FORM))


async def bombs(target):
    """A few kB that would be 9 MB, had they been decompressed."""
    plain = b"a=&" * 3_000_000
    coded = itertools.cycle([("gzip", gzip.compress(plain)), ("deflate", zlib.compress(plain)), ("br", b"x")])

    async def throw():
        coding, body = next(coded)
        await target.ask(target.opening(), body, f"{FORM}Content-Encoding: {coding}\r\n")

    await repeat(target, 8, throw)


async def many_fields(target):
    """Forms and lists of as many fields as there may be, and more."""
    forms = itertools.cycle(
        [
            "&".join(f"req{n}_x=1" for n in range(9000)).encode(),
            b"count=10000&ofs=0",
            b"count=100000&ofs=0",
            b"count=1&ofs=0&req0_x=" + b"%41" * 340_000,
            b"&" * 1_000_000,
        ]
    )
    lists = itertools.cycle(
        [b'{"ofs":0,"data":[' + b"[" * 400_000, json.dumps({"ofs": 0, "data": [[]] * 100_000}).encode()]
    )

    async def throw():
        await target.ask(target.opening(), next(forms), FORM)
        await target.ask(
            target.line("POST", "/channel/bind", VER=8, RID=1),
            next(lists),
            "Content-Type: application/json\r\n",
        )

    await repeat(target, 4, throw)


async def huge_heads(target):
    """Queries and headers as long as they get, and without end."""
    heads = itertools.cycle(
        [
            target.line("GET", "/talkgadget/d", token="x" * 60_000),
            target.line("GET", "/talkgadget/d")[:-2] + "X: y\r\n" * 5000,
            target.line("GET", "/channel/test", **{f"a{n}": "" for n in range(8000)}),
            "GET / HTTP/1.1\r\nHost: x\r\n" + f"X: {'x' * 8000}\r\n" * 100,
            "GET /" + "x" * 200_000,
        ]
    )
    await repeat(target, 8, lambda: target.ask(next(heads)))


async def pipelined(target):
    """Requests without end on one connection, answers unread; and behind a back channel."""
    requests = (target.line("GET", "/talkgadget/d", token="x") + "\r\n").encode() * 1000

    async def throw():
        _, writer = await target.connect()
        try:
            if next(target.numbers) % 2:
                params = await target.session()
                head = target.line(
                    "GET", "/talkgadget/dch/bind", **params, RID="rpc", AID=1, CI=0, TYPE="xmlhttp"
                )
                writer.write(head.encode() + b"\r\n")
            for _ in range(20):
                writer.write(requests)
                async with asyncio.timeout(1):
                    await writer.drain()
        finally:
            writer.transport.abort()

    await repeat(target, 4, throw)


async def sessions(target):
    """Sessions without end on one token."""
    await repeat(target, 8, lambda: target.ask(target.opening(), b"count=0", FORM))


async def never_read(target):
    """Back channels on which messages come, and are never read."""
    held = []

    async def hold():
        if len(held) < target.size // 4:
            params = await target.session()
            made = socket.socket()
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            made.setblocking(False)
            await asyncio.get_running_loop().sock_connect(made, (HOST, target.port))
            head = target.line(
                "GET", "/talkgadget/dch/bind", **params, RID="rpc", AID=1, CI=0, TYPE="xmlhttp"
            )
            made.send(head.encode() + b"\r\n")
            held.append(made)
        await asyncio.sleep(0.02)

    await repeat(target, 2, hold)
    for made in held:
        made.close()


async def foreign(target):
    """Pages of other sites, and names that were made to mean this machine."""
    heads = itertools.cycle(
        [
            target.opening() + "Origin: https://evil.example\r\n",
            target.opening().replace(f"Host: {HOST}", "Host: evil.example"),
            target.line("OPTIONS", "/channel/bind")
            + "Origin: https://evil.example\r\nAccess-Control-Request-Method: POST\r\n",
        ]
    )
    await repeat(target, 4, lambda: target.ask(next(heads), b"count=0"))


async def nonsense(target):
    """What is no HTTP, or odd HTTP."""
    post = b"POST /channel/bind?VER=8&RID=1 HTTP/1.1\r\nHost: x\r\n"
    pieces = itertools.cycle(
        [
            b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + b"\xff" * 500,
            b"\r\n" * 50_000,
            b"\0" * 100_000,
            b"GET / HTTP/9.9\r\n\r\n",
            b"GET /channel/bind HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"
            + b"x" * 200_000,
            post + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 50_000,
            post + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"x" * 100_000,
            post + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            post + b"Expect: 100-continue\r\nContent-Length: 99\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0" * 5000,
            b"GET / HTTP/1.1\r\nHost: x\r\nCookie: " + b"a=b; " * 1600 + b"\r\n\r\n",
        ]
    )

    async def throw():
        reader, writer = await target.connect()
        try:
            writer.write(next(pieces))
            async with asyncio.timeout(1):
                await reader.read(1000)
        finally:
            writer.transport.abort()

    await repeat(target, 8, throw)


async def halves(target):
    """A request that is answered, and half of the next one on the same connection."""
    whole = (target.line("GET", "/talkgadget/d", token="x") + "\r\n").encode()

    async def hold():
        reader, writer = await target.connect()
        try:
            writer.write(whole)
            await reader.readuntil(b"\r\n\r\n")
            writer.write(whole[:-2])
            async with asyncio.timeout(4):
                await reader.read()
        finally:
            writer.transport.abort()

    await repeat(target, target.size // 4, hold)


async def guesses(target):
    """Tokens and SIDs that somebody has made up."""

    async def guess():
        number = next(target.numbers)
        token = target.token[:-8] + f"{number:08}"
        await target.ask(target.opening(token=token if number % 2 else f"gc1.{number}.{number}"), b"count=0")
        await target.ask(target.line("GET", "/channel/bind", VER=8, RID="rpc", SID=f"x{number}", AID=0, CI=0))

    await repeat(target, 8, guess)


async def small_maps(target):
    """One map a request, as fast as they are answered."""
    talking = {}

    async def send():
        place = next(target.numbers) % 8
        params, rid, ofs = talking.get(place) or (await target.session(), 3, 1)
        talking[place] = params, rid + 1, ofs + 1
        path = "/talkgadget/dch/bind"
        form = f"count=1&ofs={ofs}&req0_m=%5B%22x%22%5D".encode()
        await target.ask(target.line("POST", path, RID=rid, AID=1, **params), form, FORM)

    await repeat(target, 8, send)


async def resets(target):
    """Connections that are reset, and sessions that are opened and ended."""
    linger = struct.pack("ii", 1, 0)

    async def throw():
        _, writer = await target.connect()
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.write((target.line("GET", "/channel/test", VER=8, TYPE="xmlhttp") + "\r\n").encode())
        await asyncio.sleep(0.01)
        writer.transport.abort()
        params = await target.session()
        path = "/talkgadget/dch/bind"
        await target.ask(target.line("POST", path, **params, RID=3, TYPE="terminate"))

    await repeat(target, 8, throw)


ATTACKS = {
    attack.__name__: attack
    for attack in (
        nothing,
        head_slowly,
        body_slowly,
        idle,
        many_empty_fields,
        large_without_token,
        bombs,
        many_fields,
        huge_heads,
        pipelined,
        sessions,
        never_read,
        foreign,
        nonsense,
        halves,
        guesses,
        small_maps,
        resets,
    )
}


async def main(port, token, seconds, size, *names):
    target = Target(int(port), token, float(seconds), int(size))
    await asyncio.gather(*(ATTACKS[name](target) for name in names))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
