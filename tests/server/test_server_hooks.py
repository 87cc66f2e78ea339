"""Functions of the application that raise, block or return wrong things end their own session only."""

import threading
from urllib.parse import urlencode

import pytest
from waiting import until
from wire_by_hand import Peer, Talk, texts

from gaechannel.server import BrowserChannelService, LocalServer, Refusal
from gaechannel.server.core.hooks import _MOST_THREADS, HookThreads


@pytest.fixture
def serving():
    """serving(on_session, **limits): a server, and its service at /channel."""
    servers = []

    def start(on_session, **limits):
        service = BrowserChannelService(on_session, **limits)
        servers.append(LocalServer(mounts={"/channel": service}).start())
        return servers[-1], service

    yield start
    for server in servers:
        server.stop(keep_sessions=False)


@pytest.fixture
def blocked():
    """An event that a function may block on; it is set when the test has ended."""
    event = threading.Event()
    yield event
    event.set()


def opened(server):
    peer = Peer(server, "/channel")
    assert peer.open().status == 200
    return peer


async def coroutine_function(*_):
    raise AssertionError("nobody awaits it")


def raises(*_):
    raise RuntimeError("the application's fault")


@pytest.mark.parametrize("hook", [raises, coroutine_function, 5])
def test_a_session_that_the_application_does_not_take_is_refused_and_no_other(serving, caplog, hook):
    server, service = serving(lambda session: (hook if "bad" in session.params else len)("x"))
    good = opened(server)
    reply = Peer(server, "/channel").open(bad=1)
    assert (reply.status, reply.text) == (500, "The application has failed")
    assert [one.sid for one in service.sessions] == [good.sid]
    assert service.counters.refused == {"hook": 1}
    assert caplog.text.count("on_session failed for session") == 1
    assert good.send({"x": "1"}).status == 200


@pytest.mark.parametrize("hook", [raises, coroutine_function, 5])
@pytest.mark.parametrize("name", ["on_map", "on_message"])
def test_a_session_whose_map_the_application_cannot_take_is_stopped_and_no_other(serving, name, hook):
    server, _ = serving(lambda session: setattr(session, name, hook if "bad" in session.params else len))
    good, bad = opened(server), Peer(server, "/channel")
    bad.open(bad=1)
    assert bad.send({"JSON": "[1]"}).status == 200
    assert bad.back().rest()[-1][1] == ["stop"]
    assert "Unknown SID" in bad.send({"JSON": "[1]"}).text
    assert good.send({"JSON": "[1]"}).status == 200


@pytest.mark.parametrize("hook", [raises, coroutine_function, 5])
def test_an_on_close_that_fails_is_logged_and_nothing_more(serving, caplog, hook):
    server, service = serving(lambda session: setattr(session, "on_close", hook))
    assert opened(server).terminate().status == 200
    assert service.sessions == []
    assert "on_close of session" in caplog.text


def test_a_function_that_blocks_holds_up_its_own_session_alone(serving, blocked, caplog):
    def on_session(session):
        if "opening" in session.params:
            blocked.wait()
        session.on_map = lambda one: "block" in one and blocked.wait()

    server, _ = serving(on_session, hook_seconds=2.0)
    stuck = opened(server)
    replies = []
    waiting = [
        threading.Thread(target=lambda: replies.append(stuck.send({"block": "1"}).status)),
        threading.Thread(target=lambda: replies.append(Peer(server, "/channel").open(opening=1).status)),
    ]
    for thread in waiting:
        thread.start()
    talk = Talk(server, server.create_channel("me")).connect()
    stream = talk.back()

    def others_go_on():
        for number in range(20):
            server.send_message("me", str(number))
            assert texts([stream.next()]) == [str(number)]
            assert opened(server).send({"x": "1"}).status == 200

    others_go_on()
    for thread in waiting:
        thread.join()
    others_go_on()
    stream.cut()
    assert sorted(replies) == [200, 500]
    assert stuck.back().rest()[-1][1] == ["stop"]
    assert caplog.text.count("its handler takes longer than 2 s") == 2


def test_an_on_close_that_blocks_holds_up_nobody(serving, blocked):
    def on_session(session):
        session.on_close = lambda reason: blocked.wait()

    server, service = serving(on_session, hook_seconds=1.0, session_timeout=2.0)
    opened(server)
    terminated = opened(server)
    assert terminated.terminate().status == 200
    until(lambda: not service.sessions)  # the other is not heard of any more
    assert opened(server)


def test_maps_of_two_requests_come_one_after_the_other(serving):
    order = []
    entered, go_on = threading.Event(), threading.Event()

    def on_map(one):
        order.append(one["x"])
        if one["x"] == "0":
            entered.set()
            assert go_on.wait(20)
            order.append("0 done")

    server, _ = serving(lambda session: setattr(session, "on_map", on_map))
    peer = opened(server)
    threads = [threading.Thread(target=peer.send, args=({"x": number},)) for number in "01"]
    threads[0].start()
    assert entered.wait(20)
    threads[1].start()
    opened(server).send({"x": "other"})  # another session's goes by
    go_on.set()
    for thread in threads:
        thread.join()
    assert order == ["0", "other", "0 done", "1"]


@pytest.fixture
def left(serving, blocked):
    """left(**limits): a peer whose request has gone while its map is handed on, and the maps of that time."""

    def left(**limits):
        order = []
        entered = threading.Event()

        def on_map(one):
            if one["x"] == "0":
                entered.set()
                blocked.wait(20)
            order.append(one["x"])

        server, _ = serving(lambda session: setattr(session, "on_map", on_map), **limits)
        peer = opened(server)
        connection = peer.connection()
        query = {**peer.params, "RID": next(peer.rid), "AID": 0}
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        body = urlencode(peer.form([{"x": "0"}, {"x": "1"}]))
        connection.request("POST", peer.url("/bind", query), body, form)
        assert entered.wait(20)
        connection.close()
        return peer, order

    return left


def test_maps_wait_for_those_of_a_request_whose_connection_has_gone(left, blocked):
    peer, order = left()
    later = threading.Thread(target=peer.send, args=({"x": "2"},))
    later.start()
    later.join(0.5)
    assert order == []
    blocked.set()
    later.join(20)
    assert order == ["0", "1", "2"]


def test_maps_do_not_wait_for_ever_for_those_of_a_request_whose_connection_has_gone(left):
    peer, order = left(hook_seconds=1.0)
    assert peer.send({"x": "2"}).status == 200
    assert peer.back().rest()[-1][1] == ["stop"]
    assert order == []


def test_threads_are_used_again_and_are_not_without_end(blocked):
    others = threading.enumerate()
    threads = HookThreads()
    assert len({threads.submit(threading.get_ident).result(20) for _ in range(10)}) == 1
    stuck = [threads.submit(blocked.wait) for _ in range(_MOST_THREADS)]
    with pytest.raises(Refusal, match="429 The application is busy"):
        threads.submit(len)
    blocked.set()
    assert all(one.result(20) for one in stuck)
    assert threads.submit(lambda: 5).result(20) == 5
    threads.close()
    until(lambda: not [one for one in threading.enumerate() if one not in others])


def test_a_session_that_nobody_waits_for_any_more_does_not_stay(serving, blocked):
    server, service = serving(lambda session: setattr(session, "on_close", wait), hook_seconds=1.0)

    def wait(_reason):
        blocked.wait()

    first = opened(server)
    # The one that it replaces is closed before anybody knows the new one.
    assert Peer(server, "/channel").open(OSID=first.sid).status == 500
    assert first.sid not in [one.sid for one in service.sessions]
    blocked.set()
    until(lambda: not service.sessions)
