"""Silence and slowness are two things: how long a channel waits for what."""

import asyncio
import time

import pytest
from network import Network
from scripted_server import confirmed, held, opened

from gaechannel import BrowserChannel, ChannelTimeout, Client, DevClient, WebChannel, aio

URL = "http://127.0.0.1:1/base"

pytestmark = pytest.mark.timeout(60)


def hang(request):
    request.hold()


def send_in_thread(url, maps, **options):
    with BrowserChannel(url, **options) as channel:
        channel.connect()
        for one in maps:
            channel.send(one)
        channel.flush(40)


def send_in_loop(url, maps, **options):
    async def main():
        async with aio.BrowserChannel(url, **options) as channel:
            await channel.connect()
            for one in maps:
                await channel.send(one)
            await channel.flush(40)

    asyncio.run(main())


@pytest.fixture(params=[send_in_thread, send_in_loop], ids=["sync", "aio"])
def send_all(request):
    return request.param


def url_through(network):
    return f"http://127.0.0.1:{network.port}/channel"


def test_a_request_may_take_longer_than_its_timeout_as_long_as_it_gets_on(script, send_all):
    maps = [{"text": str(number % 10) * 100_000} for number in range(20)]
    with Network(script.server.server_address[1], bytes_per_second=400_000) as network:
        began = time.monotonic()
        send_all(url_through(network), maps, request_timeout=4)
    assert time.monotonic() - began > 4
    assert script.maps == dict(enumerate(maps))
    # Each went once.
    assert sum(len(request.maps) for request in script.of("maps")) == 20


def test_a_request_that_nothing_answers_is_named_and_sent_again(script, log, send_all):
    script.on("maps", hang, confirmed())
    send_all(script.url, [{"a": "b"}], request_timeout=1.5, max_backoff=0.05, logger=log)
    # More often than once where what answers the second one has no processor for so long, but never unnamed.
    timed_out = log.text.getvalue().count(
        "The request with maps timed out: the server fell silent for 1.5 seconds"
    )
    assert timed_out >= 1
    times = [request.query["t"] for request in script.of("maps")]
    assert times == [str(number) for number in range(1, timed_out + 2)]


def test_the_request_timeout_is_not_the_back_channels(script):
    script.on("back", held([1, "a"]))
    with BrowserChannel(script.url, request_timeout=1.0) as channel:
        messages = iter(channel)
        assert next(messages) == "a"
        (request,) = script.of("back")
        time.sleep(2)  # twice as long as it may not be
        request.chunk([2, "b"])
        assert next(messages) == "b"
    assert len(script.of("back")) == 1


def test_the_back_channels_timeout_is_not_the_other_requests(script):
    def slowly(request):
        time.sleep(0.5)
        opened()(request)

    script.on("open", slowly)
    with BrowserChannel(script.url, timeout=0.1) as channel:
        channel.connect()
        assert channel.sid == "SID1"


def test_a_number_is_obeyed_also_where_the_server_announces_another(script):
    script.on("open", opened(keepalive=20))
    script.on("back", held([1, "a"]))
    with BrowserChannel(script.url, timeout=30) as channel:
        messages = iter(channel)
        assert next(messages) == "a"
        (request,) = script.of("back")
        time.sleep(0.3)  # ten times as long as the server would have it
        request.chunk([2, "b"])
        assert next(messages) == "b"
    assert len(script.of("back")) == 1


def test_an_opening_that_nothing_answers_is_given_up(script):
    script.on("open", hang)
    with (
        BrowserChannel(script.url, request_timeout=0.2) as channel,
        pytest.raises(ChannelTimeout, match="silent for"),
    ):
        channel.connect(retry=False)


MAKERS = [
    lambda **options: Client("token", base_url=URL, **options),
    lambda **options: DevClient("token", URL, **options),
    lambda **options: BrowserChannel(URL, **options),
    lambda **options: WebChannel(URL, **options),
    lambda **options: aio.Client("token", base_url=URL, **options),
    lambda **options: aio.BrowserChannel(URL, **options),
    lambda **options: aio.WebChannel(URL, **options),
]


@pytest.mark.parametrize("make", MAKERS)
def test_times_that_make_no_sense_are_refused_in_a_line(make):
    make(timeout=None, request_timeout=1)
    make(timeout=5)
    for name in ("timeout", "request_timeout", "connect_timeout", "max_backoff"):
        for value in (float("inf"), float("nan"), 0, -1.0):
            with pytest.raises(ValueError, match=f"^{name} must be a positive, finite number of seconds"):
                make(**{name: value})
        for value in ("5", [], 1j):
            with pytest.raises(TypeError, match=f"^{name} must be a number of seconds"):
                make(**{name: value})
        make(**{name: 1e10})  # which is no limit
    for name in ("request_timeout", "connect_timeout", "max_backoff"):
        with pytest.raises(TypeError, match=f"^{name} must be a number of seconds, not NoneType"):
            make(**{name: None})


def test_flush_waits_for_ever_where_it_is_told_so(script):
    script.on("maps", hang, confirmed())
    send_in_thread(script.url, [{"a": "b"}], request_timeout=0.2, max_backoff=0.05)
    with BrowserChannel(script.url) as channel:
        channel.connect()
        channel.send({"a": "b"})
        channel.flush(float("inf"))
        with pytest.raises(ValueError, match="not nan"):
            channel.flush(float("nan"))
