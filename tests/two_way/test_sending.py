"""What is sent, and how: keys, paths, JSON made already; maps not confirmed, taken back, or too many."""

import asyncio
import gc
import json
import threading

import pytest
from scripted_server import confirmed, cut, held, opened, status
from waiting import until

import gaechannel
from gaechannel import (
    BrowserChannel,
    ChannelClosed,
    ChannelError,
    ChannelTimeout,
    HTTPStatusError,
    MapsRefused,
    SendQueueFull,
    SessionLost,
    WebChannel,
    WebChannelError,
    aio,
)
from gaechannel._arguments import browser_channel_arguments
from gaechannel._base import SyncChannel

FAST = {"max_backoff": 0.02}
ERROR = [{"error": {"code": 404, "message": "no such target"}}]


def all_maps(script):
    """The maps of every request, in the order in which they came."""
    return [one for request in script.requests for one in request.maps.values()]


# ---- Keys and paths ----


def test_messages_go_under_the_key_that_was_asked_for(script, channel_of):
    with channel_of("BrowserChannel", script.url, message_key="data") as channel:
        assert channel.send_json({"a": ["é"]}) == 0
        assert channel.send_raw('{"b":1}') == 1
        channel.send({"c": "3"})
        channel.flush(20)
    assert all_maps(script) == [{"data": '{"a":["é"]}'}, {"data": '{"b":1}'}, {"c": "3"}]


def test_messages_of_a_web_channel_go_under_the_key_that_was_asked_for(script, channel_of):
    with channel_of("WebChannel", script.url, message_key="data") as channel:
        channel.send([1, "é"])
        channel.send_raw(b'["made already, \xc3\xa9"]')
        channel.send_map({"x": "1", "y": {"z": None}})
        channel.flush(20)
    assert all_maps(script) == [
        {"data": '[1,"é"]'},
        {"data": '["made already, é"]'},
        {"x": "1", "y": '{"z":null}'},
    ]


def test_the_usual_keys_are_those_of_the_dialects(script, channel_of):
    with channel_of("BrowserChannel", script.url) as channel:
        channel.send_raw("1")
        channel.flush(20)
    with channel_of("WebChannel", script.url) as channel:
        channel.send_raw("2")
        channel.flush(20)
    assert all_maps(script) == [{"JSON": "1"}, {"__data__": "2"}]


@pytest.mark.parametrize(
    ("kind", "options", "path"),
    [
        ("BrowserChannel", {}, "/channel/bind"),
        ("BrowserChannel", {"bind_path": ""}, "/channel"),
        ("BrowserChannel", {"bind_path": "/u/0/events%20"}, "/channel/u/0/events%20"),
        ("WebChannel", {}, "/channel"),
        ("WebChannel", {"bind_path": "/events"}, "/channel/events"),
    ],
)
def test_requests_go_to_the_path_that_was_asked_for(script, channel_of, kind, options, path):
    script.on("back", held([1, ["a"]]))
    with channel_of(kind, script.url, **options) as channel:
        channel.take(1)
        channel.send({"a": "b"})
        channel.flush(20)
        channel.close()
    assert {request.kind for request in script.requests} == {"open", "back", "maps", "terminate"}
    assert {request.path for request in script.requests} == {path}


def test_the_path_of_a_dialect_is_its_tables_where_no_other_is_named():
    for dialect, path in (("browserchannel", "/bind"), ("webchannel", "")):
        channel = SyncChannel(**browser_channel_arguments("http://host/x", dialect=dialect))
        assert channel._common_url().startswith(f"http://host/x{path}?")
        channel.close()


def test_raw_text_is_sent_as_it_is(script, channel_of):
    text = ' {"a" :[1,,\'x\'] , "é": "&=+%\\u0000😀"}\n'
    with channel_of("WebChannel", script.url) as channel:
        channel.send_raw(text)
        channel.send_raw(text.encode())
        assert channel.pending() == [(0, text), (1, text)]
        channel.flush(20)
    assert all_maps(script) == [{"__data__": text}] * 2


