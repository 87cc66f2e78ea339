"""gaechannel.server.remote and its asyncio twin: App Engine's calls from another process."""

import asyncio
import http.client
import http.server
import itertools
import json
import multiprocessing
import threading

import aiohttp
import pytest
from aiohttp import web
from tls import contexts
from waiting import until
from wire_by_hand import Talk, texts

from gaechannel.server import ChannelService, LocalServer, make_admin_app, remote
from gaechannel.server.core.answered import Answered
from gaechannel.server.core.errors import Refusal
from gaechannel.server.http import presence_stream
from gaechannel.server.remote import PresenceEvent, ServerRefused, ServerUnreachable, aio, calls


class Blocking:
    """The blocking face."""

    def __init__(self, *args, **options):
        self.api = remote.ChannelAPI(*args, **options)

    def __getattr__(self, name):
        return getattr(self.api, name)

    def events(self, count, later=None):
        """The next events of one presence(), with something that is done before the last two of them."""
        events = self.api.presence()
        taken = list(itertools.islice(events, count if later is None else count - 2))
        if later is not None:
            later()
            taken += [next(events), next(events)]
        events.close()
        return taken

    def close(self):
        self.api.close()


class Asyncio:
    """asyncio's; its event loop runs while something is asked of it."""

    def __init__(self, *args, **options):
        self.runner = asyncio.Runner()
        self.api = aio.ChannelAPI(*args, **options)

    def __getattr__(self, name):
        return lambda *args, **options: self.runner.run(getattr(self.api, name)(*args, **options))

    def events(self, count, later=None):
        async def take():
            events = self.api.presence()
            taken = [await anext(events) for _ in range(count if later is None else count - 2)]
            if later is not None:
                later()
                taken += [await anext(events), await anext(events)]
            await events.aclose()
            return taken

        return self.runner.run(take())

    def close(self):
        self.runner.run(self.api.close())
        self.runner.close()


@pytest.fixture(params=[Blocking, Asyncio], ids=["blocking", "asyncio"])
def connect(request, monkeypatch):
    """Makes faces, which are closed in the end; a try again comes at once."""
    for module in (calls, remote, aio):
        monkeypatch.setattr(module, "FIRST_WAIT", 0.001)
    made = []

    def make(*args, **options):
        made.append(request.param(*args, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def api(shared, connect):
    return connect(shared.admin_url, shared.admin_token)


class Relay(http.server.ThreadingHTTPServer):
    """Passes requests on to an administrative interface, and loses or replaces answers as a test says.

    Attributes:
        requests: headers and body of each.
        answers: for the next requests: None breaks off after the server has done it, a status is answered.
    """

    daemon_threads = True

    def __init__(self, port, answers):
        self.port, self.answers, self.requests = port, list(answers), []
        super().__init__(("127.0.0.1", 0), _Relaying)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def __enter__(self):
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.shutdown()
        self.thread.join()
        self.server_close()


class _Relaying(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((dict(self.headers), body))
        answer = self.server.answers.pop(0) if self.server.answers else 200
        if answer in (200, None):
            upstream = http.client.HTTPConnection("127.0.0.1", self.server.port)
            upstream.request("POST", self.path, body, dict(self.headers))
            got = upstream.getresponse()
            status, said = got.status, got.read()
            upstream.close()
        else:
            status, said = answer, b"not now"
        if answer is None:
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *args):
        pass


def test_create_and_send_reach_a_listener(shared, api, name):
    token = api.create_channel(name, duration_minutes=5)
    talk = Talk(shared, token).connect()
    assert api.send_message(name, "é😀 &=") is None
    api.send_message(token, "\ud800 alone")
    assert texts(talk.back(CI=1).rest()) == ["é😀 &=", "\ud800 alone"]


def test_many_go_in_order_and_in_few_requests(shared, connect, name):
    shared.create_channel(name)
    listening = Talk(shared, shared.create_channel(name)).connect()
    with Relay(shared.admin.port, []) as relay:
        api = connect(relay.url, shared.admin_token)
        wanted = [f"{number} {'x' * 1500}" for number in range(1200)]
        assert api.send_messages((name, text) for text in wanted) == []
        sizes = [len(json.loads(body)["messages"]) for _, body in relay.requests]
    assert sum(sizes) == 1200
    assert max(sizes) <= calls.BATCH_MESSAGES
    assert max(len(body) for _, body in relay.requests) < shared.service.limits.max_body
    assert texts(listening.back(CI=1).rest())[:3] == wanted[:3]
    assert len({headers["Idempotency-Key"] for headers, _ in relay.requests}) == len(sizes)


def test_what_is_dropped_is_said(shared, api, name):
    shared.create_channel(name)
    assert api.send_messages([(name, "kept"), (f"no {name}", "dropped"), (name, "kept")]) == [f"no {name}"]
    assert api.send_messages([]) == []


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (("create_channel", ""), remote.InvalidChannelClientIdError),
        (("create_channel", "é" * 129), remote.InvalidChannelClientIdError),
        (("create_channel", None), remote.InvalidChannelClientIdError),
        (("create_channel", "me", 0), remote.InvalidChannelTokenDurationError),
        (("create_channel", "me", 1441), remote.InvalidChannelTokenDurationError),
        (("send_message", "", "hi"), remote.InvalidChannelClientIdError),
        (("send_message", "x" * 257, "hi"), remote.InvalidChannelClientIdError),
        (("send_message", "me", b"hi"), remote.InvalidMessageError),
        (("send_message", "me", "é" * 16_384), remote.InvalidMessageError),
    ],
)
def test_limits_and_errors_are_app_engines(shared, api, call, error):
    what, *args = call
    with pytest.raises(error) as here:
        getattr(api, what)(*args)
    with pytest.raises(error) as there:
        getattr(shared, what)(*args)
    assert str(here.value) == str(there.value)


