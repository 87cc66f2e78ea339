"""Who sends and who listens by plain sockets, many of them in one event loop: nothing here is the project's
own client, or any library's.
"""

import asyncio
import contextlib
import json
import random
from urllib.parse import urlencode

from wire_by_hand import literal

#: Seconds without a byte after which who waits tries anew.
PATIENCE = 2.0
#: And those after which who connects, which nothing disturbs, gives up.
CONNECT_PATIENCE = 30.0

#: What a peer, or the way to it, may do at any time.
CUT = (OSError, EOFError, TimeoutError, ValueError)


class Http:
    """One HTTP/1.1 connection."""

    def __init__(self, port, patience=PATIENCE):
        self._port = port
        self._patience = patience
        self._reader = self._writer = None

    async def ask(self, method, path, body=b"", **headers):
        """Status and body of the answer."""
        status, pieces = await self.begin(method, path, body, **headers)
        return status, b"".join([piece async for piece in pieces])

    async def begin(self, method, path, body=b"", **headers):
        """Status of the answer, and its body as it comes."""
        async with asyncio.timeout(self._patience):
            if self._writer is None:
                self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
            lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
            lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
            self._writer.write("\r\n".join([*lines, "", ""]).encode() + body)
            await self._writer.drain()
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
        return int(head[0].split()[1]), self._pieces(dict(line.split(": ", 1) for line in head[1:] if line))

    async def _pieces(self, headers):
        reader = self._reader
        if headers.get("transfer-encoding") != "chunked":
            async with asyncio.timeout(self._patience):
                yield await reader.readexactly(int(headers["content-length"]))
            return
        size = 1
        while size:
            async with asyncio.timeout(self._patience):
                size = int(await reader.readline(), 16)
                piece = await reader.readexactly(size + 2)
            yield piece[:-2]

    def close(self):
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


class Sender:
    """Sends the numbers from 0 on to one client id: one by one, or many at once.

    Those sent at once carry a key, and are sent again until they are answered: they are to arrive once. One
    that is alone and not answered may have been taken or not, and is not sent again.

    Attributes:
        count: how many were sent.
        unsure: those of which no answer says what became of them.
        again: how many requests were sent again.
    """

    def __init__(self, port, client_id, seed):
        self.client_id = client_id
        self.count = 0
        self.unsure = set()
        self.again = 0
        self._http = Http(port)
        self._chance = random.Random(seed)

    async def ask(self, what, body, **headers):
        """The body of the answer; None where it is not 200."""
        try:
            status, answer = await self._http.ask(
                "POST", f"/admin/{what}", body, Authorization="Bearer secret", **headers
            )
        except CUT:
            self._http.close()
            return None
        return answer if status == 200 else None

    async def create(self):
        """A token."""
        form = urlencode({"client_id": self.client_id}).encode()
        while (token := await self.ask("create", form, Content_Type=_FORM)) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        return token.decode()

    async def send(self):
        """Send one, or many."""
        if self._chance.random() < 0.3:
            number, self.count = self.count, self.count + 1
            form = urlencode({"client_id": self.client_id, "message": str(number)}).encode()
            answer = await self.ask("send", form, Content_Type=_FORM)
            if answer != b"":
                assert answer is None, answer  # that there is no such channel
                self.unsure.add(number)
            return
        first, self.count = self.count, self.count + self._chance.randrange(1, 150)
        messages = [[self.client_id, str(number)] for number in range(first, self.count)]
        body = json.dumps({"messages": messages}).encode()
        key = f"{self.client_id} {first}"
        while (
            answer := await self.ask("send", body, Content_Type="application/json", Idempotency_Key=key)
        ) is None:
            self.again += 1
            await asyncio.sleep(0.05)
        assert json.loads(answer) == {"dropped": []}

    def close(self):
        self._http.close()


_FORM = "application/x-www-form-urlencoded"
_CONNECT = {"count": 1, "ofs": 0, "req0_m": '["connect-add-client"]', "req0_c": "CLID", "req0__sc": "c"}