@pytest.mark.parametrize(
    ("text", "error"),
    [(None, TypeError), ({"a": 1}, TypeError), (b"\xff", ValueError), ("\ud83d", ValueError)],
    ids=repr,
)
def test_raw_text_that_is_no_text_is_named(script, channel_of, text, error):
    for kind in ("BrowserChannel", "WebChannel"):
        with channel_of(kind, script.url) as channel:
            with pytest.raises(error, match="text must be"):
                channel.send_raw(text)
            assert channel.unsent == 0


@pytest.mark.parametrize(
    ("fields", "error"), [({}, ValueError), ([], TypeError), ({1: "a"}, TypeError)], ids=repr
)
def test_a_map_of_a_web_channel_that_makes_no_sense_is_named(script, channel_of, fields, error):
    with channel_of("WebChannel", script.url) as channel, pytest.raises(error, match="map"):
        channel.send_map(fields)


@pytest.mark.parametrize("kind", ["BrowserChannel", "WebChannel"])
@pytest.mark.parametrize("module", [gaechannel, aio], ids=["sync", "aio"])
@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"message_key": ""}, ValueError),
        ({"message_key": "\ud83d"}, ValueError),
        ({"message_key": None}, TypeError),
        ({"message_key": b"data"}, TypeError),
        ({"bind_path": "bind"}, ValueError),
        ({"bind_path": "/a b"}, ValueError),
        ({"bind_path": "/a?b"}, ValueError),
        ({"bind_path": "/a#b"}, ValueError),
        ({"bind_path": "/é"}, ValueError),
        ({"bind_path": "/a\r\nX: y"}, ValueError),
        ({"bind_path": "/a\0"}, ValueError),
        ({"bind_path": None}, TypeError),
        ({"raw": 1}, TypeError),
        ({"raw": None}, TypeError),
        ({"max_unsent": 0}, ValueError),
        ({"max_unsent": -1}, ValueError),
        ({"max_unsent": True}, TypeError),
        ({"max_unsent": 1.5}, TypeError),
        ({"max_unsent": None}, TypeError),
    ],
    ids=str,
)
def test_an_argument_that_makes_no_sense_is_named(module, kind, options, error):
    (name,) = options
    with pytest.raises(error, match=name):
        getattr(module, kind)("http://127.0.0.1:9", **options)


@pytest.mark.parametrize("module", [gaechannel, aio], ids=["sync", "aio"])
def test_unwrap_is_true_or_false(module):
    with pytest.raises(TypeError, match="unwrap must be"):
        module.WebChannel("http://127.0.0.1:9", unwrap=1)


# ---- What comes back, not unwrapped, and not read ----


def test_without_unwrapping_data_comes_as_it_is(script, channel_of):
    heads = [{"__headers__": {"a": "b"}, "__status__": 200}]
    arrays = [[{"a": 1}], ERROR, heads, [1, 2], "text", [[{"error": {"code": 1}}]], {}, [None]]
    script.on("back", held(*enumerate(arrays, 1)))
    with channel_of("WebChannel", script.url, unwrap=False) as channel:
        assert channel.take(len(arrays)) == arrays


def test_with_unwrapping_errors_are_raised(script, channel_of):
    script.on("back", held([1, [{"a": 1}]], [2, ERROR]))
    with channel_of("WebChannel", script.url, unwrap=True) as channel:
        assert channel.take(1) == [{"a": 1}]
        with pytest.raises(WebChannelError):
            channel.take(1)


@pytest.mark.parametrize("kind", ["BrowserChannel", "WebChannel"])
def test_raw_messages_are_the_bytes_of_the_response(script, channel_of, kind):
    payload = '[[1,["é😀",\'x\',,]],[2, {"a" : nul} ],[3,["noop"]],[4,[{"error":{"code":1}}]]]'
    script.on("back", lambda request: (request.begin(), write(request, payload), request.hold()))
    with channel_of(kind, script.url, raw=True) as channel:
        assert channel.take(3) == ["[\"é😀\",'x',,]".encode(), b'{"a" : nul}', b'[{"error":{"code":1}}]']
        assert channel.aid == 4
        assert (channel.stats.messages, channel.stats.arrays) == (3, 5)