def test_one_that_is_wrong_keeps_the_others_from_being_sent(shared, api, name):
    shared.create_channel(name)
    with pytest.raises(remote.InvalidMessageError):
        api.send_messages([(name, "first"), (name, None)])
    assert not shared.service.channels.find(name).held


def test_what_the_server_itself_refuses_has_its_words(shared, api, name):
    # A token too long for a client id, and forged.
    with pytest.raises(remote.InvalidChannelClientIdError, match="256"):
        api.send_message("gc1." + "x" * 300, "hi")


def test_a_message_whose_answer_was_lost_arrives_once(shared, connect, name):
    talk = Talk(shared, shared.create_channel(name)).connect()
    with Relay(shared.admin.port, [None, 503]) as relay:
        api = connect(relay.url, shared.admin_token)
        api.send_message(name, "one")
        api.send_message(name, "two")
        keys = [headers["Idempotency-Key"] for headers, _ in relay.requests]
    assert len(keys) == 4
    assert len(set(keys)) == 2
    assert texts(talk.back(CI=1).rest()) == ["one", "two"]


def test_a_server_that_stays_away_is_named(connect):
    with http.server.HTTPServer(("127.0.0.1", 0), _Relaying) as taken:
        port = taken.server_port
    api = connect(f"http://user:secret@127.0.0.1:{port}/base", "key")
    with pytest.raises(ServerUnreachable, match=rf"http://127.0.0.1:{port} cannot be reached: .+") as caught:
        api.send_message("me", "hi")
    assert isinstance(caught.value, remote.Error)
    assert isinstance(caught.value, OSError)
    assert "secret" not in str(caught.value)
    with pytest.raises(ServerUnreachable):
        api.create_channel("me")
    with pytest.raises(ServerUnreachable):
        api.events(1)


