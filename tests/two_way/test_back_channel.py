"""Arrays from the server: their order, the control arrays, and when a back channel counts as dead."""

import itertools
import random
import threading
import time

import fuzz_objects
import pytest
from scripted_server import brought, confirmed, cut, frame, held, opened, status
from waiting import until

from gaechannel import (
    BrowserChannel,
    ChannelClosed,
    ChannelTimeout,
    HTTPStatusError,
    TransportError,
    WebChannel,
)
from gaechannel.talkparser import ParseError, parse

FAST = {"max_backoff": 0.02}


def first(channel, count):
    return list(itertools.islice(channel, count))


def test_iterating_yields_each_arrays_data_as_python_objects(script):
    values = [["a", 1], {"b": [None, True, 1.5]}, "text 😀", 7, None, [], ["c", "not at 0"], [[]]]
    script.on("back", held(*([number, value] for number, value in enumerate(values, 1))))
    with BrowserChannel(script.url) as channel:
        assert first(channel, len(values)) == values
        assert channel.aid == len(values)
        assert channel.sid == "SID1"
        assert channel.stats.messages == len(values)


def parsed(text):
    """What the plain reader makes of a literal; None where it is none, or a hole."""
    try:
        return parse(text)
    except ParseError:
        return None


def parsed_texts(chance, make, count):
    """So many literals, and what the plain reader makes of them; the few that are none are left out."""
    texts = [make(chance, chance.randint(0, 4)) for _ in range(count)]
    found = [(text, parsed(text)) for text in texts if parsed(text) is not None]
    assert len(found) > count * 2 / 3
    return found


def chunk_of(texts):
    payload = "[" + ",".join(f"[{number},{text}]" for number, text in enumerate(texts, 1)) + "]"
    return f"{len(payload.encode('utf-16-le')) // 2}\n{payload}"


def test_messages_are_what_the_plain_reader_makes_of_them(script):
    found = parsed_texts(random.Random(1), fuzz_objects.value, 600)
    script.on("back", lambda request: request.reply(chunk_of(text for text, _ in found)))
    with BrowserChannel(script.url) as channel:
        for (text, value), message in zip(found, channel, strict=False):
            assert repr(message) == repr(value), text


def test_web_channels_messages_are_the_only_items_that_the_plain_reader_finds(script):
    found = parsed_texts(random.Random(2), fuzz_objects.array, 600)
    single = sum(len(value) == 1 for _, value in found)
    assert 50 < single < len(found) - 50
    script.on("back", lambda request: request.reply(chunk_of(text for text, _ in found)))
    with WebChannel(script.url) as channel:
        for (text, value), message in zip(found, channel, strict=False):
            assert repr(message) == repr(value[0] if len(value) == 1 else value), text


def test_the_back_channels_query(script):
    script.on("open", opened((1, ["x"]))).on("back", held([2, ["y"]]))
    with BrowserChannel(script.url, params={"p": "1"}) as channel:
        assert first(channel, 2) == [["x"], ["y"]]
    (request,) = script.of("back")
    assert request.method == "GET"
    query = request.query
    assert {query.pop("zx"), query.pop("SID")} >= {"SID1"}
    assert query == {"VER": "8", "RID": "rpc", "AID": "1", "CI": "0", "TYPE": "xmlhttp", "t": "1", "p": "1"}


def test_keep_alives_and_session_arrays_are_not_yielded_but_move_aid(script):
    script.on("open", opened((1, ["S", "gsession"]), (2, ["noop"])))
    script.on("back", brought([3, ["noop"]]), held([4, ["noop"]], [5, ["x"]]))
    with BrowserChannel(script.url) as channel:
        assert first(channel, 1) == [["x"]]
        assert channel.aid == 5
        assert channel.stats.arrays == 6
    assert [request.query["AID"] for request in script.of("back")] == ["2", "3"]


