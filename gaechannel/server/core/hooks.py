"""Calls of an application's functions in threads of their own: one that blocks holds up nobody else."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from .errors import busy_application

_Result = TypeVar("_Result")
_Work = tuple[Future[Any], Callable[[], Any]]

#: Threads at the same time. More than that are only needed where as many calls block.
_MOST_THREADS = 64


class HookThreads:
    """Threads for calls that may block: started when all others are busy, and kept until ``close``.

    They are daemons: one that is blocked for ever keeps no process from ending.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[queue.SimpleQueue[_Work | None]] = []
        self._count = 0
        self._closed = False

    def submit(self, function: Callable[[], _Result]) -> Future[_Result]:
        """Have a function called; what it returns or raises is the future's.

        Raises:
            Refusal: 429 where all threads are busy: as many of the application's calls block.
        """
        future: Future[_Result] = Future()
        with self._lock:
            if self._idle:
                work = self._idle.pop()
            elif self._count < _MOST_THREADS:
                work = queue.SimpleQueue()
                self._count += 1
                threading.Thread(target=self._run, args=(work,), name="gaechannel-hooks", daemon=True).start()
            else:
                raise busy_application()
        work.put((future, function))
        return future

    def close(self) -> None:
        """Have the threads end, each as soon as it is idle."""
        with self._lock:
            self._closed = True
            for work in self._idle:
                work.put(None)
            self._idle.clear()

    def _run(self, work: queue.SimpleQueue[_Work | None]) -> None:
        while (item := work.get()) is not None:
            future, function = item
            settle: Callable[[Any], None]
            try:
                settle, outcome = future.set_result, function()
            except BaseException as error:
                settle, outcome = future.set_exception, error
            with self._lock:
                # Idle before its caller goes on: a call after the other needs one thread.
                if not self._closed:
                    self._idle.append(work)
            with contextlib.suppress(Exception):  # cancelled: nobody waits any more
                settle(outcome)
            if self._closed:
                return