def test_a_server_that_cannot_now_is_asked_so_many_times(shared, connect, name):
    with Relay(shared.admin.port, [503] * 9) as relay:
        api = connect(relay.url, shared.admin_token, retries=2)
        with pytest.raises(ServerUnreachable, match="503 not now"):
            api.send_message(name, "hi")
        assert len(relay.requests) == 3


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "does not accept the key"),
        (404, "no channel server's administration"),
        (400, "400: not now"),
    ],
)
def test_a_server_that_refuses_is_asked_once(shared, connect, status, words):
    with Relay(shared.admin.port, [status]) as relay:
        api = connect(relay.url, shared.admin_token)
        with pytest.raises(ServerRefused, match=words):
            api.send_message("me", "hi")
        assert len(relay.requests) == 1


def test_another_key_is_refused(shared, connect):
    api = connect(shared.admin_url, "another")
    with pytest.raises(ServerRefused, match="does not accept the key: 401"):
        api.create_channel("me")
    with pytest.raises(ServerRefused, match="does not accept the key: 401"):
        api.events(1)


def test_one_connection_serves_and_a_server_started_anew_gets_another(connect):
    with LocalServer() as server:
        api = connect(server.admin_url, server.admin_token)
        server.create_channel("me")
        for text in ("one", "two"):
            api.send_message("me", text)
        server.stop()
        server.start()
        api.send_message("me", "three")
        assert texts(Talk(server, server.create_channel("me")).connect().back(CI=1).rest()) == [
            "one",
            "two",
            "three",
        ]


def test_a_unix_socket_does(connect, tmp_path):
    path = str(tmp_path / "admin")
    with LocalServer(admin=path) as server:
        for url in (path, f"unix:{path}"):
            api = connect(url, server.admin_token)
            api.create_channel("me")
            assert api.send_messages([("me", "hi")]) == []
        server.service.channels.add_listener("me", Ear())
        assert api.events(1) == [PresenceEvent("connected", "me")]


def test_tls_is_checked(connect):
    context, trusting = contexts()
    with LocalServer(ssl_context=context, admin="127.0.0.1:0", admin_ssl_context=context) as server:
        assert server.admin_url.startswith("https:")
        assert connect(server.admin_url, server.admin_token, ssl_context=trusting).create_channel("me")
        with pytest.raises(ServerUnreachable):
            connect(server.admin_url, server.admin_token, retries=0).create_channel("me")


@pytest.mark.parametrize(
    ("url", "key"),
    [
        (None, "key"),
        ("", "key"),
        ("http://127.0.0.1", None),
        ("ftp://x", "key"),
        ("http://", "key"),
        ("http://localhost", "k\n"),
        ("http://192.0.2.1:8081", "key"),
    ],
)
def test_a_place_that_is_none_is_named(monkeypatch, url, key):
    monkeypatch.delenv("GAECHANNEL_ADMIN", raising=False)
    monkeypatch.delenv("GAECHANNEL_ADMIN_TOKEN", raising=False)
    with pytest.raises(ValueError, match=r"GAECHANNEL_ADMIN|neither|no header|https alone"):
        remote.ChannelAPI(url, key)


def test_a_host_and_port_are_an_address(shared, connect, name):
    assert connect(f"127.0.0.1:{shared.admin.port}", shared.admin_token).create_channel(name)
    assert calls.Place.of("channels.example:8081", "key").origin == "https://channels.example:8081"


def test_the_environment_says_where_the_server_is(shared, connect, monkeypatch, name):
    monkeypatch.setenv("GAECHANNEL_ADMIN", shared.admin_url)
    monkeypatch.setenv("GAECHANNEL_ADMIN_TOKEN", shared.admin_token)
    api = connect()
    assert api.create_channel(name)
    assert shared.admin_token not in repr(api.api)


# Presence.


class Ear:
    def hear(self, message, literal):
        pass


