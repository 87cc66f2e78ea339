"""gaechannel.server.http.admin: create and send over HTTP, for who may."""

import pytest
from wire_by_hand import Peer, Talk, texts

from gaechannel.server import ChannelService, LocalServer, make_app
from gaechannel.server.http.admin import is_loopback


def ask(server, what, form, token=None, **headers):
    token = server.admin_token if token is None else token
    return Peer(server, "/admin").request(
        "POST", "/" + what, None, form, {"Authorization": f"Bearer {token}", **headers}
    )


def test_create_answers_a_token_and_send_delivers(shared, name):
    created = ask(shared, "create", {"client_id": name, "duration_minutes": 5})
    assert created.status == 200
    talk = Talk(shared, created.text).connect()
    for target in (name, created.text):
        sent = ask(shared, "send", {"client_id": target, "message": "é😀 &="})
        assert (sent.status, sent.body) == (200, b"")
    assert texts(talk.back(CI=1).rest()) == ["é😀 &="] * 2


def test_a_message_to_no_channel_is_answered_so(shared, name):
    reply = ask(shared, "send", {"client_id": name, "message": "hi"})
    assert (reply.status, reply.text) == (200, "this server has no channel of that client")
    assert not shared.service.has_channel(name)
    token = shared.create_channel(name)
    assert shared.service.has_channel(name)
    assert shared.service.has_channel(token)
    assert ask(shared, "send", {"client_id": name, "message": "hi"}).text == ""


@pytest.mark.parametrize("token", ["", "wrong", "é", "\udcff"])
def test_a_wrong_token_is_refused(shared, token):
    header = {"Authorization": f"Bearer {token}".encode("utf-8", "surrogateescape")}
    reply = Peer(shared, "/admin").request("POST", "/create", None, {"client_id": "me"}, header)
    assert (reply.status, reply.text) == (401, "Unauthorized")
    assert reply.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("header", [None, "", "Basic eDp5", "Bearer"])
def test_no_token_is_refused(shared, header):
    headers = {} if header is None else {"Authorization": header}
    for what in ("create", "send"):
        assert Peer(shared, "/admin").request("POST", "/" + what, None, {}, headers).status == 401


@pytest.mark.parametrize("header", ["Forwarded", "X-Forwarded-For", "X-Real-IP"])
def test_who_comes_through_a_proxy_is_refused(shared, header):
    reply = ask(shared, "create", {"client_id": "me"}, **{header: "127.0.0.1"})
    assert (reply.status, reply.text) == (403, "Only on this machine")


@pytest.mark.parametrize(
    ("peer", "local"),
    [
        (("127.0.0.1", 1), True),
        (("127.8.8.8", 1), True),
        (("::1", 1, 0, 0), True),
        (("::ffff:127.0.0.1", 1, 0, 0), True),
        (("::ffff:192.0.2.1", 1, 0, 0), False),
        (("192.0.2.1", 1), False),
        (("2001:db8::1", 1, 0, 0), False),
        (("nonsense", 1), False),
        ("/run/socket", True),
        ("", True),
        (b"\0abstract", True),
        ((), False),
        (None, False),
    ],
)
def test_only_peers_on_this_machine_are_local(peer, local):
    assert is_loopback(peer) is local


@pytest.mark.parametrize(
    ("what", "form", "words"),
    [
        ("create", {}, "client_id is missing"),
        ("create", {"client_id": "me", "duration_minutes": "x"}, "duration_minutes is not a number"),
        ("create", {"client_id": ""}, "InvalidChannelClientIdError: "),
        ("create", {"client_id": "x" * 257}, "InvalidChannelClientIdError: "),
        ("create", {"client_id": "me", "duration_minutes": "0"}, "InvalidChannelTokenDurationError: "),
        ("send", {"message": "hi"}, "client_id is missing"),
        ("send", {"client_id": "me"}, "message is missing"),
        ("send", {"client_id": "me", "message": "x" * 32768}, "InvalidMessageError: "),
        ("send", b"\xff", "the body is not UTF-8"),
    ],
)
def test_what_app_engine_refused_is_refused(shared, what, form, words):
    reply = ask(shared, what, form)
    assert reply.status == 400
    assert reply.text.startswith(words)


def test_only_post_is_answered(shared):
    headers = {"Authorization": f"Bearer {shared.admin_token}"}
    assert Peer(shared, "/admin").request("GET", "/create", {"client_id": "me"}, None, headers).status == 405


def test_a_long_body_is_refused():
    with LocalServer(max_body=100) as server:
        assert ask(server, "send", {"client_id": "me", "message": "x" * 100}).status == 413


def test_an_application_without_a_token_has_no_administration():
    paths = {route.resource.canonical for route in make_app(ChannelService()).router.routes()}
    assert not [path for path in paths if path.startswith("/admin")]
    assert "/talkgadget/d" in paths
    with pytest.raises(ValueError, match="empty"):
        make_app(admin_token="")
