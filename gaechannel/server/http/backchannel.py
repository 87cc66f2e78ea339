"""A back channel over aiohttp: one open response, one future to wait on, no task and no timer of its own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable

from aiohttp import web

from gaechannel.server.core.session import Session
from gaechannel.server.core.sessions import SessionService


class HttpBackChannel:
    """The back channel that a request holds open.

    Args:
        request: the request.
        one_batch: whether to end after one chunk (``CI=1``).
        deadline: when to end in order, on the service's ``monotonic`` clock.
        now: the time on that clock.
    """

    __slots__ = (
        "_blocked",
        "_loop",
        "_request",
        "_thread",
        "_timer",
        "_waiter",
        "deadline",
        "ending",
        "last_taken",
        "one_batch",
        "taken",
        "woken",
    )

    def __init__(self, request: web.Request, *, one_batch: bool, deadline: float, now: float) -> None:
        self.one_batch: bool = one_batch
        self.deadline: float = deadline
        self.last_taken: float = now
        self.taken: int = 0
        self.woken: bool = False
        self.ending: bool = False
        self._request = request
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._waiter: asyncio.Future[None] | None = None
        self._blocked = False
        self._timer: asyncio.TimerHandle | None = None

    def wake(self) -> None:
        """Have the session asked again soon; from any thread."""
        self._call(self._wake)

    def lost(self) -> bool:
        """Whether the connection has gone."""
        transport = self._request.transport
        return transport is None or transport.is_closing()

    def abort(self) -> None:
        """Cut the connection if it waits for its client to read; from any thread."""
        self._call(self._abort)

    def end_after(self, seconds: float) -> None:
        """Have it end in order after so many seconds: a bound that its client has set (``TO``)."""
        self._timer = self._loop.call_later(seconds, self._end)

    def finish(self) -> None:
        """It has ended: forget what was still to come."""
        if self._timer is not None:
            self._timer.cancel()

    async def run(self, session: Session, service: SessionService, response: web.StreamResponse) -> None:
        """Write the session's arrays as they come, until it is time to end."""
        while True:
            chunk, last = session.take(self)
            if chunk:
                self._blocked = True
                await response.write(chunk)
                self._blocked = False
                service.written(session)
            if last:
                return
            if not chunk:
                self._waiter = self._loop.create_future()
                await self._waiter
                self._waiter = None

    def _call(self, function: Callable[[], None]) -> None:
        if threading.get_ident() == self._thread:
            function()
            return
        with contextlib.suppress(RuntimeError):  # the loop has closed, and the connection with it
            self._loop.call_soon_threadsafe(function)

    def _end(self) -> None:
        self.ending = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _abort(self) -> None:
        transport = self._request.transport
        if self._blocked and transport is not None:
            transport.abort()