def test_presence_says_who_is_there_and_then_what_changes(connect):
    with LocalServer() as server:
        api = connect(server.admin_url, server.admin_token)
        here = [f"client {number}" for number in range(1100)]
        ears = {one: Ear() for one in here}
        for one, ear in ears.items():
            server.service.channels.add_listener(one, ear)

        def change():
            server.service.channels.remove_listener(here[0], ears[here[0]])
            server.service.channels.add_listener("late", Ear())

        events = api.events(1102, change)
        assert events[:1100] == [PresenceEvent("connected", one) for one in sorted(here)]
        assert events[1100:] == [("disconnected", here[0]), ("connected", "late")]
        until(lambda: not server.service.presence.watchers)


def test_presence_outlasts_a_server_started_anew(connect):
    with LocalServer() as server:
        api = connect(server.admin_url, server.admin_token)
        ears = {one: Ear() for one in ("stays", "goes")}
        for one, ear in ears.items():
            server.service.channels.add_listener(one, ear)

        def restart():
            server.stop()
            server.service.channels.remove_listener("goes", ears["goes"])
            server.service.channels.add_listener("comes", Ear())
            server.start()

        assert api.events(4, restart) == [
            ("connected", "goes"),
            ("connected", "stays"),
            ("disconnected", "goes"),
            ("connected", "comes"),
        ]


def test_a_line_of_somebody_else_is_refused():
    present = calls.Present()
    assert present.events(b"\n") == []
    for line in (b"<html>\n", b"[]\n", b'{"a":1}\n', b'{"a":[],"b":[]}\n'):
        with pytest.raises(ServerRefused):
            present.events(line)


# What only one of the faces can show.


def test_threads_that_send_at_once_share_requests(shared, name, monkeypatch):
    listening = Talk(shared, shared.create_channel(name)).connect()
    with Relay(shared.admin.port, []) as relay, remote.ChannelAPI(relay.url, shared.admin_token) as api:
        api._turn.acquire()  # as a request on its way
        threads = [
            threading.Thread(target=api.send_message, args=(name, str(number))) for number in range(20)
        ]
        for thread in threads:
            thread.start()
        until(lambda: len(api._queue) == 20)
        api._turn.release()
        for thread in threads:
            thread.join()
        assert len(relay.requests) == 1
    assert sorted(texts(listening.back(CI=1).rest()), key=int) == [str(number) for number in range(20)]


def test_tasks_that_send_in_one_turn_share_requests(shared, name):
    listening = Talk(shared, shared.create_channel(name)).connect()

    async def send(url):
        async with aio.ChannelAPI(url, shared.admin_token) as api:
            await asyncio.gather(*(api.send_message(name, str(number)) for number in range(20)))

    with Relay(shared.admin.port, []) as relay:
        asyncio.run(send(relay.url))
        assert len(relay.requests) == 1
    assert texts(listening.back(CI=1).rest()) == [str(number) for number in range(20)]


def test_a_cancelled_task_leaves_the_others(shared, name):
    listening = Talk(shared, shared.create_channel(name)).connect()

    async def send():
        async with aio.ChannelAPI(shared.admin_url, shared.admin_token) as api:
            one, other = (asyncio.create_task(api.send_message(name, text)) for text in ("one", "other"))
            await asyncio.sleep(0)
            one.cancel()
            await other
            assert one.cancelled()

    asyncio.run(send())
    assert texts(listening.back(CI=1).rest()) == ["one", "other"]


def _send_in_child(api, name, answer):
    try:
        api.send_message(name, "child")
        answer.send("done")
    except BaseException as error:
        answer.send(repr(error))


def test_a_forked_child_has_connections_of_its_own(shared, name):
    shared.create_channel(name)
    listening = Talk(shared, shared.create_channel(name)).connect()
    with remote.ChannelAPI(shared.admin_url, shared.admin_token) as api:
        api.send_message(name, "parent")
        with api._turn:  # as if a thread of the parent's sent just then
            context = multiprocessing.get_context("fork")
            mine, theirs = context.Pipe()
            child = context.Process(target=_send_in_child, args=(api, name, theirs))
            child.start()
            assert mine.poll(20)
            assert mine.recv() == "done"
            child.join()
        api.send_message(name, "parent again")
    assert texts(listening.back(CI=1).rest()) == ["parent", "child", "parent again"]


