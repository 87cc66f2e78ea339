"""on_session and callables in mappings' places: what a session is opened with, however often one is lost."""

import asyncio
import contextlib
import random
import re
import sys
import threading
import time

import pytest
from either import Sync
from scripted_server import ScriptedServer, brought, confirmed, held, opened, status
from waiting import until

import gaechannel
from gaechannel import (
    BrowserChannel,
    ChannelClosed,
    ChannelError,
    ChannelTimeout,
    Client,
    HTTPStatusError,
    SessionLost,
    aio,
)

LOST = status("400 Bad Request")


def asked(kind, calls, then=None):
    """An on_session of either kind, which notes what it was called with, and then does something."""

    def plain(channel, session):
        calls.append(session)
        if then is not None:
            then(channel, session)

    async def coroutine(channel, session):
        calls.append(session)
        await asyncio.sleep(0)
        if then is not None:
            done = then(channel, session)
            if asyncio.iscoroutine(done):
                await done

    return plain if kind is Sync else coroutine


def test_it_is_asked_before_each_session_and_what_it_sends_goes_first(script, channel_of):
    calls = []
    subscribe = asked(channel_of, calls, lambda channel, session: channel.send({"n": str(session.number)}))
    script.on("open", opened(), opened(sid="SID2"), opened(sid="SID3"))
    script.on("back", brought([1, "a"]), LOST, brought([1, "b"]), LOST, held([1, "c"]))
    with channel_of("BrowserChannel", script.url, on_session=subscribe) as channel:
        assert channel.send({"left": "over"}) == 0
        assert channel.take(3) == ["a", "b", "c"]
    assert [session.number for session in calls] == [1, 2, 3]
    assert calls[0].lost is None
    assert all(isinstance(session.lost, SessionLost) and session.lost.code == 400 for session in calls[1:])
    forms = [request.maps for request in script.of("open")]
    assert forms == [{0: {"n": "1"}, 1: {"left": "over"}}, {0: {"n": "2"}}, {0: {"n": "3"}}]


def test_it_may_set_what_the_session_is_opened_with(script, channel_of, log):
    log.setLevel("DEBUG")

    def change(channel, session):
        channel.params = {"token": f"param-{session.number}-secret"}
        channel.headers = {"X-Number": f"header-{session.number}-secret", "Cookie": "a=cookie-secret"}
        channel.open_form = {"form": f"form-{session.number}-secret"}
        channel.init_headers = {"Authorization": f"Bearer init-{session.number}-secret"}

    script.on("open", opened(), opened(sid="SID2"))
    script.on("back", LOST, held([1, "a"]))
    with channel_of(
        "WebChannel", script.url, logger=log, on_session=asked(channel_of, [], change)
    ) as channel:
        assert channel.take(1) == ["a"]
        assert channel.params == {"token": "param-2-secret"}
        assert channel.open_form == {"form": "form-2-secret"}
    for number, request in enumerate(script.of("open"), 1):
        assert request.query["token"] == f"param-{number}-secret"
        assert request.headers["x-number"] == f"header-{number}-secret"
        assert request.headers["cookie"] == "a=cookie-secret"
        assert request.form["form"] == f"form-{number}-secret"
        assert request.form["headers"] == f"Authorization:Bearer init-{number}-secret\r\n"
    assert script.of("back")[-1].headers["x-number"] == "header-2-secret"
    assert "secret" not in log.text.getvalue()


def test_what_it_raises_comes_out_and_the_next_try_asks_again(script, channel_of):
    calls = []

    def fail_twice(channel, session):
        sent = channel.send({"call": str(len(calls))})
        if len(calls) < 3:
            if asyncio.iscoroutine(sent):
                sent.close()
            raise LookupError(f"call {len(calls)}")
        return sent

    script.on("back", held([1, "a"]))
    with channel_of("BrowserChannel", script.url, on_session=asked(channel_of, calls, fail_twice)) as channel:
        for call in (1, 2):
            with pytest.raises(LookupError, match=f"call {call}"):
                channel.take(1)
        assert not script.of("open")
        assert channel.take(1) == ["a"]
    assert [session.number for session in calls] == [1, 1, 1]
    [request] = script.of("open")
    assert request.maps == {0: {"call": "3"}}


