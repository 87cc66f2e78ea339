"""A browserchannel or webchannel server that does what a test says, request by request, over sockets."""

import contextlib
import json
import socket
import socketserver
import threading
import time
from urllib.parse import parse_qs, parse_qsl, urlsplit

SID = "SID1"

#: How long the body of every other reply comes after its head, in seconds: what a client does in between, and
#: then again at the end, is to make no difference. Nothing waits for it.
APART = 0.002


def units(text):
    """A JavaScript string's length."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def frame(value):
    payload = json.dumps(value, ensure_ascii=False) + "\n"
    return f"{units(payload)}\n{payload}"


class Request:
    """A request, and the connection to answer it on."""

    def __init__(self, connection, method, target, headers, body):
        self.connection = connection
        self.method = method
        parts = urlsplit(target)
        self.path = parts.path
        self.query = dict(parse_qsl(parts.query, keep_blank_values=True))
        self.headers = headers
        self.comes_apart = False
        self.form = {key: one for key, [one] in parse_qs(body.decode(), keep_blank_values=True).items()}

    @property
    def kind(self):
        if self.query.get("TYPE") == "terminate":
            return "terminate"
        if "$req" in self.query or "SID" not in self.query:
            return "open"
        return "back" if self.query["RID"] == "rpc" else "maps"

    @property
    def maps(self):
        """The maps in its form, by id."""
        return read_maps(self.form)

    def reply(self, body="", status="200 OK", **headers):
        data = body.encode()
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(data)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        head = "\r\n".join([*lines, "", ""]).encode()
        if self.comes_apart:
            self.connection.sendall(head)
            time.sleep(APART)
            head = b""
        self.connection.sendall(head + data)

    def begin(self, *arrays, **headers):
        """Begin a back channel, perhaps with a first chunk."""
        lines = ["HTTP/1.1 200 OK", "Transfer-Encoding: chunked"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.connection.sendall("\r\n".join([*lines, "", ""]).encode())
        if arrays:
            self.chunk(*arrays)

    def chunk(self, *arrays):
        self.write(frame(arrays))

    def write(self, text):
        data = text.encode()
        self.connection.sendall(b"%x\r\n%b\r\n" % (len(data), data))

    def end(self):
        self.connection.sendall(b"0\r\n\r\n")

    def cut(self):
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def hold(self):
        """Wait until the client has gone."""
        with contextlib.suppress(OSError):
            self.connection.recv(1)


def read_maps(form):
    first = int(form.get("ofs", 0))
    maps = {first + number: {} for number in range(int(form.get("count", 0)))}
    for name, value in form.items():
        if name.startswith("req"):
            number, _, key = name[3:].partition("_")
            maps[first + int(number)][key] = value
    return maps


# What a test may say about a request; more are functions of its own.


def cut(request):
    request.cut()


def opened(*arrays, sid=SID, keepalive=None, **headers):
    """The opening reply: array 0, and perhaps more."""
    greeting = ["c", sid, "", 8] if keepalive is None else ["c", sid, "", 8, 14, keepalive]

    def answer(request):
        request.reply(frame([[0, greeting], *([number, data] for number, data in arrays)]), **headers)

    return answer


def confirmed(present=1, last=0, outstanding=0):
    def answer(request):
        request.reply(frame([present, last, outstanding]))

    return answer


def status(line, body="", **headers):
    def answer(request):
        request.reply(body, status=line, **headers)

    return answer


def held(*arrays):
    """A back channel that brings these arrays and stays."""

    def answer(request):
        request.begin(*arrays)
        request.hold()

    return answer


def brought(*arrays):
    """A back channel that brings these arrays and ends in order."""

    def answer(request):
        request.begin(*arrays)
        request.end()

    return answer


class ScriptedServer:
    """Answers each kind of request with the next of the answers given for it, the last one for ever."""

    def __init__(self):
        self.requests = []
        self.changed = threading.Condition()
        self.running = {"open": 0, "maps": 0, "back": 0, "terminate": 0}
        self.most = dict(self.running)
        self.answers = {
            "open": [opened()],
            "maps": [confirmed()],
            "back": [held()],
            "terminate": [status("200 OK")],
        }
        script = self

        class Handler(socketserver.StreamRequestHandler):
            disable_nagle_algorithm = True  # or a body would wait until its head was acknowledged

            def handle(self):
                with contextlib.suppress(OSError):
                    while script.serve(self.connection, self.rfile):
                        pass

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            block_on_close = False
            allow_reuse_address = True
            request_queue_size = 64

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/channel"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))

    def on(self, kind, *answers):
        self.answers[kind] = list(answers)
        return self

    def serve(self, connection, stream):
        line = stream.readline().decode()
        if not line:
            return False
        method, target, _ = line.split()
        headers = {}
        while (line := stream.readline().decode()).strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body = stream.read(int(headers.get("content-length", 0)))
        self.answer(Request(connection, method, target, headers, body))
        return True

    def answer(self, request):
        kind = request.kind
        with self.changed:
            request.comes_apart = len(self.of(kind)) % 2 == 0
            self.requests.append(request)
            self.running[kind] += 1
            self.most[kind] = max(self.most[kind], self.running[kind])
            answers = self.answers[kind]
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            self.changed.notify_all()
        try:
            answer(request)
        finally:
            with self.changed:
                self.running[kind] -= 1
                self.changed.notify_all()

    def of(self, kind):
        with self.changed:
            return [request for request in self.requests if request.kind == kind]

    def wait(self, kind, count=1, seconds=20):
        """The first `count` requests of a kind, as soon as there are so many."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.of(kind)) >= count, seconds), [
                one.kind for one in self.requests
            ]
        return self.of(kind)[:count]

    @property
    def maps(self):
        """All maps that came, by id; the same twice must be the same map, unless it was refused meanwhile."""
        found = {}
        for request in self.requests:
            for number, one in request.maps.items():
                assert found.setdefault(number, one) == one or one == {"type": "_badmap"}
        return found

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
        for request in self.requests:
            request.cut()
