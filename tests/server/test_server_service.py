"""gaechannel.server.core.service: what google.appengine.api.channel was, and its limits."""

import asyncio
import threading

import pytest

from gaechannel.server import (
    ChannelService,
    Error,
    InvalidChannelClientIdError,
    InvalidChannelTokenDurationError,
    InvalidMessageError,
    Refusal,
)
from gaechannel.server.core.sessions import Opening
from gaechannel.server.core.talk_session import TalkSession

CONNECT = {"m": '["connect-add-client"]'}


class Ear:
    """A listener that remembers."""

    def __init__(self):
        self.heard = []

    def hear(self, message, literal):
        self.heard.append(message)


@pytest.fixture
def service(clock):
    return ChannelService(clock=clock, monotonic=clock)


@pytest.mark.parametrize("client_id", ["a", "x" * 256, "é" * 128, "😀" * 64, "gc1.not a token", " "])
def test_client_ids_up_to_256_bytes_are_taken(service, client_id):
    assert service.read_token(service.create_channel(client_id)).client_id == client_id
    service.send_message(client_id, "hi")


def test_a_client_id_that_looks_like_a_token_is_a_client_id(service):
    service.send_message("gc1.looks.alike", "hi")
    assert not service.is_connected("gc1.looks.alike")


@pytest.mark.parametrize("client_id", ["", "x" * 257, "é" * 129, "\ud800", None, 1, b"me", []])
def test_other_client_ids_are_refused(service, client_id):
    with pytest.raises(InvalidChannelClientIdError):
        service.create_channel(client_id)
    with pytest.raises(InvalidChannelClientIdError):
        service.send_message(client_id, "hi")


@pytest.mark.parametrize(("minutes", "seconds"), [(None, 7200), (1, 60), (1440, 86400)])
def test_a_token_lives_120_minutes_unless_asked_otherwise(service, clock, minutes, seconds):
    token = service.create_channel("me", minutes)
    assert service.read_token(token).expires == clock.now + seconds


@pytest.mark.parametrize("minutes", [0, -1, 1441, 1.5, "60", True])
def test_other_lifetimes_are_refused(service, minutes):
    with pytest.raises(InvalidChannelTokenDurationError):
        service.create_channel("me", minutes)


@pytest.mark.parametrize("message", ["", "x" * 32767, "é" * 16383, "😀" * 8191, "\ud800"])
def test_messages_up_to_32767_bytes_are_taken(service, message):
    service.send_message("me", message)


@pytest.mark.parametrize("message", ["x" * 32768, "é" * 16384, "😀" * 8192, None, b"hi", 1])
def test_other_messages_are_refused(service, message):
    with pytest.raises(InvalidMessageError):
        service.send_message("me", message)


def test_the_errors_have_app_engines_base():
    for kind in (InvalidChannelClientIdError, InvalidChannelTokenDurationError, InvalidMessageError):
        assert issubclass(kind, Error)


def test_a_missing_token_is_a_bad_request(service):
    with pytest.raises(Refusal, match="400 token is missing"):
        service.read_token(None)


def test_nobody_listening_is_no_error(service):
    service.send_message("nobody", "hi")
    assert not service.is_connected("nobody")
    assert service.outstanding("nobody") == 0


def test_all_who_listen_hear_a_message_sent_to_the_client_id_or_a_token(service, clock):
    token = service.create_channel("me", 1)
    ears = [Ear(), Ear()]
    for ear in ears:
        service.channels.add_listener("me", ear)
    service.send_message("me", "one")
    clock.now += 61
    service.send_message(token, "two")
    assert [ear.heard for ear in ears] == [["one", "two"]] * 2
    assert service.is_connected(token)


def test_a_token_of_a_channel_that_is_not_there_reaches_nobody(clock):
    key = b"k" * 16
    token = ChannelService(key=key, clock=clock).create_channel("me")
    ChannelService(key=key, clock=clock).send_message(token, "hi")


def test_messages_to_a_created_channel_are_held_for_its_first_listener(clock):
    service = ChannelService(clock=clock, hold=2)
    service.create_channel("me")
    for text in "abc":
        service.send_message("me", text)
    first, second = Ear(), Ear()
    service.channels.add_listener("me", first)
    service.channels.add_listener("me", second)
    assert (first.heard, second.heard) == (["b", "c"], [])


