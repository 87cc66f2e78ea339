"""The development server's dialect (http.dev, core.pollers), which answers as App Engine's SDK did."""

import pytest
from wire_by_hand import Peer, Talk, texts

from gaechannel.server import DEV_PATH, LocalServer


class Dev(Peer):
    """A client that polls; a test says where it sends what the SDK's own page does not."""

    def __init__(self, server, token):
        super().__init__(server, DEV_PATH)
        self.token = token

    def ask(self, command, **query):
        reply = self.get("", command=command, channel=self.token, **query)
        return reply.status, reply.text

    def connect(self):
        assert self.ask("connect") == (200, "1")
        return self

    def poll(self):
        return self.ask("poll")


@pytest.fixture
def dev(shared, name):
    return Dev(shared, shared.create_channel(name)).connect()


def answer(reply):
    return (
        reply.status,
        reply.reason,
        reply.headers["Content-Type"],
        reply.headers["Content-Length"],
        reply.text,
    )


def test_connect_answers_1_as_plain_text_however_often_it_is_said(dev):
    for _ in range(2):
        reply = dev.get("", command="connect", channel=dev.token)
        assert answer(reply) == (200, "OK", "text/plain", "1", "1")
        assert reply.headers["Cache-Control"] == "no-cache"


# HttpClient of Java's, for one, reads what has no charset as ISO 8859-1.
JSON = "application/json; charset=utf-8"


def test_a_poll_is_answered_with_one_message_as_it_is_or_with_nothing(shared, dev, name):
    poll = {"command": "poll", "channel": dev.token}
    assert answer(dev.get("", **poll)) == (200, "OK", None, "0", "")
    shared.send_message(name, "one\n")
    shared.send_message(name, "two")
    assert answer(dev.get("", **poll)) == (200, "OK", JSON, "4", "one\n")
    assert answer(dev.get("", **poll)) == (200, "OK", JSON, "3", "two")
    assert answer(dev.get("", **poll)) == (200, "OK", None, "0", "")


def test_texts_come_in_utf_8_and_an_empty_one_is_none(shared, dev, name):
    for text in ("😀é", "", "a\ud800b"):
        shared.send_message(name, text)
    assert [dev.poll()[1] for _ in range(3)] == ["😀é", "a?b", ""]


def test_a_poll_connects_and_client_means_nothing(shared, name):
    dev = Dev(shared, shared.create_channel(name))
    assert dev.poll() == (200, "")
    assert shared.service.is_connected(name)
    for number, query in enumerate(({}, {"client": ""}, {"client": "1"}, {"client": "whatever"})):
        shared.send_message(name, str(number))
        assert dev.ask("poll", **query) == (200, str(number))


def test_all_who_poll_a_client_id_share_its_queue(shared, dev, name):
    other = Dev(shared, shared.create_channel(name)).connect()
    for text in ("one", "two"):
        shared.send_message(name, text)
    assert (dev.poll()[1], other.poll()[1], dev.poll()[1]) == ("one", "two", "")


def test_messages_held_before_connect_come_and_both_dialects_hear(shared, name):
    token = shared.create_channel(name)
    shared.send_message(name, "held")
    dev = Dev(shared, token).connect()
    talk = Talk(shared, token).connect()
    shared.send_message(name, "both")
    assert [dev.poll()[1] for _ in range(2)] == ["held", "both"]
    assert texts(talk.back(CI=1).rest()) == ["both"]


def test_disconnect_is_refused_and_obeyed(shared, dev, name):
    assert shared.service.is_connected(name)
    for _ in range(2):
        assert answer(dev.get("", command="disconnect", channel=dev.token)) == (
            400,
            "Bad Request",
            None,
            "0",
            "",
        )
    assert not shared.service.is_connected(name)
    assert dev.ask("disconnect", client="x") == (400, "")
    assert dev.poll() == (200, "")
    assert shared.service.is_connected(name)


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"channel": "x"},
        {"command": "connect"},
        {"command": "poll"},
        {"command": "nonsense"},
        {"command": "nonsense", "channel": "x"},
        {"command": "", "channel": "x"},
    ],
)
def test_a_missing_parameter_or_an_unknown_command_is_a_400_without_a_word(shared, query):
    assert answer(Peer(shared, DEV_PATH).get("", **query)) == (400, "Bad Request", None, "0", "")


@pytest.mark.parametrize("command", ["connect", "poll"])
def test_bad_tokens_are_refused_in_the_reason_alone(clock, command):
    with LocalServer(clock=clock) as server:
        dev = Dev(server, server.create_channel("me", 1)).connect()
        clock.now += 60
        reply = dev.get("", command=command, channel=dev.token)
        assert answer(reply) == (401, "Token+timed+out.", None, "0", "")
        for token in ("forged", ""):
            reply = dev.get("", command=command, channel=token)
            assert answer(reply) == (401, "Invalid+token.", None, "0", "")


def test_it_is_asked_by_get_alone(dev):
    assert dev.request("POST", "", {"command": "connect", "channel": dev.token}).status == 405


def test_a_client_that_is_not_polled_any_more_is_disconnected(clock):
    gone = []
    with LocalServer(clock=clock, monotonic=clock, on_disconnected=gone.append) as server:
        dev = Dev(server, server.create_channel("me")).connect()
        clock.now += 60
        server.service.sweep()
        assert dev.poll() == (200, "")
        clock.now += 60.1
        server.service.sweep()
        server.service.sweep()
        assert gone == ["me"]
        assert len(server.service.pollers) == 0


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
        other = Dev(server, server.create_channel("other"))
        for command in ("connect", "poll"):
            assert other.ask(command) == (429, "Too many sessions")
        assert dev.poll() == (200, "")
        assert len(server.service.pollers) == 1
        server.service.forget()
        assert len(server.service.pollers) == 0
