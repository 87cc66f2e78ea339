"""How a two-way channel begins and ends: close, `with`, threads, forks, and what it keeps to itself."""

import gc
import logging
import os
import pickle
import threading
import time
import traceback
import warnings

import pytest
from scripted_server import brought, confirmed, frame, held, opened, status
from waiting import until

from gaechannel import BrowserChannel, ChannelClosed, ChannelError, HTTPStatusError, WebChannel


def test_close_tells_the_server(script):
    channel = BrowserChannel(script.url)
    channel.send({"n": "0"})
    channel.flush(10)
    rid = int(script.of("open")[0].query["RID"])
    channel.close()
    (request,) = script.of("terminate")
    assert request.method == "GET"
    assert request.query["SID"] == "SID1"
    assert int(request.query["RID"]) == rid + 1
    assert channel.closed
    channel.close()
    assert len(script.of("terminate")) == 1


def test_close_by_get_is_followed_by_a_post_where_the_server_knows_no_get(script):
    script.on("terminate", status("405 Method Not Allowed"), status("200 OK"))
    channel = BrowserChannel(script.url)
    channel.connect()
    channel.close()
    assert [request.method for request in script.of("terminate")] == ["GET", "POST"]


def test_close_of_a_web_channel_posts_as_browsers_do(script):
    # hidane, hearthstore and embyr, servers of Firestore's protocol, take every GET for a back channel.
    channel = WebChannel(script.url)
    channel.connect()
    channel.close()
    (request,) = script.of("terminate")
    assert (request.method, request.form) == ("POST", {})


def test_close_of_a_web_channel_asks_by_get_where_the_server_knows_no_post(script):
    script.on("terminate", status("405 Method Not Allowed"))
    channel = WebChannel(script.url)
    channel.connect()
    channel.close()
    assert [request.method for request in script.of("terminate")] == ["POST", "GET"]


@pytest.mark.parametrize("kind", [BrowserChannel, WebChannel])
def test_close_asks_once_where_the_session_is_gone_already(script, kind):
    script.on("terminate", status("400 Bad Request"))
    channel = kind(script.url)
    channel.connect()
    channel.close()
    assert len(script.of("terminate")) == 1


def test_close_of_a_channel_that_was_never_opened_asks_nothing(script):
    channel = BrowserChannel(script.url)
    channel.close()
    assert script.requests == []


def test_close_does_not_wait_long_for_a_server_that_does_not_answer(script):
    script.on("terminate", lambda request: request.hold())
    channel = BrowserChannel(script.url)
    channel.connect()
    began = time.monotonic()
    channel.close()
    assert time.monotonic() - began < 10


def test_a_closed_channel_says_so(script):
    channel = BrowserChannel(script.url)
    channel.connect()
    arrays = iter(channel)
    channel.close()
    assert list(arrays) == []
    for use in (
        channel.connect,
        channel.flush,
        channel.messages,
        lambda: channel.send({"x": 1}),
        lambda: iter(channel),
    ):
        with pytest.raises(ChannelClosed):
            use()


def test_close_from_another_thread_ends_a_waiting_next(script):
    channel = BrowserChannel(script.url)
    channel.connect()
    ended = []
    reader = threading.Thread(target=lambda: ended.append((list(channel), time.monotonic())))
    reader.start()
    script.wait("back")
    began = time.monotonic()
    channel.close()
    reader.join()
    ((arrays, at),) = ended
    assert arrays == []
    assert at - began < 10
    assert len(script.of("terminate")) == 1


def test_close_from_another_thread_ends_a_waiting_flush(script):
    script.on("maps", lambda request: request.hold())
    channel = BrowserChannel(script.url)
    channel.connect()
    channel.send({"n": "0"})
    errors = []

    def flush():
        try:
            channel.flush()
        except ChannelClosed as error:
            errors.append(error)

    flusher = threading.Thread(target=flush)
    flusher.start()
    script.wait("maps")
    channel.close()
    flusher.join(20)
    assert len(errors) == 1


def test_connect_returns_while_others_iterate_and_flush(script):
    script.on("back", held([1, "a"]))
    got = []
    with BrowserChannel(script.url) as channel:
        reader = threading.Thread(target=lambda: got.extend(channel))
        reader.start()
        until(lambda: got == ["a"])
        connecting = threading.Thread(target=channel.connect)
        connecting.start()
        connecting.join(20)
        assert not connecting.is_alive()
        assert reader.is_alive()
        channel.send({"n": "0"})
        channel.flush(10)
        channel.close()
        reader.join(20)
    assert len(script.of("open")) == 1


def test_connecting_is_not_held_up_by_who_wants_more(script):
    ready = threading.Event()

    def late(request):
        assert ready.wait(20)
        opened()(request)

    script.on("open", late)
    with BrowserChannel(script.url) as channel:
        threads = [threading.Thread(target=channel.connect) for _ in range(3)]
        reader = threading.Thread(target=lambda: list(channel))
        for thread in (*threads, reader):
            thread.start()
        script.wait("open")
        ready.set()
        for thread in threads:
            thread.join(20)
            assert not thread.is_alive()
        channel.close()
        reader.join(20)
    assert len(script.of("open")) == 1


def test_leaving_the_block_delivers_what_was_sent(script):
    with BrowserChannel(script.url) as channel:
        for number in range(2000):
            channel.send({"n": str(number)})
    assert channel.closed
    assert len(script.maps) == 2000
    script.wait("terminate")


