"""How a channel stands, connecting, closing with a form, cookies: what a program has around its sessions."""

import asyncio
import gc
import http.cookiejar
import json
import pickle
import ssl
import threading

import pytest
from either import Sync
from scripted_server import ScriptedServer, brought, confirmed, frame, held, opened, status
from waiting import until

import gaechannel
from gaechannel import (
    BrowserChannel,
    ChannelClosed,
    ChannelError,
    ChannelTimeout,
    HTTPStatusError,
    TransportError,
    aio,
)


def told(kind, states, then=None):
    def plain(channel, state):
        states.append(state)
        return then(channel, state) if then is not None else None

    async def coroutine(channel, state):
        await asyncio.sleep(0)
        done = plain(channel, state)
        if asyncio.iscoroutine(done):
            await done

    return plain if kind is Sync else coroutine


def broken(request):
    request.begin()
    request.cut()


# ---- How it stands ----


def test_each_change_of_the_state_is_told(script, channel_of):
    states = []
    script.on("open", opened(), opened(sid="SID2"))
    script.on("back", brought([1, "a"]), broken, held([2, "b"]))
    channel = channel_of("BrowserChannel", script.url, on_state=told(channel_of, states), max_backoff=0.05)
    with channel:
        assert (channel.state, channel.last_error) == ("new", None)
        assert channel.take(2) == ["a", "b"]
        assert channel.state == "open"
        error = channel.last_error
        assert isinstance(error, TransportError)
        assert channel.last_error is error
    assert channel.state == "closed"
    assert states == ["connecting", "open", "waiting", "connecting", "open", "closed"]


def test_a_session_that_ended_with_an_error_is_closed_until_somebody_asks_again(script, channel_of):
    states = []
    script.on("open", status("403 No"), opened())
    script.on("back", held([1, "a"]))
    with channel_of("BrowserChannel", script.url, on_state=told(channel_of, states)) as channel:
        with pytest.raises(HTTPStatusError) as caught:
            channel.take(1)
        assert channel.state == "closed"
        assert not channel.closed
        assert channel.last_error.code == caught.value.code == 403
        assert channel.take(1) == ["a"]
        assert channel.state == "open"
        assert channel.last_error.code == 403
    assert states == ["connecting", "closed", "connecting", "open", "closed"]


def test_one_that_was_never_used_is_told_that_it_is_closed(script, channel_of):
    states = []
    with channel_of("BrowserChannel", script.url, on_state=told(channel_of, states)):
        pass
    assert states == ["closed"]


def test_what_is_told_may_close_the_channel(script, channel_of):
    states = []

    def close(channel, state):
        return channel.close() if state == "open" else None

    script.on("back", held([1, "a"]))
    with channel_of("BrowserChannel", script.url, on_state=told(channel_of, states, close)) as channel:
        if channel_of is Sync:
            assert list(channel.channel) == []
        else:

            async def consume():
                return [message async for message in channel.channel]

            assert channel.run(consume()) in ([], ["a"])
        assert channel.state == "closed"


def test_what_is_told_may_raise(script, channel_of):
    states = []

    def fail(channel, state):
        if state == "open":
            raise LookupError("no display")

    script.on("back", held([1, "a"]))
    with channel_of("BrowserChannel", script.url, on_state=told(channel_of, states, fail)) as channel:
        with pytest.raises(LookupError, match="no display"):
            channel.take(2)
        assert channel.recv(20) == "a"


WAYS = ["connect", "recv", "recv in time", "flush", "iterate", "iterate over an iterator", "batches", "merge"]


def wait_in(way, channel, iterator):
    """Wait for the channel in the way of that name."""
    if way in ("connect", "recv", "flush"):
        return getattr(channel, way)()
    if way == "recv in time":
        return channel.recv(timeout=60)
    merge = aio.merge if isinstance(channel, aio.BrowserChannel) else gaechannel.merge
    if way == "iterate":
        iterator = channel.messages()
    elif way == "batches":
        iterator = channel.batches()
    elif way == "merge":
        iterator = merge([channel])
    return anext(iterator) if hasattr(iterator, "__anext__") else next(iterator)