def write(request, payload):
    request.write(f"{len(payload.encode('utf-16-le')) // 2}\n{payload}")


@pytest.mark.parametrize("kind", ["BrowserChannel", "WebChannel"])
def test_a_raw_channel_obeys_what_is_the_protocols(script, channel_of, kind):
    """Sessions, confirmations, keep-alives, a lost session, the end: all but the messages is read as ever."""
    script.on("open", opened((1, {"n": 1})), opened(sid="SID2"))
    script.on("back", status("400 Unknown SID"), held([1, {"n": 2}], [2, ["stop", "enough"]]))
    with channel_of(kind, script.url, raw=True, **FAST) as channel:
        channel.send({"a": "b"})
        assert channel.recv(20) == b'{"n": 1}'
        assert channel.recv(20) == b'{"n": 2}'
        with pytest.raises(ChannelClosed, match="enough"):
            channel.recv(20)
        assert channel.stats.sessions == 2
    assert all_maps(script)


def test_a_raw_channel_asks_again_for_what_has_no_bounds_and_goes_on_behind_it(script, channel_of):
    def broken(request):
        request.begin()
        write(request, '[[1,{"a":[}]')
        request.end()

    script.on("back", broken, broken, held([2, "b"]))
    with channel_of("BrowserChannel", script.url, raw=True, **FAST) as channel:
        with pytest.raises(gaechannel.TalkMessageCorrupted):
            channel.recv(20)
        assert channel.recv(20) == b'"b"'


def test_raw_messages_come_in_batches_and_merged_too(script, channel_of):
    script.on("back", held(*([number, [number]] for number in range(1, 6))))
    with channel_of("WebChannel", script.url, raw=True) as channel:
        assert channel.batches(1, 2) == [[b"[1]", b"[2]"]]
        assert channel.merged(2) == [b"[3]", b"[4]"]
        assert channel.recv() == b"[5]"


# ---- Maps that are not confirmed ----


def refuse_all(request):
    request.reply(status="503 Service Unavailable")


def test_pending_maps_are_those_that_are_not_confirmed_as_they_were_given(script, channel_of):
    given = [{"a": "é&=\n"}, {"b": {"c": [1, None, "x"]}, "d": ""}, {"e": 5}]
    with channel_of("BrowserChannel", script.url) as channel:
        assert channel.pending() == []
        for one in given:
            channel.send(one)
        channel.send_json([1])
        channel.send_raw("[2]")
        assert channel.pending() == [*enumerate(given), (3, {"JSON": "[1]"}), (4, {"JSON": "[2]"})]
        channel.flush(20)
        assert channel.pending() == []
        channel.send({"f": "6"})
        channel.flush(20)


def test_pending_messages_are_those_that_are_not_confirmed_as_they_were_given(script, channel_of):
    given = [{"a": "é"}, [1, None], "text", 5, None, {"__data__": "x"}]
    with channel_of("WebChannel", script.url) as channel:
        for one in given:
            channel.send(one)
        channel.send_map({"a": "1", "b": [2]})
        channel.send_map({"__data__": "text"})
        channel.send_raw('{"c":3}')
        want = [*given, {"a": "1", "b": [2]}, {"__data__": "text"}, {"c": 3}]
        assert channel.pending() == list(enumerate(want))
        channel.flush(20)
    assert len(all_maps(script)) == len(want)


@pytest.mark.parametrize("kind", ["BrowserChannel", "WebChannel"])
def test_refused_maps_are_as_pending_maps_were(script, channel_of, kind):
    script.on("open", status("403 Forbidden"), opened())
    with channel_of(kind, script.url) as channel:
        channel.send({"a": [1]})
        channel.send({"b": "2"})
        pending = channel.pending()
        with pytest.raises(MapsRefused) as caught:
            channel.flush(20)
        assert caught.value.maps == pending == [(0, {"a": [1]}), (1, {"b": "2"})]
        assert channel.pending() == []


