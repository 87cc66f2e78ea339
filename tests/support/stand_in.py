"""A stand-in for a service that the examples talk to: channels and pages at one address, in a thread."""

import asyncio
import socket
import threading
import warnings
from urllib.parse import parse_qsl

from aiohttp import web
from loops import end_connections

from gaechannel.server import make_app


class StandIn:
    """A server in a thread of its own.

    Args:
        mounts: browserchannel and webchannel services by path.
        pages: coroutine functions that answer an aiohttp request, by (method, path).

    Attributes:
        url: the server's address.
        heard: all requests so far: (method, path, query, form, headers).
    """

    def __init__(self, mounts, pages):
        self.mounts, self.pages = mounts, pages
        self.heard = []

    async def _hear(self, request):
        body = await request.read()
        is_form = request.content_type == "application/x-www-form-urlencoded"
        form = dict(parse_qsl(body.decode(), keep_blank_values=True)) if is_form else {}
        self.heard.append((request.method, request.path, request.query, form, request.headers))
        if body:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                request.content.unread_data(body)  # the channels read it piece by piece

    def of(self, method, path):
        """The requests of a kind."""
        return [one for one in self.heard if one[:2] == (method, path)]

    def lose_sessions(self):
        """Forget all sessions, as a server that is restarted."""
        for service in self.mounts.values():
            service.forget()

    async def _serve(self, started):
        app = make_app(mounts=self.mounts, allow_origins="*")

        @web.middleware
        async def hearing(request, handler):
            await self._hear(request)
            return await handler(request)

        app.middlewares.append(hearing)
        for (method, path), page in self.pages.items():
            app.router.add_route(method, path, page)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        listening = socket.create_server(("127.0.0.1", 0))
        await web.SockSite(runner, listening).start()
        self.url = "http://{}:{}".format(*runner.addresses[0])
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        started.set()
        await self._stopping.wait()
        await end_connections([listening])
        await runner.cleanup()

    def __enter__(self):
        started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(started)), daemon=True)
        self._thread.start()
        while not started.wait(0.1):
            assert self._thread.is_alive()
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
