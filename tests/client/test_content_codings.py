"""Content codings: gzip and deflate as servers and proxies make them, in each of a channel's responses."""

import contextlib
import gzip
import logging
import threading
import zlib

import pytest
from either import Asyncio, Sync
from hostile import TalkServer, frame, head, messages, ok, opening, page, streams
from nghttpx import Proxy, nghttpx
from tls import certified

from gaechannel import TransportError

pytestmark = pytest.mark.timeout(60)

TEXTS = ["a", "b", "c"]
BODIES = [messages(number, text) for number, text in enumerate(TEXTS, 1)]
EITHER = pytest.mark.parametrize("face", [Sync, Asyncio], ids=["sync", "aio"])


@pytest.fixture
def channel_of():
    """Make clients of a server, synchronous or asyncio's; all are closed at the end."""
    with contextlib.ExitStack() as made:

        def make(face, server, **options):
            options = {"base_url": server.base_url, "timeout": 10.0, "max_backoff": 0.02, **options}
            return made.enter_context(face("Client", "t0ken-secret", **options))

        yield make


def zlib_stream(data, wbits=15):
    packer = zlib.compressobj(wbits=wbits)
    return packer.compress(data) + packer.flush()


def raw_deflate(data):
    return zlib_stream(data, -15)


def coded(coding, data):
    return head("200 OK", f"Content-Encoding: {coding}", length=len(data)) + data


def in_steps(pieces, coding="gzip"):
    """A back channel that sends a piece when what was in the one before has been taken."""
    taken = threading.Event()

    def answer(_request, peer):
        peer.start(f"Content-Encoding: {coding}")
        for piece in pieces:
            peer.send(piece)
            peer.wait(taken)
            taken.clear()
        peer.until_gone()

    return answer, taken.set


@EITHER
@pytest.mark.parametrize(
    ("coding", "pack"),
    [("gzip", gzip.compress), ("x-gzip", gzip.compress), ("deflate", zlib_stream)],
)
def test_a_member_for_each_chunk_comes_as_soon_as_it_is_there(channel_of, face, coding, pack):
    answer, take = in_steps([pack(body) for body in BODIES], coding)
    with TalkServer(back=answer) as server:
        channel = channel_of(face, server)
        for text in TEXTS:
            assert channel.take(1) == [text]
            take()
        assert len(server.of("back")) == 1


@EITHER
def test_members_in_a_row_are_read_in_each_response(channel_of, face):
    def halves(data):
        middle = len(data) // 2
        return coded("gzip", gzip.compress(data[:middle]) + gzip.compress(data[middle:]))

    with TalkServer(
        page=halves(page()),
        opening=halves(opening()),
        connect=halves(frame("[1,2,3]")),
        back=halves(b"".join(BODIES)),
    ) as server:
        assert channel_of(face, server).take(3) == TEXTS
        assert {request.headers["accept-encoding"] for request in server.requests} == {"gzip, deflate"}
        assert all(len(server.of(step)) == 1 for step in ("page", "opening", "connect"))


@EITHER
@pytest.mark.parametrize(
    ("coding", "data"),
    [
        ("deflate", raw_deflate(b"".join(BODIES))),
        ("gzip", gzip.compress(b"".join(BODIES)) + bytes(512)),
        ("gzip", gzip.compress(b"".join(BODIES)) + b"\r\n"),
        ("deflate", raw_deflate(b"".join(BODIES)) + b"\1\2\3\4"),
        ("gzip, gzip", gzip.compress(gzip.compress(BODIES[0]) + gzip.compress(BODIES[1] + BODIES[2]))),
        ("utf-8", b"".join(BODIES)),
        ("identity", b"".join(BODIES)),
        ("none", b"".join(BODIES)),
    ],
    ids=["raw", "padding", "garbage", "adler", "twice", "utf-8", "identity", "none"],
)
def test_what_browsers_read_is_read(channel_of, face, coding, data):
    with TalkServer(back=[coded(coding, data), streams()]) as server:
        assert channel_of(face, server).take(3) == TEXTS


def test_members_may_be_cut_anywhere(client_of, take):
    data = gzip.compress(BODIES[0]) + gzip.compress(BODIES[1]) + gzip.compress(BODIES[2])

    def byte_by_byte(_request, peer):
        peer.start("Content-Encoding: gzip")
        for position in range(len(data)):
            peer.send(data[position : position + 1])
        peer.until_gone()

    with TalkServer(back=byte_by_byte) as server:
        assert take(client_of(server), 3) == TEXTS
        assert len(server.of("back")) == 1


@EITHER
def test_garbage_behind_a_member_does_not_make_deaf(channel_of, face):
    """What follows it on the same response would be ignored: another response is asked for."""

    def answer(_request, peer):
        peer.start("Content-Encoding: gzip")
        peer.send(gzip.compress(BODIES[0]) + b"garbage")
        peer.until_gone()

    with TalkServer(back=[answer, streams(BODIES[1])]) as server:
        assert channel_of(face, server).take(2) == TEXTS[:2]


