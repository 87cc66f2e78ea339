"""Nothing is lost without a word: what confirms maps, arrays that cannot be read, and faults that pass."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from scripted_server import brought, confirmed, frame, held, status

from gaechannel import ChannelError, TalkMessageCorrupted

FAST = {"max_backoff": 0.02}
DEEP = "[" * 200 + "]" * 200


def text(body):
    def answer(request):
        request.reply(body)

    return answer


def wrote(*chunks):
    """A back channel that brings these chunks as they are, and stays."""

    def answer(request):
        request.begin()
        for one in chunks:
            request.write(one)
        request.hold()

    return answer


def chunk(payload):
    return f"{len(payload)}\n{payload}"


# ---- Confirmation ----

STRANGE = [
    "",
    "OK",
    "<html>Log in</html>",
    '{"error":{"code":500}}',
    "[1]",
    "[1,2,]",
    '["1","2","3"]',
    "[[1,2,3]]",
    "[1,2,3",
    "9\n[1,2,3]",
    frame([[1, 2, 3]]),
]


@pytest.mark.parametrize("body", STRANGE)
def test_maps_are_sent_again_until_a_forward_reply_confirms_them(script, channel_of, log, body):
    script.on("maps", text(body), text(body), confirmed())
    with channel_of("BrowserChannel", script.url, logger=log, **FAST) as channel:
        channel.connect()
        channel.send({"n": "0"})
        channel.flush(30)
    requests = script.of("maps")
    assert [request.query["t"] for request in requests] == ["1", "2", "3"]
    assert len({request.query["RID"] for request in requests}) == 1
    assert {request.form["req0_n"] for request in requests} == {"0"}
    assert "not confirmed; the server said" in log.text.getvalue()


CONFIRMING = [
    "[1,0,0]",
    frame([1, 0, 0, ["more"], {"a": 1}]),
    # As Google's client, which wants three elements and takes all but 0 for a back channel that is there: an
    # emulator of Firestore has the last id in the first place.
    "9\n[170,0,0]",
    "9\n[-1,-1,0]",
    frame([True, 17, 0]),
    frame([1, None, None]),
    frame([1, 0.5, 1e9]),
]


def test_forward_replies_of_all_forms_confirm(script, channel_of):
    script.on("maps", *map(text, CONFIRMING))
    with channel_of("BrowserChannel", script.url) as channel:
        channel.connect()
        for number in range(len(CONFIRMING)):
            channel.send({"n": str(number)})
            channel.flush(30)
    assert [request.query["t"] for request in script.of("maps")] == ["1"] * len(CONFIRMING)


def test_maps_that_are_never_confirmed_raise_with_what_the_server_said_and_stay(script, channel_of):
    script.on("maps", text("<html>Log in</html>"))
    with channel_of("BrowserChannel", script.url, max_reconnects=3, **FAST) as channel:
        channel.connect()
        channel.send({"n": "0"})
        with pytest.raises(ChannelError, match=r"not confirmed.*Log in"):
            channel.flush(30)
        assert channel.unsent == 1
    assert len(script.of("maps")) == 4


# ---- Arrays that cannot be read ----


@pytest.mark.parametrize(
    ("poison", "options", "why"),
    [
        (chunk(f"[[1,{DEEP}]]"), {}, "array 1 cannot be read: .*nest"),
        (chunk(f"[[1,[{'9' * 5000}]]]"), {}, "array 1 cannot be read"),
        (chunk(f'[[1,["{"x" * 5000}"]]]'), {"max_chunk_size": 1000}, "array 1 cannot be read: .*limit"),
    ],
    ids=["deep", "digits", "long"],
)
def test_an_array_that_cannot_be_read_is_asked_for_once_more_and_told(
    script, channel_of, poison, options, why
):
    script.on("back", wrote(poison), wrote(poison), held([2, "b"]))
    with channel_of("BrowserChannel", script.url, **options, **FAST) as channel:
        with pytest.raises(TalkMessageCorrupted, match=why):
            channel.take(1)
        assert channel.take(1) == ["b"]
        assert len(script.of("open")) == 1
    assert [request.query["AID"] for request in script.of("back")] == ["0", "0", "1"]


def test_an_array_that_is_sound_the_second_time_is_not_lost(script, channel_of):
    script.on("back", wrote(chunk("[[1,[oops]]]")), held([1, "a"]))
    with channel_of("BrowserChannel", script.url, **FAST) as channel:
        assert channel.take(1) == ["a"]


# ---- Chunks ----


def test_empty_chunks_and_a_byte_order_mark_are_skipped(script, channel_of):
    script.on("open", text("\ufeff" + frame([[0, ["c", "SID1", "", 8]]]) + "1\n\n"))
    script.on("back", wrote("\ufeff", "0\n", "1\n\n", frame([[1, "a"]]), "2\n \n", frame([[2, "b"]])))
    with channel_of("BrowserChannel", script.url) as channel:
        assert channel.take(2) == ["a", "b"]
    assert len(script.of("back")) == 1


def test_the_opening_array_may_be_numbered_1(script, channel_of):
    script.on("open", text(frame([[1, ["c", "SID1", "", 8]], [2, "a"]])))
    script.on("back", held([3, "b"]))
    with channel_of("WebChannel", script.url) as channel:
        assert channel.take(2) == ["a", "b"]
        assert channel.sid == "SID1"


# ---- Faults that pass ----


def redirected(request):
    request.reply(status="302 Found", Location="http://127.0.0.1:1/login")


PASSING = {
    "404": status("404 Not Found", "no backend"),
    "a portal": text("<html>Log in</html>"),
    "a redirect": redirected,
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
def test_a_channel_that_has_worked_outlasts_a_passing_fault(script, channel_of, fault):
    script.on("back", brought([1, "a"]), *[fault] * 7, held([2, "b"]))
    with channel_of("BrowserChannel", script.url, **FAST) as channel:
        assert channel.take(2) == ["a", "b"]
    assert len(script.of("open")) == 1
    assert len(script.of("back")) == 9


@pytest.mark.parametrize("fault", [PASSING["404"], PASSING["a redirect"]], ids=["404", "a redirect"])
def test_a_channel_that_never_worked_raises_at_once(script, channel_of, fault):
    script.on("back", fault)
    with channel_of("BrowserChannel", script.url, **FAST) as channel, pytest.raises(ChannelError):
        channel.take(1)
    assert len(script.of("back")) == 1


@pytest.mark.parametrize(
    "line",
    ["404 Not Found", "407 Proxy Authentication Required", "421 Misdirected Request", "425 Too Early"],
)
def test_what_the_server_did_not_say_of_maps_passes_too(script, channel_of, line):
    script.on("back", held([1, "a"]))
    script.on("maps", status(line), confirmed())
    with channel_of("BrowserChannel", script.url, **FAST) as channel:
        assert channel.take(1) == ["a"]
        channel.send({"n": "0"})
        channel.flush(30)


def test_retry_after_may_be_a_date(script, channel_of, log):
    def busy(request):
        then = datetime.now(UTC) + timedelta(seconds=3)
        request.reply(status="503 Busy", Retry_After=format_datetime(then, usegmt=True))

    script.on("back", busy, held([1, "a"]))
    with channel_of("BrowserChannel", script.url, logger=log, **FAST) as channel:
        assert channel.take(1) == ["a"]
    waited = float(log.text.getvalue().split("reconnecting in ")[1].split()[0])
    assert 1 <= waited <= 4


# ---- Long URLs ----


def test_a_fast_handshake_with_large_maps_opens_by_post(script, channel_of):
    script.on("back", held([1, ["a"]]))
    with channel_of("WebChannel", script.url, fast_handshake=True) as channel:
        channel.send("x" * 100_000)
        assert channel.take(1) == ["a"]
    (request,) = script.of("open")
    assert request.method == "POST"
    assert request.maps == {0: {"__data__": json.dumps("x" * 100_000)}}