@pytest.mark.parametrize("said", [["S", "g&1"], [{"gsid": "g&1"}]])
def test_the_gsessionid_goes_with_every_later_request(script, said):
    script.on("open", opened((1, said)))
    script.on("back", held([2, ["x"]]))
    with BrowserChannel(script.url) as channel:
        assert first(channel, 1) == [["x"]]
        assert channel.gsessionid == "g&1"
        channel.send({"a": "b"})
        channel.flush(10)
    later = script.of("back") + script.of("maps") + script.of("terminate")
    assert len(later) == 3
    assert {request.query["gsessionid"] for request in later} == {"g&1"}
    assert "gsessionid" not in script.of("open")[0].query


def test_a_host_prefix_is_no_reason_to_ask_another_host(script):
    script.on("open", lambda request: request.reply(frame([[0, ["c", "SID1", "prefix.example", 8]]])))
    script.on("back", held([1, ["x"]]))
    with BrowserChannel(script.url) as channel:
        assert first(channel, 1) == [["x"]]


def test_an_opening_reply_may_be_bare(script):
    script.on("open", lambda request: request.reply('[[0,["c","SID1",null,8]],[1,["x"]]]'))
    with BrowserChannel(script.url) as channel:
        assert first(channel, 1) == [["x"]]
        assert channel.sid == "SID1"


def test_arrays_sent_again_are_not_yielded_again(script):
    script.on(
        "back", brought([1, "a"], [2, "b"]), brought([1, "a"], [2, "b"], [3, "c"]), held([3, "c"], [4, "d"])
    )
    with BrowserChannel(script.url) as channel:
        assert first(channel, 4) == ["a", "b", "c", "d"]


def test_a_chunk_that_was_cut_short_is_asked_for_again(script):
    def half(request):
        request.begin([1, "a"])
        request.write(frame([[2, "b"]])[:-3])
        request.cut()

    script.on("back", half, held([2, "b"]))
    with BrowserChannel(script.url, **FAST) as channel:
        assert first(channel, 2) == ["a", "b"]
    assert [request.query["AID"] for request in script.of("back")] == ["0", "1"]


def test_ci_1_is_asked_for_by_argument(script):
    script.on("back", brought([1, "a"]), brought([2, "b"]), held())
    with BrowserChannel(script.url, buffered=True) as channel:
        assert first(channel, 2) == ["a", "b"]
    assert {request.query["CI"] for request in script.of("back")} == {"1"}


def test_stop_is_an_error_and_is_not_reconnected_after(script):
    script.on("back", held([1, "a"], [2, ["stop"]], [3, "never"]))
    with BrowserChannel(script.url) as channel:
        arrays = iter(channel)
        assert next(arrays) == "a"
        rest = []
        with pytest.raises(ChannelClosed, match="stopped"):
            rest += arrays
        assert "never" not in rest
        assert channel.sid is None
        with pytest.raises(StopIteration):
            next(arrays)
    assert len(script.of("back")) == 1
    assert len(script.of("open")) == 1


def test_stop_that_comes_while_nobody_waits_is_told_to_who_asks_next(script):
    """Sending reads what has come, too."""
    script.on("back", held([1, "a"], [2, ["stop"]]))
    with BrowserChannel(script.url) as channel:
        channel.connect()

        def stopped():
            if channel.sid is not None:
                channel.send({"a": "b"})
            return channel.sid is None

        until(stopped)
        arrays = iter(channel)
        assert next(arrays) == "a"
        with pytest.raises(ChannelClosed):
            next(arrays)
    assert len(script.of("open")) == 1


def test_what_only_elsewhere_is_a_control_array_is_the_applications(script):
    arrays = [["close"], ["S", "x"], [{"gsid": "x"}], ["c", "SID2"], "noop"]
    script.on("back", held([1, ["noop", {}]], *([number, one] for number, one in enumerate(arrays, 2))))
    with BrowserChannel(script.url) as channel:
        assert first(channel, len(arrays)) == arrays
        assert channel.sid == "SID1"
        assert channel.gsessionid is None


