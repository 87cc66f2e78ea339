"""Telling the application who is there: callbacks, and App Engine's two POSTs.

Plain callables are called at once; coroutine functions and POSTs wait in a queue for ``run``, which the web
application starts, and are done one after the other, so that an application never hears of a client's end
before its beginning.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, TypeGuard

logger: logging.Logger = logging.getLogger("gaechannel.server")

#: A callback: a plain callable, or a coroutine function.
AsyncCallback = Callable[[str], Coroutine[Any, Any, object]]
Callback = Callable[[str], object] | AsyncCallback
#: Tells the application by POST; called with ``connected`` or ``disconnected`` and the client id.
Post = Callable[[str, str], Coroutine[Any, Any, object]]

#: Notices that wait for ``run``; the oldest are dropped when an application does not answer.
_QUEUE_LIMIT = 100_000


class Presence:
    """Reports connected and disconnected clients.

    Args:
        on_connected: called with the client id of a client whose first session is there.
        on_disconnected: called with the client id of a client whose last session has ended.
        posts: whether the application is told by POST, too.
    """

    def __init__(
        self, on_connected: Callback | None, on_disconnected: Callback | None, *, posts: bool
    ) -> None:
        self.on_connected = on_connected
        self.on_disconnected = on_disconnected
        #: Called with ``connected`` or ``disconnected`` and the client id, at once; they must not block.
        self.watchers: set[Callable[[str, str], object]] = set()
        #: Called when they may not have been told of something.
        self.on_missed: set[Callable[[], object]] = set()
        #: Whether they are told by a store, of all nodes' clients.
        self.told_elsewhere: bool = False
        self._posts = posts
        self._queue: deque[tuple[str, AsyncCallback | None, str]] = deque(maxlen=_QUEUE_LIMIT)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._filled: asyncio.Event | None = None
        self._ending = False

    def connected(self, client_id: str) -> None:
        """Report a client that has come; from any thread."""
        self._report("connected", self.on_connected, client_id)

    def disconnected(self, client_id: str) -> None:
        """Report a client that has gone; from any thread."""
        self._report("disconnected", self.on_disconnected, client_id)

    def tell_watchers(self, what: str, client_id: str) -> None:
        """Tell of a client that has ``connected``, or ``disconnected``."""
        for watcher in list(self.watchers):
            watcher(what, client_id)

    async def run(self, post: Post | None) -> None:
        """Work the queue off, until cancelled or told to finish.

        Args:
            post: tells the application by POST; None: nobody does.
        """
        self._ending = False
        self._loop, self._filled = asyncio.get_running_loop(), asyncio.Event()
        while True:
            self._filled.clear()
            while self._queue:
                what, callback, client_id = self._queue.popleft()
                if callback is not None:
                    await self._call(what, callback, client_id)
                if post is not None:
                    await post(what, client_id)
            if self._ending:
                return
            await self._filled.wait()

    def finish(self) -> None:
        """Have ``run`` return once the queue is empty; on its event loop."""
        self._ending = True
        if self._filled is not None:
            self._filled.set()

    def _report(self, what: str, callback: Callback | None, client_id: str) -> None:
        if not self.told_elsewhere:
            self.tell_watchers(what, client_id)
        later: AsyncCallback | None = None
        if callback is not None:
            if _is_async(callback):
                later = callback
            else:
                try:
                    callback(client_id)
                except Exception:
                    logger.exception("on_%s failed for client %r", what, client_id)
        if later is None and not self._posts:
            return
        self._queue.append((what, later, client_id))
        if self._loop is not None and self._filled is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._filled.set)

    async def _call(self, what: str, callback: AsyncCallback, client_id: str) -> None:
        try:
            await callback(client_id)
        except Exception:
            logger.exception("on_%s failed for client %r", what, client_id)


def _is_async(callback: Callback) -> TypeGuard[AsyncCallback]:
    return inspect.iscoroutinefunction(callback)
