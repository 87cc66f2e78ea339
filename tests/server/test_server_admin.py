"""gaechannel.server.http.admin: create and send over HTTP, for who may."""

import http.client
import socket

import pytest
from tls import contexts
from wire_by_hand import Peer, Talk, texts

from gaechannel.server import ChannelService, LocalServer, make_admin_app, make_app
from gaechannel.server.http.addresses import Address


def bearer(server):
    return {"Authorization": f"Bearer {server.admin_token}"}


def ask(server, what, form):
    return Peer(server.admin, "/admin").request("POST", "/" + what, None, form, bearer(server))


@pytest.fixture(scope="module")
def tls():
    return contexts()


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
    reply = Peer(shared.admin, "/admin").request("POST", "/create", None, {"client_id": "me"}, header)
    assert (reply.status, reply.text) == (401, "Unauthorized")
    assert reply.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("header", [None, "", "Basic eDp5", "Bearer"])
def test_no_token_is_refused(shared, header):
    headers = {} if header is None else {"Authorization": header}
    for what in ("create", "send"):
        assert Peer(shared.admin, "/admin").request("POST", "/" + what, None, {}, headers).status == 401


@pytest.mark.parametrize("secret", ["", "Bearer wrong"])
def test_nothing_of_a_body_is_read_before_the_token_is_known_to_be_right(shared, secret):
    with socket.create_connection((shared.admin.host, shared.admin.port), timeout=20) as raw:
        raw.sendall(
            b"POST /admin/send HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
            b"Authorization: %b\r\n\r\n" % secret.encode()
        )
        assert raw.recv(100).startswith(b"HTTP/1.1 401 Unauthorized\r\n")


@pytest.mark.parametrize("proxied", [{}, {"X-Forwarded-For": "192.0.2.1"}])
def test_the_public_listener_has_no_administration(shared, proxied):
    headers = {"Authorization": f"Bearer {shared.admin_token}", **proxied}
    for what in ("create", "send"):
        peer = Peer(shared, "/admin")
        assert peer.request("POST", "/" + what, None, {"client_id": "me"}, headers).status == 404


def test_the_administrative_listener_has_beside_it_what_its_page_needs_alone(shared, name):
    query = {"token": shared.create_channel(name)}
    assert Peer(shared.admin, "/talkgadget").request("GET", "/d", query).status == 200
    assert Peer(shared.admin, "/channel").request("POST", "/bind", {"VER": 8, "RID": 1}).status == 404


def test_a_server_without_administration_listens_once():
    with LocalServer(admin=None) as server:
        assert server.admin_url is None
        assert server.create_channel("me")


@pytest.mark.parametrize("admin", ["0.0.0.0:0", "[::]:0", "192.0.2.1:81", "example.org:81"])
def test_administration_that_other_machines_can_reach_needs_tls(admin):
    with pytest.raises(ValueError, match="it needs TLS"):
        LocalServer(admin=admin)


def test_administration_that_other_machines_can_reach_has_the_servers_tls(tls):
    server_context, client_context = tls
    with LocalServer(admin="0.0.0.0:0", ssl_context=server_context) as server:
        port = server.admin.port
        assert server.admin_url == f"https://0.0.0.0:{port}"
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=client_context)
        connection.request("POST", "/admin/create", "client_id=me", bearer(server))
        assert connection.getresponse().status == 200
        connection.close()


def test_administration_on_loopback_has_tls_where_it_is_given(tls):
    server_context, client_context = tls
    with LocalServer(admin="127.0.0.1:0", admin_ssl_context=server_context) as server:
        assert server.url.startswith("http:")
        assert server.admin_url.startswith("https:")
        connection = http.client.HTTPSConnection(
            "127.0.0.1", server.admin.port, timeout=20, context=client_context
        )
        connection.request("POST", "/admin/create", "client_id=me", bearer(server))
        assert connection.getresponse().status == 200
        connection.close()


def test_a_unix_sockets_file_is_its_owners_alone_and_goes_with_the_server(tmp_path):
    path = tmp_path / "admin"
    for _ in range(2):  # once where a killed process has left it
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(path))
        with LocalServer(admin=str(path)) as server:
            assert server.admin_url == str(path)
            assert path.stat().st_mode & 0o777 == 0o600
            with socket.socket(socket.AF_UNIX) as raw:
                raw.connect(str(path))
                head = "".join(f"{key}: {value}\r\n" for key, value in bearer(server).items())
                raw.sendall(
                    f"POST /admin/create HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n{head}\r\n"
                    "client_id=me".encode()
                )
                assert raw.recv(100).startswith(b"HTTP/1.1 200 OK\r\n")
        assert not path.exists()


def test_what_is_no_left_over_socket_is_left_alone(tmp_path):
    file = tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(OSError, match="in use"):
        LocalServer(admin=str(file)).start()
    assert file.read_text() == "mine"
    with LocalServer(admin=str(tmp_path / "socket")) as server:
        with pytest.raises(OSError, match="in use"):
            LocalServer(admin=server.admin_url).start()
        with socket.socket(socket.AF_UNIX) as raw:
            raw.connect(server.admin_url)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:80", Address("127.0.0.1", 80)),
        ("localhost:0", Address("localhost", 0)),
        ("[::1]:8081", Address("::1", 8081)),
        ("/run/socket", Address(path="/run/socket")),
        ("./a:1", Address(path="./a:1")),
        ("unix:/run/socket", Address(path="/run/socket")),
        ("unix:socket", Address(path="./socket")),
    ],
)
def test_an_address_is_a_host_and_a_port_or_a_path(text, address):
    assert Address.parse(text) == address
    assert Address.parse(str(address)) == address
    assert address.is_loopback


@pytest.mark.parametrize(
    "text", ["", "80", ":80", "host", "host:", "host:x", "host:65536", "::1:80", "a:b:1"]
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(ValueError, match="neither HOST:PORT nor the path"):
        Address.parse(text)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.8.8.8", True),
        ("::1", True),
        ("192.0.2.1", False),
        ("0.0.0.0", False),
        ("::", False),
        ("example.org", False),
        ("", False),
    ],
)
def test_only_addresses_of_this_machine_are_loopback(host, loopback):
    assert Address(host, 1).is_loopback is loopback


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
    assert (
        Peer(shared.admin, "/admin").request("GET", "/create", {"client_id": "me"}, None, headers).status
        == 405
    )


def test_a_long_body_is_refused():
    with LocalServer(max_body=100) as server:
        assert ask(server, "send", {"client_id": "me", "message": "x" * 100}).status == 413


def test_an_application_never_has_administration():
    paths = {route.resource.canonical for route in make_app(ChannelService()).router.routes()}
    assert not [path for path in paths if path.startswith("/admin")]
    assert "/talkgadget/d" in paths
    with pytest.raises(ValueError, match="empty"):
        make_admin_app(ChannelService(), "")
