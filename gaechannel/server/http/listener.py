"""An application that is served on a listening socket, and stopped in order.

Connections are accepted here, and not by asyncio: where descriptors are used up, that writes a traceback for
each turn of a loop, and accepts again only a second later.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Any, cast

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger
from aiohttp.http_exceptions import HttpProcessingError

from gaechannel.server.core.counters import Counters
from gaechannel.server.core.limits import ConnectionLimits

from .connections import Connections, Guard, telling_guards

logger: logging.Logger = logging.getLogger("gaechannel.server")

#: Seconds that requests under way get when the server stops, before they are cut.
_SHUTDOWN_SECONDS = 0.25

#: Seconds between two looks whether the back channels have ended then.
_LENT_SECONDS = 0.005

#: Seconds that what is left of a refused body is read and dropped, so that its sender sees the answer.
_LINGERING_SECONDS = 2.0

#: Connections that are accepted in one turn of the event loop, so that those there are have their turn, too.
_ACCEPTS_A_TURN = 16

#: Seconds until connections are accepted again where the system cannot, for whatever reason.
_RETRY_SECONDS = 0.5

#: Longest request line, in bytes: a fast handshake has its first maps in the query, Authorization included.
_MAX_LINE_BYTES = 64 << 10

#: What a connection is answered that there is no room for.
_NO_ROOM = (
    b"HTTP/1.1 429 Too many connections\r\nContent-Type: text/plain\r\nContent-Length: 20\r\n"
    b"Retry-After: 5\r\nConnection: close\r\n\r\nToo many connections"
)


class _QuietLogger(logging.LoggerAdapter[logging.Logger]):
    """What aiohttp logs by: a client's nonsense is worth no traceback, the server's faults are."""

    def __init__(self, counters: Counters) -> None:
        super().__init__(logger, {})
        self._counters = counters

    def debug(self, msg: object, *args: object, exc_info: Any = None, **more: Any) -> None:
        if isinstance(exc_info, HttpProcessingError):  # no method: a handshake of TLS, say
            self._counters.refuse("malformed")
            return
        super().debug(msg, *args, exc_info=exc_info, **more)

    def exception(self, msg: object, *args: object, exc_info: Any = True, **more: Any) -> None:
        if isinstance(exc_info, (HttpProcessingError, ConnectionError)):
            self._counters.refuse("malformed")
            return
        super().exception(msg, *args, exc_info=exc_info, **more)


class Listener:
    """Serves an application on sockets.

    Args:
        app: the application.
        listening: the sockets; ``stop`` closes them first of all.
        ssl_context: serves https with it; None: http.
        limits: how many connections there may be, and how long they may wait.
        counters: counts the connections, and those that are cut.
        access_log: is told of each request, by ``access_log_class``; None: nobody is.
    """

    def __init__(
        self,
        app: web.Application,
        listening: Sequence[socket.socket],
        *,
        ssl_context: ssl.SSLContext | None,
        limits: ConnectionLimits,
        counters: Counters,
        access_log: logging.Logger | None = None,
        access_log_class: type[AbstractAccessLogger] = AbstractAccessLogger,
    ) -> None:
        self._listening = listening
        self._ssl_context = ssl_context
        self._limits = limits
        self._counters = counters
        self._runner = web.AppRunner(
            app,
            access_log=access_log,
            access_log_class=access_log_class,
            logger=_QuietLogger(counters),
            handler_cancellation=True,
            shutdown_timeout=_SHUTDOWN_SECONDS,
            keepalive_timeout=2 * limits.idle_seconds,  # the guards are faster
            max_line_size=_MAX_LINE_BYTES,
            lingering_time=_LINGERING_SECONDS,
            auto_decompress=False,  # bodies that are compressed are refused
        )
        # An access log tells of a back channel when that has ended, and needs its request until then.
        self._lends = access_log is None or not access_log_class(access_log, "").enabled
        app.on_shutdown.append(self._wait_for_lent)
        #: A descriptor to do without, in order to accept and refuse where there is none left.
        self._spare: int | None = None
        self._stopped = False

    @property
    def transports(self) -> list[asyncio.Transport]:
        """The transports of the connections at this moment."""
        server = self._runner.server
        if server is None:
            return []
        return [
            *(one.transport for one in server.connections if one.transport is not None),
            *self.connections.lent,
        ]

    async def start(self) -> None:
        """Begin to serve."""
        await self._runner.setup()
        server = cast(web.Server, self._runner.server)
        server.request_handler = telling_guards(server.request_handler)
        self._loop = asyncio.get_running_loop()
        #: The connections at this moment.
        self.connections: Connections = Connections(
            self._limits,
            self._counters,
            cast(Callable[[], asyncio.Protocol], server),
            lends=self._lends,
        )
        self._spare = os.open(os.devnull, os.O_RDONLY)
        for one in self._listening:
            one.setblocking(False)
        self._listen()
        self._sweep()

    async def stop(self) -> None:
        """Stop in order: what is open ends, requests under way are answered. It may not have begun."""
        server = self._runner.server
        if server is None:
            return
        self._stopped = True
        for one in self._listening:
            self._loop.remove_reader(one)
            # Who is in the queue now is served; whoever comes goes to the next process, if one listens.
            self._accept(one)
            one.close()
        self._sweeping.cancel()
        making = self.connections.making
        if making:
            # Whoever has connected is answered; handshakes of TLS are not waited for.
            await asyncio.wait(making.values(), timeout=None if self._ssl_context is None else 0.05)
        left = list(making.values())
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        transports = self.transports
        await self._runner.cleanup()
        await _abort_left(server, transports)
        if self._spare is not None:
            os.close(self._spare)

    async def _wait_for_lent(self, _app: web.Application) -> None:
        """Give the back channels that end now the time that aiohttp gives to requests."""
        connections = self.connections
        connections.lends = False
        until = self._loop.time() + _SHUTDOWN_SECONDS
        while connections.lent and self._loop.time() < until:  # noqa: ASYNC110 - it is many events
            await asyncio.sleep(_LENT_SECONDS)

    def _listen(self) -> None:
        if not self._stopped:
            for one in self._listening:
                self._loop.add_reader(one, self._accept, one)

    def _sweep(self) -> None:
        more = self.connections.sweep()
        self._sweeping = self._loop.call_later(0 if more else self.connections.sweep_seconds, self._sweep)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_ACCEPTS_A_TURN):
            try:
                accepted, peer = listening.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionError:  # it has gone
                continue
            except OSError as error:
                self._make_room(listening, error)
                return
            refusal = self.connections.refusal(peer)
            if refusal is None:
                self._serve(accepted)
            else:
                self._refuse(accepted, refusal)

    def _serve(self, accepted: socket.socket) -> None:
        self._counters.accepted += 1
        accepted.setblocking(False)
        guard = Guard(self.connections)
        making = self._loop.create_task(self._make(guard, accepted))
        self.connections.making[guard] = making

        def made(task: asyncio.Task[None]) -> None:
            self.connections.making.pop(guard, None)
            if task.cancelled():
                self._counters.cut_one("tls")
                accepted.close()

        making.add_done_callback(made)

    async def _make(self, guard: Guard, accepted: socket.socket) -> None:
        seconds = None if self._ssl_context is None else self._limits.header_seconds
        try:
            await self._loop.connect_accepted_socket(
                lambda: guard, accepted, ssl=self._ssl_context, ssl_handshake_timeout=seconds
            )
        except OSError:
            self._counters.cut_one("tls")

    def _refuse(self, accepted: socket.socket, cause: str) -> None:
        """Answer a connection that there is no room for, if that can be done at once."""
        self._counters.cut_one(cause)
        self._counters.say(f"a connection was refused: too many {cause.removesuffix(' of an address')}")
        with accepted, contextlib.suppress(OSError):
            accepted.setblocking(False)
            if self._ssl_context is None:
                accepted.send(_NO_ROOM)
            accepted.recv(1 << 16)  # closing with what is unread would take the answer away

    def _make_room(self, listening: socket.socket, error: OSError) -> None:
        """Nobody can be accepted: whoever waits without asking makes room; else who comes is refused."""
        self._counters.say(f"no connection can be accepted: {error.strerror or error}")
        if self.connections.cut_a_waiting_one("descriptors"):
            return  # its descriptor is free in the loop's next turn
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None
            with contextlib.suppress(OSError):
                self._refuse(listening.accept()[0], "descriptors")
                self._spare = os.open(os.devnull, os.O_RDONLY)
                return
        for one in self._listening:
            self._loop.remove_reader(one)
        self._loop.call_later(_RETRY_SECONDS, self._go_on)

    def _go_on(self) -> None:
        if self._spare is None:
            with contextlib.suppress(OSError):
                self._spare = os.open(os.devnull, os.O_RDONLY)
        self._listen()


async def _abort_left(server: web.Server, transports: list[asyncio.Transport]) -> None:
    """Cut what closing the server has left: who does not read, and who was accepted meanwhile."""
    for _ in range(3):  # to be accepted, aborted, and closed takes a turn of the loop each
        now = [one.transport for one in server.connections if one.transport is not None]
        for transport in (*transports, *now):
            # A TLS transport that has lost its connection does not know it: CPython 3.11.2 and others.
            with contextlib.suppress(AttributeError):
                transport.abort()
        await asyncio.sleep(0)
