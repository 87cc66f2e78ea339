"""A browserchannel and webchannel server that keeps the protocol and does, request by request, the odd things
that servers, proxies and networks do.

Each oddity has a name and a share out of a thousand. What the server owes its client it owes all the same:
each array until a request's AID has reached it, each map once.
"""

import asyncio
import contextlib
import gzip
import json
import random
import re
from array import array
from collections import Counter
from urllib.parse import parse_qsl, urlsplit

from thread_server import ThreadServer

#: What may come instead of the answer to maps; half of the time the maps are taken all the same.
MAPS_ODDITIES = {
    "maps: a page with 200": 15,
    "maps: nothing with 200": 15,
    "maps: OK with 200": 10,
    "maps: an error object with 200": 10,
    "maps: a list of one with 200": 10,
    "maps: a list that is cut": 10,
    "maps: a body that is cut": 15,
    "maps: 404 of a load balancer": 3,
    "maps: a redirect to a login page": 3,
    "maps: 429 and when to come again": 5,
    "maps: 500": 10,
    "maps: 503 with a page": 10,
    "maps: the reply is bare": 100,
    "maps: the reply has more elements": 100,
    "maps: the session is lost, 400": 2,
    "maps: the session is lost, 410": 2,
    "maps: the session is lost, 404 Unknown SID": 1,
}

#: What may come instead of the back channel, or be mixed in.
BACK_ODDITIES = {
    "back: a page with 200": 10,
    "back: nothing with 200": 15,
    "back: 404 of a load balancer": 4,
    "back: a redirect to a login page": 4,
    "back: 502 with a page": 10,
    "back: 503 and when to come again": 5,
    "back: silence": 2,
    "back: silence after the arrays": 2,
    "back: all of it at once at its end": 40,
    "back: gzip, some members": 40,
    "back: a byte order mark first": 40,
    "back: empty chunks between": 60,
    "back: noops between": 60,
    "back: control arrays under ids of old": 60,
    "back: arrays of old again": 60,
    "back: carriage returns and spaces about the length": 40,
    "back: byte by byte": 20,
    "back: cut inside a chunk": 40,
    "back: broken once": 8,
    "back: the session is lost, 400": 3,
    "back: the session is lost, 410": 3,
    "back: the session is lost, 403 Unknown SID": 2,
    "back: an error as a message": 4,
}

#: What may become of an opening request.
OPEN_ODDITIES = {
    "open: the reply is bare": 250,
    "open: numbered from 1": 250,
    "open: a byte order mark first": 100,
    "open: 503": 100,
}

PAGE = "<!doctype html><html><body><h1>Please sign in</h1></body></html>\n"
LOST_WORDS = {
    "400": ("400 Bad Request", ""),
    "410": ("410 Gone", "x" * 6000),
    "403 Unknown SID": ("403 Forbidden", "Error 403: Unknown SID"),
    "404 Unknown SID": ("404 Not Found", "<html><body>Unknown SID</body></html>"),
}
#: What may become of a number that came, and is answered by an array.
ANSWER_ODDITIES = {"array: too deep": 1, "array: too many digits": 1, "array: looks like control": 5}

#: One of so many numbers is refused, and with it the others of its request.
REFUSED = 5000

#: What comes in the place of a map that was refused.
FILLER = "_badmap"

#: What nobody can read, each time that it is sent.
POISON = {"too deep": "[" * 200 + "]" * 200, "too many digits": "9" * 5000}

#: What acts in an opening reply, or on a WebChannel alone, and is a browserchannel's application's later.
NO_CONTROL = [["S", "x"], ["close"], [{"gsid": "x"}]]


def units(text):
    """A JavaScript string's length."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def frame(payload):
    return f"{units(payload)}\n{payload}"


class Numbers:
    """Which numbers there were: a byte each, so that the memory of a long run is not the test's own."""

    def __init__(self):
        self._there = bytearray()
        self._count = 0

    def __len__(self):
        return self._count

    def __contains__(self, number):
        return number < len(self._there) and self._there[number] != 0

    def add(self, number):
        if number not in self:
            self._there.extend(bytes(max(0, number + 1 - len(self._there))))
            self._there[number] = 1
            self._count += 1


