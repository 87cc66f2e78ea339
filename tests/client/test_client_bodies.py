"""Bodies that no server should send: what a channel makes of them, in time and within bounded memory."""

import gzip
import itertools
import os
import resource
import sys
import threading
import time
import zlib

import pytest
from either import Asyncio, Sync
from hostile import (
    TalkServer,
    chunk,
    cut,
    frame,
    hang,
    hang_up,
    head,
    message,
    messages,
    ok,
    opening,
    page,
    streams,
)
from waiting import until

from gaechannel import ChannelError, ChannelTimeout, TalkMessageCorrupted

pytestmark = pytest.mark.timeout(60)

STEPS = ["page", "opening", "connect", "back"]
HTML = b"<!DOCTYPE html><html><body>It works!</body></html>"


# A sanitizer keeps what was freed, and more.
SANITIZED = os.environ.get("GAECHANNEL_SANITIZE") == "1"


def peak():
    """The most memory that this process has ever had, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return 0 if SANITIZED else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


@pytest.fixture
def memory_stays_small():
    before = peak()
    yield
    assert peak() - before < 48 * 2**20


# ---- Not what was asked for ----


@pytest.mark.parametrize("step", ["page", "opening", "back"])
def test_html_instead_of_what_was_asked_for_raises(client_of, log, step):
    with TalkServer(**{step: ok(HTML, "Content-Type: text/html")}) as server:
        with pytest.raises(ChannelError) as caught:
            next(client_of(server).messages())
        assert len(server.of(step)) == (5 if step == "back" else 1)
    assert type(caught.value) is (ChannelError if step == "page" else TalkMessageCorrupted)
    assert server.base_url in str(caught.value)
    if step == "back":
        assert sum(text.startswith("TalkMessageCorrupted") for text in log.at(30)) == 5
    else:
        assert "It works!" in str(caught.value)


def test_html_instead_of_the_reply_to_connecting_confirms_nothing(client_of, take, log):
    # Without that map the server sends no message.
    with TalkServer(connect=[ok(HTML), ok(frame("[1,2,3]"))], back=streams(messages(1, "a"))) as server:
        assert take(client_of(server), 1) == ["a"]
        one, other = server.of("connect")
        assert one.query["RID"] == other.query["RID"]
        assert (one.query["t"], other.query["t"]) == ("1", "2")
        assert one.form == other.form
    assert any("not confirmed" in text and "It works!" in text for text in log.at(30))


@pytest.mark.parametrize("step", STEPS)
def test_an_empty_body_is_survived_or_raises(client_of, take, step):
    good = streams(messages(1, "a"))
    then = {"back": good, "connect": ok(frame("[1,2,3]"))}
    with TalkServer(**{"back": good, step: [ok(b""), then[step]] if step in then else ok(b"")}) as server:
        if step in ("page", "opening"):
            with pytest.raises(ChannelError):
                next(client_of(server).messages())
        else:
            assert take(client_of(server), 1) == ["a"]


CORRUPT = {
    "4 GB": (b"4294967296\n", "limit"),
    "4 GB and a beginning": (b"4294967295\n[[1,", "limit"),
    "absurd": (b"9" * 40 + b"\n[]", "limit"),
    "endless length": (b"1" * 100_000, "limit"),
    "negative": (b"-3\n[[]", "length"),
    "hexadecimal": (b"0x10\n[]", "length"),
    "no number": (b"abc\n[]", "length"),
    "full-width digits": ("１２\n[]".encode(), "length"),
    "inside a pair": ('3\n["😀"]'.encode(), "surrogate"),
    "invalid UTF-8": (b'5\n["\xff"]', "UTF-8"),
    "overlong": (b'7\n["\xc0\xaf"]\n', "UTF-8"),
    "surrogate": (b'5\n["\xed\xa0\x80"]', "UTF-8"),
    "nested": (frame("[[1," + "[" * 100_000), "nest"),
    "nested objects": (frame("[[1," + '{"a":' * 100_000), "nest"),
    "nested holes": (frame("[[1," + "[,".join([""] * 100_000)), "nest"),
    "not an array": (frame('{"1": 2}'), ""),
    "no arrays": (frame("[1,2,3]"), ""),
    "no ids": (frame('[["1",2]]'), ""),
    "negative id": (frame("[[-1,2]]"), ""),
    "huge id": (frame("[[99999999999999999999,2]]"), ""),
    "three in an array": (frame("[[1,2,3]]"), ""),
    "NaN": (frame("[[1,NaN]]"), ""),
    "two values": (frame("[] []"), ""),
    "script": (frame("[[1,alert(1)]]"), ""),
}


@pytest.mark.parametrize(("body", "words"), CORRUPT.values(), ids=CORRUPT)
def test_a_corrupt_back_channel_is_logged_and_reopened_with_nothing_lost(
    client_of, take, log, memory_stays_small, body, words
):
    # Where it is a chunk that is broken, and not what stands in its place, a second time is one too many.
    again = [] if words in {"limit", "surrogate", "UTF-8"} else [ok(body)]
    with TalkServer(
        back=[ok(messages(1, "a")), ok(messages(2, "b") + body), *again, streams(messages(3, "c"))]
    ) as server:
        assert take(client_of(server), 3) == ["a", "b", "c"]
        assert [request.query["AID"] for request in server.of("back")] == ["0", "1", "2", *["2"] * len(again)]
        assert len(server.of("opening")) == 1
    said = [text for text in log.at(30) if text.startswith("TalkMessageCorrupted")]
    assert len(said) == 1 + len(again)
    assert all(words in text for text in said)


@pytest.mark.parametrize("body", [body for body, _ in CORRUPT.values()], ids=CORRUPT)
def test_a_corrupt_opening_reply_raises(client_of, memory_stays_small, body):
    with TalkServer(opening=ok(body)) as server:
        with pytest.raises(TalkMessageCorrupted):
            next(client_of(server).messages())
        assert len(server.of("opening")) == 1


def test_a_back_channel_that_is_always_corrupt_raises(client_of):
    with TalkServer(back=ok(b"oops\n")) as server:
        started = time.monotonic()
        with pytest.raises(TalkMessageCorrupted):
            next(client_of(server).messages())
        assert time.monotonic() - started < 5
        assert 1 < len(server.of("back")) < 10


def test_a_corrupt_chunk_counts_for_nothing(client_of, take):
    half = frame(f"[{message(1, 'x')},{message(2, 'y')},[3,oops]]")
    with TalkServer(back=[ok(half), streams(messages(1, "a", "b", "c"))]) as server:
        client = client_of(server)
        assert take(client, 3) == ["a", "b", "c"]
        assert [request.query["AID"] for request in server.of("back")] == ["0", "0"]
        assert client.stats.chunks == 4


def test_long_poll_messages_raises_what_is_corrupt_after_what_was_sound(client_of):
    with TalkServer(back=ok(messages(1, "a") + b"oops\n")) as server:
        iterator = client_of(server).long_poll_messages()
        assert next(iterator) == "a"
        with pytest.raises(TalkMessageCorrupted):
            next(iterator)


# ---- Framed or bare ----


@pytest.mark.parametrize(
    "body",
    [
        b'[[0,["c","SID1",,8]]]',
        b'\n [[0,["c","SID1","",8]]]\n',
        frame('[[0,["c","SID1","",8]]]'),
        frame('[[0,["c","SID1"]]]') + frame("[]"),
        b'19 \r\n[[0,["c","SID1"]]]\n',
        frame("[[0,['c','SID1']]]"),
        frame('[[0,["c","\\x53ID\\u0031"]]]'),
    ],
)
def test_an_opening_reply_may_be_framed_or_bare(client_of, body):
    with TalkServer(opening=ok(body)) as server:
        client = client_of(server)
        client._fetch_sid()
        assert client.sid == "SID1"


@pytest.mark.parametrize(
    "body",
    [
        b'[[0,["c","SID1"]]',
        b'[[0,["c","SID1"]]] x',
        b'30\n[[0,["c","SID1"]]]',
        b"3",
        b'[[0,["c","\xff"]]]',
        b"[[1,2]]",
        b'[[0,["d","SID1"]]]',
        b'[[0,["c",7]]]',
        b'[[0,["c",""]]]',
    ],
)
def test_an_opening_reply_that_names_no_session_raises(client_of, body):
    with TalkServer(opening=ok(body)) as server:
        client = client_of(server)
        with pytest.raises(ChannelError):
            client._fetch_sid()
        assert client.sid is None


def test_arrays_in_the_opening_reply_count(client_of, take):
    with TalkServer(
        opening=ok(opening("SID1", message(1, "early"), '[2,["noop"]]')), back=streams(messages(3, "late"))
    ) as server:
        assert take(client_of(server), 2) == ["early", "late"]
        assert [request.query["AID"] for request in server.requests[2:]] == ["2", "2"]


# ---- Slow, silent, gone ----


@pytest.mark.parametrize("step", STEPS)
def test_a_server_that_accepts_and_says_nothing_is_given_up_within_the_timeout(client_of, step):
    with TalkServer(**{step: hang}) as server:
        client = client_of(server, timeout=2.0, request_timeout=2.0, max_reconnects=0)
        started = time.monotonic()
        with pytest.raises(ChannelTimeout) as caught:
            next(client.messages())
        assert 1.9 < time.monotonic() - started < 20
        assert isinstance(caught.value, TimeoutError)
        assert isinstance(caught.value, OSError)
        # What was asked may still lie in the socket.
        until(lambda: server.of(step))
        assert len(server.of(step)) == 1


def trickle(body, seconds):
    """One byte at a time, with so much time between."""

    def answer(_request, peer):
        peer.start()
        for at in range(len(body)):
            peer.send(body[at : at + 1])
            peer.pause(seconds)
        peer.until_gone()

    return answer


@pytest.mark.parametrize("step", ["page", "opening", "connect"])
def test_a_reply_that_trickles_is_given_up_within_the_timeout(client_of, step):
    # Each byte comes in time; the whole does not.
    with TalkServer(**{step: trickle(b" " * 10_000, 0.1)}) as server:
        started = time.monotonic()
        with pytest.raises(ChannelTimeout):
            next(client_of(server, request_timeout=2.0, max_reconnects=0).messages())
        assert time.monotonic() - started < 20


def test_a_back_channel_that_trickles_is_alive(client_of, take):
    body = messages(1, "slow but sure")
    with TalkServer(back=trickle(body, 0.1)) as server:
        assert take(client_of(server, timeout=2.0), 1) == ["slow but sure"]
        assert len(server.of("back")) == 1


def test_a_back_channel_that_falls_silent_is_replaced(client_of, take, log):
    with TalkServer(back=[streams(messages(1, "a")), streams(messages(2, "b"))]) as server:
        assert take(client_of(server, timeout=2.0), 2) == ["a", "b"]
        first, second = server.of("back")
        assert second.query["AID"] == "1"
        assert second.query["t"] == "2"
        assert second.at - first.at >= 1.9
    assert any("timed out" in text for text in log.at(30))


def test_silence_from_the_start_is_tried_again_once_a_back_channel_was_answered(client_of, take):
    with TalkServer(back=[ok(b""), hang, streams(messages(1, "a"))]) as server:
        assert take(client_of(server, timeout=0.3), 1) == ["a"]


@pytest.mark.parametrize("end", [cut, hang_up])
def test_back_channels_that_break_at_once_are_reopened_after_the_backoff(client_of, take, end):
    with TalkServer(back=[ok(messages(1, "a")), *[end] * 4, streams(messages(2, "b"))]) as server:
        assert take(client_of(server, max_backoff=0.1), 2) == ["a", "b"]
        # libcurl itself asks once more where a connection that was in use breaks.
        waits = [later.at - earlier.at for earlier, later in itertools.pairwise(server.of("back"))]
        assert sum(wait >= 0.045 for wait in waits) >= 3


def test_a_server_that_ends_every_back_channel_at_once_is_not_asked_in_a_busy_loop(client_of, take):
    ends = [ok(b"")] * 12
    with TalkServer(back=[*ends, streams(messages(1, "a"))]) as server:
        started = time.monotonic()
        assert take(client_of(server, max_backoff=0.2), 1) == ["a"]
        assert len(server.of("back")) == 13
        # The first few are reopened at once, the others each after 0.1 s or more.
        assert time.monotonic() - started >= 9 * 0.1


def test_back_channels_that_bring_something_are_reopened_at_once(client_of, take):
    with TalkServer(back=[ok(messages(n, f"m{n}")) for n in range(1, 101)]) as server:
        started = time.monotonic()
        assert take(client_of(server, max_backoff=30), 100) == [f"m{n}" for n in range(1, 101)]
        assert time.monotonic() - started < 20  # and not a hundred times half a second or more


# ---- Cut anywhere ----


def test_each_message_comes_once_and_in_order_wherever_the_back_channel_is_cut(client_of, take):
    texts = ["plain", "é€😀", 'esc "\\" \u2028', "last"]

    def cut_at(position):
        def answer(_request, peer):
            peer.start()
            peer.send(body[:position])
            (peer.cut if position % 2 else peer.close)()

        return answer

    def rest(request, peer):
        number = int(request.query["AID"]) + 1
        peer.start()
        peer.send(messages(number, *texts[number - 1 :]))
        peer.until_gone()

    body = messages(1, *texts)
    for position in range(len(body) + 1):
        with TalkServer(back=[cut_at(position), rest]) as server:
            client = client_of(server, max_backoff=0.001)
            assert take(client, 4) == texts, position
            aids = [int(request.query["AID"]) for request in server.of("back")]
            assert aids[0] == 0
            assert aids == sorted(aids)
            client.close()


# ---- Compression ----


def gzipped(data):
    return head("200 OK", "Content-Encoding: gzip", length=len(data := gzip.compress(data, 9))) + data


def test_compressed_bodies_are_read(client_of, take):
    with TalkServer(
        page=gzipped(page()),
        opening=gzipped(opening()),
        connect=gzipped(frame("[1,2,3]")),
        back=[gzipped(messages(1, "a")), gzipped(messages(2, "b"))],
    ) as server:
        assert take(client_of(server), 2) == ["a", "b"]
        assert all("gzip" in request.headers["accept-encoding"] for request in server.requests)


def test_a_compressed_back_channel_that_is_flushed_comes_at_once(client_of):
    def answer(_request, peer):
        peer.start("Content-Encoding: gzip")
        packer = zlib.compressobj(wbits=31)
        for body in (messages(1, "a"), messages(2, "b")):
            peer.send(packer.compress(body) + packer.flush(zlib.Z_SYNC_FLUSH))
            peer.wait(taken)
            taken.clear()

    taken = threading.Event()
    with TalkServer(back=answer) as server:
        iterator = client_of(server).messages()
        for text in "ab":
            assert next(iterator) == text
            taken.set()


@pytest.mark.parametrize("step", STEPS)
def test_a_bomb_takes_bounded_memory(client_of, step):
    spaces = gzip.compress(b" " * 2**28, 9)
    with TalkServer(
        **{step: head("200 OK", "Content-Encoding: gzip", length=len(spaces)) + spaces}
    ) as server:
        client = client_of(server, max_reconnects=0, max_chunk_size=2**20)
        before = peak()
        if step != "back":
            with pytest.raises(ChannelError):
                next(client.messages())
        else:
            # Blank lines before a length are allowed: nothing is kept of them.
            iterator = client.long_poll_messages()
            assert list(iterator) == []
        assert peak() - before < 40 * 2**20


def test_a_bomb_of_messages_is_paused_and_all_come(client_of):
    count = 300_000
    body = gzip.compress(messages(1, *["x" * 90] * count), 9)
    with TalkServer(back=head("200 OK", "Content-Encoding: gzip", length=len(body)) + body) as server:
        client = client_of(server, queue_limit=64 * 1024)
        before = peak()
        iterator = client.long_poll_messages()
        next(iterator)
        # Whoever does not take keeps it waiting.
        assert client.stats.messages < count
        assert 1 + sum(1 for _ in iterator) == count
        assert peak() - before < 80 * 2**20


@pytest.mark.parametrize(
    "body", [b"not gzip at all", gzip.compress(messages(1, "x"))[:-12]], ids=["none", "cut"]
)
def test_broken_compression_breaks_the_back_channel_only(client_of, take, body):
    broken = head("200 OK", "Content-Encoding: gzip", length=len(body)) + body
    with TalkServer(back=[ok(messages(1, "a")), broken, streams(messages(2, "b"))]) as server:
        got = take(client_of(server), 2)
    # What came through before the stream broke may have counted.
    assert got in (["a", "b"], ["a", "x"])


# ---- A consumer that is slow ----


@pytest.mark.parametrize("face", [Sync, Asyncio], ids=["sync", "aio"])
@pytest.mark.parametrize("fault", ["framing", "gzip", "garbage"])
def test_what_is_wrong_behind_a_pause_is_found_though_nothing_more_comes(face, fault):
    """What libcurl keeps during a pause is handed over when the transfer goes on, outside of its own loop."""
    count = 400
    sound = messages(1, *[f"{n} {'x' * 90}" for n in range(1, count + 1)])
    wrong = {
        "framing": sound + b"no length\n",
        "gzip": gzip.compress(sound, 0) + b"\x1f\x8b\x08\xff",  # a head with flags that nobody knows
        "garbage": gzip.compress(sound, 0) + b"no member",
    }[fault]

    def answer(_request, peer):
        peer.start(*(["Content-Encoding: gzip"] if fault != "framing" else []))
        peer.send(wrong)
        peer.until_gone()

    with TalkServer(back=[answer, streams(messages(count + 1, "the rest"))]) as server:
        options = {"timeout": 600.0, "max_backoff": 0.02, "queue_limit": 1000}
        with face("Client", "token", base_url=server.base_url, **options) as channel:
            assert channel.take(1) == [f"1 {'x' * 90}"]
            assert channel.stats.messages < count
            assert [int(text.split()[0]) for text in channel.take(count - 1)] == list(range(2, count + 1))
            assert channel.take(1) == ["the rest"]


def test_a_slow_consumer_pauses_the_transfer_and_loses_nothing(client_of):
    count = 40_000
    sent = []

    def answer(_request, peer):
        peer.start()
        for first in range(1, count + 1, 100):
            peer.send(messages(first, *[f"{n} {'x' * 500}" for n in range(first, first + 100)]))
            sent.append(first)
        peer.until_gone()

    with TalkServer(back=answer) as server:
        client = client_of(server, queue_limit=100_000, timeout=2.0)
        before = peak()
        iterator = client.messages()
        assert next(iterator).startswith("1 ")
        # 22 MB do not fit the sockets' buffers: the sender is held up, with no end of the wait in sight ...
        length = until(lambda: (len(sent), time.sleep(0.3))[0] == len(sent) and len(sent))
        assert length < count / 100
        # ... and for longer than the timeout, which does not run meanwhile.
        time.sleep(2.3)
        assert client.stats.messages < 1000
        for number in range(2, count + 1):
            assert next(iterator).startswith(f"{number} ")
        assert len(server.of("back")) == 1
        assert peak() - before < 40 * 2**20


def test_a_message_larger_than_the_queue_limit_still_comes(client_of, take):
    big = "x" * 300_000
    with TalkServer(back=streams(messages(1, big, "a", big))) as server:
        assert take(client_of(server, queue_limit=1000), 3) == [big, "a", big]


def test_a_chunk_over_the_limit_is_corrupt_and_one_at_the_limit_is_not(client_of):
    body = chunk(message(1, "😀" * 50))
    units = int(body.partition(b"\n")[0])
    with TalkServer(back=ok(body)) as server:
        client = client_of(server, max_chunk_size=units)
        assert next(client.messages()) == "😀" * 50
        client = client_of(server, max_chunk_size=units - 1)
        with pytest.raises(TalkMessageCorrupted, match="limit"):
            next(client.messages())


@pytest.mark.parametrize("step", ["connect", "back"])
def test_once_the_session_is_open_a_cut_is_mended(client_of, take, step):
    good = {"connect": ok(frame("[1,0,0]")), "back": streams(messages(1, "a"))}
    with TalkServer(**{**good, step: [cut, cut, good[step]]}) as server:
        assert take(client_of(server), 1) == ["a"]
        assert len(server.of("opening")) == 1
        # The same request again, one attempt later.
        assert {request.query["RID"] for request in server.of(step)} == {"2" if step == "connect" else "rpc"}
