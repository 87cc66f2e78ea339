"""HTTP/2, with nghttpx before the server: many channels over few connections.

GAECHANNEL_HTTP2_CHANNELS says how many channels (100 unless it does).
"""

import asyncio
import os
import signal

import pytest
from nghttpx import Proxy, nghttpx
from tls import certified

from gaechannel import aio
from gaechannel.server import LocalServer

CHANNELS = int(os.environ.get("GAECHANNEL_HTTP2_CHANNELS", "100"))

pytestmark = [
    pytest.mark.http2,
    pytest.mark.skipif(nghttpx is None, reason="nghttpx is not installed (Debian: nghttp2-proxy)"),
]


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return certified(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def served():
    with LocalServer(test_delay=0.01) as server:
        yield server


def clients_of(server, proxy, count, **options):
    options = {"verify": str(proxy.folder / "ca.pem"), "max_backoff": 0.2, **options}
    return [
        aio.Client(server.create_channel(f"c{number}"), base_url=proxy.url + "/talkgadget", **options)
        for number in range(count)
    ]


async def anext_of(iterator):
    return await anext(iterator)


async def send_and_receive(server, iterators, text):
    for number in range(len(iterators)):
        server.send_message(f"c{number}", text)
    got = await asyncio.gather(*(anext_of(iterator) for iterator in iterators))
    assert got == [text] * len(iterators)


async def close_all(clients):
    await asyncio.gather(*(client.close() for client in clients))


@pytest.mark.parametrize("streams", [10, 100, 1000])
def test_channels_share_as_few_connections_as_the_server_allows(run, authority, served, streams, capsys):
    async def main(proxy):
        clients = clients_of(served, proxy, CHANNELS)
        iterators = [client.messages() for client in clients]
        await send_and_receive(served, iterators, "a")
        await send_and_receive(served, iterators, "b")
        connections = proxy.connections()
        await close_all(clients)
        return connections

    with Proxy(authority, served.port, streams) as proxy:
        connections = run(main(proxy))
    # Those that find all connections full at the same time, 64 at most, open one each.
    needed, spare = -(-CHANNELS // streams), 64
    with capsys.disabled():
        print(f"\n{CHANNELS} channels, {streams} streams a connection: {connections} connections")
    assert needed <= connections <= needed + (spare if needed > 1 else 1)


def test_a_slow_consumer_does_not_stop_those_on_the_same_connection(run, authority, served, until):
    async def main(proxy):
        slow, quick = clients_of(served, proxy, 2, queue_limit=50_000)
        slowly, quickly = slow.messages(), quick.messages()
        await send_and_receive(served, [slowly, quickly], "a")
        assert proxy.connections() == 1
        for number in range(5_000):
            served.send_message("c0", f"{number} " + "x" * 1000)
        for number in range(300):
            served.send_message("c1", str(number))
            async with asyncio.timeout(10):
                assert await anext(quickly) == str(number)
        assert slow.stats.messages < 1000
        for number in range(5_000):
            assert (await anext(slowly)).startswith(f"{number} ")
        await close_all([slow, quick])

    with Proxy(authority, served.port) as proxy:
        run(main(proxy))


@pytest.mark.parametrize("how", [signal.SIGQUIT, signal.SIGKILL], ids=["goaway", "killed"])
def test_channels_outlive_a_proxy_that_goes_away(run, authority, served, how):
    async def main(proxy):
        clients = clients_of(served, proxy, 30)
        iterators = [client.messages() for client in clients]
        await send_and_receive(served, iterators, "a")
        for turn in range(2):
            waiting = [asyncio.create_task(anext_of(iterator)) for iterator in iterators]
            if how == signal.SIGQUIT:
                # It says GOAWAY, and waits for the streams to end; some may have begun just before it.
                proxy.process.send_signal(how)
                while proxy.process.poll() is None:
                    await asyncio.to_thread(served.cut)
            else:
                await asyncio.to_thread(proxy.kill)
            for number in range(30):
                served.send_message(f"c{number}", f"held {turn}")
            await asyncio.to_thread(proxy.start)
            assert await asyncio.gather(*waiting) == [f"held {turn}"] * 30
        assert sum(client.stats.sessions for client in clients) == 30
        await close_all(clients)

    with Proxy(authority, served.port) as proxy:
        run(main(proxy))


def test_maps_and_arrays_share_a_connection(run, authority, served):
    served.browserchannel.on_session = lambda session: setattr(session, "on_message", session.send)

    async def main(proxy):
        options = {"verify": str(authority / "ca.pem")}
        channels = [aio.BrowserChannel(proxy.url + "/channel", **options) for _ in range(20)]
        iterators = [channel.messages() for channel in channels]
        for turn in range(10):
            for channel in channels:
                await channel.send_json(turn)
            got = await asyncio.gather(*(anext_of(iterator) for iterator in iterators))
            assert got == [turn] * 20
        assert proxy.connections() <= 2
        await close_all(channels)

    with Proxy(authority, served.port) as proxy:
        run(main(proxy))


def test_http2_can_be_declined(run, authority, served):
    async def main(proxy):
        clients = clients_of(served, proxy, 5, http2=False)
        iterators = [client.messages() for client in clients]
        await send_and_receive(served, iterators, "a")
        assert proxy.connections() == 5
        await close_all(clients)

    with Proxy(authority, served.port) as proxy:
        run(main(proxy))
