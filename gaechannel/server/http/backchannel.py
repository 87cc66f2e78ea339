"""A back channel over aiohttp: one open response, whose chunks go straight to the connection.

Whoever is woken stands in a line, and is given in the event loop's next turn what there is for it then: a
message to a thousand sessions, or a thousand messages to one, wake the loop once. No task runs for it and no
timer: where its connection has a guard, that lends it, and the request's handler ends; else the handler
sleeps until the back channel has to wait for its client, or ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter

from gaechannel.server.core.session import Session
from gaechannel.server.core.sessions import SessionService

from .connections import Guard

logger: logging.Logger = logging.getLogger("gaechannel.server")

#: How many back channels are written to in one turn of the event loop, so that others have theirs.
_TURN = 128
#: How many stand in line before they are written to in the middle of a turn: what is known of them is in the
#: processor's caches then, and they need not wait until a message has been given to all others.
_EARLY = 64
#: How many are written to so in one turn.
_EARLY_A_TURN = 1024
#: How long to wait for a connection that is full and does not say when it is not.
_FULL_SECONDS = 0.02


class Line:
    """The back channels of an event loop that have been woken, in the order of their waking.

    Whoever is woken on the event loop with many others is fed before its turn ends, once: what it is sent in
    that turn afterwards goes together.
    """

    __slots__ = ("_called", "_early", "_left", "_loop", "_thread", "_turn", "_woken")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        #: Those that are to be fed.
        self._woken: deque[HttpBackChannel] = deque()
        #: Those of them that may be fed before the turn ends, and how many more of them may.
        self._early: list[HttpBackChannel] = []
        self._left = _EARLY_A_TURN
        #: Counts the feedings; who has been fed since the last one bears its number.
        self._turn = 1
        #: Whether the event loop is going to feed them.
        self._called = False

    def join(self, back: HttpBackChannel) -> None:
        """Have a back channel fed soon; from any thread."""
        if threading.get_ident() == self._thread and back.turn != self._turn and self._left:
            early = self._early
            early.append(back)
            if len(early) == _EARLY:
                self._feed_early()
        else:
            self._woken.append(back)
        if not self._called:
            self._called = True
            self.call(self._feed)

    def call(self, function: Callable[[], object]) -> None:
        """Have a function called soon on the event loop; from any thread."""
        here = threading.get_ident() == self._thread
        with contextlib.suppress(RuntimeError):  # the loop has closed, and the connections with it
            (self._loop.call_soon if here else self._loop.call_soon_threadsafe)(function)

    def _feed_early(self) -> None:
        # Somebody may hold the service's lock, here and now: whoever ends has to wait.
        self._left -= _EARLY
        early, self._early = self._early, []
        for back in early:
            back.turn = self._turn
            if back.ends:
                self._woken.append(back)
            else:
                back.feed()

    def _feed(self) -> None:
        self._called = False  # before the line is read: who comes from now on calls anew
        self._turn += 1
        self._left = _EARLY_A_TURN
        woken = self._woken
        woken.extend(self._early)
        self._early.clear()
        for _ in range(min(len(woken), _TURN)):
            woken.popleft().feed()
        if woken and not self._called:
            self._called = True
            self.call(self._feed)


class HttpBackChannel:
    """The back channel that a request holds open.

    Args:
        request: the request.
        session: whose arrays are written.
        service: the session's.
        line: where it stands when it has been woken.
        one_batch: whether to end after one chunk (``CI=1``).
    """

    __slots__ = (
        "_blocked",
        "_chunked",
        "_given",
        "_guard",
        "_keep_alive",
        "_keeps",
        "_limit",
        "_line",
        "_service",
        "_session",
        "_timer",
        "_transport",
        "_waiter",
        "_waiting",
        "deadline",
        "ending",
        "last_taken",
        "one_batch",
        "taken",
        "turn",
        "woken",
    )

    def __init__(
        self,
        request: web.Request,
        session: Session,
        service: SessionService,
        line: Line,
        *,
        one_batch: bool,
    ) -> None:
        now = service.monotonic()
        self.one_batch: bool = one_batch
        self.deadline: float = now + service.limits.backchannel_seconds
        self.last_taken: float = now
        self.taken: int = 0
        self.woken: bool = False
        self.ending: bool = False
        #: In which turn of the line it has been fed early.
        self.turn: int = 0
        self._transport = request.transport
        #: HTTP/1.0 has no chunked encoding: there the connection's end is the response's.
        self._chunked = request.version >= HttpVersion11
        self._limit = 0 if self._transport is None else self._transport.get_write_buffer_limits()[1]
        self._session = session
        self._service = service
        self._keeps = service.store.keeps
        self._line = line
        self._waiter: asyncio.Future[None] | None = None
        #: Who has lent it the connection; None: nobody has, and the request's handler lives.
        self._guard: Guard | None = None
        self._keep_alive = self._chunked and request.keep_alive
        #: Whether it has been given all: it is to end.
        self._given = False
        #: Whether the handler sleeps until there is something to write.
        self._waiting = False
        #: Whether it waits for the client to read.
        self._blocked = False
        self._timer: asyncio.TimerHandle | None = None

    def wake(self) -> None:
        """Have the session asked again soon; from any thread."""
        self._line.join(self)

    @property
    def ends(self) -> bool:
        """Whether more is to be done than to write."""
        return self.ending or self._keeps or self._session.stopped or self._session.ended

    def lost(self) -> bool:
        """Whether the connection has gone."""
        return self._transport is None or self._transport.is_closing()

    def abort(self) -> None:
        """Cut the connection if it waits for its client to read; from any thread."""
        self._line.call(self._abort)

    def end_after(self, seconds: float) -> None:
        """Have it end in order after so many seconds: a bound that its client has set (``TO``)."""
        self._timer = asyncio.get_running_loop().call_later(seconds, self._end)

    def finish(self) -> None:
        """The response has ended: forget what was still to come."""
        self._waiting = self._blocked = False
        if self._timer is not None:
            self._timer.cancel()

    async def run(self, response: web.StreamResponse, request: web.Request) -> None:
        """Answer the request: the session's arrays as they come, until it is time to end.

        Raises:
            asyncio.CancelledError: the connection is lent: the rest goes on without the handler.
            ConnectionResetError: the client has gone.
            Refusal: what there is to write cannot be kept now.
        """
        if self._chunked:
            response.enable_chunked_encoding()
        else:
            response.force_close()
        writer = await response.prepare(request)
        if writer is None:  # the response has ended, before it began
            raise ConnectionResetError("the response has ended")
        # aiohttp keeps the headers back for the first chunk since 3.12; a client waits for them.
        send_headers = getattr(writer, "send_headers", None)
        if send_headers is not None:
            send_headers()
        while not self._given and not (await self._give_kept() if self._keeps else self._give()):
            if self._borrow():
                raise asyncio.CancelledError
            await self._wait(writer)
        writer.output_size += self.taken
        self._blocked = True  # it may be full of what its client does not read
        await response.write_eof()
        self._say_carried()

    def feed(self) -> None:
        """Write what there is; rouse the request's handler where more is to be done than that."""
        if not self._waiting:
            return
        try:
            if not self._keeps:
                self._given = self._give()
                if not self._given and not self._is_full():
                    return
            self._rouse(None)
        except Exception as error:
            self._rouse(error)

    @property
    def borrows(self) -> bool:
        """Whether its connection is lent to it, and it sees to its end itself."""
        return self._guard is not None

    # What the guard says that has lent the connection.

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        self._leave()

    def pause_writing(self) -> None:
        """What has been written is not read: who writes has seen that."""

    def resume_writing(self) -> None:
        """There is room again."""
        if self._blocked:
            self._blocked, self._waiting = False, True
            self.feed()

    def _borrow(self) -> bool:
        """Have the connection lent, where that is worth it; whether it is."""
        if self._transport is None or self.one_batch or self._keeps or self._is_full():
            return False
        guard = self._transport.get_protocol()
        if not isinstance(guard, Guard) or not guard.lend(self):
            return False
        self._guard = guard
        self._waiting = True
        return True

    def _go_on(self, error: Exception | None) -> None:
        """What the handler would do: end, or wait for the client to read."""
        guard, transport = self._guard, self._transport
        if guard is None or transport is None:
            return
        if error is not None:
            if not isinstance(error, ConnectionResetError):
                logger.error("a back channel failed", exc_info=error)
            transport.abort()
        elif self._given:
            if self._chunked:
                transport.write(b"0\r\n\r\n")
            self._say_carried()
            self._leave()
            guard.give_back(keep=self._keep_alive)
        else:
            self._blocked = True

    def _say_carried(self) -> None:
        """All of the answer has been written."""
        with self._service.lock:
            self._session.carried(self)

    def _leave(self) -> None:
        """The connection is no longer its own."""
        self._guard = None
        self.finish()
        with self._service.lock:
            self._session.detach(self)

    def _rouse(self, error: Exception | None) -> None:
        self._waiting = False
        if self._guard is not None:
            self._go_on(error)
            return
        waiter = self._waiter
        if waiter is None or waiter.done():  # its handler has been cancelled
            return
        if error is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(error)

    async def _wait(self, writer: AbstractStreamWriter) -> None:
        """Until there is something to write, and room for it."""
        if self._is_full():
            self._blocked = True
            await writer.drain()
            if self._is_full():  # by another measure than the one that draining goes by
                await asyncio.sleep(_FULL_SECONDS)
            self._blocked = False
            return
        self._waiter = asyncio.get_running_loop().create_future()
        self._waiting = True
        await self._waiter
        self._waiter = None

    def _give(self) -> bool:
        """Write what there is until there is no more, or no room for it.

        Returns:
            Whether it is to end now.
        """
        session, transport = self._session, self._transport
        while True:
            if transport is None or transport.is_closing():
                raise ConnectionResetError("the client has gone")
            chunk, last = session.take(self)
            if chunk:
                transport.write(b"%x\r\n%b\r\n" % (len(chunk), chunk) if self._chunked else chunk)
                if session.stopped:
                    self._service.written(session)
            if last or not chunk:
                return last
            if session.idle and not session.stopped:  # who adds to it from now on wakes this anew
                return False
            if self._is_full():
                return False

    async def _give_kept(self) -> bool:
        """As ``_give``, but what is written has been kept before."""
        session = self._session
        while True:
            chunk, last = session.take(self)
            if chunk:
                await self._service.commit()
            transport = self._transport
            if transport is None or transport.is_closing():
                raise ConnectionResetError("the client has gone")
            if chunk:
                transport.write(b"%x\r\n%b\r\n" % (len(chunk), chunk) if self._chunked else chunk)
                self._service.written(session)
            if last or not chunk or self._is_full():
                return last

    def _is_full(self) -> bool:
        return self._transport is not None and self._transport.get_write_buffer_size() > self._limit

    def _end(self) -> None:
        self.ending = True
        self.wake()

    def _abort(self) -> None:
        if self._blocked and self._transport is not None:
            self._transport.abort()