def test_maps_taken_back_before_the_session_opens_are_never_sent(script, channel_of):
    with channel_of("BrowserChannel", script.url) as channel:
        channel.send({"n": "0"})
        channel.send({"n": "1"})
        assert channel.drop_unsent() == [(0, {"n": "0"}), (1, {"n": "1"})]
        assert (channel.drop_unsent(), channel.pending(), channel.unsent) == ([], [], 0)
        assert channel.send({"n": "2"}) == 2
        channel.flush(20)
    assert script.maps == {0: {"n": "2"}}


def test_maps_that_no_request_has_held_are_taken_back_and_the_numbers_have_no_gap(script, channel_of):
    """The server counts maps: who takes back what it waits for would never be heard again."""
    with channel_of("BrowserChannel", script.url, **FAST) as channel:
        channel.connect()
        script.on("maps", refuse_all)
        channel.send({"n": "0"})
        with pytest.raises(ChannelTimeout):
            channel.flush(0.05)
        script.wait("maps", 1)
        channel.send({"n": "1"})
        dropped = channel.drop_unsent()
        assert dropped == [(0, {"n": "0"}), (1, {"n": "1"})]
        assert (channel.unsent, channel.pending()) == (0, [])
        script.on("maps", confirmed())
        assert channel.send({"n": "2"}) == 2
        channel.flush(20)
        assert channel.unsent == 0
    maps = script.maps
    assert sorted(maps) == list(range(len(maps)))
    assert maps[0] == {"n": "0"}
    assert maps[len(maps) - 1] == {"n": "2"}


def test_maps_taken_back_while_their_request_is_under_way_count_when_it_is_confirmed(script, channel_of):
    go_on = threading.Event()

    def late(request):
        assert go_on.wait(20)
        confirmed()(request)

    with channel_of("BrowserChannel", script.url) as channel:
        channel.connect()
        script.on("maps", late, confirmed())
        channel.send({"n": "0"})
        with pytest.raises(ChannelTimeout):
            channel.flush(0.01)
        script.wait("maps")
        channel.send({"n": "1"})
        assert channel.drop_unsent() == [(0, {"n": "0"}), (1, {"n": "1"})]
        assert channel.send({"n": "2"}) == 2
        assert channel.pending() == [(2, {"n": "2"})]
        go_on.set()
        channel.flush(20)
    assert script.maps == {0: {"n": "0"}, 1: {"n": "2"}}


def test_maps_taken_back_do_not_go_to_the_session_after(script, channel_of):
    script.on("open", opened(), opened(sid="SID2"))
    script.on("maps", refuse_all)
    with channel_of("BrowserChannel", script.url, **FAST) as channel:
        channel.connect()
        channel.send({"n": "0"})
        with pytest.raises(ChannelTimeout):
            channel.flush(0.05)
        script.wait("maps")
        channel.drop_unsent()
        script.on("maps", status("410 Gone"))
        channel.send({"n": "1"})
        channel.flush(20)
    assert script.of("open")[1].maps == {0: {"n": "1"}}


def test_maps_taken_back_are_not_told_as_refused(script, channel_of):
    with channel_of("BrowserChannel", script.url, **FAST) as channel:
        channel.connect()
        script.on("maps", refuse_all)
        channel.send({"n": "0"})
        with pytest.raises(ChannelTimeout):
            channel.flush(0.05)
        script.wait("maps")
        channel.drop_unsent()
        channel.send({"n": "1"})
        script.on("maps", status("403 Forbidden"), confirmed())
        with pytest.raises(MapsRefused) as caught:
            channel.flush(20)
        assert caught.value.maps in ([(1, {"n": "1"})], [])
        channel.drop_unsent()
        channel.send({"n": "2"})
        channel.flush(20)
    numbers = sorted(script.maps)
    assert numbers == list(range(len(numbers)))