def test_after_an_opening_that_failed_for_good_it_is_asked_anew_and_nothing_is_doubled(script, channel_of):
    calls = []
    subscribe = asked(channel_of, calls, lambda channel, session: channel.send({"n": str(len(calls))}))
    script.on("open", lambda request: request.reply("no session"), opened())
    script.on("back", held([1, "a"]))
    with channel_of("BrowserChannel", script.url, on_session=subscribe) as channel:
        channel.send({"left": "over"})
        with pytest.raises(ChannelError):
            channel.take(1)
        assert channel.take(1) == ["a"]
    assert [session.number for session in calls] == [1, 1]
    assert script.of("open")[-1].maps == {0: {"n": "2"}, 1: {"left": "over"}}


def test_an_opening_that_is_tried_again_is_the_same(script, channel_of):
    calls = []
    subscribe = asked(channel_of, calls, lambda channel, session: channel.send({"n": str(len(calls))}))
    script.on("open", status("503 Busy"), opened())
    with channel_of("BrowserChannel", script.url, on_session=subscribe) as channel:
        channel.connect(20)
    assert [request.maps for request in script.of("open")] == [{0: {"n": "1"}}] * 2
    assert len(calls) == 1


def test_the_talk_client_asks_too(channel_of):
    with gaechannel.server.LocalServer() as server:
        calls = []
        token = server.create_channel("me")
        on_session = asked(channel_of, calls)
        with channel_of("Client", token, base_url=server.base_url, on_session=on_session) as client:
            server.send_message("me", "hello")
            assert client.take(1) == ["hello"]
        assert [session.number for session in calls] == [1]


def test_an_iterator_over_many_channels_asks_each(script, channel_of):
    calls = []
    script.on("back", held([1, "a"]))
    with channel_of("BrowserChannel", script.url, on_session=asked(channel_of, calls)) as channel:
        assert channel.merged(1) == ["a"]
    assert len(calls) == 1


def test_it_may_close_the_channel(script, channel_of):
    closed = asked(channel_of, [], lambda channel, session: channel.close())
    with channel_of("BrowserChannel", script.url, on_session=closed) as channel:
        with pytest.raises(ChannelClosed):
            channel.connect()
        assert channel.state == "closed"
    assert not script.of("open")


def test_it_cannot_wait_for_its_own_channel(script, channel_of):
    ways = ["connect", "recv", "flush", "flush"]  # where nothing is queued, too

    def wait(channel, session):
        if not ways:
            return None
        if len(ways) == 4:
            return getattr(channel, ways.pop())()
        sent = channel.send({"a": "b"})
        if asyncio.iscoroutine(sent):
            sent.close()
        return getattr(channel, ways.pop())()

    script.on("back", held([1, "a"]))
    with channel_of("BrowserChannel", script.url, on_session=asked(channel_of, [], wait)) as channel:
        for left in (3, 2, 1, 0):
            with pytest.raises(ChannelError, match="own callable"):
                channel.take(1)
            assert len(ways) == left
        assert channel.take(1) == ["a"]


def test_while_it_blocks_others_can_send_and_close(script):
    inside, go_on = threading.Event(), threading.Event()

    def block(channel, session):
        inside.set()
        go_on.wait(20)

    channel = BrowserChannel(script.url, on_session=block)
    ended = []
    thread = threading.Thread(target=lambda: ended.append(list(channel)))
    other = threading.Thread(target=lambda: ended.append(list(channel)))
    thread.start()
    assert inside.wait(20)
    other.start()
    assert channel.send({"a": "b"}) == 0
    assert channel.state == "connecting"
    begun = time.monotonic()
    channel.close()
    assert time.monotonic() - begun < 10
    other.join(20)
    go_on.set()
    thread.join(20)
    assert ended == [[], []]
    assert not script.of("open")


def test_while_it_is_awaited_the_event_loop_goes_on_and_close_ends_it(script):
    async def main():
        inside = asyncio.Event()
        cancelled = asyncio.Event()

        async def block(channel, session):
            inside.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.set()
                raise

        channel = aio.BrowserChannel(script.url, on_session=block)
        waiting = asyncio.create_task(channel.connect())
        await inside.wait()
        assert await channel.send({"of": "another task"}) == 0
        assert channel.unsent == 1
        await channel.close()
        with pytest.raises(ChannelClosed):
            await waiting
        assert await asyncio.wait_for(cancelled.wait(), 20)

    asyncio.run(main())


@pytest.mark.parametrize("timeout", [0, 0.05])
def test_while_it_is_awaited_recv_ends_in_time(script, timeout):
    async def main():
        inside, go_on = asyncio.Event(), asyncio.Event()

        async def block(channel, session):
            inside.set()
            await go_on.wait()

        script.on("back", held([1, "a"]))
        async with aio.BrowserChannel(script.url, on_session=block) as channel:
            connecting = asyncio.create_task(channel.connect())
            await inside.wait()
            async with asyncio.timeout(60):
                with pytest.raises(ChannelTimeout):
                    await channel.recv(timeout)
                go_on.set()
                await connecting
                assert await channel.recv() == "a"

    asyncio.run(main())


