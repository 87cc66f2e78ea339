"""The npm package browserchannel's client (bcsocket, Closure's BrowserChannel) against the local server."""

import pytest
from in_utf8 import in_utf8
from waiting import until

from gaechannel.server import LocalServer

TEXTS = ["", "plain", "é€😀", "\u2028\u2029\x7f", "\"\\/'", "a&b=c+d%20", "x" * 100_000]


@pytest.fixture
def server():
    with LocalServer(test_delay=0.01, backchannel_bytes=10_000, keepalive=1.0) as server:
        server.sessions, server.ends = [], []

        def on_session(session):
            server.sessions.append(session)
            session.on_message = session.send
            session.on_close = server.ends.append

        server.browserchannel.on_session = on_session
        yield server


@pytest.fixture
def client(server, node):
    client = node("node_client.js", server.url + "/channel")
    client.next("open")
    return client


@pytest.mark.parametrize("encoding", ["ASCII", "UTF-8"])
def test_messages_come_back_as_they_were_sent(client, server, encoding):
    if encoding == "UTF-8":
        in_utf8(server)
    for text in TEXTS:
        client.do("send", data={"t": text})
        assert client.next("message")["data"] == {"t": text}
    client.do("send", data="a string")
    assert client.next("message")["data"] == "a string"


def test_maps_arrive_with_all_their_keys(client, server):
    maps = []
    server.sessions[0].on_map = maps.append
    client.do("map", map={"a": "é😀", "b_c": "1", "_S": "answer"})
    client.next("message")
    assert maps == [{"a": "é😀", "b_c": "1", "_S": "answer"}]


def test_10000_go_each_way_in_order(client, server):
    in_utf8(server)
    client.do("count", count=10_000)
    got = [client.next("message")["data"] for _ in range(10_000)]
    assert got == [{"n": number, "t": "é😀"} for number in range(10_000)]


def test_back_channels_that_end_in_order_lose_and_repeat_nothing(client, server):
    """One every 10,000 bytes here."""
    for number in range(50):
        client.do("send", data=[number, "x" * 2000])
        assert client.next("message")["data"] == [number, "x" * 2000]
    assert len(server.sessions) == 1


def test_after_a_cut_connection_it_replaces_its_session(client, server):
    """It gives its session up where a browser would ask again.

    And more than once: what is sent then is dropped, or ends it with a TypeError of its own.
    """
    client.do("send", data=1)
    client.next("message")
    server.cut()
    assert client.next("error")["words"] == "Request failed"
    client.next("open")
    until(lambda: "replaced" in server.ends)
    assert server.sessions[1].params["OSID"] == server.sessions[0].sid


def test_close_ends_the_session(client, server):
    client.do("close")
    client.next("close")
    until(lambda: server.ends == ["terminated"])


def test_stop_ends_the_client_for_good(client, server):
    server.sessions[0].stop()
    assert client.next("error")["words"] == "Stopped by server"
    client.next("close")


def test_a_session_that_was_lost_is_followed_by_a_new_one(client, server):
    server.browserchannel.forget()
    assert client.next("error")["words"] == "Unknown session ID"
    client.next("open")
    client.do("send", data="again")
    assert client.next("message")["data"] == "again"
