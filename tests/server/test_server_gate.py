"""gaechannel.server.http.gate: hosts, origins, methods and paths, and what every answer says."""

import logging

import pytest
from waiting import until
from wire_by_hand import CONNECT, Peer, Talk, texts

from gaechannel.server import LocalServer

PAGE = "https://app.example"


@pytest.fixture(scope="module")
def allowing():
    """A server that lets PAGE in."""
    with LocalServer(allow_origins=[PAGE], host_names=["Channel.example."]) as server:
        yield server


def ask(server, method="GET", path="/", query=None, body=None, **headers):
    return Peer(server, "").request(
        method, path, query, body, {key.replace("_", "-"): value for key, value in headers.items()}
    )


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:8080", "[::1]:8080", "192.0.2.1", "localhost", "localhost:80", "a.localhost", "box", "box:1"],
)
def test_addresses_and_names_without_a_dot_are_hosts(shared, host):
    assert ask(shared, path="/talkgadget/d", Host=host).status == 400  # no token: it was asked


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "[::1", "a.localhost.evil", "x@y.z"],
)
def test_a_name_that_nobody_gave_is_refused(shared, host):
    reply = ask(shared, path="/talkgadget/d", Host=host)
    assert (reply.status, reply.reason) == (421, "This host name is not served here")
    assert "--host-name" in reply.text
    admin = Peer(shared.admin, "/admin")
    headers = {"Host": host, "Authorization": f"Bearer {shared.admin_token}"}
    assert admin.request("POST", "/create", None, {"client_id": "me"}, headers).status == 421


def test_a_name_that_was_given_is_served(allowing):
    for host in ("channel.example", "CHANNEL.example:443", "channel.example."):
        assert ask(allowing, path="/talkgadget/d", Host=host).status == 400
    assert ask(allowing, path="/talkgadget/d", Host="other.example").status == 421
    assert allowing.counters.refused["host"] == 1


def test_a_server_for_other_machines_takes_any_name_unless_told():
    with LocalServer(host="0.0.0.0") as server:
        server.host = "127.0.0.1"
        assert ask(server, path="/talkgadget/d", Host="evil.example").status == 400


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:1", "nonsense", "http://["]
)
def test_another_sites_pages_are_refused_before_anything_is_done(allowing, name, origin):
    talk = Talk(allowing, allowing.create_channel(name))
    before = len(allowing.service.sessions)
    reply = talk.post(talk.form([CONNECT]), {"Origin": origin})
    assert (reply.status, reply.reason) == (403, "This origin is not allowed")
    assert "--allow-origin" in reply.text
    assert "Access-Control-Allow-Origin" not in reply.headers
    assert len(allowing.service.sessions) == before
    assert ask(allowing, "OPTIONS", Origin=origin, Access_Control_Request_Method="POST").status == 403


def test_the_servers_own_pages_need_no_permission(shared):
    for origin in (shared.url, shared.url.replace("http:", "https:")):  # behind a proxy that has TLS
        reply = ask(shared, path="/talkgadget/d", Origin=origin)
        assert reply.status == 400
        assert "Access-Control-Allow-Origin" not in reply.headers
    assert ask(shared, path="/talkgadget/d", Origin="http://box", Host="box:80").status == 400


@pytest.mark.parametrize(
    ("base", "bind"), [("/talkgadget", "/dch/bind"), ("/channel", "/bind"), ("/webchannel", "")]
)
def test_an_allowed_page_may_use_every_dialect(allowing, name, base, bind):
    allow = {
        "Access-Control-Allow-Origin": PAGE,
        "Access-Control-Allow-Credentials": "true",
        "Vary": "Origin",
    }
    preflight = ask(
        allowing,
        "OPTIONS",
        base + bind,
        Origin=PAGE,
        Access_Control_Request_Method="POST",
        Access_Control_Request_Headers="content-type,x-webchannel-content-type",
        Access_Control_Request_Private_Network="true",
    )
    assert (preflight.status, preflight.body) == (204, b"")
    assert allow.items() <= dict(preflight.headers).items()
    assert preflight.headers["Access-Control-Allow-Methods"] == "GET, POST, HEAD, OPTIONS"
    assert preflight.headers["Access-Control-Allow-Headers"] == "content-type,x-webchannel-content-type"
    assert preflight.headers["Access-Control-Allow-Private-Network"] == "true"
    assert preflight.headers["Access-Control-Max-Age"] == "7200"
    peer = Peer(allowing, base, bind)
    if base == "/talkgadget":
        peer = Talk(allowing, allowing.create_channel(name))
    opened = peer.post(b"count=0", {"Origin": PAGE})
    assert opened.status == 200
    assert allow.items() <= dict(opened.headers).items()
    assert "X-HTTP-Session-Id" in opened.headers["Access-Control-Expose-Headers"]
    # What is refused can be read, too, or a page would not know why.
    lost = peer.request("GET", peer.bind, {**peer.params, "RID": "rpc", "SID": "x"}, None, {"Origin": PAGE})
    assert lost.status == 400
    assert allow.items() <= dict(lost.headers).items()


