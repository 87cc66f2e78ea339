"""The two-way channels against the package's own server: every dialect, restarts, TLS."""

import itertools
import ssl
import threading

import pytest
import trustme
from in_utf8 import in_utf8
from waiting import until

from gaechannel import BrowserChannel, ChannelClosed, DevClient, InvalidToken, WebChannel
from gaechannel.server import LocalServer

TEXTS = ["", "plain", "é€😀", "\u2028\u2029\0\x7f", "\ud800 alone", "\"\\/'", "a&b=c+d%20", "x" * 100_000]


def first(channel, count):
    return list(itertools.islice(channel, count))


@pytest.fixture
def echoing(local):
    """A server whose sessions send each message back, and remember why they ended."""
    ends = []

    def on_session(session):
        session.on_message = session.send
        session.on_close = ends.append

    for service in local.mounts.values():
        service.on_session = on_session
    local.ends = ends
    return local


def channel_of(dialect, server, **options):
    make = BrowserChannel if dialect == "channel" else WebChannel
    return make(f"{server.url}/{dialect}", **options)


def send(channel, message):
    return channel.send(message) if isinstance(channel, WebChannel) else channel.send_json(message)


@pytest.mark.parametrize("dialect", ["channel", "webchannel"])
@pytest.mark.parametrize("options", [{}, {"buffered": True}], ids=["streaming", "buffered"])
@pytest.mark.parametrize("encoding", ["ASCII", "UTF-8"])
def test_texts_come_back_as_they_were_sent(echoing, dialect, options, encoding):
    if encoding == "UTF-8":
        in_utf8(echoing)
    with channel_of(dialect, echoing, **options) as channel:
        for number, text in enumerate(TEXTS):
            assert send(channel, {"t": text}) == number
        assert first(channel, len(TEXTS)) == [{"t": text} for text in TEXTS]
    assert echoing.ends == ["terminated"]


def test_texts_come_back_over_the_fast_handshake(echoing):
    texts = TEXTS[:-1]  # the first maps travel in the query
    with channel_of("webchannel", echoing, fast_handshake=True) as channel:
        for text in texts:
            channel.send({"t": text})
        assert first(channel, len(texts)) == [{"t": text} for text in texts]
        channel.send({"t": TEXTS[-1]})
        assert first(channel, 1) == [{"t": TEXTS[-1]}]
    assert echoing.ends == ["terminated"]


@pytest.mark.parametrize("dialect", ["channel", "webchannel"])
def test_a_burst_of_10000_comes_back_in_order(echoing, dialect):
    with channel_of(dialect, echoing) as channel:
        for number in range(10_000):
            send(channel, number)
        assert first(channel, 10_000) == list(range(10_000))


@pytest.mark.parametrize("dialect", ["channel", "webchannel"])
@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_restarted_server_that_kept_its_sessions_goes_on(echoing, dialect, how):
    with channel_of(dialect, echoing, max_backoff=0.05) as channel:
        arrays = iter(channel)
        for number in range(20):
            if number % 5 == 3:
                getattr(echoing, how)()
                threading.Timer(0.05, echoing.start).start()
            if number % 5 == 4:
                echoing.cut()
            send(channel, number)
            assert next(arrays) == number
        assert channel.stats.sessions == 1


@pytest.mark.parametrize("dialect", ["channel", "webchannel"])
def test_a_restarted_server_that_lost_its_sessions_gets_a_new_one(echoing, dialect):
    with channel_of(dialect, echoing, max_backoff=0.05) as channel:
        arrays = iter(channel)
        for number in range(5):
            send(channel, number)
            assert next(arrays) == number
            sid = channel.sid
            echoing.stop(keep_sessions=False)
            echoing.start()
        send(channel, 5)
        assert next(arrays) == 5
        assert channel.sid != sid
        assert channel.stats.sessions == 6


@pytest.mark.parametrize("dialect", ["channel", "webchannel"])
def test_the_servers_stop_is_an_error(echoing, dialect):
    with channel_of(dialect, echoing) as channel:
        send(channel, "before")
        assert first(channel, 1) == ["before"]
        (session,) = echoing.mounts[f"/{dialect}"].sessions
        session.stop()
        with pytest.raises(ChannelClosed):
            next(iter(channel))


def test_webchannels_close_is_an_orderly_end(echoing):
    with channel_of("webchannel", echoing) as channel:
        channel.send("before")
        assert first(channel, 1) == ["before"]
        (session,) = echoing.webchannel.sessions
        session.send("last")
        session.close()
        assert list(channel) == ["last"]
        until(lambda: echoing.ends == ["closed"])


def test_a_replaced_session_is_ended(echoing):
    with channel_of("channel", echoing) as old:
        send(old, 1)
        assert first(old, 1) == [1]
        with channel_of("channel", echoing, replaces=(old.sid, old.aid)) as new:
            send(new, 2)
            assert first(new, 1) == [2]
            assert echoing.ends == ["replaced"]


def test_init_headers_reach_the_session_and_come_back_after_a_loss(local):
    sessions = []
    local.webchannel.on_session = sessions.append
    with WebChannel(local.url + "/webchannel", init_headers={"Authorization": "b: t", "X": "ü"}) as channel:
        channel.connect()
        local.webchannel.forget()
        channel.send(1)
        channel.flush(10)
    assert [session.headers for session in sessions] == [{"authorization": "b: t", "x": "ü"}] * 2


def test_both_directions_over_tls(echoing):
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with (
        LocalServer(mounts=echoing.mounts, ssl_context=context) as server,
        authority.cert_pem.tempfile() as ca,
    ):
        for dialect in ("channel", "webchannel"):
            with channel_of(dialect, server, verify=ca) as channel:
                arrays = iter(channel)
                for number in range(10):
                    send(channel, number)
                    assert next(arrays) == number


# ---- The development server's dialect ----


def test_the_development_servers_messages_come_one_a_poll(local):
    token = local.create_channel("me")
    with DevClient(token, local.url) as client:
        messages = client.messages()
        local.send_message("me", "held for the first that comes")
        got = []
        reader = threading.Thread(target=lambda: got.extend(messages))
        reader.start()
        until(lambda: client.sid is not None)
        for text in ("one", "é😀", "two\nlines"):
            local.send_message("me", text)
        until(lambda: len(got) == 4)
        client.close()
        reader.join()
    assert got[1:] == ["one", "é😀", "two\nlines"]
    assert client.stats.messages == 4


def test_the_development_server_refuses_a_wrong_token(local):
    with DevClient("wrong", local.url) as client, pytest.raises(InvalidToken):
        next(client.messages())


def test_the_development_server_is_told_the_end():
    ends = []
    with LocalServer(on_disconnected=ends.append) as local:
        with DevClient(local.create_channel("me"), local.url) as client:
            local.send_message("me", "x")
            assert next(client.messages()) == "x"
            assert ends == []
        until(lambda: ends == ["me"])
