"""The server behind nginx, HAProxy and Caddy, as deploy/ sets them up: by https and HTTP/2 to the client."""

import asyncio
import logging
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time
from pathlib import Path
from urllib.parse import urlencode

import pytest
from in_utf8 import in_utf8
from nginx import MAIN
from ports import free_port
from tls import certified
from waiting import until
from wire_by_hand import Peer

import gaechannel
from gaechannel import aio
from gaechannel.server import LocalServer

pytestmark = pytest.mark.timeout(90)

DEPLOY = Path(__file__).parents[2] / "deploy"

CADDY = """
{{
    admin off
    auto_https disable_redirects
    skip_install_trust
}}
import {folder}/Caddyfile
"""


def command(kind, folder):
    """How a proxy is started with what stands in a folder; the test is skipped where it is not there."""
    program = shutil.which(kind, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        pytest.skip(f"{kind} is not there (Debian: {'nginx-light' if kind == 'nginx' else kind})")
    if kind == "nginx":
        user, servers = "user root;" if os.getuid() == 0 else "", f"include {folder}/nginx.conf;"
        (folder / "main").write_text(MAIN.format(folder=folder, user=user, servers=servers), encoding="utf-8")
        return [program, "-p", folder, "-e", folder / "errors", "-c", folder / "main"]
    if kind == "caddy":
        (folder / "main").write_text(CADDY.format(folder=folder), encoding="utf-8")
        return [program, "run", "--adapter", "caddyfile", "--config", folder / "main"]
    return [program, "-f", folder / "haproxy.cfg"]


FILES = {"nginx": "nginx.conf", "haproxy": "haproxy.cfg", "caddy": "Caddyfile"}


class Proxy:
    """A proxy that runs before a server, by deploy/'s file with addresses of this machine."""

    def __init__(self, kind, folder, server):
        run = command(kind, folder)
        certified(folder)
        both = (folder / "cert.pem").read_text() + (folder / "key.pem").read_text()
        (folder / "both.pem").write_text(both)
        self.port = free_port()
        text = (DEPLOY / FILES[kind]).read_text(encoding="utf-8")
        for pattern, new in {
            r"/etc/ssl/example\.com": str(folder),
            r"127\.0\.0\.1:8080": f"127.0.0.1:{server.port}",
            r"listen 443": f"listen 127.0.0.1:{self.port}",
            r"bind :443": f"bind 127.0.0.1:{self.port}",
            r"^example\.com:443": f"https://127.0.0.1:{self.port}",
            r"server_name example\.com;": "",
        }.items():
            text = re.sub(pattern, new, text, flags=re.MULTILINE)
        assert "example.com" not in text
        assert not re.search(r":443\b", text)  # and not such a port as 44357
        (folder / FILES[kind]).write_text(text, encoding="utf-8")
        self.url = f"https://127.0.0.1:{self.port}"
        self.ca = str(folder / "ca.pem")
        self.words = folder / "words"
        environ = {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder)}
        with self.words.open("w") as words:
            self.process = subprocess.Popen(run, stdout=words, stderr=words, env=environ)
        try:
            until(self.is_there)
        except BaseException:
            self.end()
            raise

    def is_there(self):
        """Whether it answers, with a server that it takes for ready."""
        assert self.process.poll() is None, self.words.read_text()
        try:
            return self.ask("GET /readyz HTTP/1.1").startswith(b"HTTP/1.1 200")
        except ConnectionRefusedError:
            return False

    def connect(self, *protocols):
        context = ssl.create_default_context(cafile=self.ca)
        context.set_alpn_protocols(list(protocols))
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        return context.wrap_socket(raw, server_hostname="127.0.0.1")

    def ask(self, line, *headers):
        """What is answered to a request over HTTP/1.1, whole."""
        head = [line, f"Host: 127.0.0.1:{self.port}", "Connection: close", *headers, "", ""]
        with self.connect("http/1.1") as connection:
            connection.sendall("\r\n".join(head).encode())
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
            return answer

    def end(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def name():
    """A client id that no other test has."""
    return f"client {time.monotonic_ns()}"


@pytest.fixture(scope="module", params=FILES)
def proxied(request, tmp_path_factory):
    """A server that ends back channels soon, and a proxy before it."""
    logger = logging.getLogger("test.access")
    logger.setLevel(logging.INFO)
    with LocalServer(backchannel_seconds=0.4, trust_proxy=["127.0.0.1"], access_log=logger) as server:
        server.webchannel.on_session = echo
        proxy = Proxy(request.param, tmp_path_factory.mktemp(request.param), server)
        yield in_utf8(server), proxy
        proxy.end()


def test_a_long_first_request_gets_through(proxied):
    """A WebChannel's fast handshake has its first maps, and the page's headers, in its URL."""
    _, proxy = proxied
    query = urlencode({"$httpHeaders": f"Authorization:Bearer {'x' * 12_000}", "$req": "count=0"})
    answer = proxy.ask(f"GET /webchannel?VER=8&SID=null&RID=1&CI=1&TYPE=xmlhttp&{query} HTTP/1.1")
    assert answer.startswith(b"HTTP/1.1 200"), answer
    assert b"x-http-initial-response: [[0," in answer.lower()


def echo(session):
    session.on_message = lambda data: session.send({"back": data})


TEXTS = [f"{number}: é 😀" for number in range(60)]


@pytest.mark.http2
def test_messages_come_at_once_over_many_back_channels(proxied, name, caplog):
    """Each is sent when the one before has come, so that none may wait for its back channel's end."""
    server, proxy = proxied
    token = server.create_channel(name)
    with gaechannel.Client(token, base_url=f"{proxy.url}/talkgadget", verify=proxy.ca) as client:
        messages = client.messages()
        rounds = 0
        while client.stats.reconnects < 4:
            for text in TEXTS:
                server.send_message(name, text)
                assert next(messages) == text
            rounds += 1
        assert client.stats.sessions == 1
        # Were they held back, each would take all of a back channel's time.
        assert client.stats.messages == rounds * len(TEXTS) > 5 * client.stats.reconnects
    assert "hold" not in caplog.text


@pytest.mark.http2
def test_two_way_channels_get_their_answers(proxied):
    _, proxy = proxied
    with gaechannel.WebChannel(f"{proxy.url}/webchannel", verify=proxy.ca, fast_handshake=True) as channel:
        answers = iter(channel)
        for text in TEXTS:
            channel.send({"text": text})
            assert next(answers) == {"back": {"text": text}}
        channel.send("x" * 900_000)
        assert next(answers) == {"back": "x" * 900_000}


@pytest.mark.http2
def test_many_channels_share_a_connection_over_http_2(proxied, name):
    server, proxy = proxied
    with proxy.connect("h2", "http/1.1") as connection:
        assert connection.selected_alpn_protocol() == "h2"

    async def listen(number):
        token = server.create_channel(f"{name} {number}")
        async with aio.Client(token, base_url=f"{proxy.url}/talkgadget", verify=proxy.ca) as client:
            messages = aiter(client)
            for text in TEXTS[:20]:
                server.send_message(f"{name} {number}", text)
                assert await anext(messages) == text

    async def main():
        await asyncio.gather(*map(listen, range(30)))

    asyncio.run(main())


def test_the_server_knows_its_clients_and_its_own_address(proxied, name, caplog):
    """And what a client says of itself is not believed."""
    server, proxy = proxied
    token = server.create_channel(name)
    page = proxy.ask(
        f"GET /talkgadget/d?token={token}&CVER=99 HTTP/1.1",
        "X-Forwarded-For: 203.0.113.66",
        "X-Forwarded-Proto: gopher",
        "X-Forwarded-Host: evil.example",
    ).decode()
    assert f'WcsDataClient("{proxy.url}/talkgadget/"' in page

    def seen():
        return [record.fields["client"] for record in caplog.records if "CVER=99" in record.fields["path"]]

    assert until(seen) == ["127.0.0.1"]


def test_nobody_gets_to_administration(proxied):
    server, proxy = proxied
    token = f"Authorization: Bearer {server.admin_token}"
    for line in ("POST /admin/create HTTP/1.1", "GET /admin/state HTTP/1.1", "GET /metrics HTTP/1.1"):
        assert proxy.ask(line, token, "Content-Length: 0").startswith(b"HTTP/1.1 404")


def test_a_client_that_goes_is_noticed_by_the_server(proxied):
    server, proxy = proxied
    peer = Peer(server, "/channel")
    peer.open()
    (session,) = [one for one in server.browserchannel.sessions if one.sid == peer.sid]
    line = f"GET /channel/bind?VER=8&RID=rpc&SID={peer.sid}&AID=0&CI=0&TYPE=xmlhttp HTTP/1.1"
    # Longer than this server lets any be, so that only the client can end it.
    deadline = 1e9
    with proxy.connect("http/1.1") as connection:
        connection.sendall(f"{line}\r\nHost: 127.0.0.1:{proxy.port}\r\n\r\n".encode())
        until(lambda: session.has_back_channel)
        session.back.deadline += deadline
    until(lambda: not session.has_back_channel)


@pytest.mark.http2
def test_clients_outlast_a_restart_of_the_server(proxied, name):
    server, proxy = proxied
    token = server.create_channel(name)
    with gaechannel.Client(token, base_url=f"{proxy.url}/talkgadget", verify=proxy.ca) as client:
        messages = client.messages()
        server.send_message(name, "before")
        assert next(messages) == "before"
        server.stop()
        server.send_message(name, "meanwhile")
        server.start()
        assert next(messages) == "meanwhile"
