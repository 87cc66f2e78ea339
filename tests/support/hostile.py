"""Servers on plain sockets that answer with whatever bytes a test wants, cut wherever it wants.

A `Server` hands each request to a function, which writes what it likes to the `Peer`. A `TalkServer` answers
the talk dialect's four requests as it should; a test replaces those answers that it is about:

    with TalkServer(back=[ok(chunk(message(1, "a"))), hang]) as server:
        assert take(Client("token", base_url=server.base_url), 1) == ["a"]

An answer is bytes, a function of (request, peer), or a list of answers: one a request, the last one for all
that come after.
"""

import contextlib
import json
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

# How long anything here may take: longer means that a test hangs.
DEADLINE = 20.0

CLID = "C1L2I3D4"
GSESSIONID = "gs-1"


# ---- What goes over the wire ----


def units(text):
    """A JavaScript string's length."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def frame(payload):
    return f"{units(payload)}\n{payload}".encode()


def array(number, data):
    return json.dumps([number, data], ensure_ascii=False)


def message(number, text, clid=CLID):
    return array(number, ["c", [clid, ["ae", text]]])


def chunk(*arrays):
    return frame(f"[{','.join(arrays)}]\n")


def messages(first, *texts):
    """A chunk for each text, with ids from `first`."""
    return b"".join(chunk(message(number, text)) for number, text in enumerate(texts, first))


def head(status="200 OK", *headers, length=None, version="1.1"):
    lines = [f"HTTP/{version} {status}", *headers]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def reply(body=b"", status="200 OK", *headers):
    """A response that is whole."""
    return head(status, *headers, length=len(body)) + body


def ok(body=b"", *headers):
    return reply(body, "200 OK", *headers)


def page(clid=CLID, gsessionid=GSESSIONID):
    """The init page, in the shape of the real one."""
    body = f"""<html><body><script>
  var a = new chat.WcsDataClient('http://talk.example/talkgadget/',
          '',
          '{clid}',
          '{gsessionid}',
          '123456',
          "WCX",
          "token, with ) in it"
          );
</script></body></html>"""
    return body.encode()


def opening(sid="SID1", *arrays):
    """The reply to the opening POST: array 0 with the talk server's hole, and more."""
    return frame(f'[[0,["c","{sid}",,8]\n]\n{"".join("," + one for one in arrays)}]\n')


# ---- Requests, and the way back ----


@dataclass
class Request:
    method: str
    target: str
    headers: dict
    body: bytes
    at: float
    connection: int

    @property
    def path(self):
        return urlsplit(self.target).path

    @property
    def query(self):
        return {key: values[-1] for key, values in self.fields.items()}

    @property
    def fields(self):
        return parse_qs(urlsplit(self.target).query, keep_blank_values=True)

    @property
    def form(self):
        found = parse_qs(self.body.decode(), keep_blank_values=True)
        return {key: values[-1] for key, values in found.items()}

    @property
    def step(self):
        """Which of the talk dialect's requests it is."""
        if self.path.endswith("/d"):
            return "page"
        if self.query.get("TYPE") == "terminate":
            return "terminate"
        if self.method == "GET":
            return "back"
        return "connect" if "SID" in self.query else "opening"


class StoppedError(Exception):
    """The server is to stop."""


@dataclass
class Peer:
    """The way back to the client."""

    server: "Server"
    socket: socket.socket
    closed: bool = False

    def send(self, data):
        self.socket.sendall(data)

    def start(self, *headers):
        """Begin a 200 without a length: its body ends with the connection."""
        self.send(head("200 OK", "Connection: close", *headers))

    def close(self):
        """End in order."""
        self.closed = True

    def cut(self):
        """Break off with a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.closed = True

    def wait(self, event):
        """Wait for the event, or for the server's end."""
        while not event.wait(0.01):
            if self.server.stopping.is_set():
                raise StoppedError

    def pause(self, seconds):
        """Time passes, which is what the test is about."""
        if self.server.stopping.wait(seconds):
            raise StoppedError

    def until_gone(self):
        """Wait until the client hangs up."""
        self.socket.settimeout(0.01)
        while True:
            try:
                if not self.socket.recv(65536):
                    break
            except TimeoutError:
                if self.server.stopping.is_set():
                    raise StoppedError from None
            except OSError:
                break
        self.closed = True


