"""Maps on their way to the server: their order, ids, batches, and what happens when a POST fails."""

import json
import threading
import time

import pytest
from scripted_server import confirmed, cut, opened, status
from waiting import until

from gaechannel import BrowserChannel, ChannelTimeout

FAST = {"max_backoff": 0.02}


def test_the_first_maps_go_with_the_opening_request(script):
    with BrowserChannel(script.url) as channel:
        assert channel.send({"x": "3", "y": "10"}) == 0
        assert channel.send({"abc": "def"}) == 1
        assert channel.unsent == 2
        channel.flush(10)
    (request,) = script.of("open")
    assert request.method == "POST"
    assert request.path == "/channel/bind"
    assert request.form == {"count": "2", "ofs": "0", "req0_x": "3", "req0_y": "10", "req1_abc": "def"}
    assert request.query.keys() == {"VER", "RID", "CVER", "zx", "t"}
    assert request.query["VER"] == "8"
    assert request.query["t"] == "1"
    assert script.of("maps") == []


def test_an_opening_request_without_maps_counts_none(script):
    with BrowserChannel(script.url) as channel:
        channel.connect()
    assert script.of("open")[0].form == {"count": "0"}


def test_open_form_and_params_go_where_the_lounge_wants_them(script):
    options = {"params": {"device": "REMOTE CONTROL", "name": "é&="}, "open_form": {"app": "a b", "id": "1"}}
    with BrowserChannel(script.url, **options) as channel:
        channel.connect()
        channel.send({"_sc": "getNowPlaying"})
        channel.flush(10)
    assert script.of("open")[0].form == {"count": "0", "app": "a b", "id": "1"}
    assert script.of("maps")[0].form["req0__sc"] == "getNowPlaying"
    for request in script.requests:
        assert request.query["device"] == "REMOTE CONTROL"
        assert request.query["name"] == "é&="


def test_values_that_are_no_strings_go_as_json(script):
    values = {"n": 1, "f": 1.5, "t": True, "z": None, "l": [1, "é"], "d": {"a": "😀"}, "s": "é&=+ 😀\0\n"}
    with BrowserChannel(script.url) as channel:
        channel.send(values)
        channel.send_json({"a": ["\ud800", "😀"]})
        channel.flush(10)
    one, other = script.maps.values()
    assert one.pop("s") == values.pop("s")
    assert {key: json.loads(value) for key, value in one.items()} == values
    assert json.loads(other["JSON"]) == {"a": ["\ud800", "😀"]}


@pytest.mark.parametrize(
    "map", [{1: "a"}, {"a": object()}, {"a": "\ud800"}, {"\udfff": "a"}, {"a": float("nan")}]
)
def test_what_has_no_place_in_a_form_is_refused_and_takes_no_id(script, map):
    with BrowserChannel(script.url) as channel:
        with pytest.raises((TypeError, ValueError)):
            channel.send(map)
        assert channel.unsent == 0
        assert channel.send({"a": "b"}) == 0


def test_later_requests_count_rid_and_ofs_up(script):
    script.on("open", opened((1, ["x"])))
    with BrowserChannel(script.url) as channel:
        channel.connect()
        for number in range(3):
            channel.send({"n": str(number)})
            channel.flush(10)
    rids = [int(request.query["RID"]) for request in script.of("open") + script.of("maps")]
    assert rids == list(range(rids[0], rids[0] + 4))
    assert 10000 <= rids[0] < 100000
    assert [request.form["ofs"] for request in script.of("maps")] == ["0", "1", "2"]
    assert {request.query["AID"] for request in script.of("maps")} == {"1"}
    assert {request.query["SID"] for request in script.of("maps")} == {"SID1"}


@pytest.mark.parametrize("failure", [cut, status("503 Busy"), status("429 Slow down"), status("500 Oops")])
def test_a_failed_post_goes_again_with_the_same_rid_a_higher_t_and_the_maps_since(script, failure):
    ready = threading.Event()

    def fails(request):
        assert ready.wait(20)
        failure(request)

    script.on("maps", fails, failure, confirmed())
    with BrowserChannel(script.url, **FAST) as channel:
        channel.connect()
        channel.send({"n": "0"})
        script.wait("maps")
        assert channel.send({"n": "1"}) == 1
        ready.set()
        channel.flush(10)
    first, second, third = script.of("maps")
    assert [request.query["t"] for request in (first, second, third)] == ["1", "2", "3"]
    assert len({request.query["RID"] for request in (first, second, third)}) == 1
    assert [request.form["count"] for request in (first, second, third)] == ["1", "2", "2"]
    assert {request.form["ofs"] for request in (first, second, third)} == {"0"}
    assert script.maps == {0: {"n": "0"}, 1: {"n": "1"}}


def test_an_opening_that_was_refused_for_now_goes_again_with_the_maps_since(script):
    ready = threading.Event()

    def busy(request):
        assert ready.wait(20)
        request.reply(status="503 Busy")

    script.on("open", busy, opened())
    with BrowserChannel(script.url, **FAST) as channel:
        channel.send({"n": "0"})
        opening = threading.Thread(target=channel.connect)
        opening.start()
        script.wait("open")
        channel.send({"n": "1"})
        ready.set()
        opening.join()
        channel.flush(10)
    first, second = script.of("open")
    assert (first.query["t"], second.query["t"]) == ("1", "2")
    assert first.query["RID"] == second.query["RID"]
    assert (first.form["count"], second.form["count"]) == ("1", "2")
    assert script.of("maps") == []