def test_after_a_stop_iterating_anew_opens_a_new_session(script):
    script.on("open", opened(), opened(sid="SID2"))
    script.on("back", held([1, ["stop"]]), held([1, "a"]))
    with BrowserChannel(script.url) as channel:
        with pytest.raises(ChannelClosed):
            first(channel, 1)
        assert first(channel, 1) == ["a"]
        assert channel.sid == "SID2"


# ---- The back channel is dead ----


def test_a_back_channel_that_owes_arrays_for_6_seconds_is_reopened(script):
    """Closure's figure. Until then it is left alone."""
    script.on("back", held([1, "early"]), held([2, "a"]))
    script.on("maps", confirmed(last=2, outstanding=5))
    with BrowserChannel(script.url) as channel:
        arrays = iter(channel)
        assert next(arrays) == "early"  # a byte that came later would show that the back channel lives
        reader = threading.Thread(target=lambda: next(arrays))
        reader.start()
        script.wait("back")
        began = time.monotonic()
        channel.send({"a": "b"})
        script.wait("back", 2)
        assert 5.5 < time.monotonic() - began < 20
        reader.join()
    assert [request.query["t"] for request in script.of("back")] == ["1", "1"]


@pytest.mark.parametrize(
    ("back", "early"),
    [(held([1, "early"]), ["early"]), (lambda request: request.hold(), [])],
    ids=["answered", "on its way"],
)
def test_a_back_channel_that_the_server_says_it_has_not_is_reopened(script, back, early):
    """But not at once: the request may be on its way still."""
    script.on("back", back, held([2, "a"]))
    script.on("maps", confirmed(present=0))
    with BrowserChannel(script.url) as channel:
        arrays = iter(channel)
        # An answer that is seen after what the server says would show that it is wrong.
        assert [next(arrays) for _ in early] == early
        reader = threading.Thread(target=lambda: next(arrays))
        reader.start()
        script.wait("back")
        began = time.monotonic()
        channel.send({"a": "b"})
        script.wait("back", 2)
        assert 2.5 < time.monotonic() - began < 20
        reader.join()


def test_a_keep_alive_time_in_array_0_bounds_the_silence(script):
    script.on("open", opened(keepalive=100))
    script.on("back", held(), held([1, "a"]))
    with BrowserChannel(script.url, **FAST) as channel:
        began = time.monotonic()
        assert first(channel, 1) == ["a"]
        assert 0.14 < time.monotonic() - began < 20


def test_without_one_the_timeout_does(script):
    script.on("back", held(), held([1, "a"]))
    with BrowserChannel(script.url, timeout=0.2, **FAST) as channel:
        began = time.monotonic()
        assert first(channel, 1) == ["a"]
        assert 0.19 < time.monotonic() - began < 20
    # On a busy machine a request's time may be over before the server sees it.
    trials = [int(request.query["t"]) for request in script.of("back")]
    assert trials[0] == 1
    assert trials == sorted(set(trials))


def test_a_consumer_that_takes_its_time_loses_nothing(script):
    text = "x" * 1000

    def stream(request):
        request.begin()
        for number in range(1, 3001):
            request.chunk([number, [number, text]])
        request.hold()

    script.on("back", stream)
    with BrowserChannel(script.url, queue_limit=10_000, timeout=2.0) as channel:
        got = []
        for number, _ in channel:
            got.append(number)
            if number in (1, 2001):
                time.sleep(2.5)  # longer than any silence is borne
            if number == 3000:
                break
    assert got == list(range(1, 3001))
    assert len(script.of("back")) == 1


# ---- The session is lost ----


@pytest.mark.parametrize(
    "refusal", [status("400 Unknown SID"), status("400 Bad Request", "Unknown SID"), status("410 Gone")]
)
def test_an_unknown_sid_is_followed_by_a_new_session(script, refusal):
    script.on("open", opened((1, ["S", "g1"])), opened((1, "b"), sid="SID2"))
    script.on("back", brought([2, "a"]), refusal, held([2, "c"]))
    with BrowserChannel(script.url) as channel:
        assert first(channel, 3) == ["a", "b", "c"]
        assert channel.sid == "SID2"
        assert channel.gsessionid is None
        assert channel.stats.sessions == 2
    one, other = script.of("open")
    assert "OSID" not in one.query
    assert (other.query["OSID"], other.query["OAID"]) == ("SID1", "2")
    assert int(other.query["RID"]) == int(one.query["RID"]) + 1
    assert script.of("back")[2].query["AID"] == "1"


