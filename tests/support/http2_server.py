"""The scripted server over TLS and HTTP/2, one stream a request."""

import contextlib
import socket
import ssl
import threading

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings
import hyperframe.frame
from scripted_server import Request, ScriptedServer


class Http2(h2.connection.H2Connection):
    """HTTP/2 that does not break a connection off for streams beyond those it said it takes.

    A client may open them before it has heard how many they are: servers refuse each.
    """

    open_inbound_streams = 0


class Connection:
    """A connection of HTTP/2, and what may be done to it from any thread.

    OpenSSL's objects are one thread's at a time, and Python's own sockets over TLS do not see to that: so TLS
    is spoken to memory, under a lock, and only the bytes are waited for without it. Nor is a socket closed
    while a thread writes to it, since its number may be another's by then.
    """

    def __init__(self, connection, context, streams):
        self.socket = connection
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        self.lock = threading.Lock()
        self.streams = streams
        config = h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        self.http2 = Http2(config)
        self.http2.local_settings = h2.settings.Settings(
            client=False, initial_values={h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: streams}
        )
        self.gone = threading.Event()
        while not self.shake_hands():
            self.wait_for_bytes()
        self.do(self.http2.initiate_connection)

    def shake_hands(self):
        """Whether TLS is ready."""
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        finally:
            self.socket.sendall(self.outgoing.read())
        return True

    def wait_for_bytes(self):
        data = self.socket.recv(65536)
        with self.lock:
            self.incoming.write(data) if data else self.incoming.write_eof()

    def send(self, data):
        """Send bytes; the caller has the lock."""
        if self.gone.is_set():
            raise BrokenPipeError
        if data:
            self.tls.write(data)
        self.socket.sendall(self.outgoing.read())

    def do(self, method, *arguments, **keywords):
        """Do something with the connection, and send what comes of it."""
        with self.lock:
            method(*arguments, **keywords)
            self.send(self.http2.data_to_send())

    def events(self):
        """What the client does, until it goes."""
        while True:
            try:
                with self.lock:
                    data = self.tls.read(65536)
                    if not data:  # the client has closed TLS, and may keep its socket
                        return
                    events = self.http2.receive_data(data)
                    self.send(self.http2.data_to_send())
            except ssl.SSLWantReadError:
                self.wait_for_bytes()
            except ssl.SSLError:
                return
            else:
                yield from events

    def takes_another(self):
        """Whether the stream that was opened last is not one too many."""
        with self.lock:
            return super(Http2, self.http2).open_inbound_streams <= self.streams

    def refuse(self, stream):
        self.do(self.http2.reset_stream, stream, h2.errors.ErrorCodes.REFUSED_STREAM)

    def end(self):
        """Let nobody write to it any more."""
        with self.lock:
            self.gone.set()


class Stream(Request):
    """A request, and the stream to answer it on."""

    def __init__(self, connection, number, headers, body):
        super().__init__(connection, headers[":method"], headers[":path"], headers, body)
        self.number = number

    def reply(self, body="", status="200 OK", **headers):
        self.head(status, headers)
        self.connection.do(self.connection.http2.send_data, self.number, body.encode(), end_stream=True)

    def head(self, status, headers):
        lines = [(":status", status.split()[0])]
        lines += [(name.replace("_", "-").lower(), value) for name, value in headers.items()]
        self.connection.do(self.connection.http2.send_headers, self.number, lines)

    def begin(self, *arrays, **headers):
        self.head("200", headers)
        if arrays:
            self.chunk(*arrays)

    def write(self, text):
        self.connection.do(self.connection.http2.send_data, self.number, text.encode())

    def end(self):
        self.connection.do(self.connection.http2.end_stream, self.number)

    def cut(self):
        with contextlib.suppress(OSError):
            self.connection.socket.shutdown(socket.SHUT_RDWR)

    def hold(self):
        self.connection.gone.wait()


def refused(request):
    """Take no notice of it, and say so."""
    request.connection.refuse(request.number)


def gone_away(request):
    """Say that this stream and those behind it were not looked at; those before it go on."""
    frame = hyperframe.frame.GoAwayFrame(0, last_stream_id=max(request.number - 2, 0))
    request.connection.do(lambda: request.connection.send(frame.serialize()))


class Http2Server(ScriptedServer):
    """Answers as the scripted server does.

    Args:
        context: TLS's, with a certificate.
        streams: how many streams it says that it takes on a connection.

    Attributes:
        connections: those that it has seen.
    """

    def __init__(self, context, streams=100):
        super().__init__()
        context.set_alpn_protocols(["h2"])
        self.context = context
        self.streams = streams
        self.connections = []
        self.url = self.url.replace("http:", "https:")

    def serve(self, connection, stream):
        del stream
        with contextlib.suppress(ssl.SSLError):
            self.serve_connection(Connection(connection, self.context, self.streams))
        return False

    def serve_connection(self, connection):
        self.connections.append(connection)
        waiting = {}
        try:
            for event in connection.events():
                if isinstance(event, h2.events.RequestReceived) and connection.takes_another():
                    waiting[event.stream_id] = dict(event.headers), bytearray()
                elif isinstance(event, h2.events.RequestReceived):
                    connection.refuse(event.stream_id)
                elif getattr(event, "stream_id", None) not in waiting:
                    continue  # it is about no request, or about one that was refused
                elif isinstance(event, h2.events.DataReceived):
                    waiting[event.stream_id][1].extend(event.data)
                    connection.do(
                        connection.http2.acknowledge_received_data,
                        event.flow_controlled_length,
                        event.stream_id,
                    )
                elif isinstance(event, h2.events.StreamEnded):
                    headers, body = waiting.pop(event.stream_id)
                    request = Stream(connection, event.stream_id, headers, bytes(body))
                    threading.Thread(target=self.answer_stream, args=(request,), daemon=True).start()
        finally:
            connection.end()

    def answer_stream(self, request):
        # The client may have gone, or given the stream up.
        with contextlib.suppress(OSError, h2.exceptions.H2Error):
            self.answer(request)