@pytest.mark.parametrize("way", WAYS)
def test_what_is_told_cannot_wait_for_its_channel(script, channel_of, way):
    refused = []

    def wait(channel, state):
        if state != "open" or refused:
            return None
        try:
            waiting = wait_in(way, channel, iterator)
        except ChannelError as error:
            refused.append(error)
            raise

        async def wait_on():
            try:
                await waiting
            except ChannelError as error:
                refused.append(error)
                raise

        return wait_on()

    script.on("back", held([1, "a"]))
    with channel_of("BrowserChannel", script.url, on_state=told(channel_of, [], wait)) as channel:
        iterator = channel.messages()
        with pytest.raises(ChannelError, match="on_state cannot wait for the channel"):
            channel.take(2)
        assert len(refused) == 1
        assert channel.recv(20) == "a"


def test_what_is_told_may_look_and_send(script, channel_of):
    states, looked = [], []

    def look(channel, state):
        if state != "open":
            return None
        if channel_of is Sync:
            with pytest.raises(ChannelTimeout):
                channel.recv(timeout=0)
            looked.append(channel.send({"a": "b"}))
            return None

        async def look_on():
            with pytest.raises(ChannelTimeout):
                await channel.recv(timeout=0)
            looked.append(await channel.send({"a": "b"}))

        return look_on()

    come = threading.Event()
    script.on("back", lambda request: (come.wait(60), held([1, "a"])(request)))
    with channel_of("BrowserChannel", script.url, on_state=told(channel_of, states, look)) as channel:
        channel.connect(60)
        channel.flush(60)
        come.set()
        assert channel.recv(60) == "a"
    assert looked == [0]


def test_while_one_is_told_other_threads_wait_on(script):
    inside, go_on = threading.Event(), threading.Event()

    def block(channel, state):
        if state == "open":
            inside.set()
            assert go_on.wait(60)

    script.on("back", held([1, "a"]))
    with BrowserChannel(script.url, on_state=block) as channel:
        thread = threading.Thread(target=channel.connect)
        thread.start()
        assert inside.wait(60)
        assert channel.recv(60) == "a"
        go_on.set()
        thread.join(60)
        assert not thread.is_alive()


def test_the_talk_client_and_the_development_servers_tell_too(channel_of):
    with gaechannel.server.LocalServer() as server:
        for kind in ("Client", "DevClient"):
            states = []
            token = server.create_channel("me")
            server_url = {"base_url": server.base_url} if kind == "Client" else {"url": server.url}
            with channel_of(kind, token, on_state=told(channel_of, states), **server_url) as client:
                taking = threading.Timer(0, lambda: until(lambda: server.send_message("me", "hello") or True))
                if kind == "DevClient":
                    with pytest.raises(ChannelTimeout):
                        client.recv(0.3)
                taking.start()
                assert client.take(1) == ["hello"]
                taking.join()
            assert states == ["connecting", "open", "closed"]


# ---- Connecting ----