def test_maps_of_a_channel_that_has_failed_can_be_taken_to_another(script, channel_of):
    script.on("open", cut)
    with channel_of("WebChannel", script.url) as channel, channel_of("WebChannel", script.url) as other:
        channel.send({"add": 1})
        with pytest.raises(ChannelError):
            channel.flush(20)
        script.on("open", opened())
        for _, message in channel.drop_unsent():
            other.send(message)
        other.flush(20)
        assert channel.unsent == 0
    assert script.of("open")[-1].maps == {0: {"__data__": '{"add":1}'}}


def test_whoever_flushes_need_not_wait_for_what_is_taken_back(script):
    script.on("open", lambda request: request.hold())

    async def main():
        async with aio.BrowserChannel(script.url) as channel:
            await channel.send({"n": "0"})
            flushing = asyncio.ensure_future(channel.flush())
            await asyncio.to_thread(script.wait, "open")
            channel.drop_unsent()
            async with asyncio.timeout(20):
                await flushing

    asyncio.run(main())
    channel = BrowserChannel(script.url)
    channel.send({"n": "0"})
    thread = threading.Thread(target=channel.flush)
    thread.start()
    script.wait("open", 2)
    channel.drop_unsent()
    thread.join(20)
    assert not thread.is_alive()
    channel.close()


def test_pending_and_drop_of_a_closed_channel_say_so(script, channel_of):
    with channel_of("BrowserChannel", script.url) as channel:
        channel.send({"n": "0"})
        channel.close()
        # What was not delivered is still there to be taken.
        assert channel.pending() == [(0, {"n": "0"})]
        assert channel.drop_unsent() == [(0, {"n": "0"})]
        assert channel.unsent == 0


# ---- Too many of them ----


def test_a_queue_that_is_full_raises_and_has_room_when_maps_are_confirmed(script):
    with BrowserChannel(script.url, max_unsent=100) as channel:
        for _ in range(10):
            channel.send({"k" * 5: "v" * 5})
        with pytest.raises(SendQueueFull, match="max_unsent is reached: 10 maps") as caught:
            channel.send({"a": ""})
        assert isinstance(caught.value, BufferError)
        assert isinstance(caught.value, ChannelError)
        assert channel.unsent == 10
        channel.flush(20)
        assert channel.send({"a": "b"}) == 10
        channel.flush(20)
    assert len(script.maps) == 11


def test_a_queue_that_is_full_has_room_when_maps_are_taken_back(script):
    with WebChannel(script.url, max_unsent=30) as channel:
        channel.send("x" * 20)
        with pytest.raises(SendQueueFull):
            channel.send("x")
        assert channel.drop_unsent() == [(0, "x" * 20)]
        channel.send("y" * 20)
        channel.flush(20)
    assert all_maps(script) == [{"__data__": json.dumps("y" * 20)}]


def test_a_map_that_never_fits_is_refused_at_once(script, channel_of):
    with channel_of("BrowserChannel", script.url, max_unsent=10) as channel:
        with pytest.raises(SendQueueFull, match="larger than max_unsent"):
            channel.send({"a": "é" * 5})
        assert channel.unsent == 0
        channel.send({"aa": "é" * 4})
        channel.flush(20)


def test_a_full_queue_makes_asyncio_wait_until_the_server_has_confirmed(script):
    go_on = threading.Event()

    def late(request):
        assert go_on.wait(20)
        confirmed()(request)

    script.on("maps", late)

    async def main():
        async with aio.BrowserChannel(script.url, max_unsent=20) as channel:
            await channel.connect()
            assert await channel.send({"n": "x" * 15}) == 0
            waiting = [asyncio.ensure_future(channel.send({"n": "y" * 10})) for _ in range(3)]
            await asyncio.to_thread(script.wait, "maps")
            assert channel.unsent == 1
            assert not any(one.done() for one in waiting)
            go_on.set()
            async with asyncio.timeout(20):
                assert sorted(await asyncio.gather(*waiting)) == [1, 2, 3]
                await channel.flush()

    asyncio.run(main())
    assert len(script.maps) == 4