def test_what_others_send_meanwhile_is_left_for_its_turn(script):
    async def main():
        inside, go_on = asyncio.Event(), asyncio.Event()

        async def subscribe(channel, session):
            inside.set()
            await go_on.wait()
            await channel.send({"who": "session"})

        async with aio.BrowserChannel(script.url, on_session=subscribe) as channel:
            connecting = asyncio.create_task(channel.connect())
            await inside.wait()
            await channel.send({"who": "task"})
            go_on.set()
            await connecting

    asyncio.run(main())
    [request] = script.of("open")
    assert request.maps == {0: {"who": "session"}, 1: {"who": "task"}}


def taken_by_threads(count, channel):
    """What so many threads take that begin at once, of which each keeps the interpreter for long."""
    got = []
    threads = [threading.Thread(target=lambda: got.append(next(channel.messages()))) for _ in range(count)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.5)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    finally:
        sys.setswitchinterval(before)
    return got


@pytest.mark.parametrize("what", ["on_session", "token", "url"])
def test_who_saw_the_question_before_another_thread_answered_does_not_ask_again(script, local, what):
    """Of some thirty rounds, one had a thread that was so late."""

    def answer(*args):
        calls.append(args)
        begun = time.perf_counter()
        while time.perf_counter() < begun + 0.002:
            pass
        return token if what == "token" else None

    class Overridden(Client):
        def _get_bind_url(self, **keywords):
            if "AID" not in keywords:  # the opening one
                answer(keywords)
            return super()._get_bind_url(**keywords)

    for number in range(150):
        calls, token = [], local.create_channel(f"me{number}")
        if what != "on_session":
            for _ in range(8):
                local.send_message(f"me{number}", "a")
        if what == "token":
            channel = Client(answer, base_url=local.base_url)
        elif what == "url":
            channel = Overridden(token, base_url=local.base_url)
        else:
            script.on("back", held(*([identity, "a"] for identity in range(1, 9))))
            channel = BrowserChannel(script.url, on_session=answer)
        with channel:
            assert taken_by_threads(8, channel) == ["a"] * 8
        assert len(calls) == 1, number


def test_two_threads_ask_once(script):
    calls, both = [], threading.Barrier(2, timeout=20)

    def slow(channel, session):
        calls.append(session)
        both.wait()  # until the other thread is about to want the same

    script.on("back", held([1, "a"], [2, "b"]))
    with BrowserChannel(script.url, on_session=slow) as channel:
        got = []
        threads = [threading.Thread(target=lambda: got.append(next(channel.messages()))) for _ in range(2)]
        for thread in threads:
            thread.start()
        both.wait()
        for thread in threads:
            thread.join(20)
    assert sorted(got) == ["a", "b"]
    assert len(calls) == 1


@pytest.mark.parametrize("name", ["on_session", "on_state", "params", "headers", "open_form", "init_headers"])
def test_without_asyncio_a_coroutine_function_is_refused(script, name):
    async def coroutine(*args):
        return {}

    channel = gaechannel.WebChannel(script.url, **{name: coroutine})
    with pytest.raises(TypeError, match=f"^{name} must not be a coroutine function"):
        channel.connect()
    with contextlib.suppress(TypeError):  # on_state is told of that, too
        channel.close()
    assert channel.closed


SOURCES = ["params", "headers", "open_form", "init_headers"]


def source_of(kind, values, calls):
    def plain():
        calls.append(1)
        return values(len(calls))

    async def coroutine():
        await asyncio.sleep(0)
        return plain()

    return plain if kind is Sync else coroutine


def test_callables_are_asked_before_each_session(script, channel_of, log):
    log.setLevel("DEBUG")
    calls = {name: [] for name in SOURCES}
    options = {
        name: source_of(channel_of, lambda n, name=name: {"X-Key": f"{name}-{n}-secret"}, calls[name])
        for name in SOURCES
    }
    script.on("open", opened(), opened(sid="SID2"))
    script.on("back", brought([1, "a"]), LOST, held([1, "b"]))
    with channel_of("WebChannel", script.url, logger=log, **options) as channel:
        assert channel.take(2) == ["a", "b"]
    assert {name: len(made) for name, made in calls.items()} == dict.fromkeys(SOURCES, 2)
    for number, request in enumerate(script.of("open"), 1):
        assert request.query["X-Key"] == f"params-{number}-secret"
        assert request.headers["x-key"] == f"headers-{number}-secret"
        assert request.form["X-Key"] == f"open_form-{number}-secret"
        assert request.form["headers"] == f"X-Key:init_headers-{number}-secret\r\n"
    assert "secret" not in log.text.getvalue()


