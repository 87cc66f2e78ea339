"""Proxies that are spoken to by TLS: their certificates are checked as servers' are."""

import select
import socket
from urllib.parse import urlsplit

import pytest
import trustme
from hostile import Server, TalkServer, messages, streams
from test_client_tls import PEER_FAILED_VERIFICATION, context_for

from gaechannel import TransportError

pytestmark = pytest.mark.timeout(30)


def tunnel(peer, port):
    """Carry bytes to a port of this machine and back, until one end is closed."""
    with socket.create_connection(("127.0.0.1", port)) as server:
        peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        client = peer.socket
        while not peer.closed and not peer.server.stopping.is_set():
            readable = select.select([client, server], [], [], 0.01)[0]
            for source, sink in ((client, server), (server, client)):
                if source in readable:
                    data = source.recv(65536)
                    peer.closed |= not data
                    sink.sendall(data)


@pytest.fixture
def authority():
    return trustme.CA()


@pytest.fixture
def authority_file(authority, tmp_path):
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return tmp_path / "ca.pem"


@pytest.fixture(params=["http", "https"])
def talk(request, authority):
    """A server, by plain HTTP and by TLS."""
    tls = context_for(authority, "talk.invalid") if request.param == "https" else None
    with TalkServer(back=streams(messages(1, "a")), tls=tls) as server:
        yield server


@pytest.fixture
def url(talk):
    return f"{'https' if talk.tls else 'http'}://talk.invalid/talkgadget"


@pytest.fixture
def proxy(authority, talk):
    def answer(request, peer):
        if request.method == "CONNECT":
            assert request.target == "talk.invalid:443"
            tunnel(peer, talk.port)
        else:
            assert urlsplit(request.target).netloc == "talk.invalid"
            talk.answer(request, peer)

    with Server(answer, tls=context_for(authority, "127.0.0.1")) as server:
        yield server


def test_authorities_that_are_named_are_the_proxys_too(client_of, take, url, proxy, authority_file):
    assert take(client_of(url, proxy=proxy.url, verify=authority_file), 1) == ["a"]
    assert proxy.requests


def test_the_environments_authorities_are_the_proxys_too(
    client_of, take, url, proxy, authority_file, monkeypatch
):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority_file))
    assert take(client_of(url, proxy=proxy.url), 1) == ["a"]


@pytest.mark.parametrize("scheme", ["https", "HTTPS"])
def test_the_environments_proxy_may_speak_tls(
    client_of, take, url, proxy, authority_file, monkeypatch, scheme
):
    monkeypatch.setenv("all_proxy", f"{scheme}://127.0.0.1:{proxy.port}")
    assert take(client_of(url, verify=authority_file), 1) == ["a"]


def test_a_proxy_of_an_unknown_authority_is_refused_and_named(client_of, url, proxy):
    with pytest.raises(TransportError, match=f"through the proxy https://127.0.0.1:{proxy.port}") as caught:
        next(client_of(url, proxy=proxy.url).messages())
    assert caught.value.curl_code == PEER_FAILED_VERIFICATION
    assert proxy.requests == []


def test_a_proxy_with_another_name_is_refused(client_of, url, authority, authority_file):
    with Server(lambda request, peer: None, tls=context_for(authority, "proxy.invalid")) as proxy:
        with pytest.raises(TransportError) as caught:
            next(client_of(url, proxy=proxy.url, verify=authority_file).messages())
        assert caught.value.curl_code == PEER_FAILED_VERIFICATION
        assert proxy.requests == []


def test_whoever_verifies_nothing_does_not_verify_the_proxy_either(client_of, take, url, proxy):
    assert take(client_of(url, proxy=proxy.url, verify=False), 1) == ["a"]
