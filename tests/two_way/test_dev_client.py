"""DevClient against servers that answer as App Engine's SDKs did, in trouble too."""

import asyncio
import http.server
import re
import threading
from urllib.parse import parse_qsl, urlsplit

import pytest
from waiting import until

from gaechannel import DevClient, HTTPStatusError, InvalidToken, TokenExpired, aio

TOKEN = "0123-channel-42-99-me"


class Sdk:
    """The SDK for Python's development server: one queue, no client ids, errors without a body."""

    def __init__(self):
        self.queue = []
        self.connected = self.refused = False
        self.connect_answer = b"1"
        self.tokens = {TOKEN}
        self.expired = set()
        self.troubles = []
        self.requests = []
        sdk = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            server_version = "Development/2.0"

            def do_GET(self):
                query = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
                sdk.requests.append(query)
                status, reason, content_type, body = sdk.answer(query)
                self.send_response(status, reason)
                self.send_header("Cache-Control", "no-cache")
                if content_type:
                    self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        # An event loop that has ended cuts the poll that is under way.
        self.server.handle_error = lambda *_: None
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))

    def answer(self, query):
        command, token = query.get("command"), query.get("channel")
        if self.troubles and command == self.troubles[0][0]:
            return self.troubles.pop(0)[1]
        if command not in {"connect", "poll"} or token is None:
            self.refused = self.refused or command != "disconnect"
            return 400, "Bad Request", "", b""
        if token not in self.tokens:
            return 401, "Invalid+token.", "", b""
        if token in self.expired:
            return 401, "Token+timed+out.", "", b""
        self.connected = True
        if command == "connect":
            return 200, "OK", "text/plain", self.connect_answer
        if not self.queue:
            return 200, "OK", "", b""
        return 200, "OK", "application/json", self.queue.pop(0)

    def count(self, command):
        return sum(query["command"] == command for query in self.requests)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def sdk():
    with Sdk() as server:
        yield server


class InThread:
    """A DevClient that is asked for messages in a test's thread."""

    def __init__(self, *args, **options):
        self.client = DevClient(*args, **options)
        self.messages = self.client.messages()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.client.close()

    def next(self):
        return next(self.messages)

    def take(self, count):
        return [self.next() for _ in range(count)]


class InLoop(InThread):
    """The same in an event loop, which runs while it is asked."""

    def __init__(self, *args, **options):
        self.runner = asyncio.Runner()
        self.client = aio.DevClient(*args, **options)
        self.messages = self.client.messages()

    def __exit__(self, *error):
        self.runner.run(self.client.close())
        self.runner.close()

    def next(self):
        async def message():
            async with asyncio.timeout(20):
                return await anext(self.messages)

        return self.runner.run(message())


@pytest.fixture(params=[InThread, InLoop], ids=["sync", "aio"])
def client_of(request):
    """Makes a DevClient, of threads and of asyncio."""
    return request.param


ERROR = (500, "Internal Server Error", "", b"")


@pytest.mark.parametrize("answered", [b"1", b"1\n", b"a client-id/1", b"", b"\n"])
def test_whatever_connect_answers_messages_come(client_of, sdk, answered):
    sdk.connect_answer = answered
    sdk.queue += [b"one", b"two"]
    with client_of(TOKEN, sdk.url) as client:
        assert client.take(2) == ["one", "two"]
    assert sdk.count("connect") == 1
    client_id = answered.split()[0].decode() if answered.split() else "1"
    assert {query["client"] for query in sdk.requests if query["command"] == "poll"} == {client_id}
    assert not sdk.refused


def test_a_client_id_of_many_letters_goes_as_it_came(client_of, sdk):
    sdk.connect_answer = "é&=+/😀".encode()
    sdk.queue.append(b"x")
    with client_of(TOKEN, sdk.url) as client:
        assert client.take(1) == ["x"]
    assert sdk.requests[1]["client"] == "é&=+/😀"


