"""Packets vanish, and nobody says so: connections stay open on which nothing comes any more."""

import asyncio
import os
import ssl
import threading
import time

import pytest
from http2_server import Http2Server
from network import Network
from nghttpx import Proxy, nghttpx
from scripted_server import held
from tls import certified

from gaechannel import BrowserChannel, Client, aio, merge
from gaechannel.server import LocalServer

pytestmark = pytest.mark.timeout(100)

# How soon after the network is back each channel must have received.
SECONDS = 30

# All of them open at once, and a slow machine takes its time; with the sanitizers, more than TIMES allow.
MANY = 20 if "GAECHANNEL_SANITIZE" in os.environ else 50

TIMES = {"timeout": 4.0, "request_timeout": 4.0, "connect_timeout": 4.0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return certified(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def server():
    with LocalServer(keepalive=0.5) as server:
        yield server


@pytest.fixture(params=["http1", pytest.param("http2", marks=pytest.mark.http2)])
def network(request, server, folder):
    """A network before the server, or before an nghttpx before the server."""
    if request.param == "http1":
        with Network(server.port) as network:
            network.url = f"http://127.0.0.1:{network.port}/talkgadget"
            yield network
        return
    if nghttpx is None:
        pytest.skip("nghttpx is not installed (Debian: nghttp2-proxy)")
    with Proxy(folder, server.port) as proxy, Network(proxy.port) as network:
        network.url = f"https://127.0.0.1:{network.port}/talkgadget"
        yield network


def receive_in_thread(clients, began):
    """Take a message of each channel, and one more; how long after `began()` that was done."""
    messages = merge(clients)
    for text in ("a", "b"):
        found = [next(messages) for _ in clients]
        assert {id(client) for client, _ in found} == {id(client) for client in clients}
        assert {message for _, message in found} == {text}
        if text == "a":
            began()
    for client in clients:
        client.close()


def receive_in_loop(clients, began):
    async def main():
        iterators = [client.messages() for client in clients]
        for text in ("a", "b"):
            found = await asyncio.gather(*(anext_of(iterator) for iterator in iterators))
            assert found == [text] * len(clients)
            if text == "a":
                began()
        await asyncio.gather(*(client.close() for client in clients))

    asyncio.run(main())


async def anext_of(iterator):
    return await anext(iterator)


@pytest.mark.parametrize("count", [1, MANY])
@pytest.mark.parametrize(
    ("kind", "receive"), [(Client, receive_in_thread), (aio.Client, receive_in_loop)], ids=["sync", "aio"]
)
def test_all_channels_receive_soon_after_the_network_is_back(network, server, folder, kind, receive, count):
    names = [f"c{number}" for number in range(count)]
    options = {"base_url": network.url, "verify": str(folder / "ca.pem"), **TIMES}
    clients = [kind(server.create_channel(name), **options) for name in names]
    back_at = []

    def send(text):
        for name in names:
            server.send_message(name, text)

    def outage():
        network.lose()
        # Longer than any silence is borne, and than some tries.
        time.sleep(6)
        network.heal()
        back_at.append(time.monotonic())
        send("b")

    helper = threading.Thread(target=outage)
    send("a")
    receive(clients, helper.start)
    helper.join()
    assert time.monotonic() - back_at[0] < SECONDS


@pytest.fixture
def script(folder):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    with Http2Server(context) as server:
        yield server


def alive(request):
    """A back channel that is never silent for long."""
    request.begin([1, "a"])
    number = 2
    while not request.connection.gone.wait(0.2):
        request.chunk([number, ["noop"]])
        number += 1


@pytest.mark.http2
def test_maps_that_were_under_way_go_again_at_once_when_the_back_channel_is_found_dead(script, folder):
    # A second one that was silent, too, would be found dead as well where the rest of the test takes long.
    script.on("back", held([1, "a"]), alive)
    options = {"verify": str(folder / "ca.pem"), "timeout": 2.0, "request_timeout": 60.0}
    with Network(script.server.server_address[1]) as network:
        url = f"https://127.0.0.1:{network.port}/channel"
        with BrowserChannel(url, **options) as channel:
            messages = iter(channel)
            assert next(messages) == "a"
            reader = threading.Thread(target=lambda: list(messages))
            reader.start()
            network.lose()
            channel.send({"b": "c"})
            network.heal()
            began = time.monotonic()
            channel.flush(30)
            assert time.monotonic() - began < SECONDS
            channel.close()
            reader.join()
        assert network.connections == 2
    (maps,) = script.of("maps")
    assert maps.maps == {0: {"b": "c"}}
    # Once more where libcurl tries the connection that was shut.
    assert maps.query["t"] in ("2", "3")
