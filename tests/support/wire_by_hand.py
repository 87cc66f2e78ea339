"""A peer that speaks the wire by hand, so that the server is not tested against its own idea of it."""

import http.client
import itertools
import json
from dataclasses import dataclass
from urllib.parse import urlencode

CONNECT = {"m": '["connect-add-client"]', "c": "CLID", "_sc": "c"}


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self, now=1000.0):
        self.now = now

    def __call__(self):
        return self.now


@dataclass
class Reply:
    status: int
    reason: str
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self):
        return self.body.decode()

    @property
    def arrays(self):
        return [array for chunk in chunks(self.text) for array in chunk]

    @property
    def value(self):
        (only,) = chunks(self.text)
        return only


def units(text):
    """A JavaScript string's length."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut_units(text, count):
    """The first `count` code units of a text, and the rest."""
    data = text.encode("utf-16-le")
    return data[: 2 * count].decode("utf-16-le"), data[2 * count :].decode("utf-16-le")


def literal(payload):
    return json.loads(payload.replace(",,", ",null,"))


def chunks(text):
    found = []
    while text:
        length, _, text = text.partition("\n")
        payload, text = cut_units(text, int(length))
        assert units(payload) == int(length)
        assert payload.endswith("\n")
        found.append(literal(payload))
    return found


class Stream:
    """An open back channel."""

    def __init__(self, connection, response):
        self.connection = connection
        self.response = response
        self.status = response.status
        self.headers = response.headers
        self._arrays = []

    def next(self):
        """The next array; None when the back channel has ended in order."""
        if not self._arrays:
            length = self.response.readline()
            if not length:
                self.close()
                return None
            raw = b""
            while units(raw.decode("utf-8", "ignore")) < int(length):
                piece = self.response.readline()
                assert piece, "ended inside a chunk"
                raw += piece
            assert units(raw.decode()) == int(length)
            self._arrays = literal(raw.decode())
        return self._arrays.pop(0)

    def rest(self):
        """All arrays until the back channel ends in order."""
        return list(iter(self.next, None))

    def cut(self):
        self.close()

    def close(self):
        self.response.close()
        self.connection.close()


class Peer:
    """A client of one session, by hand."""

    def __init__(self, server, base, bind="/bind", **params):
        self.server = server
        self.base = base
        self.bind = bind
        self.params = {"VER": "8", **params}
        self.sid = None
        self.ofs = 0
        self.rid = itertools.count(1)

    def connection(self):
        return http.client.HTTPConnection(self.server.host, self.server.port, timeout=20)

    def url(self, path, query):
        return f"{self.base}{path}?{urlencode(query)}"

    def request(self, method, path, query=None, body=None, headers=None):
        connection = self.connection()
        try:
            if isinstance(body, dict):
                body = urlencode(body)
                headers = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
            connection.request(method, self.url(path, query or {}), body, headers or {})
            got = connection.getresponse()
            return Reply(got.status, got.reason, got.headers, got.read())
        finally:
            connection.close()

    def get(self, path, **query):
        return self.request("GET", path, query)

    def post(self, body=None, headers=None, **query):
        query = {**self.params, "RID": next(self.rid), **query}
        return self.request("POST", self.bind, query, body, headers)

    def form(self, maps, ofs=None):
        fields = {"count": len(maps)}
        if maps:
            fields["ofs"] = self.ofs if ofs is None else ofs
            self.ofs = fields["ofs"] + len(maps)
        for number, one in enumerate(maps):
            fields.update({f"req{number}_{key}": value for key, value in one.items()})
        return fields

    def open(self, *maps, **query):
        reply = self.post(self.form(maps), **query)
        if reply.status == 200:
            self.sid = self.params["SID"] = reply.arrays[0][1][1]
            wanted = query.get("X-HTTP-Session-Id")
            if wanted:
                self.params[wanted] = reply.headers["X-HTTP-Session-Id"]
        return reply

    def send(self, *maps, aid=0, ofs=None, **query):
        return self.post(self.form(maps, ofs), AID=aid, **query)

    def back(self, aid=0, **query):
        connection = self.connection()
        query = {**self.params, "RID": "rpc", "AID": aid, "CI": 0, "TYPE": "xmlhttp", **query}
        connection.request("GET", self.url(self.bind, query))
        return Stream(connection, connection.getresponse())

    def refused(self, aid=0, **query):
        """The status and text with which a back channel is refused."""
        stream = self.back(aid, **query)
        try:
            return stream.status, stream.response.reason, stream.response.read().decode()
        finally:
            stream.close()

    def terminate(self, method="POST"):
        query = {**self.params, "RID": next(self.rid), "TYPE": "terminate"}
        return self.request(method, self.bind, query, b"" if method == "POST" else None)


class Talk(Peer):
    """A client of the talk dialect."""

    def __init__(self, server, token):
        super().__init__(
            server, "/talkgadget", "/dch/bind", token=token, clid="CLID", gsessionid="g", prop="data"
        )

    def connect(self):
        self.open()
        assert self.send(CONNECT).status == 200
        return self

    def back(self, aid=1, **query):  # the opening reply has held arrays 0 and 1
        return super().back(aid, **query)


def texts(arrays):
    """The messages in arrays of the talk dialect."""
    return [data[1][1][1] for _, data in arrays if data[0] == "c" and data[1][1][0] == "ae"]
