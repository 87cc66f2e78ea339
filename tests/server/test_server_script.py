"""gaechannel.server.http.script, and what sessions send as it is: for tests of other people's clients."""

import pytest
from either import Asyncio, Sync
from wire_by_hand import Peer, Talk

from gaechannel import BrowserChannel, SessionLost, WebChannel, WebChannelError
from gaechannel.server import LocalServer, SessionEnded

WHOLE = {"zx": "abc", "t": "1"}


@pytest.fixture(scope="module")
def strict():
    with LocalServer(strict=True, test_delay=0.01) as server:
        yield server


def peer(server, **params):
    opened = Peer(server, "/channel", **{**WHOLE, **params})
    reply = opened.post({"count": 0}, RID=1)
    assert reply.status == 200, reply.text
    return opened, reply.value[0][1][1]


@pytest.mark.parametrize("face", [Sync, Asyncio])
@pytest.mark.parametrize("kind", ["BrowserChannel", "WebChannel"])
def test_this_packages_clients_are_right(strict, face, kind):
    def echo(session):
        session.on_message = session.send

    strict.browserchannel.on_session = strict.webchannel.on_session = echo
    url = strict.url + ("/channel" if kind == "BrowserChannel" else "/webchannel")
    before = len(strict.faults)
    with face(kind, url) as channel:
        channel.connect()
        for number in range(3):
            (channel.send_json if kind == "BrowserChannel" else channel.send)({"n": number})
        assert channel.take(3) == [{"n": number} for number in range(3)]
    assert strict.faults[before:] == []


@pytest.mark.parametrize("face", [Sync, Asyncio])
def test_this_packages_client_of_the_channel_api_is_right(strict, face, name):
    before = len(strict.faults)
    token = strict.create_channel(name)
    strict.send_message(name, "hi")
    with face("Client", token, base_url=strict.base_url) as client:
        assert client.take(1) == ["hi"]
    assert strict.faults[before:] == []


@pytest.mark.parametrize(
    ("method", "changes", "words"),
    [
        ("GET", {"zx": None}, "zx is missing"),
        ("GET", {"t": None}, "t is missing"),
        ("GET", {"t": "0"}, "t is not a number from 1"),
        ("GET", {"AID": None}, "AID is missing"),
        ("GET", {"CI": None}, "CI is missing"),
        ("GET", {"TYPE": "bind"}, "TYPE is not xmlhttp"),
        ("GET", {"AID": "1"}, "AID is past the last array"),
        ("POST", {"AID": None}, "AID is missing"),
        ("POST", {"ofs": None}, "ofs is missing"),
        ("POST", {"ofs": "1"}, "ofs leaves out maps"),
    ],
)
def test_what_servers_in_use_let_pass_is_refused_and_noted(strict, method, changes, words):
    one, sid = peer(strict)
    query = {"VER": "8", "SID": sid, "AID": "0", **WHOLE}
    query |= {"RID": "rpc", "CI": "0", "TYPE": "xmlhttp"} if method == "GET" else {"RID": "2"}
    form = {"count": "1", "ofs": "0", "req0_x": "y"}
    for name, value in changes.items():
        target = form if name == "ofs" else query
        target[name] = value
        if value is None:
            del target[name]
    reply = one.request(method, "/bind", query, form if method == "POST" else None)
    assert (reply.status, reply.text) == (400, words)
    assert strict.faults[-1] == words


def test_rids_count_by_one_but_for_a_request_that_comes_again(strict):
    one, sid = peer(strict)
    before = len(strict.faults)

    def post(rid, t="1"):
        return one.post({"count": 0}, SID=sid, RID=rid, AID=0, t=t).status

    assert [post(2), post(2, "2"), post(3), post(3)] == [200, 200, 200, 400]
    assert strict.faults[before:] == ["RID is not the last one and 1"]


def test_a_session_that_is_lost_is_no_fault(strict):
    before = len(strict.faults)
    reply = Peer(strict, "/channel", **WHOLE).post({"count": 0}, SID="unknown", RID=2, AID=0)
    assert reply.status == 400
    assert strict.faults[before:] == []


def test_who_is_not_strict_notes_nothing(shared):
    reply = Peer(shared, "/channel").post({"count": 0}, RID="x")
    assert reply.status == 400
    assert shared.faults == []


# Scripted answers.


def test_a_bare_400_loses_a_session(strict):
    strict.webchannel.on_session = lambda session: session.send("first")
    strict.answer(to="back", times=2)
    with WebChannel(strict.url + "/webchannel", new_sessions=False) as channel, pytest.raises(SessionLost):
        for _ in channel.messages():
            pass
    strict._script._answers.clear()


def test_an_answer_is_given_to_those_it_is_meant_for_and_so_often():
    with LocalServer() as server:
        server.answer(503, "later", to="open", times=2, headers={"Retry-After": "7"}, reason="Not Now")
        server.answer(404, to="page")
        client = Talk(server, server.create_channel("me"))
        one = Peer(server, "/channel")
        replies = [one.post({"count": 0}, RID=1) for _ in range(3)]
        assert [reply.status for reply in replies] == [503, 503, 200]
        assert (replies[0].text, replies[0].reason, replies[0].headers["Retry-After"]) == (
            "later",
            "Not Now",
            "7",
        )
        assert client.get("/d", token=client.params["token"], xpc="{}").status == 404
        server.answer(418)
        assert one.get("/test", VER=8, MODE="init").status == 418
        assert one.get("/test", VER=8, MODE="init").status == 200
        with pytest.raises(ValueError, match="to must be one of"):
            server.answer(to="bakc")


# What is sent as it is.


@pytest.mark.parametrize("form", ["error", "wrapped", "metadata", "pblite"])
def test_an_error_arrives_in_every_form(strict, form):
    def refuse(session):
        session.send_error(7, "not yours", "PERMISSION_DENIED", form=form)

    strict.webchannel.on_session = refuse
    with (
        WebChannel(strict.url + "/webchannel") as channel,
        pytest.raises(WebChannelError, match="not yours") as caught,
    ):
        next(channel.messages())
    assert caught.value.code == 7


def test_an_array_is_written_as_it_is_given(strict):
    def raw(session):
        assert session.send_raw("""['é',,{"a" : 1}]""") == 1
        assert session.send_raw(b"[1,]") == 2
        with pytest.raises(ValueError, match="form must be"):
            session.send_error(1, "x", form="no")

    strict.browserchannel.on_session = raw
    with BrowserChannel(strict.url + "/channel") as channel:
        messages = channel.messages()
        assert next(messages) == ["é", None, {"a": 1}]
        assert next(messages) == [1]
        strict.browserchannel.sessions[-1].stop()
        with pytest.raises(SessionEnded):
            strict.browserchannel.sessions[-1].send_raw("[]")


def test_a_session_has_the_headers_of_the_request_that_opened_it(strict):
    opened = []
    strict.browserchannel.on_session = opened.append
    with BrowserChannel(strict.url + "/channel", headers={"X-Who": "me"}) as channel:
        channel.connect()
    assert opened[0].request_headers["x-who"] == "me"
    assert opened[0].request_headers["User-Agent"]
