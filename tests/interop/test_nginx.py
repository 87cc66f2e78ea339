"""A proxy that holds responses back: nginx as it is set up when new, before the local server."""

import asyncio
import logging

import pytest
from in_utf8 import in_utf8
from nginx import IGNORING, started

import gaechannel
from gaechannel import aio
from gaechannel.server import LocalServer

pytestmark = pytest.mark.timeout(90)


@pytest.fixture
def nginx(tmp_path):
    with started(tmp_path) as start:
        yield start


def echo(session):
    """Give a session back the maps that it sends."""
    session.on_map = lambda fields: session.send({"back": fields})


def echo_messages(session):
    """The same of a WebChannel's messages."""
    session.on_map = lambda fields: None
    session.on_message = lambda data: session.send({"back": data})


@pytest.fixture
def server():
    with LocalServer() as running:
        running.browserchannel.on_session = echo
        yield in_utf8(running)


TEXTS = [f"{number}: é 😀" for number in range(20)]


@pytest.mark.parametrize("more", ["", IGNORING], ids=["asked not to", "buffering"])
def test_messages_come_one_by_one_through_it(server, nginx, more):
    """Each is sent when the one before has come: none waits for the back channel's end."""
    base = nginx(server.url, more)
    token = server.create_channel("me")
    with gaechannel.Client(token, base_url=f"{base}/talkgadget", timeout=1.0) as client:
        messages = client.messages()
        for text in TEXTS:
            server.send_message("me", text)
            assert next(messages) == text
        assert client.stats.messages == len(TEXTS)


@pytest.mark.parametrize("options", [{}, {"fast_handshake": True}], ids=["plain", "fast handshake"])
def test_two_way_channels_get_their_answers_through_it(server, nginx, options):
    base = nginx(server.url)
    server.webchannel.on_session = echo_messages
    with gaechannel.WebChannel(f"{base}/webchannel", timeout=1.0, **options) as channel:
        answers = iter(channel)
        for text in TEXTS:
            channel.send({"text": text})
            assert next(answers) == {"back": {"text": text}}


def test_asynchronous_channels_get_their_answers_through_it(server, nginx):
    base = nginx(server.url)

    async def listen():
        async with aio.BrowserChannel(f"{base}/channel", timeout=1.0) as channel:
            answers = aiter(channel)
            for text in TEXTS:
                await channel.send({"text": text})
                assert await anext(answers) == {"back": {"text": text}}

    asyncio.run(listen())


def test_what_comes_at_the_end_of_each_response_tells_of_the_proxy_too(nginx, caplog):
    """No response is silent for longer than its time; but each holds all back until the server ends it."""
    logger = logging.getLogger("behind nginx")
    with LocalServer(backchannel_seconds=1.5) as server:
        server.browserchannel.on_session = echo
        with gaechannel.BrowserChannel(
            f"{nginx(server.url)}/channel", timeout=20.0, logger=logger
        ) as channel:
            answers = iter(channel)
            for text in TEXTS:
                channel.send({"text": text})
                assert next(answers) == {"back": {"text": text}}
            # Not each at the end of a response of a second and a half.
            assert channel.stats.reconnects > len(TEXTS) / 2
    assert (
        sum("a proxy seems to hold responses back" in record.getMessage() for record in caplog.records) == 1
    )