@EITHER
def test_a_slow_reader_of_many_members_loses_nothing(channel_of, face):
    """A member expands to a hundred times of what may be queued."""
    count = 20_000
    first = messages(1, *[f"{n} {'x' * 90}" for n in range(1, count + 1)])
    second = messages(count + 1, *[f"{n} {'x' * 90}" for n in range(count + 1, 2 * count + 1)])
    data = gzip.compress(first) + gzip.compress(second)
    with TalkServer(back=[coded("gzip", data), streams()]) as server:
        channel = channel_of(face, server, queue_limit=20_000)
        assert channel.take(1) == [f"1 {'x' * 90}"]
        # Nothing more comes in until something is taken.
        assert channel.stats.messages < count
        rest = channel.take(2 * count - 1)
        assert [int(text.split()[0]) for text in rest] == list(range(2, 2 * count + 1))
        assert channel.stats.messages == 2 * count


@EITHER
@pytest.mark.http2
@pytest.mark.skipif(nghttpx is None, reason="nghttpx is not installed (Debian: nghttp2-proxy)")
def test_a_slow_reader_of_many_members_loses_nothing_over_http2(channel_of, face, tmp_path):
    """A stream that is too much is given up there, and asked for again: what was decoded of it is dropped."""
    count = 300
    members = [gzip.compress(messages(n, f"{n} {'x' * 9000}")) for n in range(1, count + 1)]

    def rest(request, peer):
        peer.start("Content-Encoding: gzip")
        peer.send(b"".join(members[int(request.query["AID"]) :]))
        peer.until_gone()

    with TalkServer(back=rest) as server, Proxy(certified(tmp_path), server.port) as proxy:
        options = {"verify": str(tmp_path / "ca.pem"), "queue_limit": 20_000}
        channel = channel_of(face, server, base_url=proxy.url + "/talkgadget", **options)
        assert [int(text.split()[0]) for text in channel.take(count)] == list(range(1, count + 1))
        assert len(server.of("back")) > 1


@EITHER
@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, compress"])
@pytest.mark.parametrize("step", ["page", "opening", "back"])
def test_a_coding_that_was_not_asked_for_is_named(channel_of, face, step, coding):
    with TalkServer(**{step: coded(coding, b"\x1b\x03\x00")}) as server:
        channel = channel_of(face, server)
        with pytest.raises(TransportError, match=coding.rpartition(" ")[2]) as raised:
            channel.take(1)
    assert "content coding" in str(raised.value)
    assert raised.value.curl_code == 61


@EITHER
def test_a_damaged_member_breaks_the_back_channel_only_and_says_so(channel_of, face, caplog):
    caplog.set_level(logging.WARNING)
    damaged = bytearray(gzip.compress(BODIES[1]))
    damaged[-6] ^= 1  # of the check sum
    data = gzip.compress(BODIES[0]) + bytes(damaged) + gzip.compress(BODIES[2])
    with TalkServer(back=[coded("gzip", data), streams(BODIES[2])]) as server:
        assert channel_of(face, server).take(3) == TEXTS
        assert [request.query["AID"] for request in server.of("back")] == ["0", "2"]
    assert "the compressed response is corrupt: incorrect data check" in caplog.text


@EITHER
@pytest.mark.parametrize("length", [1, 5, -12, -1])
def test_a_member_that_is_cut_off_loses_nothing(channel_of, face, length):
    """A browser reads what there is, and so does a channel: chunks have lengths of their own."""

    def rest(request, peer):
        peer.start()
        peer.send(b"".join(BODIES[int(request.query["AID"]) :]))
        peer.until_gone()

    data = gzip.compress(BODIES[0] + BODIES[1])[:length]
    with TalkServer(back=[coded("gzip", data), rest]) as server:
        assert channel_of(face, server).take(3) == TEXTS


@EITHER
@pytest.mark.parametrize(("coding", "data"), [("br", b"\x0b\x02\x80"), ("gzip", b"not gzip")])
def test_the_status_counts_where_an_errors_page_cannot_be_decoded(channel_of, face, coding, data):
    refusal = head("400 Bad Request", f"Content-Encoding: {coding}", length=len(data)) + data
    with TalkServer(back=[refusal, streams(BODIES[0])]) as server:
        assert channel_of(face, server).take(1) == TEXTS[:1]
        assert len(server.of("opening")) == 2, "a 400 means that the session is lost"


def test_the_callers_own_word_goes_before(client_of, take):
    plain = {"page": ok(page()), "opening": ok(opening())}
    with TalkServer(**plain, back=streams(*BODIES)) as server:
        client = client_of(server, headers={"Accept-Encoding": "identity"})
        assert take(client, 3) == TEXTS
        assert {request.headers["accept-encoding"] for request in server.requests} == {"identity"}
