"""BrowserChannel against the npm package browserchannel's server: 2.1.0, and 1.2.0 of 2014."""

import itertools
import threading

import pytest
from chaos_proxy import ChaosProxy

from gaechannel import BrowserChannel, ChannelClosed, MapsRefused

TEXTS = ["", "plain", "é€😀", "\u2028\u2029\0\x7f", "\ud83d", "\"\\/'", "a&b=c+d%20", "x" * 100_000]


def first(channel, count):
    return list(itertools.islice(channel, count))


@pytest.fixture(params=["browserchannel", "browserchannel-1"])
def package(request):
    return request.param


@pytest.fixture
def server(node, package):
    server = node("node_server.js", 0, package)
    server.port = server.next("listening")["port"]
    server.url = f"http://127.0.0.1:{server.port}/channel"
    return server


@pytest.mark.parametrize("buffered", [False, True], ids=["streaming", "buffered"])
def test_texts_come_back_as_they_were_sent(server, buffered):
    with BrowserChannel(server.url, buffered=buffered) as channel:
        for text in TEXTS:
            channel.send_json({"echo": text})
        assert first(channel, len(TEXTS)) == TEXTS
        channel.send_json({"echo": {"deep": [[None, True, 1.5, {"é": "😀"}]]}})
        assert first(channel, 1) == [{"deep": [[None, True, 1.5, {"é": "😀"}]]}]


def test_maps_and_the_query_arrive_as_they_were_sent(server):
    maps = [{"x": "3", "y_z": "é😀&="}, {"_S": "a string"}, {"JSON": "[1]"}, {"long": "ü" * 50_000}]
    with BrowserChannel(server.url, params={"token": "é&1"}) as channel:
        for one in maps:
            channel.send(one)
        channel.flush(10)
        assert server.next("session")["query"]["token"] == "é&1"
        for one in maps:
            assert server.next("map")["map"] == one
    assert [event["message"] for event in server.seen if event["event"] == "message"] == ["a string", [1]]


def test_10000_arrays_come_in_order_while_10000_maps_go(server):
    with BrowserChannel(server.url) as channel:
        channel.connect()
        server.do("count", count=10_000)
        sender = threading.Thread(target=lambda: [channel.send_json(number) for number in range(10_000)])
        sender.start()
        assert first(channel, 10_000) == [[number, "é😀"] for number in range(10_000)]
        sender.join()
        channel.flush(20)
        assert [server.next("message")["message"] for _ in range(10_000)] == list(range(10_000))


def test_leaving_the_block_ends_the_session(server):
    """This server takes TYPE=terminate by GET alone; a POST is `400 Bad data` to it."""
    with BrowserChannel(server.url) as channel:
        channel.send_json(1)
        channel.flush(10)
        sid = channel.sid
    assert server.next("close") == {"event": "close", "id": sid, "reason": "Disconnected"}
    requests = [event for event in server.seen if event["event"] == "request"]
    assert [one["method"] for one in requests if "TYPE=terminate" in one["url"]] == ["GET"]


def test_the_servers_stop_ends_the_iteration_with_an_error(server):
    with BrowserChannel(server.url) as channel:
        channel.connect()
        server.do("send", data="last")
        server.do("stop")
        arrays = iter(channel)
        assert next(arrays) == "last"
        with pytest.raises(ChannelClosed):
            next(arrays)
        assert len([one for one in server.seen if one["event"] == "session"]) <= 1


def test_reconnects_in_the_middle_lose_and_repeat_nothing(server):
    got = []
    with BrowserChannel(server.url, max_backoff=0.05) as channel:
        channel.connect()
        for number in range(100):
            channel.send_json({"echo": number})
        for value in channel:
            got.append(value)
            if len(got) % 100 == 50:
                server.do("cut")
            if len(got) == 1000:
                break
            if len(got) % 100 == 0:
                for number in range(len(got), len(got) + 100):
                    channel.send_json({"echo": number})
        assert channel.stats.sessions == 1
        assert channel.stats.reconnects > 0
    assert got == list(range(1000))


def test_maps_behind_one_that_a_firewall_refused_are_heard(server):
    """This server waits for the id of a map that never came to it."""
    with (
        ChaosProxy(server.port, fates={}, refuses=b"malice") as proxy,
        BrowserChannel(f"{proxy.url}/channel") as channel,
    ):
        channel.connect()
        for text in ["one", "malice", "two"]:
            channel.send_json(text)
            if text == "malice":
                with pytest.raises(MapsRefused):
                    channel.flush(20)
            channel.flush(20)
        assert [server.next("message")["message"] for _ in range(2)] == ["one", "two"]


def test_a_session_that_the_server_closes_is_followed_by_a_new_one(server):
    with BrowserChannel(server.url, max_backoff=0.05) as channel:
        arrays = iter(channel)
        channel.send_json({"echo": "one"})
        assert next(arrays) == "one"
        old = channel.sid
        server.do("close")
        server.next("close")
        channel.send_json({"echo": "two"})
        assert next(arrays) == "two"
        assert channel.sid != old
        assert server.next("session")["query"]["OSID"] == old


def test_a_server_killed_and_started_again_gets_a_new_session_and_the_maps_since(server, node, package):
    with BrowserChannel(server.url, max_backoff=0.05) as channel:
        arrays = iter(channel)
        for number in range(3):
            channel.send_json({"echo": number})
            assert next(arrays) == number
        server.kill()
        for number in range(3, 6):
            channel.send_json({"echo": number})
        starter = threading.Timer(0.2, lambda: again.append(node("node_server.js", server.port, package)))
        again = []
        starter.start()
        assert [next(arrays) for _ in range(3)] == [3, 4, 5]
        starter.join()
        assert channel.stats.sessions == 2
        assert [again[0].next("message")["message"]["echo"] for _ in range(3)] == [3, 4, 5]
