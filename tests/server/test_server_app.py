"""gaechannel.server.http.app: the web application in a runner that is not ours."""

import asyncio

import aiohttp
import pytest
from aiohttp import web

from gaechannel import aio
from gaechannel.server import BrowserChannelService, ChannelService, make_admin_app, make_app


async def serve(app):
    """Serve an application as aiohttp's manual has it. Returns the runner and the base URL."""
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.002)


def test_a_cut_connection_is_noticed_without_the_runners_help():
    async def main():
        service = BrowserChannelService(session_timeout=1.0)
        runner, url = await serve(make_app(mounts={"/channel": service}))
        ends = []
        service.on_session = lambda session: setattr(session, "on_close", ends.append)
        async with aiohttp.ClientSession(url) as http:
            async with http.post("/channel/bind", params={"VER": 8, "RID": 1}, data={"count": 0}) as reply:
                assert reply.status == 200
            (session,) = service.sessions
            query = {"VER": 8, "RID": "rpc", "SID": session.sid, "AID": 0, "CI": 0, "TYPE": "xmlhttp"}
            async with http.get("/channel/bind", params=query):
                assert session.has_back_channel
                await asyncio.sleep(1.5)  # longer than session_timeout: an open back channel keeps it
                assert ends == []
        await until(lambda: ends == ["timeout"])
        async with asyncio.timeout(20):  # aiohttp would wait a minute for a handler that is left over
            await runner.cleanup()

    asyncio.run(main())


def test_messages_sent_on_the_servers_own_loop_arrive():
    async def main():
        service = ChannelService()
        runner, url = await serve(make_app(service))
        token = service.create_channel("me")
        query = {"VER": 8, "RID": 1, "token": token, "clid": "C"}
        form = {"count": 1, "ofs": 0, "req0_m": '["connect-add-client"]'}
        async with aiohttp.ClientSession(url + "/talkgadget/dch/") as http:
            async with http.post("bind", params=query, data=form):
                pass
            (session,) = service.sessions
            query.update(SID=session.sid, RID="rpc", AID=0, TYPE="xmlhttp")
            async with http.get("bind", params=query) as reply:
                for number in range(1000):
                    service.send_message("me", str(number))
                body = b""
                while body.count(b'"ae"') < 1000:
                    body += await asyncio.wait_for(reply.content.readany(), 20)
        async with asyncio.timeout(20):  # aiohttp would wait a minute for a handler that is left over
            await runner.cleanup()
        assert body.count(b'"ae","') == 1000

    asyncio.run(main())


def test_an_application_may_be_mounted_in_another_one():
    async def main():
        service, two_way = ChannelService(), BrowserChannelService()
        two_way.on_session = lambda session: session.send("hello")
        whole = web.Application()
        inner = web.Application()
        inner.add_subapp("/live", make_app(service, mounts={"/two-way": two_way}))
        whole.add_subapp("/deep", inner)
        runner, url = await serve(whole)
        below = f"{url}/deep/live"
        async with aio.Client(service.create_channel("me"), base_url=f"{below}/talkgadget") as client:
            service.send_message("me", "hello")
            assert await client.recv(timeout=20) == "hello"
        async with aio.BrowserChannel(f"{below}/two-way") as channel:
            assert await channel.recv(timeout=20) == "hello"
        async with aiohttp.ClientSession() as http:
            async with http.get(f"{below}/") as reply:
                page = await reply.text()
                assert f"<code>{below}/two-way</code>" in page
                assert f"<code>{below}/talkgadget</code>" in page
            async with http.get(f"{below}/page.css") as reply:
                assert (reply.status, reply.content_type) == (200, "text/css")
            async with http.get(f"{below}/nowhere") as reply:
                assert (reply.status, "This server has: /deep/live/talkgadget, " in await reply.text()) == (
                    404,
                    True,
                )
            stranger = {"Origin": "https://stranger.example"}
            async with http.get(f"{below}/_ah/channel/jsapi", headers=stranger) as reply:
                assert reply.status == 200
            async with http.get(f"{below}/talkgadget/d", headers=stranger) as reply:
                assert reply.status == 403
            async with http.get(
                f"{below}/talkgadget/d", params={"token": service.create_channel("you")}
            ) as reply:
                assert f'"{below}/talkgadget/"' in await reply.text()
                assert reply.cookies["S"]["path"] == "/deep/live/talkgadget"
        await runner.cleanup()

    asyncio.run(main())


def test_the_administration_may_be_mounted_in_another_one():
    async def main():
        whole = web.Application()
        whole.add_subapp("/inside", make_admin_app(ChannelService(), "secret"))
        runner, url = await serve(whole)
        async with aiohttp.ClientSession() as http:
            async with http.get(f"{url}/inside/") as reply:
                assert f"{url}/inside/talkgadget" in await reply.text()
            async with http.get(f"{url}/inside/page.js") as reply:
                assert (reply.status, reply.content_type) == (200, "text/javascript")
        await runner.cleanup()

    asyncio.run(main())


@pytest.mark.parametrize("presence_url", [None, "http://127.0.0.1:9"])
def test_of_a_program_that_ends_without_cleanup_its_own_error_alone_is_told(presence_url):
    told = []

    async def main():
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context))
        await web.AppRunner(make_app(ChannelService(presence_url=presence_url))).setup()
        raise ValueError("its own")

    with pytest.raises(ValueError, match="its own"):
        asyncio.run(main())
    assert told == []