def test_leaving_the_block_by_an_exception_does_not_wait(script):
    script.on("maps", lambda request: request.hold())
    began = time.monotonic()
    channel = BrowserChannel(script.url)
    channel.connect()
    channel.send({"n": "0"})
    with pytest.raises(KeyError), channel:
        raise KeyError
    assert time.monotonic() - began < 10
    assert channel.closed


def test_maps_that_cannot_be_delivered_are_logged_on_leaving(script, log):
    script.on("maps", status("413 Too large"))
    with BrowserChannel(script.url, logger=log) as channel:
        channel.connect()
        channel.send({"n": "0"})
    assert "1 maps were not delivered" in log.text.getvalue()


def test_an_iterator_dropped_in_the_middle_goes_on_in_the_next(script):
    script.on("back", held(*([number, number] for number in range(1, 10))))
    with BrowserChannel(script.url) as channel:
        for expected in range(1, 10):
            assert next(iter(channel)) == expected
            gc.collect()


def test_two_threads_that_iterate_share_the_arrays(script):
    script.on(
        "back", brought(*([number, number] for number in range(1, 2001))), held([2001, "end"], [2002, "end"])
    )
    got = []

    def read():
        for value in channel:
            if value == "end":
                return
            got.append(value)

    with BrowserChannel(script.url) as channel:
        readers = [threading.Thread(target=read) for _ in range(2)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join(20)
    assert sorted(got) == list(range(1, 2001))


def test_threads_that_send_at_once_get_ids_of_their_own(script):
    ids = []
    with BrowserChannel(script.url) as channel:
        channel.connect()
        senders = [
            threading.Thread(
                target=lambda name=name: ids.extend((channel.send({"n": name}), name) for _ in range(500))
            )
            for name in "abcd"
        ]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        channel.flush(20)
    assert sorted(number for number, _ in ids) == list(range(2000))
    assert {number: one["n"] for number, one in script.maps.items()} == dict(ids)
    assert script.most["maps"] == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_fork_cannot_use_the_channel_and_does_not_disturb_it(script):
    script.on("back", held([1, "a"]))
    with BrowserChannel(script.url) as channel:
        channel.connect()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads
            child = os.fork()
        if child == 0:
            code = 1
            try:
                for use in (
                    channel.connect,
                    channel.flush,
                    lambda: channel.send({"a": "b"}),
                    lambda: iter(channel),
                ):
                    try:
                        use()
                    except ChannelError as error:
                        code = 0 if "fork" in str(error) else 2
                channel.close()
                del channel
                gc.collect()
            except BaseException:
                traceback.print_exc()
                code = 3
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert next(iter(channel)) == "a"
        channel.send({"n": "0"})
        channel.flush(10)
    assert len(script.of("terminate")) == 1


# ---- What nobody else is to see ----


SECRET = "s3cr3t-value"


@pytest.mark.parametrize(
    ("make", "where"),
    [
        (lambda url: BrowserChannel(url, params={"loungeIdToken": SECRET}), "query"),
        (lambda url: BrowserChannel(url, open_form={"pairing": SECRET}), "form"),
        (lambda url: BrowserChannel(url, headers={"Authorization": f"Bearer {SECRET}"}), "headers"),
        (lambda url: WebChannel(url, init_headers={"Authorization": f"Bearer {SECRET}"}), "form"),
        (
            lambda url: WebChannel(
                url, init_headers={"Authorization": f"Bearer {SECRET}"}, fast_handshake=True
            ),
            "query",
        ),
    ],
)
def test_secrets_are_sent_and_never_shown(script, log, make, where):
    log.setLevel(logging.DEBUG)
    shown = log.text

    def echo(request):
        request.reply(f"no: {request.query} {request.form} {request.headers}", status=f"403 No {SECRET}")

    script.on("open", echo)
    with make(script.url) as channel:
        channel.logger = log
        channel.send({"a": "b"})
        with pytest.raises(HTTPStatusError) as caught:
            channel.flush(10)
        error = caught.value
        # The whole story, cookies that the server sets included.
        script.on("open", opened(Set_Cookie=f"session={SECRET}2; Path=/"))
        script.on("back", status("503 Busy"), status(f"500 {SECRET}2"), held([1, ["x"]]))
        with pytest.MonkeyPatch.context():
            next(iter(channel))
        print(repr(channel), str(channel), repr(error), str(error), error.__dict__, file=shown)
        print("".join(traceback.format_exception(error)), pickle.dumps(error), file=shown)
    assert SECRET in str(getattr(script.of("open")[0], where))
    assert "403" in shown.getvalue()
    assert "Starting long poll" in shown.getvalue()
    assert SECRET not in shown.getvalue()


def test_framed_replies_and_bare_ones_may_take_turns(script):
    script.on(
        "maps",
        confirmed(),
        lambda request: request.reply("[1,0,0]"),
        lambda request: request.reply(frame([1, 0, 0, "more"])),
    )
    with BrowserChannel(script.url) as channel:
        channel.connect()
        for number in range(6):
            channel.send({"n": str(number)})
            channel.flush(10)
    assert len(script.maps) == 6


def test_an_empty_map_is_refused_before_it_can_hold_up_the_others(script):
    with BrowserChannel(script.url) as channel:
        with pytest.raises(ValueError, match="at least one field"):
            channel.send({})
        assert channel.unsent == 0