@pytest.mark.parametrize("kind", ["open", "back", "maps"])
def test_headers_are_asked_for_again_after_a_401_once(script, channel_of, kind):
    calls = []
    headers = source_of(channel_of, lambda n: {"Authorization": f"Bearer secret-{n}"}, calls)
    after = {"open": opened(), "back": held([1, "a"]), "maps": confirmed()}[kind]
    script.on(kind, status("401 Unauthorized"), after)
    if kind == "maps":
        script.on("back", held())
    with channel_of("BrowserChannel", script.url, headers=headers) as channel:
        channel.connect()
        if kind == "maps":
            channel.send({"a": "b"})
            channel.flush(20)
        elif kind == "back":
            assert channel.take(1) == ["a"]
        assert channel.stats.sessions == 1
    assert [request.headers["authorization"] for request in script.of(kind)[:2]] == [
        "Bearer secret-1",
        "Bearer secret-2",
    ]
    assert len(calls) == 2


def test_a_second_401_is_raised_without_the_secrets(script, channel_of, log):
    calls = []
    headers = source_of(channel_of, lambda n: {"Authorization": f"Bearer secret-{n}"}, calls)
    script.on("open", *[lambda request: request.reply(request.headers["authorization"], "401 No")] * 2)
    with (
        channel_of("BrowserChannel", script.url, headers=headers, logger=log) as channel,
        pytest.raises(HTTPStatusError) as caught,
    ):
        channel.connect()
    assert caught.value.code == 401
    assert "secret" not in f"{caught.value} {caught.value.body} {log.text.getvalue()}"
    assert len(calls) == 2


WRONG = {
    "None": lambda: None,
    "a number": lambda: 5,
    "a text": lambda: "a=b",
    "a name that is no text": lambda: {5: "secret-value"},
    "a value that is no text": lambda: {"a": [b"secret-value"]},
}


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("wrong", WRONG)
def test_what_a_callable_returns_must_be_a_mapping(script, channel_of, name, wrong):
    returned = [WRONG[wrong], dict]

    def source():
        return returned.pop(0)() if len(returned) > 1 else {}

    with channel_of("WebChannel", script.url, **{name: source}) as channel:
        with pytest.raises(TypeError, match=f"{name}.*callable") as caught:
            channel.connect()
        assert "secret" not in str(caught.value)
        assert not script.of("open")
        channel.connect()


@pytest.mark.parametrize("name", SOURCES)
def test_what_a_callable_raises_comes_out_and_it_is_asked_again(script, channel_of, name):
    calls = []

    def fail_once(number):
        if number == 1:
            raise LookupError("no token yet")
        return {}

    with channel_of("WebChannel", script.url, **{name: source_of(channel_of, fail_once, calls)}) as channel:
        with pytest.raises(LookupError, match="no token yet"):
            channel.connect()
        channel.connect()
    assert len(calls) == 2


def test_new_sessions_may_be_refused(script, channel_of):
    script.on("open", opened(), opened(sid="SID2"))
    script.on("back", brought([1, "a"]), lambda request: request.cut(), LOST, held([1, "b"]))
    with channel_of("BrowserChannel", script.url, new_sessions=False) as channel:
        assert channel.take(1) == ["a"]
        with pytest.raises(SessionLost):
            channel.take(1)
        assert len(script.of("open")) == 1
        assert channel.take(1) == ["b"]


def test_maps_that_may_have_been_carried_out_need_not_go_to_the_next_session(script, channel_of):
    calls = []
    script.on("open", opened(), opened(sid="SID2"))
    script.on("back", held(), held())
    script.on("maps", LOST)
    options = {"resend_unconfirmed": False, "on_session": asked(channel_of, calls)}
    with channel_of("BrowserChannel", script.url, **options) as channel:
        channel.connect()
        channel.send({"tried": "yes"})
        channel.flush(20)
        until(lambda: channel.unsent == 0)
        channel.connect(20)
        if len(calls) < 2:  # flush() was done when the maps were dropped
            channel.merged(1, 0)
    assert calls[1].lost.maps == [(0, {"tried": "yes"})]
    assert not any(request.maps for request in script.of("open"))