class Session:
    """What is owed to a client."""

    def __init__(self, sid, first_id):
        self.sid = sid
        self.next_id = first_id
        self.owed = []  # [id, JSON text]
        self.acknowledged = first_id - 1
        self.old = []  # some that were acknowledged
        self.maps = {}
        self.next_map = 0
        self.met = False  # whether its client ever asked for its back channel
        self.news = asyncio.Event()
        self.stream = None

    def add(self, text):
        self.owed.append((self.next_id, text))
        self.next_id += 1
        self.news.set()

    def acknowledge(self, aid):
        self.acknowledged = max(self.acknowledged, aid)
        while self.owed and self.owed[0][0] <= aid:
            self.old = [*self.old[-3:], self.owed.pop(0)]


class Stranger(ThreadServer):
    """The server, in a thread of its own, one request a connection.

    Args:
        dialect: "browserchannel" or "webchannel".
        seed: what the chances are drawn from.

    Attributes:
        numbers: the numbers that came in maps, each at its first coming.
        refused: those that were refused.
        poisoned: those whose array cannot be read.
        controls: arrays that look like control arrays and were messages.
        errors: how many errors were sent as messages.
        did: how often it did what.
        calm: while True, it does nothing odd.
    """

    def __init__(self, dialect, seed):
        super().__init__()
        self.web = dialect == "webchannel"
        self.numbers = array("L")
        self.known = Numbers()
        self.refused = set()
        self.poisoned = set()
        self.errors = 0
        self.controls = []
        self.did = Counter()
        self.calm = False
        self.failure = None
        self._chances = random.Random(seed)
        self._sessions = {}
        self._unmet = []

    async def _handle(self, reader, writer):
        with contextlib.suppress(OSError, EOFError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            method, target, _ = head.split(" ", 2)
            length = re.search(r"(?i)\r\ncontent-length: *([0-9]+)", head)
            body = await reader.readexactly(int(length[1])) if length else b""
            try:
                await self._answer(method, target, body.decode(), writer)
            except (OSError, EOFError):
                raise
            except Exception as error:
                self.failure = self.failure or error
                raise

    def _odd(self, shares):
        chance = self._chances.randrange(1000)
        if not self.calm:
            for oddity, share in shares.items():
                chance -= share
                if chance < 0:
                    self.did[oddity] += 1
                    return oddity.partition(": ")[2]
        return ""

    async def _answer(self, method, target, body, writer):
        query = dict(parse_qsl(urlsplit(target).query, keep_blank_values=True))
        form = dict(parse_qsl(query.get("$req", body), keep_blank_values=True))
        if query.get("TYPE") == "terminate":
            self._sessions.pop(query["SID"], None)
            await self._reply(writer, "")
        elif query.get("SID", "null") == "null":
            await self._open(query, form, writer)
        elif query["SID"] not in self._sessions:
            await self._reply(writer, *reversed(LOST_WORDS["400"]))
        else:
            session = self._sessions[query["SID"]]
            session.acknowledge(int(query["AID"]))
            if query["RID"] == "rpc":
                await self._back(session, query, writer)
            else:
                assert method == "POST", target
                await self._maps(session, form, writer)

    async def _reply(self, writer, body, status="200 OK", **headers):
        data = body.encode()
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(data)}", "Connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode() + data)
        await writer.drain()

    # Opening a session.

    async def _open(self, query, form, writer):
        odd = self._odd(OPEN_ODDITIES)
        if odd == "503":
            await self._reply(writer, PAGE, "503 Service Unavailable")
            return
        number = 1 if odd == "numbered from 1" else 0
        sid = f"S{self._chances.randrange(10**12)}"
        self._sessions[sid] = session = Session(sid, number + 1)
        while len(self._sessions) > 50:  # those that a proxy made by doubling requests
            self._sessions.pop(next(iter(self._sessions)))
        self._take(session, form, may_refuse=False)
        payload = json.dumps([[number, ["c", sid, "", 8, 14, 30000]]]) + "\n"
        if odd == "the reply is bare":
            await self._reply(writer, payload)
        else:
            await self._reply(writer, ("\ufeff" if odd == "a byte order mark first" else "") + frame(payload))

    # Maps.

    def _take(self, session, form, may_refuse=True):
        """Take the maps that have not come before; False if they are refused."""
        first = int(form.get("ofs", 0))
        maps = {}
        for number in range(int(form.get("count", 0))):
            [text] = (value for name, value in form.items() if name.startswith(f"req{number}_"))
            maps[first + number] = text
        for number, text in maps.items():
            assert (
                FILLER in (text, session.maps.get(number, text)) or session.maps.get(number, text) == text
            ), "another map under the same id"
        fresh = {number: text for number, text in maps.items() if number >= session.next_map}
        assert not fresh or min(fresh) == session.next_map, "maps are missing"
        all_numbers = [json.loads(text)["n"] for text in maps.values() if text != FILLER]
        refuses = may_refuse and any(number % REFUSED == 999 for number in all_numbers)
        # A firewall that stands before a server hides refused maps from it.
        if not refuses or self._chances.random() < 0.5:
            session.maps.update(fresh)
            session.next_map += len(fresh)
        while len(session.maps) > 2000:
            session.maps.pop(next(iter(session.maps)))
        if refuses:
            self.did["maps: refused"] += 1
            self.refused.update(all_numbers)
            return False
        for text in fresh.values():
            if text != FILLER:
                self._hear(session, json.loads(text)["n"])
        return True

    def _hear(self, session, number):
        if number in self.known:
            return
        self.known.add(number)
        self.numbers.append(number)
        # What is refused after all, since a number joined it in another try, is not what cannot be read.
        odd = self._odd(ANSWER_ODDITIES) if number % REFUSED < 500 else ""
        if odd in POISON:
            self.poisoned.add(number)
            self._owe(session, POISON[odd])
            return
        if odd == "looks like control" and not self.web and session.acknowledged > 2:
            found = self._chances.choice(NO_CONTROL)
            self.controls.append(found)
            self._owe(session, json.dumps(found))
        message = {"n": number, "t": "é😀" * (number % 7)}
        self._owe(session, json.dumps([message] if self.web else message, ensure_ascii=False))

    def _owe(self, session, text):
        """Owe an array to the session's client; or to whose back channel comes next, since a doubled opening
        request with maps makes a session that its client never hears of.
        """
        if session.met:
            session.add(text)
        else:
            self._unmet.append(text)

    async def _maps(self, session, form, writer):
        odd = self._odd(MAPS_ODDITIES)
        if odd.startswith("the session is lost, "):
            if not session.owed:
                await self._lose(session, odd, writer)
                return
            odd = ""
        plain = odd in ("", "the reply is bare", "the reply has more elements")
        if (plain or self._chances.random() < 0.5) and not self._take(session, form):
            await self._reply(writer, "no such map here", "403 Forbidden")
            return
        reply = json.dumps([int(session.stream is not None), session.next_id - 1, 0])
        match odd:
            case "the reply is bare":
                await self._reply(writer, reply)
            case "the reply has more elements":
                await self._reply(writer, frame(reply[:-1] + ', "more", [1]]'))
            case "a list that is cut":
                await self._reply(writer, reply[:-3])
            case "a body that is cut":
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n" + frame(reply).encode()[:-4])
                await writer.drain()
            case "a list of one with 200":
                await self._reply(writer, frame("[1]"))
            case "an error object with 200":
                await self._reply(writer, '{"error": {"code": 500}}')
            case "OK with 200":
                await self._reply(writer, "OK")
            case "nothing with 200":
                await self._reply(writer, "")
            case _:
                await (self._fault(odd, writer) if odd else self._reply(writer, frame(reply)))

    async def _fault(self, odd, writer):
        """What stands between says, and does not know the protocol."""
        if odd == "a page with 200":
            await self._reply(writer, PAGE, Content_Type="text/html")
        elif odd == "404 of a load balancer":
            await self._reply(writer, "default backend - 404", "404 Not Found")
        elif odd == "a redirect to a login page":
            await self._reply(writer, "", "302 Found", Location="http://login.invalid/")
        elif odd.endswith("and when to come again"):
            await self._reply(writer, "", f"{odd[:3]} Wait", Retry_After="0")
        else:
            await self._reply(writer, PAGE, f"{odd[:3]} Failed")

    async def _lose(self, session, odd, writer):
        del self._sessions[session.sid]
        session.news.set()
        await self._reply(writer, *reversed(LOST_WORDS[odd.partition(", ")[2]]))

    # The back channel.

    async def _back(self, session, query, writer):
        odd = self._odd(BACK_ODDITIES)
        if odd.startswith("the session is lost, "):
            if not session.owed:
                await self._lose(session, odd, writer)
                return
            odd = ""
        session.met = True
        for text in self._unmet:
            session.add(text)
        self._unmet.clear()
        stream = session.stream = object()
        session.news.set()
        if odd == "silence":
            await asyncio.sleep(3)
        elif odd == "nothing with 200":
            await self._reply(writer, "")
        elif odd[:3].isdigit() or odd in ("a page with 200", "a redirect to a login page"):
            await self._fault(odd, writer)
        else:
            await Stream(self, session, stream, odd, query, writer).run()


