"""Code written for the 2011 module, as it stands in people's programs, but for Python 3's print."""

import logging
import socket
import subprocess
import sys

import pytest

import gae_channel
import gaechannel
from gaechannel.server import LocalServer


@pytest.fixture
def server(monkeypatch):
    with LocalServer() as server:
        monkeypatch.setenv("GAECHANNEL_BASE_URL", server.base_url)
        yield server


def test_the_old_name_gives_the_same_classes():
    assert gae_channel.Client is gaechannel.Client
    assert gae_channel.ChannelError is gaechannel.ChannelError
    assert gae_channel._TalkMessageCorrupted is gaechannel.TalkMessageCorrupted
    assert gae_channel.talkparser.parse("['a',,]") == ["a", None]
    assert len(gae_channel.random_string(10)) == 10


def test_the_old_docstrings_example_runs(server):
    channel = gae_channel.Client(token=server.create_channel("me"))
    server.send_message("me", "hello")
    for msg in channel.messages():
        assert msg == "hello"
        break


class WarnOnly:
    """A logger as programs around the old module have it."""

    def __init__(self):
        self.records = []

    def warn(self, s):
        self.records.append(s)


def test_a_logger_that_knows_only_warn_gets_the_warnings(server):
    logger = WarnOnly()
    token = server.create_channel("me")
    channel = gae_channel.Client(token, logger)
    server.send_message("me", "100% one")
    lpm = channel.long_poll_messages()
    assert next(lpm) == "100% one"
    server.cut()
    with pytest.raises(socket.error, match="closed before the end of the response"):
        next(lpm)
    server.send_message("me", "two")
    channel.max_reconnects = 5
    messages = channel.messages()
    assert next(messages) == "two"
    server.cut()
    server.send_message("me", "three")
    assert next(messages) == "three"
    assert any("Connection lost" in record for record in logger.records)


def run(program, server):
    command = [sys.executable, "-c", program, server.base_url, server.create_channel("me")]
    server.send_message("me", "hello")
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stderr


PROGRAM = """
import logging, sys
import gae_channel
{setup}
for _ in range(2):
    chan = gae_channel.Client(sys.argv[2], base_url=sys.argv[1])
chan.logger.setLevel(logging.DEBUG)
for msg in chan.messages():
    break
"""


def test_debug_records_are_printed_once_without_any_set_up(server):
    printed = run(PROGRAM.format(setup=""), server)
    assert printed.count("channel msg: 'hello'") == 1


def test_an_applications_own_set_up_prints_each_record_once(server):
    printed = run(PROGRAM.format(setup="logging.basicConfig(format='mine: %(message)s')"), server)
    assert printed.count("channel msg: 'hello'") == 1
    assert "mine: channel msg: 'hello'" in printed


def test_clients_share_one_handler(server):
    for _ in range(3):
        gae_channel.Client("token")
    assert len(logging.getLogger("Channel").handlers) == 1


def test_an_http_error_has_urllibs_attributes(server):
    with pytest.raises(gaechannel.InvalidToken) as raised:
        next(gae_channel.Client("forged").messages())
    assert (raised.value.code, raised.value.msg) == (401, raised.value.reason)