def test_a_send_that_waits_is_told_that_the_channel_has_failed(script):
    script.on("open", status("401 Unauthorized"))

    async def main():
        async with aio.WebChannel(script.url, max_unsent=20) as channel:
            await channel.send("x" * 5)
            with pytest.raises(HTTPStatusError, match="401"):
                await channel.send("y" * 5)
            assert channel.pending() == [(0, "x" * 5)]
            script.on("open", lambda request: request.hold())
            waiting = asyncio.ensure_future(channel.send("z" * 5))
            await asyncio.to_thread(script.wait, "open", 2)
            await channel.close()
            with pytest.raises(ChannelClosed):
                await waiting

    asyncio.run(main())


def test_maps_that_are_refused_give_their_room_to_others(script):
    script.on("open", status("403 Forbidden"), opened())

    async def main():
        async with aio.WebChannel(script.url, max_unsent=20) as channel:
            await channel.send("x" * 5)
            assert await channel.send("y" * 5) == 1
            with pytest.raises(MapsRefused) as caught:
                await channel.flush(20)
            assert caught.value.maps == [(0, "x" * 5)]
            await channel.flush(20)

    asyncio.run(main())
    assert all_maps(script)[-1] == {"__data__": '"yyyyy"'}


def test_a_send_that_waits_can_be_cancelled(script):
    script.on("maps", lambda request: request.hold())

    async def main():
        async with aio.BrowserChannel(script.url, max_unsent=20) as channel:
            await channel.connect()
            await channel.send({"n": "x" * 15})
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await channel.send({"n": "y" * 10})
            assert channel.unsent == 1
            channel.drop_unsent()
            assert await channel.send({"n": "z" * 10}) == 1

    asyncio.run(main())


def test_what_waits_is_bounded_whatever_threads_send(script):
    script.on("open", lambda request: request.hold())
    channel = BrowserChannel(script.url, max_unsent=1000)
    refused = []

    def send():
        for _ in range(100):
            try:
                channel.send({"n": "x" * 9})
            except SendQueueFull:
                refused.append(1)

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (channel.unsent, len(refused)) == (100, 300)
    channel.drop_unsent()
    channel.close()


def test_threads_that_send_and_take_back_lose_nothing(script):
    """Each map is confirmed, or taken back by somebody, or both; none is neither."""
    channel = BrowserChannel(script.url)
    channel.connect()
    dropped, stop = [], threading.Event()

    def drop():
        while not stop.is_set():
            dropped.extend(channel.drop_unsent())

    def send(name):
        for number in range(200):
            channel.send({"n": f"{name}.{number}"})

    dropper = threading.Thread(target=drop)
    senders = [threading.Thread(target=send, args=(name,)) for name in range(3)]
    for thread in [dropper, *senders]:
        thread.start()
    for thread in senders:
        thread.join(60)
    stop.set()
    dropper.join(60)
    channel.flush(20)
    channel.close()
    found = {one["n"] for one in script.maps.values()} | {one["n"] for _, one in dropped}
    assert found == {f"{name}.{number}" for name in range(3) for number in range(200)}
    assert sorted(script.maps) == list(range(len(script.maps)))


def test_bad_fields_leave_nothing_behind(script):
    channel = BrowserChannel(script.url)
    for _ in range(3):
        with pytest.raises(UnicodeEncodeError):
            channel.send({"a": "\ud83d"})
    assert channel.pending() == []
    channel.close()
    gc.collect()


def test_a_lost_session_that_is_not_mended_leaves_maps_to_be_taken_back(script, channel_of):
    script.on("maps", status("410 Gone"))
    with channel_of("BrowserChannel", script.url, auto_reconnect=False) as channel:
        channel.connect()
        channel.send({"n": "0"})
        with pytest.raises(SessionLost) as caught:
            channel.flush(20)
        assert isinstance(caught.value, HTTPStatusError)
        assert channel.drop_unsent() == [(0, {"n": "0"})]
    assert until(lambda: channel.unsent == 0)
