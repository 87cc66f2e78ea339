"""HTTP/2 as servers speak it that refuse streams and go away."""

import asyncio
import itertools
import ssl

import pytest
import trustme
from http2_server import Http2Server, gone_away, refused
from scripted_server import brought, confirmed, held, opened, status
from waiting import until

from gaechannel import BrowserChannel, aio

pytestmark = [pytest.mark.http2, pytest.mark.timeout(60)]


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    authority = trustme.CA()
    authority.file = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(authority.file)
    return authority


@pytest.fixture
def context(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def script(context):
    with Http2Server(context) as server:
        yield server


@pytest.fixture
def options(authority):
    return {"verify": str(authority.file), "max_backoff": 0.2, "timeout": 5}


@pytest.fixture(params=["sync", "aio"])
def receive(request, options):
    """Send a map, and take so many messages: by either way."""

    def in_thread(url, count):
        with BrowserChannel(url, **options) as channel:
            channel.send({"a": "b"})
            found = list(itertools.islice(channel, count))
            channel.flush(20)
            return found

    async def in_loop(url, count):
        async with aio.BrowserChannel(url, **options) as channel:
            await channel.send({"a": "b"})
            messages = channel.messages()
            found = [await anext(messages) for _ in range(count)]
            await channel.flush(20)
            return found

    return in_thread if request.param == "sync" else lambda *args: asyncio.run(in_loop(*args))


@pytest.mark.parametrize("not_heard", [refused, gone_away])
@pytest.mark.parametrize("times", [1, 2, 12])
def test_a_request_that_the_server_took_no_notice_of_is_sent_again(script, receive, not_heard, times):
    script.on("open", *[not_heard] * times, opened())
    script.on("back", *[not_heard] * times, brought([1, ["x"]]), held([2, ["y"]]))
    assert receive(script.url, 2) == [["x"], ["y"]]
    assert len(script.of("open")) == times + 1
    # The same request, and how often it was sent.
    assert len({request.query["RID"] for request in script.of("open")}) == 1
    assert [request.query["t"] for request in script.of("back")] == [
        *(str(1 + number) for number in range(times + 1)),
        "1",
    ]


def test_maps_that_the_server_took_no_notice_of_are_sent_again(script, options):
    script.on("maps", refused, refused, gone_away, gone_away, confirmed())
    with BrowserChannel(script.url, **options) as channel:
        channel.connect()
        channel.send({"a": "b"})
        channel.flush(20)
    assert script.maps == {0: {"a": "b"}}
    assert len(script.of("maps")) == 5


@pytest.mark.parametrize("not_heard", [refused, gone_away])
def test_that_the_channel_is_closed_is_said_again_to_a_server_that_took_no_notice(script, receive, not_heard):
    # close() waits a second for the answer, which may be too short for three connections on a busy machine,
    # but not each time.
    for _ in range(5):
        script.requests.clear()
        script.on("open", opened())
        script.on("back", brought([1, ["x"]]), held([2, ["y"]]))
        script.on("terminate", not_heard, not_heard, status("200 OK"))
        assert receive(script.url, 2) == [["x"], ["y"]]
        if len(script.of("terminate")) == 3:
            return
    pytest.fail(f"no third request: {[request.kind for request in script.requests]}")


def test_a_server_that_refuses_everything_is_given_up(script, options):
    script.on("open", refused)
    with (
        BrowserChannel(script.url, **options) as channel,
        pytest.raises(OSError, match="refused the request"),
    ):
        channel.connect(retry=False)


def test_channels_find_their_places_where_few_streams_go_on_a_connection(context, options):
    async def main(url):
        channels = [aio.BrowserChannel(url, **options) for _ in range(60)]
        for number, channel in enumerate(channels):
            await channel.send({"a": str(number)})
        got = await asyncio.gather(*(anext_of(channel.messages()) for channel in channels))
        assert got == [["x"]] * 60
        await asyncio.gather(*(channel.flush(20) for channel in channels))
        for channel in channels:
            await channel.send({"b": "c"})
        await asyncio.gather(*(channel.flush(20) for channel in channels))
        # Each waits a second for its answer, which is too short for all at once on a busy machine.
        for first in range(0, 60, 6):
            await asyncio.gather(*(channel.close() for channel in channels[first : first + 6]))

    with Http2Server(context, streams=5) as script:
        script.on("back", held([1, ["x"]]))
        asyncio.run(main(script.url))
        until(lambda: len(script.of("terminate")) == 60)


async def anext_of(iterator):
    return await anext(iterator)