# The server's memory of what it has answered.


def test_a_request_that_comes_again_while_it_is_answered_waits_for_that_answer(connect):
    async def run():
        service = ChannelService()
        service.create_channel("me")
        kept = asyncio.Event()
        service.commit = kept.wait
        app = make_admin_app(service, "key")
        runner = web.AppRunner(app, handler_cancellation=True)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/admin/send"
        headers = {"Authorization": "Bearer key", "Idempotency-Key": "k"}
        async with aiohttp.ClientSession(headers=headers) as http:

            async def send():
                async with http.post(url, json={"messages": [["me", "hi"]]}) as reply:
                    return await reply.json()

            first = asyncio.create_task(send())
            while not service.channels.find("me").held:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            first.cancel()  # its connection is cut, and its handler with it
            again = asyncio.create_task(send())
            while runner.server.requests_count < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            kept.set()
            assert await again == {"dropped": []}
            assert [text for text, _ in service.channels.find("me").held] == ["hi"]
        await runner.cleanup()

    asyncio.run(run())


def test_answers_are_kept_for_a_while_and_so_many(clock):
    answered = Answered(clock, seconds=10, count=2)
    answered.keep(None, b"no key")
    assert len(answered) == 0
    for key in ("a", "b", "c"):
        answered.keep(key, key.encode())
    assert [answered.get(key) for key in ("a", "b", "c", None)] == [None, b"b", b"c", None]
    clock.now += 10
    answered.keep("d", b"d")
    assert [answered.get(key) for key in ("b", "c", "d")] == [None, None, b"d"]


_NO_MESSAGES = ["", "[]", '{"messages":[["me"]]}', '{"messages":3}', '{"messages":[["me",3]]}', "[" * 100_000]


@pytest.mark.parametrize("body", _NO_MESSAGES, ids=range(len(_NO_MESSAGES)))
def test_a_body_that_holds_no_messages_is_refused(shared, body):
    connection = http.client.HTTPConnection("127.0.0.1", shared.admin.port)
    headers = {"Authorization": f"Bearer {shared.admin_token}", "Content-Type": "application/json"}
    connection.request("POST", "/admin/send", body.encode(), headers)
    assert connection.getresponse().status == 400
    connection.close()


def test_who_asks_for_presence_and_does_not_read_is_cut_and_nothing_is_kept_for_him(monkeypatch):
    monkeypatch.setattr(presence_stream, "_MOST_WAITING", 100)

    async def run():
        service = ChannelService()
        runner = web.AppRunner(make_admin_app(service, "secret"))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        _, writer = await asyncio.open_connection(*runner.addresses[0], limit=1024)
        head = b"Host: localhost\r\nAuthorization: Bearer secret\r\n"
        writer.write(b"GET /admin/presence HTTP/1.1\r\n" + head + b"\r\n")
        async with asyncio.timeout(30):
            while not (watchers := list(service.presence.watchers)):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            while service.presence.watchers:
                for _ in range(20):  # of which a turn's are less than may wait
                    watchers[0]("connected", "x" * 250)
                await asyncio.sleep(0)
        writer.close()
        await runner.cleanup()

    asyncio.run(run())


def test_who_asks_for_presence_while_nobody_knows_it_is_refused_in_order(shared, monkeypatch):
    async def away():
        raise Refusal(503, "The store cannot be reached", {"Retry-After": "2"})

    monkeypatch.setattr(shared.service, "present", away)
    connection = http.client.HTTPConnection("127.0.0.1", shared.admin.port, timeout=20)
    headers = {"Authorization": f"Bearer {shared.admin_token}"}
    for _ in range(2):
        connection.request("GET", "/admin/presence", headers=headers)
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("Retry-After")) == (503, "2")
        answer.read()
    connection.close()