class Stream:
    """One back channel's response."""

    def __init__(self, server, session, stream, odd, query, writer):
        self.server = server
        self.session = session
        self.stream = stream
        self.odd = odd
        self.ends = query.get("CI") == "1"
        self.held = odd == "all of it at once at its end" and not self.ends
        self.aid = int(query["AID"])
        self.writer = writer
        self.chances = server._chances
        self.pending = []

    async def write(self, data):
        """A piece of the body, as HTTP's own chunk."""
        if self.odd == "gzip, some members":
            data = gzip.compress(data)
        if self.odd == "byte by byte":
            for byte in data:
                self.writer.write(b"1\r\n%c\r\n" % byte)
                await self.writer.drain()
        else:
            self.writer.write(b"%x\r\n%b\r\n" % (len(data), data))
            await self.writer.drain()

    async def run(self):
        more = "Content-Encoding: gzip\r\n" if self.odd == "gzip, some members" else ""
        self.writer.write(f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n{more}\r\n".encode())
        if self.odd == "a byte order mark first":
            await self.write("\ufeff".encode())
        if self.odd == "an error as a message" and self.server.web:
            self.server.errors += 1
            self.session.add('[{"error":{"code":9,"status":"FAILED_PRECONDITION","message":"odd"}}]')
        while self.session.stream is self.stream and self.session.sid in self.server._sessions:
            self.session.news.clear()
            new = [one for one in self.session.owed if one[0] > self.aid]
            if new:
                new = new[: self.chances.randrange(1, 40)]
                self.aid = new[-1][0]
                if not await self.arrays(new):
                    return
            else:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.session.news.wait(), 0.3)
                    continue
                # A keep-alive is an array as any other.
                self.session.add('["noop"]')
                continue
            # Servers end a response after so many bytes, or so long.
            if self.ends or self.held or self.chances.random() < 0.1:
                break
        if self.pending:
            await self.write("".join(self.pending).encode())
        self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()
        if self.session.stream is self.stream:
            self.session.stream = None

    async def arrays(self, new):
        """Send arrays in a chunk; False if that ends the response."""
        texts = [f"[{number},{text}]" for number, text in new]
        if self.odd == "arrays of old again":
            texts = [f"[{number},{text}]" for number, text in self.session.old] + texts
        if self.odd == "control arrays under ids of old":
            texts.insert(0, f'[{max(self.session.acknowledged, 0)},["noop",{{"more":[1]}}]]')
        if self.odd == "broken once":
            await self.write(b"7\n[[1,]]x" + "😀".encode()[:2])
            return False
        chunk = frame("[" + ",".join(texts) + "]\n")
        if self.odd == "empty chunks between":
            chunk = "0\n1\n\n" + chunk + "0\n"
        if self.odd == "carriage returns and spaces about the length":
            length, _, payload = chunk.partition("\n")
            chunk = f"\n  {length} \r\n{payload}\n"
        if self.odd == "noops between" and any("noop" not in text for text in texts):
            self.session.add('["noop",1,null]')
        if self.held:
            self.pending.append(chunk)
            return True
        data = chunk.encode()
        if self.odd == "cut inside a chunk":
            await self.write(data[: self.chances.randrange(len(data))])
            return False
        await self.write(data)
        if self.odd == "silence after the arrays":
            await asyncio.sleep(3)
            return False
        return True
