"""A proxy that holds responses back: nginx as it is set up when new, before the local server."""

import asyncio
import logging
import os
import shutil
import signal
import socket
import subprocess

import pytest

import gaechannel
from gaechannel import aio
from gaechannel.server import LocalServer

pytestmark = pytest.mark.timeout(90)

# What nginx needs to run as anybody, in a folder of its own; of proxy_pass nothing but the address.
CONFIGURATION = """
daemon off;
pid {folder}/pid;
error_log {folder}/errors;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/client;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass {upstream}; {more} }}
    }}
}}
"""


# Our server asks nginx not to buffer; others do not.
IGNORING = "proxy_ignore_headers X-Accel-Buffering;"


@pytest.fixture
def nginx(tmp_path):
    """Start nginx before a server; the value is the proxy's own address."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        pytest.skip("nginx is not there (Debian: nginx-light)")
    running = []

    def start(upstream, more=IGNORING):
        with socket.socket() as place:
            place.bind(("127.0.0.1", 0))
            port = place.getsockname()[1]
        (tmp_path / "conf").write_text(
            CONFIGURATION.format(folder=tmp_path, port=port, upstream=upstream, more=more), encoding="utf-8"
        )
        command = [program, "-p", tmp_path, "-e", tmp_path / "errors", "-c", tmp_path / "conf"]
        running.append(subprocess.Popen(command))
        while True:
            assert running[-1].poll() is None, (tmp_path / "errors").read_text(encoding="utf-8")
            try:
                socket.create_connection(("127.0.0.1", port)).close()
            except ConnectionRefusedError:
                continue
            return f"http://127.0.0.1:{port}"

    yield start
    for process in running:
        process.send_signal(signal.SIGTERM)
        process.wait()


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
        yield running


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