def test_hold_0_drops_them_as_app_engine_did(clock):
    service = ChannelService(clock=clock, hold=0)
    service.create_channel("me")
    service.send_message("me", "hi")
    ear = Ear()
    service.channels.add_listener("me", ear)
    assert ear.heard == []
    with pytest.raises(ValueError, match="hold"):
        ChannelService(hold=-1)


def test_a_channel_whose_tokens_have_ended_is_forgotten(service, clock):
    service.create_channel("me", 2)
    service.create_channel("me", 1)
    service.send_message("me", "hi")
    clock.now += 119
    service.sweep()
    assert len(service.channels) == 1
    clock.now += 1
    service.sweep()
    assert len(service.channels) == 0


def test_a_channel_that_is_listened_to_is_not_forgotten(service, clock):
    service.create_channel("me", 1)
    ear = Ear()
    service.channels.add_listener("me", ear)
    clock.now += 100
    service.sweep()
    service.send_message("me", "hi")
    assert ear.heard == ["hi"]
    service.channels.remove_listener("me", ear)
    service.sweep()
    assert len(service.channels) == 0


def test_messages_flow_only_after_connect_add_client(service):
    token = service.create_channel("me")
    session, payload = service.open(Opening({"token": token, "clid": 'C"'}))
    assert payload == b'[[0,["c","%b",,8]]\n,[1,["noop"]]\n]\n' % session.sid.encode()
    assert isinstance(session, TalkSession)
    assert not service.is_connected("me")
    service.forward(session, 0, 0, [{"m": "something else"}])
    assert not service.is_connected("me")
    service.forward(session, 0, 1, [CONNECT, CONNECT])
    service.send_message("me", 'say "é"')
    assert service.outstanding("me") == session.outstanding > 0
    with service.lock:
        assert session.take_reply() == b'[[2,["c",["C\\"",["ae","say \\"\\u00e9\\""]]]]\n]\n'


def test_messages_sent_from_many_threads_all_arrive_each_threads_in_order(service):
    ear = Ear()
    service.channels.add_listener("me", ear)

    def send(name):
        for number in range(500):
            service.send_message("me", f"{name} {number}")

    threads = [threading.Thread(target=send, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in "abcd":
        assert [text for text in ear.heard if text[0] == name] == [f"{name} {n}" for n in range(500)]


def test_a_session_belongs_to_its_client_id_alone(service):
    mine, other = service.create_channel("me"), service.create_channel("other")
    session, _ = service.open(Opening({"token": mine, "clid": "C"}))
    assert service.find({"token": service.create_channel("me"), "SID": session.sid}) is session
    with pytest.raises(Refusal, match="Unknown SID"):
        service.find({"token": other, "SID": session.sid})


def test_an_ended_session_does_not_listen(service):
    token = service.create_channel("me")
    session, _ = service.open(Opening({"token": token, "clid": "C"}))
    service.end(session, "terminated")
    session.deliver([CONNECT])
    assert not service.is_connected("me")


def test_a_sweep_lets_others_have_their_turn_between_its_steps(clock):
    service = ChannelService(clock=clock)
    for number in range(2500):
        service.create_channel(f"client {number}", 1)
    clock.now += 61
    left = [len(service.channels) for _ in service.sweeping()]
    assert left[:3] == [1500, 500, 0]


def test_what_came_and_went_between_a_sweeps_steps_is_left_alone(clock):
    service = ChannelService(clock=clock)
    for number in range(1500):
        service.create_channel(f"client {number}", 1)
    clock.now += 61
    steps = service.sweeping()
    next(steps)
    service.create_channel("client 1499", 1)
    service.create_channel("new", 1)
    assert list(steps) == [None]
    assert service.has_channel("client 1499")
    assert service.has_channel("new")
    assert len(service.channels) == 2


def test_a_token_is_read_once_for_each_message_that_is_sent_to_it(monkeypatch):
    service = ChannelService()
    token, read = service.create_channel("me"), []
    original = service._tokens.read
    monkeypatch.setattr(
        service._tokens, "read", lambda *args, **more: read.append(1) or original(*args, **more)
    )
    assert asyncio.run(service.send(token, "one"))
    assert asyncio.run(service.send_many([(token, "two"), ("nobody", "three"), (token, "four")])) == [1]
    assert (len(read), service.channels.sent, service.traffic.dropped) == (3, 3, 1)