def test_maps_that_were_not_confirmed_go_to_the_new_session_and_count_from_0(script):
    script.on("open", opened(), opened(sid="SID2"))
    script.on("maps", confirmed(), status("400 Unknown SID"), confirmed())
    with BrowserChannel(script.url, **FAST) as channel:
        channel.send({"n": "0"})
        channel.flush(10)
        channel.send({"n": "1"})
        channel.flush(10)
        assert channel.send({"n": "2"}) == 2
        channel.flush(10)
        channel.send({"n": "3"})
        channel.flush(10)
    forms = [
        (request.query.get("SID"), request.form) for request in script.requests if "count" in request.form
    ]
    assert forms == [
        (None, {"count": "1", "ofs": "0", "req0_n": "0"}),
        ("SID1", {"count": "1", "ofs": "1", "req0_n": "1"}),
        ("SID1", {"count": "1", "ofs": "2", "req0_n": "2"}),
        (None, {"count": "1", "ofs": "0", "req0_n": "2"}),
        ("SID2", {"count": "1", "ofs": "1", "req0_n": "3"}),
    ]


def test_both_requests_learn_of_the_loss_and_one_new_session_follows_at_once(script, log):
    both = threading.Barrier(2)

    def unknown(request):
        both.wait(20)
        request.reply(status="400 Unknown SID")

    script.on("open", opened(), opened((1, "a"), sid="SID2"))
    script.on("back", unknown, held())
    script.on("maps", unknown, confirmed())
    with BrowserChannel(script.url, logger=log) as channel:
        channel.connect()
        channel.send({"n": "0"})
        assert first(channel, 1) == ["a"]
        channel.flush(10)
    assert "the session is lost" in log.text.getvalue()
    assert "reconnecting in" not in log.text.getvalue()
    assert len(script.of("open")) == 2


def test_a_session_may_replace_one_of_another_object(script):
    with BrowserChannel(script.url, replaces=("old/SID", 17)) as channel:
        channel.connect()
        channel.send({"a": "b"})
        channel.flush(10)
    assert [script.of("open")[0].query[name] for name in ("OSID", "OAID")] == ["old/SID", "17"]
    assert "OSID" not in script.of("maps")[0].query


# ---- What is raised ----


def test_a_server_that_is_not_there_is_said_at_once():
    with BrowserChannel("http://127.0.0.1:1/channel") as channel:
        with pytest.raises(TransportError) as caught:
            channel.connect(retry=False)
        assert caught.value.curl_code == 7


def test_a_server_that_does_not_answer_is_said_after_the_timeout(script):
    script.on("open", lambda request: request.hold())
    with BrowserChannel(script.url, timeout=0.2) as channel:
        with pytest.raises(ChannelTimeout):
            channel.connect(retry=False)
        script.on("open", opened())
        channel.connect()


def test_max_reconnects_bounds_the_failures_in_a_row(script):
    script.on("back", brought([1, "a"]), cut)
    with BrowserChannel(script.url, max_reconnects=2, **FAST) as channel:
        arrays = iter(channel)
        assert next(arrays) == "a"
        with pytest.raises(TransportError):
            next(arrays)
    # The first one and, since a kept connection may merely have been stale, one more.
    assert len(script.of("back")) in (4, 5)


def test_without_auto_reconnect_the_first_failure_is_raised(script):
    script.on("back", brought([1, "a"]), status("502 Bad Gateway"))
    with BrowserChannel(script.url, auto_reconnect=False) as channel:
        arrays = iter(channel)
        assert next(arrays) == "a"
        with pytest.raises(HTTPStatusError, match="502"):
            next(arrays)
