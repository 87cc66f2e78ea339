"""The development server's dialect: gaechannel.server.dev and .pollers."""

import pytest
from wire_by_hand import Peer, Talk, texts

from gaechannel.server import DEV_PATH, LocalServer


class Dev(Peer):
    def __init__(self, server, token):
        super().__init__(server, DEV_PATH)
        self.token = token
        self.client = None

    def ask(self, command, **query):
        reply = self.get("", command=command, channel=self.token, **query)
        return reply.status, reply.text

    def connect(self):
        status, self.client = self.ask("connect")
        assert status == 200
        assert self.client
        return self

    def poll(self):
        return self.ask("poll", client=self.client)


@pytest.fixture
def dev(shared, name):
    return Dev(shared, shared.create_channel(name)).connect()


def test_a_poll_is_answered_with_one_message_or_nothing(shared, dev, name):
    assert dev.poll() == (200, "")
    for text in ("one", "😀é", "", "a\ud800b"):
        shared.send_message(name, text)
    assert [dev.poll()[1] for _ in range(4)] == ["one", "😀é", "a?b", ""]


def test_messages_held_before_connect_come_and_both_dialects_hear(shared, name):
    token = shared.create_channel(name)
    shared.send_message(name, "held")
    dev = Dev(shared, token).connect()
    talk = Talk(shared, token).connect()
    shared.send_message(name, "both")
    assert [dev.poll()[1] for _ in range(2)] == ["held", "both"]
    assert texts(talk.back(CI=1).rest()) == ["both"]


def test_disconnect_ends_it(shared, dev, name):
    assert shared.service.is_connected(name)
    assert dev.ask("disconnect", client=dev.client) == (200, "")
    assert not shared.service.is_connected(name)
    assert dev.poll() == (400, "Unknown client")
    assert dev.ask("disconnect", client=dev.client) == (200, "")


def test_another_token_does_not_poll_this_client(shared, dev, name):
    other = Dev(shared, shared.create_channel(name + " other"))
    assert other.ask("poll", client=dev.client) == (400, "Unknown client")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"channel": "x"}, "command or channel is missing"),
        ({"command": "connect"}, "command or channel is missing"),
        ({"command": "connect", "channel": ""}, "token is missing"),
    ],
)
def test_a_missing_parameter_is_refused(shared, query, words):
    reply = Peer(shared, DEV_PATH).get("", **query)
    assert (reply.status, reply.text) == (400, words)


def test_an_unknown_command_or_a_missing_client_is_refused(dev):
    assert dev.ask("nonsense") == (400, "command is unknown")
    for command in ("poll", "disconnect"):
        assert dev.ask(command) == (400, "client is missing")


def test_forged_and_expired_tokens_are_refused(clock):
    with LocalServer(clock=clock) as server:
        dev = Dev(server, server.create_channel("me", 1)).connect()
        clock.now += 60
        for command in ("connect", "poll", "disconnect"):
            reply = dev.get("", command=command, channel=dev.token, client=dev.client)
            assert (reply.status, reply.reason, reply.text) == (401, "Token+timed+out.", "Token+timed+out.")
        reply = dev.get("", command="connect", channel="forged")
        assert (reply.status, reply.reason) == (401, "Invalid+token.")


def test_a_client_that_stops_polling_is_disconnected(clock):
    gone = []
    with LocalServer(clock=clock, monotonic=clock, on_disconnected=gone.append) as server:
        dev = Dev(server, server.create_channel("me")).connect()
        clock.now += 60
        server.service.sweep()
        assert dev.poll()[0] == 200
        clock.now += 60.1
        server.service.sweep()
        server.service.sweep()
        assert gone == ["me"]
        assert dev.poll() == (400, "Unknown client")


def test_a_client_that_does_not_keep_up_is_disconnected():
    with LocalServer(max_unacknowledged=100) as server:
        Dev(server, server.create_channel("me")).connect()
        for _ in range(11):
            server.send_message("me", "x" * 10)
        server.service.sweep()
        assert not server.service.is_connected("me")


def test_there_are_no_more_clients_than_sessions_allowed():
    with LocalServer(max_sessions=1) as server:
        dev = Dev(server, server.create_channel("me")).connect()
        assert dev.ask("connect") == (503, "Too many sessions")
        assert len(server.service.pollers) == 1
        server.service.forget()
        assert len(server.service.pollers) == 0
