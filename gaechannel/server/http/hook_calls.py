"""What calls an application's functions, for the requests: in threads, with the time that they may take.

They might block, and the event loop is everybody's. Where there are none, nothing leaves the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from typing import TypeVar
from weakref import WeakKeyDictionary

from gaechannel.server.core.errors import Refusal, failed_application
from gaechannel.server.core.hooks import HookThreads
from gaechannel.server.core.session import Session
from gaechannel.server.core.sessions import Opening, SessionService

logger: logging.Logger = logging.getLogger("gaechannel.server")

_Result = TypeVar("_Result")


class HookCalls:
    """Opens, feeds and ends a service's sessions.

    Args:
        service: the sessions.
    """

    def __init__(self, service: SessionService) -> None:
        self._service = service
        self._threads = HookThreads()
        #: Whose maps are being handed on: of one session, those of one request at a time.
        self._turns: WeakKeyDictionary[Session, asyncio.Lock] = WeakKeyDictionary()

    def close(self) -> None:
        """Nothing is asked any more."""
        self._threads.close()

    async def open(self, opening: Opening, *, alone: bool) -> tuple[Session, bytes]:
        """See :meth:`SessionService.open`.

        Raises:
            Refusal: as there; 500 where the application takes too long, whose session has ended then.
        """
        service = self._service
        if not service.has_hooks:
            return await service.begin(opening, alone=alone)
        try:
            opened = await self._in_thread(lambda: service.open(opening, alone=alone))
        except TimeoutError:
            with service.lock:
                opening.given_up = True  # it may be made in this moment, or not yet
            if opening.session is not None:
                self._say(opening.session)
                service.end(opening.session, "failed")
            raise failed_application() from None
        await service.commit()
        return opened

    async def forward(
        self,
        session: Session,
        aid: int,
        ofs: int | None,
        maps: list[dict[str, str]],
        rid: int,
        *,
        again: bool,
    ) -> list[int]:
        """See :meth:`SessionService.forward`; a session that the application holds up is stopped."""
        service = self._service
        if not session.has_hooks or not maps:
            return await service.receive(session, aid, ofs, maps, rid, again=again)
        turn = self._turns.setdefault(session, asyncio.Lock())
        try:
            async with asyncio.timeout(service.limits.hook_seconds):
                await turn.acquire()
            status = await self._in_turn(
                turn, lambda: service.forward(session, aid, ofs, maps, rid, again=again)
            )
        except TimeoutError:
            self._say(session)
            session.fail()
            with service.lock:
                status = session.status()
        await service.commit()
        return status

    async def end(self, session: Session, reason: str) -> None:
        """See :meth:`SessionService.end`; an ``on_close`` that blocks is left alone."""
        if session.on_close is None:
            await self._service.finish(session, reason)
            return
        try:
            await self._in_thread(lambda: self._service.end(session, reason))
        except TimeoutError:
            self._say(session)
        await self._service.commit()

    async def _in_turn(self, turn: asyncio.Lock, function: Callable[[], _Result]) -> _Result:
        """Call it, then give the turn to the next request."""
        with contextlib.ExitStack() as end:
            end.callback(turn.release)
            called = self._submit(function)
            try:
                return await self._wait_for(called)
            except asyncio.CancelledError:
                # The connection has gone, but the application is still being told.
                later = end.pop_all()
                called.add_done_callback(lambda _: later.close())
                raise

    async def _in_thread(self, function: Callable[[], _Result]) -> _Result:
        return await self._wait_for(self._submit(function))

    def _submit(self, function: Callable[[], _Result]) -> asyncio.Future[_Result]:
        future = asyncio.wrap_future(self._threads.submit(function))
        # Whoever waits may be cancelled, with the connection; what it raises then is nobody's.
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        return future

    async def _wait_for(self, called: asyncio.Future[_Result]) -> _Result:
        return await asyncio.wait_for(asyncio.shield(called), self._service.limits.hook_seconds)

    def _say(self, session: Session) -> None:
        seconds = self._service.limits.hook_seconds
        logger.error("session %s is ended: its handler takes longer than %g s", session.name, seconds)


class HookRunner:
    """Calls in a thread what the event loop that it was made on would call, such as ``on_close``."""

    def __init__(self) -> None:
        self._threads = HookThreads()
        self._loop_thread = threading.get_ident()

    def __call__(self, function: Callable[[], object]) -> None:
        """Call it: in a thread, soon; where this is no event loop's, now."""
        if threading.get_ident() != self._loop_thread:
            function()
            return
        try:
            self._threads.submit(function)
        except Refusal as refusal:
            logger.error("on_close is not called: %s", refusal.text)

    def close(self) -> None:
        """Nothing is called any more."""
        self._threads.close()