def test_a_first_connection_is_tried_again_until_the_server_is_there(channel_of):
    with ScriptedServer() as gone:
        url = gone.url
    port = int(url.split(":")[2].split("/")[0])
    waits = threading.Event()
    with channel_of("BrowserChannel", url, max_backoff=0.05) as channel:
        with pytest.raises(TransportError):
            channel.connect(retry=False)
        with pytest.raises(ChannelTimeout, match=r"not open within 0\.2") as caught:
            channel.connect(0.2)
        assert isinstance(caught.value.__cause__, TransportError)
        assert str(caught.value).endswith(f"seconds: {caught.value.__cause__}")
        assert str(port) in str(caught.value)

        def serve_later():
            until(lambda: channel.last_error is not None)
            import socketserver

            class Handler(socketserver.StreamRequestHandler):
                def handle(self):
                    if not self.rfile.readline():
                        return
                    body = '[[0,["c","SID1","",8]],[1,"early"]]'
                    self.wfile.write(f"HTTP/1.0 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())

            class Server(socketserver.ThreadingTCPServer):
                allow_reuse_address = True
                daemon_threads = True

            with Server(("127.0.0.1", port), Handler) as server:
                thread = threading.Thread(target=server.serve_forever)
                thread.start()
                waits.wait(30)
                server.shutdown()
                thread.join()

        thread = threading.Thread(target=serve_later)
        thread.start()
        channel.connect(20)
        assert channel.sid == "SID1"
        assert channel.recv(timeout=0) == "early"
        channel.connect(0)
        waits.set()
        thread.join(20)


def test_a_flush_that_is_late_says_what_failed(channel_of):
    with channel_of("BrowserChannel", "http://127.0.0.1:1", params={"token": "S3CRET"}) as channel:
        with pytest.raises(TransportError):
            channel.connect(retry=False)
        with pytest.raises(ChannelTimeout):
            channel.connect(0.01)
        channel.send({"a": "b"})
        with pytest.raises(ChannelTimeout, match=r"not confirmed within 0\.01 seconds: ") as caught:
            channel.flush(0.01)
        assert str(caught.value).endswith(str(caught.value.__cause__))
        assert isinstance(caught.value.__cause__, TransportError)
        assert "S3CRET" not in str(caught.value)


def test_a_flush_that_is_late_blames_nothing_that_was_mended(script, channel_of):
    go_on = threading.Event()
    script.on("back", broken, held([1, "a"]))
    script.on("maps", lambda request: (go_on.wait(60), confirmed()(request)))
    with channel_of("BrowserChannel", script.url, max_backoff=0.01) as channel:
        assert channel.take(1) == ["a"]
        assert isinstance(channel.last_error, TransportError)
        channel.send({"a": "b"})
        with pytest.raises(ChannelTimeout, match=r"within 0\.1 seconds$") as caught:
            channel.flush(0.1)
        assert caught.value.__cause__ is None
        go_on.set()
        channel.flush(60)


@pytest.mark.parametrize("answer", ["503 Busy", "429 Slow Down"])
def test_without_retries_the_first_failure_is_raised(script, channel_of, answer):
    script.on("open", status(answer), status(answer), opened())
    with channel_of("BrowserChannel", script.url) as channel:
        with pytest.raises(HTTPStatusError):
            channel.connect(retry=False)
        assert len(script.of("open")) == 1
        channel.connect(20)
        assert len(script.of("open")) == 3


def test_as_many_first_connections_as_the_limit_says(channel_of):
    for options in ({"max_reconnects": 2, "max_backoff": 0.01}, {"auto_reconnect": False}):
        channel = channel_of("BrowserChannel", "http://127.0.0.1:1", **options)
        with channel, pytest.raises(TransportError):
            channel.connect()


def test_what_is_said_of_the_first_connection_does_not_hold_for_later_ones(script, channel_of):
    script.on("open", opened(), status("503 Busy"), opened(sid="SID2"))
    script.on("back", brought([1, "a"]), status("410 Gone"), held([1, "b"]))
    with channel_of("BrowserChannel", script.url, max_backoff=0.01) as channel:
        channel.connect(retry=False)
        channel.connect(retry=False)
        assert channel.take(2) == ["a", "b"]


@pytest.mark.parametrize(
    "arguments", [{"timeout": "x"}, {"timeout": float("nan")}, {"timeout": -1}, {"retry": 1}]
)
def test_connect_names_what_makes_no_sense(channel_of, arguments):
    channel = channel_of("BrowserChannel", "http://127.0.0.1:1")
    with channel, pytest.raises((TypeError, ValueError), match=next(iter(arguments))):
        channel.connect(**arguments)


# ---- Closing ----


def test_a_session_is_ended_with_a_form(script, channel_of):
    with channel_of("BrowserChannel", script.url) as channel:
        channel.connect()
        channel.close(form={"ui": "", "clientDisconnectReason": "by é user"})
        channel.close(form={"again": "x"})
    [request] = script.wait("terminate")
    assert request.method == "POST"
    assert request.form == {"ui": "", "clientDisconnectReason": "by é user"}
    assert len(script.of("terminate")) == 1


def test_close_names_a_form_that_is_none(script, channel_of):
    with channel_of("BrowserChannel", script.url) as channel:
        channel.connect()
        for form in (5, [("a", "b")], {5: "a"}, {"a": None}, dict):
            with pytest.raises(TypeError, match="form") as caught:
                channel.close(form=form)
            assert "callable" not in str(caught.value)
        assert not channel.closed
        channel.close()
        with pytest.raises(ChannelClosed):
            channel.connect()
    assert script.wait("terminate")[0].method == "GET"
    dev = channel_of("DevClient", "token", "http://127.0.0.1:1")
    with dev, pytest.raises(TypeError, match="form"):
        dev.close(form={"a": "b"})


# How many objects are made before the garbage collector runs: while an exception is made, among others.
@pytest.mark.parametrize("made", range(8))
def test_a_secret_that_is_no_text_is_refused_without_the_lock(script, made):
    script.on("back", held())
    channel, other = (BrowserChannel(script.url) for _ in range(2))
    with channel, other, pytest.raises(ChannelTimeout):
        next(gaechannel.merge([channel, other], timeout=0.01))  # from now on they have one lock
    arguments = (["\ud800"], [])
    looked, refused = [], []

    class Cycle:
        def __init__(self):
            self.itself = self

        def __del__(self):
            looked.append(other.stats)

    def refuse():
        gc.collect()
        gc.disable()
        Cycle()
        gc.set_threshold(gc.get_count()[0] + made)
        gc.enable()
        try:
            channel._set_secrets(*arguments)
        except UnicodeEncodeError as error:
            refused.append(error)

    thresholds = gc.get_threshold()
    thread = threading.Thread(target=refuse, daemon=True)
    thread.start()
    thread.join(20)
    gc.set_threshold(*thresholds)
    until(lambda: gc.collect() >= 0 and looked)  # not while another thread collects
    assert refused


# ---- Cookies ----


def test_cookies_of_a_mapping_go_with_each_request_until_the_server_sets_others(script, channel_of, log):
    log.setLevel("DEBUG")
    script.on("open", opened(Set_Cookie="theirs=from-server; Path=/"))
    script.on("back", held([1, "a"]))
    cookies = {"mine": "mine-secret", "theirs": "old-secret"}
    with channel_of("BrowserChannel", script.url, cookies=cookies, logger=log) as channel:
        assert channel.cookies == cookies
        assert channel.take(1) == ["a"]
        assert channel.cookies == {"mine": "mine-secret", "theirs": "from-server"}
    assert channel.cookies == {"mine": "mine-secret", "theirs": "from-server"}
    assert cookies["theirs"] == "old-secret"

    def sent(request):
        return sorted(request.headers["cookie"].split("; "))

    assert sent(script.of("open")[0]) == ["mine=mine-secret", "theirs=old-secret"]
    assert sent(script.of("back")[0]) == ["mine=mine-secret", "theirs=from-server"]
    assert "secret" not in log.text.getvalue()


def test_headers_that_change_bring_back_no_cookie_that_the_server_has_set(script, channel_of):
    script.on("open", opened(Set_Cookie="theirs=from-server; Path=/"))
    script.on("back", status("401 No"), held([1, "a"]))
    options = {"cookies": {"theirs": "old"}, "headers": dict}
    with channel_of("BrowserChannel", script.url, **options) as channel:
        assert channel.take(1) == ["a"]
    assert [request.headers["cookie"] for request in script.of("back")] == ["theirs=from-server"] * 2


def test_what_one_direction_is_given_and_what_is_taken_back_goes_with_the_other_one(script, channel_of):
    taken = threading.Event()

    def first(request):
        request.begin([1, "a"], Set_Cookie="back=1; Path=/")
        taken.wait(60)
        request.end()

    def answers(cookie):
        return status("200 OK", frame([1, 0, 0]), Set_Cookie=cookie)

    script.on("maps", answers("maps=1; Path=/"), answers("back=; Path=/; Max-Age=0"), confirmed())
    script.on("back", first, held([2, "b"]))
    with channel_of("BrowserChannel", script.url) as channel:
        assert channel.take(1) == ["a"]
        for number in range(2):
            channel.send({"number": str(number)})
            channel.flush(20)
        taken.set()
        assert channel.take(1) == ["b"]
        channel.send({"number": "2"})
        channel.flush(20)
        assert channel.cookies == {"maps": "1"}

    def sent(kind):
        return [sorted(request.headers.get("cookie", "").split("; ")) for request in script.of(kind)]

    assert sent("maps") == [["back=1"], ["back=1", "maps=1"], ["maps=1"]]
    assert sent("back") == [[""], ["maps=1"]]


@pytest.mark.parametrize("count", [49, 50])
def test_as_many_cookies_as_libcurl_takes_of_one_head_outlast_what_the_other_direction_is_given(
    script, channel_of, count
):
    """After 50 it takes no more of that handle's until the next request."""
    answered = threading.Event()
    many = "\r\nSet-Cookie: ".join(f"c{number}=1; Path=/" for number in range(count))

    def first(request):
        assert answered.wait(60)
        request.begin([2, "b"], Set_Cookie="back=1; Path=/")
        request.end()

    script.on("open", opened([1, "a"]))
    script.on("back", first, held([3, "c"]))
    answers = [status("200 OK", frame([1, 0, 0]), Set_Cookie=cookies) for cookies in (many, "maps=1; Path=/")]
    script.on("maps", *answers, confirmed())
    with channel_of("BrowserChannel", script.url) as channel:
        assert channel.take(1) == ["a"]
        for number in range(4):
            channel.send({"number": str(number)})
            channel.flush(20)
            if number == 0:
                answered.set()
                assert channel.take(2) == ["b", "c"]
        assert len(channel.cookies) == count + 2
    sent = [len(request.headers.get("cookie", "").split("; ")) for request in script.of("maps")]
    assert sent[0] == 1
    assert min(sent[1:]) >= count
    assert sent[-1] == count + 2


def test_a_cookie_that_both_directions_are_given_at_once_is_the_last_ones(script, channel_of):
    sent, told = threading.Event(), threading.Event()

    def first(request):
        assert sent.wait(60)
        request.begin([2, "b"], Set_Cookie="both=back; Path=/")
        assert told.wait(60)
        request.end()

    script.on("open", opened([1, "a"]))
    script.on("maps", status("200 OK", frame([1, 0, 0]), Set_Cookie="both=maps; Path=/"), confirmed())
    script.on("back", first, held([3, "c"]))
    with channel_of("BrowserChannel", script.url) as channel:
        assert channel.take(1) == ["a"]
        channel.send({"number": "0"})
        channel.flush(20)
        sent.set()
        assert channel.take(1) == ["b"]
        told.set()
        assert channel.take(1) == ["c"]
        channel.send({"number": "1"})
        channel.flush(20)
    assert script.of("back")[1].headers["cookie"] == "both=back"
    assert script.of("maps")[1].headers["cookie"] == "both=back"


def test_cookies_stay_where_a_head_has_come_some_time_before_its_body(script, channel_of):
    read = threading.Event()

    def maps(request):
        request.begin(Set_Cookie="maps=1; Path=/")
        assert read.wait(60)
        request.chunk(1, 0, 0)
        request.end()

    script.on("open", opened([1, "a"], Set_Cookie="opening=1; Path=/"))
    script.on("maps", maps, confirmed())
    script.on("back", held([2, "b"]))
    with channel_of("BrowserChannel", script.url) as channel:
        assert channel.take(2) == ["a", "b"]
        channel.send({"number": "0"})
        while "maps" not in channel.cookies:
            with pytest.raises(ChannelTimeout):
                channel.recv(0.01)
        read.set()
        channel.flush(20)
        channel.send({"number": "1"})
        channel.flush(20)
        assert channel.cookies == {"opening": "1", "maps": "1"}
    assert sorted(script.of("maps")[1].headers.get("cookie", "").split("; ")) == ["maps=1", "opening=1"]


def takes_half_a_head(channel, jar):
    """Receive until the cookie is gone that the half of the back channel's head takes back which is there."""
    for _ in range(300):
        if not list(jar):
            return True
        with pytest.raises(ChannelTimeout):
            channel.recv(0.01)
    return False


def test_a_cookie_that_one_direction_takes_back_while_the_other_is_given_one_is_gone(script, channel_of):
    begun, read, told = threading.Event(), threading.Event(), threading.Event()
    jar = http.cookiejar.CookieJar()

    def first(request):
        head = ["HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Set-Cookie: gone=; Path=/; Max-Age=0", ""]
        assert begun.wait(60)
        request.connection.sendall("\r\n".join(head).encode())
        assert told.wait(60)
        request.connection.sendall(b"\r\n")
        request.chunk([2, "b"])
        request.end()

    def maps(request):
        assert read.wait(60)
        status("200 OK", frame([1, 0, 0]), Set_Cookie="fresh=1; Path=/")(request)

    script.on("open", opened([1, "a"], Set_Cookie="gone=1; Path=/"))
    script.on("maps", maps, confirmed())
    script.on("back", first, held([3, "c"]))
    with channel_of("BrowserChannel", script.url, cookies=jar) as channel:
        assert channel.take(1) == ["a"]
        assert [one.name for one in jar] == ["gone"]
        begun.set()
        channel.send({"number": "0"})
        if not takes_half_a_head(channel, jar):
            read.set()
            told.set()
            pytest.skip("this libcurl takes a head's cookies once all of it has come")
        assert (
            len(script.of("back")) == 1
        )  # half a head took the cookie, not the end of a request that failed
        read.set()
        channel.flush(20)
        told.set()
        assert channel.take(2) == ["b", "c"]
        channel.send({"number": "1"})
        channel.flush(20)
    assert script.of("back")[1].headers["cookie"] == "fresh=1"
    assert script.of("maps")[1].headers["cookie"] == "fresh=1"


def cookie(name, value, domain="127.0.0.1"):
    return http.cookiejar.Cookie(
        0, name, value, None, False, domain, True, False, "/", True, False, None, False, None, None, {}
    )


def test_a_jar_is_read_before_each_session_and_given_what_servers_set(script, channel_of):
    jar = http.cookiejar.CookieJar()
    jar.set_cookie(cookie("mine", "1"))
    jar.set_cookie(cookie("other", "x", domain="elsewhere.example"))
    script.on("open", opened(Set_Cookie="theirs=a; Path=/"), opened(sid="SID2"))

    def lost(request):
        jar.set_cookie(cookie("mine", "2"))
        jar.set_cookie(cookie("theirs", "b"))
        status("410 Gone", Set_Cookie="late=c; Path=/")(request)

    script.on("back", brought([1, "a"]), lost, held([1, "b"]))
    with channel_of("BrowserChannel", script.url, cookies=jar) as channel:
        channel.connect()
        assert channel.cookies == {"mine": "1", "theirs": "a"}
        assert {c.name: c.value for c in jar if c.domain == "127.0.0.1"} == {"mine": "1", "theirs": "a"}
        assert channel.take(2) == ["a", "b"]
        assert channel.cookies == {"mine": "2", "theirs": "b", "late": "c"}
    sent = [sorted(request.headers.get("cookie", "").split("; ")) for request in script.of("open")]
    assert sent == [["mine=1"], ["late=c", "mine=2", "theirs=b"]]
    assert sorted(script.of("back")[-1].headers["cookie"].split("; ")) == ["late=c", "mine=2", "theirs=b"]


# What str.splitlines() takes for a line's end, and a header may have in it; newer
# libcurls let no "\r" through.
ENDS = ["\x0b", "\x0c", "\x1c", "\x85", "\u2028"]


@pytest.mark.parametrize("end", ENDS)
def test_a_cookie_with_a_lines_end_in_it_is_no_other_servers(script, channel_of, end):
    jar = http.cookiejar.CookieJar()
    script.on("open", opened(Set_Cookie=f"a=b{end}http://elsewhere.example/\tsession=evil; Path=/"))
    script.on("back", brought([1, "a"]), held())
    with channel_of("BrowserChannel", script.url, cookies=jar) as channel:
        assert channel.take(1) == ["a"]
        assert [one for one in jar if one.domain != "127.0.0.1"] == []


@pytest.mark.parametrize("end", ENDS)
def test_a_cookie_with_a_lines_end_in_it_is_no_error(script, channel_of, end):
    script.on("open", opened(Set_Cookie=f"a=b{end}c; Path=/"))
    script.on("back", held([1, "a"]))
    for cookies in (http.cookiejar.CookieJar(), {"mine": "1"}):
        with channel_of("BrowserChannel", script.url, cookies=cookies) as channel:
            assert channel.take(1) == ["a"]
            assert channel.cookies.keys() <= {"mine", "a"}


@pytest.mark.parametrize(
    "cookies", [{"a b": "c"}, {"": "c"}, {"a": "b; c"}, {"a": "b\r\nX: y"}, {"a=b": "c"}, {"a": "\0"}]
)
def test_cookies_that_would_not_come_as_they_are_are_refused(cookies):
    with pytest.raises(ValueError, match="cookie") as caught:
        BrowserChannel("http://127.0.0.1:1", cookies=cookies)
    assert "X: y" not in str(caught.value)


# ---- The rest of HTTP ----


def test_tokens_may_be_bytes(channel_of):
    with gaechannel.server.LocalServer() as server:
        token = server.create_channel("me").encode()
        sources = [token, lambda: token]
        for source in sources:
            with channel_of("Client", source, base_url=server.base_url) as client:
                client.initialize()
                assert client.token == token.decode()
    for bad, words in ((b"", "empty"), (b"\xff", "UTF-8"), (5, "token must be")):
        with pytest.raises((TypeError, ValueError), match=words):
            gaechannel.Client(bad)


def test_a_status_error_is_read_as_urllibs(script, channel_of):
    body = json.dumps({"error": "é"}, ensure_ascii=False)
    script.on("open", status("403 No", body, X_Why="because"))
    with channel_of("BrowserChannel", script.url) as channel, pytest.raises(HTTPStatusError) as caught:
        channel.connect()
    error = caught.value
    again = pickle.loads(pickle.dumps(error))
    assert (error.code, error.msg, error.headers["X-Why"]) == (403, "No", "because")
    assert error.url.startswith(script.url)
    assert error.read(3) + error.read() == body.encode()
    assert error.read() == b""
    assert json.load(again) == {"error": "é"}


@pytest.mark.parametrize("module", [gaechannel, aio], ids=["sync", "aio"])
def test_an_ssl_context_is_refused_with_what_stands_in_its_stead(module):
    with pytest.raises(TypeError, match=r"SSLContext.*verify=.*cert="):
        module.BrowserChannel("https://127.0.0.1:1", verify=ssl.create_default_context())