class Lost(AssertionError):
    """The server knows the session no more."""


class Listener:
    """Listens to one session, and leaves, comes back elsewhere, and has two back channels at once, by chance.

    Attributes:
        got: the numbers that came.
        opened: how many back channels were answered.
        twice: how many of them while another one was open.
    """

    def __init__(self, port, token, seed):
        self.got = []
        self.opened = self.twice = 0
        self._port = port
        self._params = {"VER": 8, "token": token, "clid": "CLID", "gsessionid": "g", "prop": "data"}
        self._chance = random.Random(seed)
        self._rid = 0
        self._aid = -1
        self._last = {}
        self._older = set()

    async def connect(self):
        """Open the session and have it listen."""
        opening = await self._post({"count": 0}, CONNECT_PATIENCE)
        self._read(opening)
        self._params["SID"] = self._sid
        await self._post(_CONNECT, CONNECT_PATIENCE)
        return self

    async def _post(self, form, patience=PATIENCE, **query):
        http = Http(self._port, patience)
        try:
            self._rid += 1
            path = "/talkgadget/dch/bind?" + urlencode({**self._params, "RID": self._rid, **query})
            status, body = await http.ask("POST", path, urlencode(form).encode(), Content_Type=_FORM)
        finally:
            http.close()
        assert status == 200, (status, body)
        return body

    async def run(self):
        """Listen until it is cancelled."""
        try:
            while True:
                listening = asyncio.create_task(self._listen())
                done, _ = await asyncio.wait([listening], timeout=self._chance.expovariate(1 / 3))
                if done:
                    listening.result()
                elif self._chance.random() < 0.5:
                    listening.cancel()
                    await asyncio.wait([listening])
                else:  # the next one opens while this one is open
                    self.twice += 1
                    self._older.add(listening)
                for one in [one for one in self._older if one.done()]:
                    self._older.discard(one)
                    one.result()
        finally:
            for one in [*self._older, listening]:
                one.cancel()
                await asyncio.wait([one])

    async def _listen(self):
        http = Http(self._port)
        query = {**self._params, "RID": "rpc", "AID": self._aid, "CI": 0, "TYPE": "xmlhttp"}
        try:
            status, pieces = await http.begin("GET", "/talkgadget/dch/bind?" + urlencode(query))
            if status != 200:
                words = b"".join([piece async for piece in pieces])
                if status < 500 and status != 429:
                    raise Lost(f"{status} {words!r}")
                raise EOFError
            self.opened += 1
            held = b""
            async for piece in pieces:
                held += piece
                while (end := held.find(b"\n")) >= 0 and len(held) >= (size := end + 1 + int(held[:end])):
                    self._read(held[:size])
                    held = held[size:]
                    if self._chance.random() < 0.001:
                        with contextlib.suppress(AssertionError, *CUT):
                            await self._post({"count": 0}, AID=self._aid)
        except CUT:
            await asyncio.sleep(0.05)
        finally:
            http.close()

    def _read(self, chunk):
        """Take a chunk's arrays: those that have not come yet, by whichever back channel, come in order."""
        assert chunk.isascii()  # or its length would be another
        for number, data in literal(chunk[chunk.index(b"\n") :].decode()):
            if number <= self._aid:
                assert self._last.get(number, data) == data, f"array {number} is another than before"
                continue
            assert number == self._aid + 1, f"array {number} comes after {self._aid}"
            self._aid = number
            self._last[number] = data
            self._last.pop(number - 1000, None)
            if data[0] == "c" and data[1][1][0] == "ae":
                self.got.append(int(data[1][1][1]))
            elif data[0] == "c" and number == 0:
                self._sid = data[1]
            assert data[0] != "stop"


def check(sender, got):
    """All that was answered has come, once and in order."""
    assert len(got) == len(set(got)), "some have come twice"
    came = [number for number in got if number not in sender.unsure]
    assert came == [number for number in range(sender.count) if number not in sender.unsure]
