"""Where a server listens, whose word it believes about its clients, and what it logs of their requests."""

import http.client
import json
import logging
import socket
import stat

import pytest
from asking import UnixConnection, ask
from waiting import until

from gaechannel.server import LocalServer
from gaechannel.server.http.forwarded import Proxies


def test_a_unix_socket_is_listened_on_and_made_anew_with_each_start(tmp_path):
    path = tmp_path / "socket"
    with LocalServer(unix=str(path)) as server:
        assert server.url == f"unix:{path}"
        for _ in range(2):
            assert stat.S_IMODE(path.stat().st_mode) == 0o660
            assert ask(UnixConnection(path), "/healthz") == (200, "ok\n")
            server.stop()
            assert not path.exists()
            server.start()


def test_a_socket_that_nobody_listens_on_any_more_is_taken_over(tmp_path):
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
        left.bind(str(path))
    with LocalServer(unix=str(path)):
        assert ask(UnixConnection(path), "/healthz")[0] == 200


def test_sockets_that_were_given_are_listened_on_with_each_start_and_stay_open():
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as two,
        LocalServer(sockets={"public": [one, two]}, admin=None) as server,
    ):
        for _ in range(2):
            assert server.port == one.getsockname()[1]
            for listening in (one, two):
                connection = http.client.HTTPConnection(*listening.getsockname(), timeout=30)
                assert ask(connection, "/healthz")[0] == 200
            server.stop()
            assert one.fileno() > 0
            server.start()


FORWARDED = {
    "Host": "inside",
    "X-Forwarded-Host": "example.com",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-For": "203.0.113.66, 192.0.2.7, 10.1.1.1",
}


@pytest.mark.parametrize("trusted", [True, False])
def test_the_proxy_that_is_trusted_says_what_clients_see(tmp_path, trusted, caplog):
    """And only the part of it that the proxy has written itself."""
    logger = logging.getLogger("test.access")
    caplog.set_level(logging.INFO, "test.access")
    path = tmp_path / "socket"
    trust = ["unix", "10.0.0.0/8"] if trusted else []
    with LocalServer(unix=str(path), trust_proxy=trust, access_log=logger) as server:
        token = server.create_channel("me")
        status, page = ask(UnixConnection(path), f"/talkgadget/d?token={token}&SID=s3cret", **FORWARDED)
        origin = "https://example.com" if trusted else "http://inside"
        assert status == 200
        assert f"WcsDataClient({json.dumps(f'{origin}/talkgadget/')}," in page
        assert f"<code>{origin}/talkgadget</code>" in ask(UnixConnection(path), "/", **FORWARDED)[1]
        until(lambda: len(caplog.records) == 2)
    fields = caplog.records[0].fields
    assert fields["client"] == ("192.0.2.7" if trusted else "unix")
    assert fields["path"] == "/talkgadget/d?token=***&SID=***"
    assert token not in caplog.text
    assert "s3cret" not in caplog.text


def test_a_proxys_nonsense_goes_into_no_page(tmp_path):
    path = tmp_path / "socket"
    with LocalServer(unix=str(path), trust_proxy=["unix"]):
        for name in ("Host", "X-Forwarded-Host"):
            page = ask(UnixConnection(path), "/", **{name: '"><script>', "X-Forwarded-Proto": "javascript"})[
                1
            ]
            assert "<code>http://localhost/talkgadget</code>" in page
            assert "<script" not in page


@pytest.mark.parametrize(
    ("peer", "trusted"),
    [
        ("127.0.0.1", True),
        ("::ffff:127.0.0.1", True),
        ("2001:db8::1", True),
        ("192.0.2.1", False),
        ("", False),
    ],
)
def test_a_proxy_is_trusted_by_its_address(peer, trusted):
    assert Proxies(["127.0.0.1", "2001:db8::/32"]).trusts(peer) is trusted


def test_what_is_no_address_is_no_proxy():
    with pytest.raises(ValueError, match="localhost"):
        LocalServer(trust_proxy=["localhost"])


def test_the_log_of_requests_shows_no_secret_and_no_control_character(caplog):
    caplog.set_level(logging.INFO, "test.access")
    with LocalServer(access_log=logging.getLogger("test.access")) as server:
        for path in (
            "/channel/bind?VER=8&RID=rpc&SID=s3cret&AID=0&CI=0&TYPE=xmlhttp&s3crets3crets3cret=x&token=y",
            "/d%0a%1b%e2%80%a8?TYPE=" + "s3cret" * 100,
        ):
            ask(http.client.HTTPConnection("127.0.0.1", server.port, timeout=30), path)
        until(lambda: len(caplog.records) == 2)
    first, second = (record.getMessage() for record in caplog.records)
    assert first.startswith(
        "127.0.0.1 GET /channel/bind?VER=8&RID=rpc&SID=***&AID=0&CI=0&TYPE=xmlhttp&***=***&token=*** 400 "
    )
    assert second.startswith("127.0.0.1 GET /d%0A%1B%E2%80%A8?TYPE=*** 404 ")