@pytest.mark.parametrize("resend", [True, False])
def test_an_opening_that_may_be_sent_again_holds_no_maps_that_must_not_be(script, channel_of, resend):
    script.on("open", status("503 Busy"), opened())  # though the server may have carried them out
    script.on("back", held())
    with channel_of("BrowserChannel", script.url, resend_unconfirmed=resend, max_backoff=0.02) as channel:
        channel.send({"once": "yes"})
        channel.flush(20)
        until(lambda: channel.unsent == 0)
    assert [request.maps for request in script.of("open")] == [{0: {"once": "yes"}} if resend else {}] * 2
    assert [request.maps for request in script.of("maps")] == [] if resend else [{0: {"once": "yes"}}]


BAD = [
    ({"on_session": 5}, "on_session"),
    ({"on_state": "x"}, "on_state"),
    ({"new_sessions": 1}, "new_sessions"),
    ({"resend_unconfirmed": None}, "resend_unconfirmed"),
    ({"params": [("a", "b")]}, "params"),
    ({"params": {"a": None}}, "params"),
    ({"open_form": "a=b"}, "open_form"),
    ({"init_headers": 5}, "init_headers"),
    ({"init_headers": {"a": 5}}, "initial header"),
    ({"cookies": 5}, "cookies"),
    ({"on_session": lambda channel: None}, r"on_session is called as on_session\(channel, session\)"),
    (
        {"headers": lambda channel, /, key="s3cret", *, at="s3cret": {}},
        r"headers\(\), but what is given takes \(channel, /, key=\.\.\., \*, at=\.\.\.\)$",
    ),
    ({"on_state": lambda: None}, r"on_state is called as on_state\(channel, state\)"),
    ({"params": lambda channel: {}}, r"params is called as params\(\)"),
    ({"headers": lambda channel: {}}, r"headers is called as headers\(\)"),
    ({"open_form": lambda channel: {}}, r"open_form is called as open_form\(\)"),
    ({"init_headers": lambda channel: {}}, r"init_headers is called as init_headers\(\)"),
    ({"cookies": {"a": 5}}, "cookie"),
]


@pytest.mark.parametrize("module", [gaechannel, aio], ids=["sync", "aio"])
# Every worker is to collect the same names: without addresses.
@pytest.mark.parametrize(
    ("options", "name"), BAD, ids=lambda value: re.sub(" at 0x[0-9a-f]+", "", str(value))
)
def test_bad_arguments_are_named(module, options, name):
    with pytest.raises((TypeError, ValueError), match=name):
        module.WebChannel("http://127.0.0.1:1", **options)


def test_bad_values_set_later_change_nothing(script, channel_of):
    with channel_of("WebChannel", script.url, params={"a": "b"}) as channel:
        for name in SOURCES:
            for bad in (5, lambda channel: {}):
                with pytest.raises(TypeError, match=name):
                    setattr(channel.channel, name, bad)
        channel.connect()
    assert script.of("open")[0].query["a"] == "b"


@pytest.mark.parametrize("seed", range(2))
def test_a_subscriber_misses_nothing_however_often_its_session_is_lost(channel_of, seed):
    """The server keeps a list, and gives each session what is behind the place that it names."""
    chance = random.Random(seed)
    total, lost = 300, 0

    def answer_open(request):
        [[_, fields]] = request.maps.items()
        place[0] = int(fields["from"])
        opened(sid=f"SID{len(script.of('open'))}")(request)

    def answer_back(request):
        nonlocal lost
        if lost < 100 and chance.random() < 0.7:
            lost += 1
            chance.choice([LOST, status("410 Gone"), status("404 Not Found", "Unknown SID")])(request)
            return
        first = int(request.query["AID"]) + 1
        numbers = range(place[0] + first - 1, min(place[0] + first - 1 + chance.randrange(1, 6), total))
        request.begin()
        for array, number in enumerate(numbers, first):
            request.chunk([array, number])
        chance.choice([request.end, request.cut] if lost < 100 else [request.end])()

    place = [0]
    got = []
    with ScriptedServer() as script:
        script.on("open", *[answer_open] * 400)
        script.on("back", *[answer_back] * 4000)
        subscribe = asked(channel_of, [], lambda channel, session: channel.send({"from": str(len(got))}))
        with channel_of("BrowserChannel", script.url, on_session=subscribe, max_backoff=0.001) as channel:
            if channel_of is Sync:
                for number in channel.channel:
                    got.append(number)
                    if len(got) == total:
                        break
            else:

                async def consume():
                    async for number in channel.channel:
                        got.append(number)
                        if len(got) == total:
                            break

                channel.run(consume())
    assert got == list(range(total))
    assert lost == 100