def test_a_reply_that_ends_early_is_a_failure(script):
    def short(request):
        request.connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n7\n[1")
        request.cut()

    script.on("maps", short, confirmed())
    with BrowserChannel(script.url, **FAST) as channel:
        channel.connect()
        channel.send({"n": "0"})
        channel.flush(10)
    assert [request.query["t"] for request in script.of("maps")] == ["1", "2"]


def test_a_burst_goes_in_few_requests_one_at_a_time(script):
    sent = threading.Event()

    def late(request):
        assert sent.wait(20)
        confirmed()(request)

    script.on("maps", late)
    with BrowserChannel(script.url) as channel:
        channel.connect()
        for number in range(10_000):
            assert channel.send({"n": str(number)}) == number
        sent.set()
        channel.flush(30)
        assert channel.unsent == 0
    assert script.maps == {number: {"n": str(number)} for number in range(10_000)}
    # The first with what there was; 900 fields in each of the others.
    assert len(script.of("maps")) <= 1 + 12
    assert script.most["maps"] == 1
    ofs = 0
    for request in script.of("maps"):
        assert int(request.form["ofs"]) == ofs
        ofs += int(request.form["count"])


def test_a_request_has_900_fields_at_most_and_128_kib(script):
    with BrowserChannel(script.url) as channel:
        for _ in range(250):
            channel.send({f"k{key}": "v" for key in range(7)})
        for _ in range(10):
            channel.send({"large": "x" * 40_000})
        channel.flush(30)
    assert len(script.maps) == 260
    for request in script.of("open") + script.of("maps"):
        assert sum(map(len, request.maps.values())) <= 900
        assert sum(len(value) for value in request.form.values()) <= 128 * 1024


def test_a_huge_map_goes_alone(script):
    with BrowserChannel(script.url) as channel:
        channel.send({"a": "1"})
        channel.send({"huge": "é" * 700_000})
        channel.send({f"k{key}": "v" for key in range(2000)})
        channel.send({"a": "2"})
        channel.flush(30)
    counts = [request.form["count"] for request in script.of("open") + script.of("maps")]
    assert counts == ["1", "1", "1", "1"]
    assert script.maps[1] == {"huge": "é" * 700_000}
    assert len(script.maps[2]) == 2000


def test_send_from_another_thread_wakes_who_iterates(script):
    """Well within the slice after which the iterating thread would look by itself, at least once."""
    with BrowserChannel(script.url) as channel:
        channel.connect()
        reader = threading.Thread(target=lambda: list(channel))
        reader.start()
        script.wait("back")
        took = []
        for number in range(20):
            began = time.monotonic()
            channel.send({"n": str(number)})
            until(lambda: channel.unsent == 0)
            took.append(time.monotonic() - began)
        channel.close()
        reader.join()
    # The first may have come where a slice ended, by chance; each slice after it begins with an answer.
    assert min(took[1:]) < 0.03
    assert list(script.maps) == list(range(20))


def test_flush_gives_up_after_its_time_and_the_maps_stay(script):
    ready = threading.Event()

    def late(request):
        assert ready.wait(20)
        confirmed()(request)

    script.on("maps", late)
    with BrowserChannel(script.url) as channel:
        channel.connect()
        channel.send({"n": "0"})
        began = time.monotonic()
        with pytest.raises(ChannelTimeout, match=r"1 maps .* 0\.1 seconds"):
            channel.flush(0.1)
        assert 0.09 < time.monotonic() - began < 15
        assert channel.unsent == 1
        ready.set()
        channel.flush()
        assert channel.unsent == 0
    assert len(script.of("maps")) == 1


def test_flush_without_time_gets_on_all_the_same(script):
    with BrowserChannel(script.url) as channel:
        channel.send({"n": "0"})

        def flushed():
            try:
                channel.flush(0)
            except ChannelTimeout:
                return False
            return True

        until(flushed)
        assert channel.unsent == 0


def test_flush_of_nothing_returns_at_once(script):
    with BrowserChannel(script.url) as channel:
        channel.flush()
    assert script.of("maps") == []


def test_maps_sent_while_arrays_stream_in_keep_their_order(script):
    """Both directions at once, from two threads."""

    def stream(request):
        request.begin()
        for number in range(1, 2001):
            request.chunk([number, [number]])
        request.hold()

    script.on("back", stream)
    with BrowserChannel(script.url) as channel:
        sender = threading.Thread(target=lambda: [channel.send({"n": str(n)}) for n in range(2000)])
        sender.start()
        arrays = iter(channel)
        assert [next(arrays) for _ in range(2000)] == [[number] for number in range(1, 2001)]
        sender.join()
        channel.flush(20)
    assert script.maps == {number: {"n": str(number)} for number in range(2000)}
    assert script.most["maps"] == 1


def test_a_reply_to_maps_may_be_bare(script):
    script.on("maps", lambda request: request.reply("[1,0,0]"))
    with BrowserChannel(script.url) as channel:
        channel.connect()
        channel.send({"n": "0"})
        channel.flush(10)
        assert channel.unsent == 0


def test_maps_do_not_wait_until_the_back_channel_is_answered(script):
    """Where no connection is kept, libcurl would rather share the back channel's, if it were let."""

    def open_and_close(request):
        opened(Connection="close")(request)
        request.cut()

    script.on("open", open_and_close).on("back", lambda request: request.hold())
    with BrowserChannel(script.url) as channel:
        reader = threading.Thread(target=lambda: list(channel))
        reader.start()
        script.wait("back")
        channel.send({"n": "0"})
        script.wait("maps")
        channel.flush(10)
        channel.close()
        reader.join()