def test_a_back_channel_says_that_a_page_may_read_it(allowing, name):
    talk = Talk(allowing, allowing.create_channel(name)).connect()
    allowing.send_message(name, "hi")
    query = {**talk.params, "RID": "rpc", "AID": 1, "CI": 1, "TYPE": "xmlhttp"}
    reply = talk.request("GET", talk.bind, query, None, {"Origin": PAGE})
    assert texts(reply.arrays) == ["hi"]
    assert reply.headers["Access-Control-Allow-Origin"] == PAGE


def test_every_origin_may_ask_without_cookies():
    with LocalServer(allow_origins="*") as server:
        reply = ask(server, path="/talkgadget/d", Origin="https://any.example")
        assert reply.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in reply.headers


@pytest.mark.parametrize("origin", ["example.org", "https://example.org/", "https://", "https://a/b", ""])
def test_what_is_no_origin_is_refused_at_once(origin):
    with pytest.raises(ValueError, match="is no origin"):
        LocalServer(allow_origins=[origin])


@pytest.mark.parametrize("name", ["", "a b", "http://a", "a:80"])
def test_what_is_no_host_name_is_refused_at_once(name):
    with pytest.raises(ValueError, match="is no host name"):
        LocalServer(host_names=[name])


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/channel/bind", "GET, HEAD, OPTIONS, POST"),
        ("/webchannel", "GET, HEAD, OPTIONS, POST"),
        ("/channel/test", "GET, HEAD, OPTIONS"),
        ("/_ah/channel/dev", "GET, HEAD, OPTIONS"),
    ],
)
def test_head_and_options_are_answered_and_do_nothing(shared, name, path, allow):
    for method, status in (("HEAD", 200), ("OPTIONS", 204)):
        token = shared.create_channel(name)
        reply = ask(shared, method, path, {"command": "poll", "channel": token, "VER": 8, "RID": "rpc"})
        assert (reply.status, reply.headers["Allow"], reply.body) == (status, allow, b"")
        assert not shared.service.is_connected(name)
    assert ask(shared, "DELETE", path).status == 405


def test_head_of_the_page_is_as_its_get(shared, name):
    assert ask(shared, "HEAD", "/talkgadget/d", {"token": "forged"}).status == 401
    reply = ask(shared, "HEAD", "/talkgadget/d", {"token": shared.create_channel(name)})
    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers["Content-Type"] == "text/html; charset=utf-8"


def test_where_there_is_nothing_it_is_said_where_something_is(shared):
    reply = ask(shared, path="/talkgadget/<script>/dch/bnd")
    assert reply.status == 404
    assert reply.text == (
        "There is nothing here. This server has: /talkgadget, /_ah/channel/dev, /channel, /webchannel,"
        " /healthz, /readyz, /\n"
    )
    assert reply.headers["Content-Type"].startswith("text/plain")


def test_a_page_runs_nothing_and_is_framed_by_nobody(shared, name):
    reply = ask(shared, path="/talkgadget/d", query={"token": shared.create_channel(name)})
    assert reply.headers["Content-Security-Policy"].startswith("default-src 'none'; ")
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert reply.headers["Referrer-Policy"] == "no-referrer"


def test_every_answer_says_that_its_type_is_not_to_be_guessed(shared):
    for path in ("/nothing", "/", "/channel/bind", "/channel/test", "/_ah/channel/dev", "/webchannel"):
        assert ask(shared, path=path).headers["X-Content-Type-Options"] == "nosniff"


def test_a_query_has_200_fields_at_most(shared):
    base = {"VER": 8, "MODE": "init"}
    assert ask(shared, path="/channel/test", query={**base, **{f"a{n}": 1 for n in range(198)}}).status == 200
    reply = ask(shared, path="/channel/test", query={**base, **{f"a{n}": 1 for n in range(199)}})
    assert (reply.status, reply.text) == (413, "There are more than 200 fields")


def test_no_log_has_a_sid_or_a_token(caplog):
    caplog.set_level(logging.DEBUG)
    with LocalServer(session_timeout=2.0, max_unacknowledged=2000) as server:
        secrets = [server.create_channel("me"), server.admin_token]
        talk = Talk(server, secrets[0]).connect()
        secrets.append(talk.sid)
        session = server.service.sessions[0]
        session.on_map = lambda one: 1 / 0
        session.on_close = lambda reason: 1 / 0
        assert talk.sid not in repr(session)
        talk.send({"JSON": "{"})
        server.send_message("me", "x" * 3000)
        peer = Peer(server, "/channel")
        peer.open()
        secrets.append(peer.sid)
        ask(server, "PUT", f"/channel/{peer.sid}", {"token": secrets[0]})
        until(lambda: not server.service.sessions and not server.browserchannel.sessions)
    assert "the handler of session" in caplog.text
    assert "not heard of any more" in caplog.text
    assert not [secret for secret in secrets if secret in caplog.text]
