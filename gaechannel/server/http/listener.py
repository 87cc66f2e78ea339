"""An application that is served on a listening socket, and stopped in order."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl

from aiohttp import web

#: Seconds that requests under way get when the server stops, before they are cut.
_SHUTDOWN_SECONDS = 0.25

#: Seconds that what is left of a refused body is read and dropped, so that its sender sees the answer.
_LINGERING_SECONDS = 2.0

#: How many turns of the event loop it takes to accept a connection, and some more.
_ACCEPT_TURNS = 8

#: Longest request line, in bytes: a fast handshake has its first maps in the query, Authorization included.
_MAX_LINE_BYTES = 64 << 10


class Listener:
    """Serves an application on a socket.

    Args:
        app: the application.
        listening: the socket; it stays its owner's, who closes it after ``stop``.
        ssl_context: serves https with it; None: http.
        backlog: connections that may wait to be accepted.
    """

    def __init__(
        self,
        app: web.Application,
        listening: socket.socket,
        *,
        ssl_context: ssl.SSLContext | None,
        backlog: int,
    ) -> None:
        self._listening = listening
        self._ssl_context = ssl_context
        self._backlog = backlog
        self._runner = web.AppRunner(
            app,
            access_log=None,
            handler_cancellation=True,
            shutdown_timeout=_SHUTDOWN_SECONDS,
            max_line_size=_MAX_LINE_BYTES,
            lingering_time=_LINGERING_SECONDS,
            auto_decompress=False,  # bodies that are compressed are refused
        )

    @property
    def transports(self) -> list[asyncio.Transport]:
        """The transports of the connections at this moment."""
        server = self._runner.server
        connections = server.connections if server is not None else []
        return [one.transport for one in connections if one.transport is not None]

    async def start(self) -> None:
        """Begin to serve."""
        await self._runner.setup()
        await web.SockSite(
            self._runner, self._listening, ssl_context=self._ssl_context, backlog=self._backlog
        ).start()

    async def stop(self) -> None:
        """Stop in order: what is open ends, requests under way are answered. It may not have begun."""
        server = self._runner.server
        if server is None:
            return
        # CPython 3.11 loses a connection that is being accepted while its listener is closed.
        asyncio.get_running_loop().remove_reader(self._listening)
        for _ in range(_ACCEPT_TURNS):
            await asyncio.sleep(0)
        transports = self.transports
        await self._runner.cleanup()
        await _abort_left(server, transports)


async def _abort_left(server: web.Server, transports: list[asyncio.Transport]) -> None:
    """Cut what closing the server has left: who does not read, and who was accepted meanwhile."""
    for _ in range(3):  # to be accepted, aborted, and closed takes a turn of the loop each
        now = [one.transport for one in server.connections if one.transport is not None]
        for transport in (*transports, *now):
            # A TLS transport that has lost its connection does not know it: CPython 3.11.2 and others.
            with contextlib.suppress(AttributeError):
                transport.abort()
        await asyncio.sleep(0)