def test_a_message_is_kept_as_it_is_its_line_feeds_too(client_of, sdk):
    texts = ["plain", "ended\n", "\n", "\r\n", "two\n\n", " spaced ", '{"json": 1}', "é😀", "1", "\0"]
    sdk.queue += [text.encode() for text in texts]
    with client_of(TOKEN, sdk.url) as client:
        assert client.take(len(texts)) == texts


def test_polls_after_the_server_has_forgotten_the_client_go_on(client_of, sdk):
    """It forgets who has not polled for two seconds, and takes the next poll for a connect."""
    sdk.queue.append(b"before")
    with client_of(TOKEN, sdk.url) as client:
        assert client.next() == "before"
        sdk.connected = False
        sdk.queue.append(b"after")
        assert client.next() == "after"
    assert sdk.connected
    assert sdk.count("connect") == 1


@pytest.mark.parametrize("command", ["connect", "poll"])
def test_after_a_500_it_tries_again(client_of, sdk, command):
    sdk.troubles += [(command, ERROR), (command, (503, "Service Unavailable", "text/plain", b"busy"))]
    sdk.queue.append(b"came")
    with client_of(TOKEN, sdk.url, max_backoff=0.05) as client:
        assert client.take(1) == ["came"]
    assert sdk.troubles == []


def test_after_a_500_between_messages_nothing_is_missing(client_of, sdk):
    sdk.queue += [b"one"]
    with client_of(TOKEN, sdk.url, max_backoff=0.05) as client:
        assert client.next() == "one"
        sdk.troubles.append(("poll", ERROR))
        sdk.queue.append(b"two")
        assert client.next() == "two"
    assert sdk.troubles == []


def test_it_gives_up_after_as_many_errors_as_it_was_told(client_of, sdk):
    sdk.troubles += [("poll", ERROR)] * 3
    with (
        client_of(TOKEN, sdk.url, max_backoff=0.01, max_reconnects=2) as client,
        pytest.raises(HTTPStatusError) as raised,
    ):
        client.take(1)
    assert (raised.value.code, raised.value.body) == (500, "")


@pytest.mark.parametrize("when", ["connect", "poll"])
@pytest.mark.parametrize(
    ("kind", "words"), [(InvalidToken, "Invalid+token."), (TokenExpired, "Token+timed+out.")]
)
def test_a_401_without_a_body_is_known_by_its_reason(client_of, sdk, when, kind, words):
    def spoil():
        if kind is InvalidToken:
            sdk.tokens.clear()
        else:
            sdk.expired.add(TOKEN)

    if when == "connect":
        spoil()
    sdk.queue.append(b"first")
    with client_of(TOKEN, sdk.url) as client:
        if when == "poll":
            assert client.next() == "first"
            spoil()
        with pytest.raises(kind, match=re.escape(words)) as raised:
            client.next()
        assert (raised.value.code, raised.value.body) == (401, "")


def test_a_new_token_is_asked_for_when_the_old_one_has_expired(client_of, sdk):
    tokens = iter([TOKEN, "new"])
    sdk.tokens.add("new")
    sdk.queue.append(b"one")
    with client_of(lambda: next(tokens), sdk.url) as client:
        assert client.next() == "one"
        sdk.expired.add(TOKEN)
        sdk.queue.append(b"two")
        assert client.next() == "two"
    assert [query["channel"] for query in sdk.requests if query["command"] == "connect"] == [TOKEN, "new"]


def test_a_400_without_a_word_is_raised(client_of, sdk):
    """The SDK says it of a request that it does not understand: it has no clients that it could forget."""
    sdk.queue.append(b"one")
    with client_of(TOKEN, sdk.url) as client:
        assert client.next() == "one"
        sdk.troubles.append(("poll", (400, "Bad Request", "", b"")))
        with pytest.raises(HTTPStatusError) as raised:
            client.next()
    assert (raised.value.code, raised.value.body) == (400, "")


def test_that_disconnect_is_refused_hinders_nothing(client_of, sdk):
    sdk.queue.append(b"x")
    with client_of(TOKEN, sdk.url) as client:
        assert client.take(1) == ["x"]
    until(lambda: sdk.count("disconnect") == 1)