def hang(_request, peer):
    """Say nothing until the client gives up."""
    peer.until_gone()


def silence(_request, peer):
    """An open back channel on which nothing comes."""
    peer.start()
    peer.until_gone()


def cut(_request, peer):
    """Break off at once."""
    peer.cut()


def hang_up(_request, peer):
    """End the connection without a word."""
    peer.close()


def streams(*pieces):
    """A back channel that sends the pieces and then stays open."""

    def answer(_request, peer):
        peer.start()
        for piece in pieces:
            peer.send(piece)
        peer.until_gone()

    return answer


class Answers:
    """Answers one behind the other; the last one for ever."""

    def __init__(self, answers):
        self.answers = list(answers) if isinstance(answers, list | tuple) else [answers]
        self.lock = threading.Lock()
        self.count = 0

    def __call__(self, request, peer):
        with self.lock:
            answer = self.answers[min(self.count, len(self.answers) - 1)]
            self.count += 1
        if callable(answer):
            answer(request, peer)
        else:
            peer.send(answer)


@dataclass
class Server:
    """Hands each request to `answer(request, peer)`, in a thread for each connection.

    `server.requests` are those that came, oldest first. What an answer raises, other than that the client has
    gone, is raised again at the end of the `with` block.
    """

    answer: object = None
    tls: object = None
    requests: list = field(default_factory=list)

    def __post_init__(self):
        self.stopping = threading.Event()
        self.failures = []
        self.sockets = set()
        self.threads = []
        self.connections = 0
        self.lock = threading.Lock()
        self.listener = None
        self.port = 0

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.acceptor = threading.Thread(target=self._accept, name="hostile", daemon=True)
        self.acceptor.start()
        return self

    def __exit__(self, *exc_info):
        self.stopping.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        with self.lock:
            for one in self.sockets:
                with contextlib.suppress(OSError):
                    # Not SSLSocket's own, after which who still reads gets the bytes as they were sent.
                    socket.socket.shutdown(one, socket.SHUT_RDWR)
        self.acceptor.join(DEADLINE)
        for thread in (self.acceptor, *self.threads):
            thread.join(DEADLINE)
            assert not thread.is_alive()
        if self.failures and exc_info[0] is None:
            raise self.failures[0]

    def steps(self):
        return [request.step for request in list(self.requests)]

    def of(self, step):
        """The requests of one step."""
        return [request for request in list(self.requests) if request.step == step]

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.sockets.add(connection)
                self.connections += 1
                number = self.connections
            thread = threading.Thread(target=self._serve, args=(connection, number), daemon=True)
            thread.start()
            self.threads = [one for one in [*self.threads, thread] if one.is_alive()]

    def _serve(self, plain, number):
        connection = plain
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls is not None:
                connection = self.tls.wrap_socket(plain, server_side=True)
                with self.lock:
                    self.sockets.add(connection)
            with connection.makefile("rb") as incoming:
                peer = Peer(self, connection)
                while not peer.closed and (request := self._read(incoming, number)) is not None:
                    self.requests.append(request)
                    self.answer(request, peer)
        except (OSError, StoppedError):
            pass  # the client has gone, or the test is over
        except Exception as error:
            self.failures.append(error)
        finally:
            with self.lock:
                self.sockets -= {plain, connection}
            connection.close()

    @staticmethod
    def _read(incoming, number):
        line = incoming.readline()
        if not line:
            return None
        method, target, *_ = [*line.decode("latin-1").split(" "), ""]
        headers = {}
        while (line := incoming.readline().strip()) != b"":
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        body = incoming.read(int(headers.get("content-length", 0)))
        return Request(method, target, headers, body, time.monotonic(), number)


class TalkServer(Server):
    """The talk dialect, each of its four answers replaceable."""

    def __init__(self, *, page=None, opening=None, connect=None, back=silence, tls=None):
        super().__init__(tls=tls)
        self.answers = {
            "page": Answers(ok(globals()["page"]()) if page is None else page),
            "opening": Answers(ok(globals()["opening"]()) if opening is None else opening),
            "connect": Answers(ok(frame("[1,2,23]")) if connect is None else connect),
            "back": Answers(back),
            "terminate": Answers(ok(b"")),
        }
        self.answer = lambda request, peer: self.answers[request.step](request, peer)

    @property
    def base_url(self):
        return self.url + "/talkgadget"
