"""The same channels for asyncio: same names, same arguments, no threads::

    from gaechannel import aio

    async with aio.Client(token) as client:
        async for message in client:
            print(message)

All channels of an event loop share one libcurl multi handle, which the loop's readers and timers drive. A
channel belongs to the event loop that first awaits something of it. Runs on uvloop, too.
"""

import asyncio
import contextlib
import inspect
import logging
import sys
import threading
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import Any, Literal, Self, TypeVar

from gaechannel import _core, client, two_way
from gaechannel._arguments import (
    browser_channel_arguments,
    check_message_key,
    client_arguments,
    dev_arguments,
    given,
    web_channel_arguments,
)
from gaechannel._base import Channel, Message, WebOpenedWith
from gaechannel._checks import check_flag
from gaechannel._hooks import ON_STATE_WAITS, Asking, OnSession, Opening, Params, refuse_waiting
from gaechannel._options import (
    Buffered,
    Certificate,
    Cookies,
    Given,
    Headers,
    OnState,
    State,
    Verify,
    batch_size,
    seconds_to_wait,
)
from gaechannel.errors import ChannelError, ChannelTimeout
from gaechannel.merging import prepare

__all__ = ["BrowserChannel", "Client", "DevClient", "WebChannel", "merge"]

# How long close() waits for a coroutine that is told of the end, in seconds.
_TELL_TIMEOUT = 1.0
# How often the event loop of a notebook's kernel looks up while a channel is in it, in seconds.
_LOOK_UP_SECONDS = 0.25
# What _await() takes where nothing is to be waited for.
_LOOK = (0, 0.0)
_ASYNCHRONOUS: dict[str, Any] = {"is_async": True}


class _EventLoop(_core.EventLoop):
    """A _core.EventLoop that can be referred to weakly."""


# Each event loop's, as long as a channel needs it.
_loops: weakref.WeakValueDictionary[int, _EventLoop] = weakref.WeakValueDictionary()


def _loop_of(event_loop: asyncio.AbstractEventLoop) -> _EventLoop:
    loop = _loops.get(id(event_loop))
    if loop is None or loop.event_loop is not event_loop:
        loop = _loops[id(event_loop)] = _EventLoop(event_loop)
        if _is_in_kernel():
            _look_up(event_loop, weakref.ref(loop))
    return loop


def _is_in_kernel() -> bool:
    """Whether this is the thread in which a notebook's kernel runs its cells, not a program that has merely
    loaded ipykernel."""
    kernels = getattr(sys.modules.get("ipykernel.kernelapp"), "IPKernelApp", None)
    runs = kernels is not None and kernels.initialized()
    return runs and threading.current_thread() is threading.main_thread()


def _look_up(event_loop: asyncio.AbstractEventLoop, loop: weakref.ref[_EventLoop]) -> None:
    """Have the event loop take a turn now and then, as long as a channel needs it.

    The handler of ipykernel's signal, *Stop*, queues what cancels the cell, and wakes nobody: that would be
    done when a message or a keep-alive comes.
    """
    if loop() is not None and not event_loop.is_closed():
        event_loop.call_later(_LOOK_UP_SECONDS, _look_up, event_loop, loop)


_Awaited = TypeVar("_Awaited")


class _TimeIsUp(Exception):
    """The time to wait is over; nothing has gone wrong in what was waited for."""


async def _in_time(seconds: float, awaited: Awaitable[_Awaited]) -> _Awaited:
    """What is awaited, if it comes within so many seconds; negative: however long it takes.

    Raises:
        _TimeIsUp: it did not come. It holds on to what was awaited, and is not to be another's context.
    """
    if seconds < 0:
        return await awaited
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            return await awaited
    except TimeoutError as error:
        if not limit.expired() or isinstance(error, ChannelError):
            raise
    raise _TimeIsUp


class _Channel(Channel[Message]):
    """What all channels for asyncio share."""

    # Waits for a token; for what a session is to open with; tells of states, one after the other.
    _token_task: asyncio.Future[None] | None = None
    _asking_task: asyncio.Task[None] | None = None
    _telling_task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    def __aiter__(self) -> AsyncIterator[Message]:
        return self.messages()

    # The channel is iterable, but not in this way.
    __iter__: None = None  # type: ignore[assignment]

    def messages(self) -> AsyncIterator[Message]:
        """Return an asynchronous iterator over the messages; see the synchronous class's ``messages()``.

        A cancelled ``__anext__`` loses no message: the next one gets it.
        """
        return self._await("messages")

    async def recv(self, timeout: float | None = None) -> Message:
        """Return the next message; see the synchronous class's ``recv()``.

        With a ``timeout`` of 0 the event loop has one turn. A cancelled ``recv`` loses no message.
        """
        self._obey_overrides()
        seconds = seconds_to_wait(timeout)
        if seconds != 0 or not self._is_telling():
            # Not suppressed, which takes longer: this is asked for every message.
            try:
                message: Message = await _in_time(seconds, self._await("message"))
                return message
            except _TimeIsUp:
                pass
        # The message may have come in the last moment; or this raises ChannelTimeout.
        last: Message = await self._await("message", *_LOOK)
        return last

    def batches(self, max_size: int | None = None) -> AsyncIterator[list[Message]]:
        """Return an asynchronous iterator over lists of messages: each is what is there when it is asked for,
        at least one; see the synchronous class's ``batches()``.
        """
        self._obey_overrides()
        return self._await("batches", batch_size(max_size))

    async def close(self, form: Params | None = None) -> None:  # type: ignore[override]
        """End the channel: whoever iterates gets the end of iteration, and the server is told where the
        dialect can. May be called twice. Messages that were received and not taken are dropped. See the
        synchronous class's ``close()`` for ``form``.
        """
        self._take_close_form(form)
        if not self._begin_close():
            return
        here = asyncio.current_task()
        for task in (self._token_task, self._asking_task):
            if task is not None and task is not here:
                task.cancel()
        try:
            if self._event_loop is not None:
                async with asyncio.timeout(self._close_ms / 1000):
                    await self._await("ended")
        except TimeoutError:
            self.logger.debug("the server did not answer the closing request")
        finally:
            self._finish_close()
        telling = self._telling_task
        if telling is not None and telling is not here:
            await asyncio.wait([telling], timeout=_TELL_TIMEOUT)

    # ---- What the C core asks for ----

    def _find_loop(self, running: asyncio.AbstractEventLoop) -> _EventLoop:
        """The EventLoop of the event loop that runs, for a channel that is not in it yet."""
        event_loop = self._event_loop
        if event_loop is not None and not event_loop.is_closed():
            raise RuntimeError(f"{self!r} belongs to another event loop")
        return _loop_of(running)

    def _await(self, wanted: Any, /, *limits: Any) -> _core.Awaiter:
        if wanted != "ended":
            refuse_waiting(self)
        # To look, and to wait for room, as send() does, is no waiting for what the channel brings.
        if wanted not in ("ended", "room") and limits != _LOOK and self._is_telling():
            raise ChannelError(ON_STATE_WAITS)
        return super()._await(wanted, *limits)

    def _is_telling(self) -> bool:
        """Whether the task that runs is a coroutine that is told of a state."""
        hooks = self._hooks
        return hooks is not None and bool(hooks.tellers) and asyncio.current_task() in hooks.tellers

    def _refuse_waiting(self) -> None:
        """Raise ChannelError where a callable of the channel's own would wait for it."""
        refuse_waiting(self)
        if self._is_telling():
            raise ChannelError(ON_STATE_WAITS)

    def _prepare_session(self) -> bool:
        """Ask what the next session is to open with; whether the answer comes later."""
        return self._hooks is not None and self._ask(self._hooks.prepare(self), True)

    def _renew_headers(self) -> bool:
        """Ask for other headers; whether they come later."""
        return self._hooks is not None and self._ask(self._hooks.renew_headers(self), False)

    def _ask(self, steps: Any, session_opens: bool) -> bool:
        asking = Asking(self, steps)
        more, answer = asking.next()
        while more and not inspect.isawaitable(answer):
            more, answer = asking.next(answer)
        if more:
            self._asking_task = asyncio.get_running_loop().create_task(
                self._wait_for_answers(asking, answer, session_opens)
            )
        return more

    async def _wait_for_answers(self, asking: Asking, answer: Any, session_opens: bool) -> None:
        asking.enter()
        try:
            more = True
            while more:
                if inspect.isawaitable(answer):
                    answer = await answer
                more, answer = asking.next(answer)
            if not self.closed:
                self._take_answer(session_opens)
        except asyncio.CancelledError:
            self._fail(ChannelError("a callable that a session waits for was cancelled"))
            raise
        except BaseException as error:
            self._fail(error)
            if not isinstance(error, Exception):
                raise
        finally:
            asking.end()
            self._asking_task = None

    def _tell_state(self, state: State) -> None:
        if self._hooks is None or self._hooks.on_state is None:
            return
        told = self._hooks.on_state(self, state)
        if inspect.isawaitable(told):
            self._telling_task = asyncio.get_running_loop().create_task(self._tell(self._telling_task, told))

    async def _tell(self, before: asyncio.Task[None] | None, told: Awaitable[object]) -> None:
        """Have a coroutine told, after the one before."""
        here = asyncio.current_task()
        tellers = self._hooks.tellers if self._hooks is not None else []
        try:
            if before is not None:
                await asyncio.wait([before])
            tellers.append(here)
            await told
        except Exception as error:
            self._keep(error)
        finally:
            if here in tellers:
                tellers.remove(here)
            if inspect.iscoroutine(told):
                told.close()
            if self._telling_task is asyncio.current_task():
                self._telling_task = None

    def _ask_token(self, source: Callable[[], str | bytes | Awaitable[str | bytes]]) -> str | bytes | None:
        """A token, or None if it is going to come later."""
        token = source()
        if not inspect.isawaitable(token):
            if token is None:  # which would mean that it is going to come later
                raise TypeError("the token's callable must return a str, not None")
            return token
        self._token_task = asyncio.ensure_future(self._wait_for_token(token))
        return None

    async def _wait_for_token(self, token: Awaitable[str | bytes]) -> None:
        asked = Opening(self)
        asked.enter()
        try:
            given = await token
            asked.end()
            self._take_token(given)
            self._token_task = None
        except asyncio.CancelledError:
            self._fail(ChannelError("the token's callable was cancelled"))
            raise
        except BaseException as error:
            self._fail(error)
            if not isinstance(error, Exception):
                raise
        finally:
            asked.end()


_Merged = TypeVar("_Merged", bound=_Channel[Any])


class Client(_Channel[str], client.TalkChannel):
    """:class:`gaechannel.Client` for asyncio::

        async for message in aio.Client(token).messages():
            print(message)

    Args:
        token: as the synchronous class's; a callable may also return an awaitable.
        logger: as the synchronous class's.
        base_url: as the synchronous class's.

    All others are :class:`gaechannel.ChannelOptions`'.

    Raises:
        ValueError: an argument makes no sense.
    """

    def __init__(
        self,
        token: str | bytes | Callable[[], str | bytes | Awaitable[str | bytes]],
        logger: logging.Logger | None = None,
        *,
        base_url: str | None = None,
        on_session: OnSession | None = None,
        new_sessions: bool = True,
        timeout: float | None = None,
        request_timeout: float = 30.0,
        connect_timeout: float = 10.0,
        auto_reconnect: bool = True,
        max_reconnects: int | None = None,
        max_backoff: float = 32.0,
        buffered: Buffered = "auto",
        headers: Given[Headers] | None = None,
        cookies: Cookies | None = None,
        on_state: OnState | None = None,
        user_agent: str | None = None,
        proxy: str | None = None,
        verify: Verify = True,
        cert: Certificate | None = None,
        http2: bool = True,
        max_chunk_size: int = 16 * 1024 * 1024,
        queue_limit: int | None = None,
        max_unsent: int = 16 * 1024 * 1024,
    ) -> None:
        super().__init__(**client_arguments(**given(locals())), **_ASYNCHRONOUS)

    def messages(self) -> AsyncIterator[str]:
        """Return an asynchronous iterator over the messages; see :meth:`gaechannel.Client.messages`.

        A cancelled ``__anext__`` loses no message: the next one gets it.
        """
        self._obey_overrides()
        return self._await("messages")

    def long_poll_messages(self) -> AsyncIterator[str]:
        """Return an asynchronous iterator over one back channel's messages; it ends when that does."""
        self._obey_overrides()
        return self._await("poll")

    async def initialize(self) -> None:
        """Fetch ``clid`` and ``gsessionid``."""
        await self._reach_anew("initialized")

    async def _fetch_sid(self) -> None:
        """Open a session, and set ``sid``."""
        await self._reach_anew("open")

    async def _connect(self) -> None:
        """Tell the server that this client wants messages."""
        await self._reach_anew("connected")

    async def _reach_anew(self, goal: Literal["initialized", "open", "connected"]) -> None:
        self._obey_overrides()
        self._forget(goal)
        await self._await(goal)


class _TwoWay(_Channel[Any], two_way.Maps):
    """What BrowserChannel and WebChannel share."""

    async def _queue(self, fields: list[two_way.Field]) -> int:
        while (number := self._send(fields)) == -1:
            # There is room once the server has confirmed others, for which the session must be open.
            await self._await("room", two_way.field_bytes(fields))
        if number < 0:
            raise two_way.queue_full(self, number)
        return number

    async def __aexit__(self, *exc_info: object) -> None:
        try:
            if exc_info[0] is None and self.unsent and not self.closed:
                if self._over:
                    raise ChannelError("the session has ended")
                await self.flush(two_way.LEAVE_TIMEOUT)
        except ChannelError as error:
            self.logger.warning(
                "%d maps were not delivered: %s", two_way.undelivered(self.unsent, error), error
            )
        finally:
            await self.close()

    async def connect(self, timeout: float | None = None, *, retry: bool = True) -> None:
        """Open the session, unless it is open; see the synchronous class's ``connect()``."""
        seconds = seconds_to_wait(timeout)
        self._set_opening_retry(check_flag("retry", retry))
        with contextlib.suppress(_TimeIsUp):
            await _in_time(seconds, self._await("open"))
            return
        raise two_way.not_open(self, timeout) from self.last_error

    async def flush(self, timeout: float | None = None) -> None:
        """Wait until the server has all maps; see the synchronous class's ``flush()``."""
        seconds = seconds_to_wait(timeout)
        before = self.last_error
        with contextlib.suppress(_TimeIsUp):
            await _in_time(seconds, self._await("flushed"))
            return
        cause = two_way.why_unsent(self, before)
        raise two_way.not_confirmed(self, timeout, cause) from cause


class BrowserChannel(_TwoWay):
    """:class:`gaechannel.BrowserChannel` for asyncio; its arguments and exceptions are the same.

    A map is sent as soon as it is queued, whether or not somebody iterates, once the session is open.
    """

    def __init__(
        self,
        url: str,
        *,
        params: Given[Params] | None = None,
        open_form: Given[Params] | None = None,
        replaces: tuple[str, int] | None = None,
        message_key: str = "JSON",
        bind_path: str = "/bind",
        raw: bool = False,
        on_session: OnSession | None = None,
        new_sessions: bool = True,
        resend_unconfirmed: bool = True,
        logger: logging.Logger | None = None,
        timeout: float | None = None,
        request_timeout: float = 30.0,
        connect_timeout: float = 10.0,
        auto_reconnect: bool = True,
        max_reconnects: int | None = None,
        max_backoff: float = 32.0,
        buffered: Buffered = "auto",
        headers: Given[Headers] | None = None,
        cookies: Cookies | None = None,
        on_state: OnState | None = None,
        user_agent: str | None = None,
        proxy: str | None = None,
        verify: Verify = True,
        cert: Certificate | None = None,
        http2: bool = True,
        max_chunk_size: int = 16 * 1024 * 1024,
        queue_limit: int | None = None,
        max_unsent: int = 16 * 1024 * 1024,
    ) -> None:
        self._message_key = check_message_key(message_key)
        arguments = browser_channel_arguments(**given(locals(), "replaces", "message_key"))
        super().__init__(**arguments, **_ASYNCHRONOUS)
        if replaces is not None:
            self._osid, self._oaid = replaces[0], str(replaces[1])

    async def send(self, map: Mapping[str, object]) -> int:
        """Queue a map; values that are not str are sent as JSON. Returns the map's id.

        Where ``max_unsent`` is reached it waits until the server has confirmed others. It raises
        :class:`gaechannel.SendQueueFull` only of a map that is larger than that by itself.
        """
        return await self._queue(two_way.map_fields(map))

    async def send_json(self, obj: object) -> int:
        """Queue an object as JSON under ``message_key``; return the map's id. Waits as :meth:`send`."""
        return await self._queue([(self._message_key, two_way.dumps(obj, "the object"))])

    async def send_raw(self, text: str | bytes) -> int:
        """The same with JSON text that is made already; whether it is JSON is not looked at."""
        return await self._queue([(self._message_key, two_way.raw_text(text))])


class WebChannel(_TwoWay, WebOpenedWith):
    """:class:`gaechannel.WebChannel` for asyncio; its arguments and exceptions are the same."""

    _sends_messages = True

    def __init__(
        self,
        url: str,
        *,
        params: Given[Params] | None = None,
        open_form: Given[Params] | None = None,
        init_headers: Given[Params] | None = None,
        fast_handshake: bool = False,
        message_key: str = "__data__",
        bind_path: str = "",
        unwrap: bool = True,
        raw: bool = False,
        on_session: OnSession | None = None,
        new_sessions: bool = True,
        resend_unconfirmed: bool = True,
        logger: logging.Logger | None = None,
        timeout: float | None = None,
        request_timeout: float = 30.0,
        connect_timeout: float = 10.0,
        auto_reconnect: bool = True,
        max_reconnects: int | None = None,
        max_backoff: float = 32.0,
        buffered: Buffered = "auto",
        headers: Given[Headers] | None = None,
        cookies: Cookies | None = None,
        on_state: OnState | None = None,
        user_agent: str | None = None,
        proxy: str | None = None,
        verify: Verify = True,
        cert: Certificate | None = None,
        http2: bool = True,
        max_chunk_size: int = 16 * 1024 * 1024,
        queue_limit: int | None = None,
        max_unsent: int = 16 * 1024 * 1024,
    ) -> None:
        self._message_key = check_message_key(message_key)
        super().__init__(**web_channel_arguments(**given(locals(), "message_key")), **_ASYNCHRONOUS)

    async def send(self, message: object) -> int:
        """Queue a message, anything that can be JSON; return its map's id. It waits as BrowserChannel's
        ``send`` does.
        """
        return await self._queue([(self._message_key, two_way.dumps(message, "the message"), True)])

    async def send_raw(self, text: str | bytes) -> int:
        """The same with JSON text that is made already; whether it is JSON is not looked at."""
        return await self._queue([(self._message_key, two_way.raw_text(text), True)])

    async def send_map(self, fields: Mapping[str, object]) -> int:
        """Queue a map of any keys; values that are not str are sent as JSON. Else as :meth:`send`."""
        return await self._queue(two_way.map_fields(fields))


class DevClient(_Channel[str]):
    """:class:`gaechannel.DevClient` for asyncio; its arguments are the same, and the callable that returns a
    token may return an awaitable.
    """

    _ends_with_form = False

    def __init__(
        self,
        token: str | bytes | Callable[[], str | bytes | Awaitable[str | bytes]],
        url: str,
        *,
        logger: logging.Logger | None = None,
        timeout: float | None = None,
        request_timeout: float = 30.0,
        connect_timeout: float = 10.0,
        auto_reconnect: bool = True,
        max_reconnects: int | None = None,
        max_backoff: float = 32.0,
        buffered: Buffered = "auto",
        headers: Given[Headers] | None = None,
        cookies: Cookies | None = None,
        on_state: OnState | None = None,
        user_agent: str | None = None,
        proxy: str | None = None,
        verify: Verify = True,
        cert: Certificate | None = None,
        http2: bool = True,
        max_chunk_size: int = 16 * 1024 * 1024,
        queue_limit: int | None = None,
        max_unsent: int = 16 * 1024 * 1024,
    ) -> None:
        super().__init__(**dev_arguments(**given(locals())), **_ASYNCHRONOUS)


class _MergeWithin(AsyncIterator[tuple[_Merged, Any]]):
    """A merge that waits so many seconds for each message."""

    def __init__(self, merged: AsyncIterator[tuple[_Merged, Any]], seconds: float) -> None:
        self._merged = merged
        self._seconds = seconds

    async def __anext__(self) -> tuple[_Merged, Any]:
        with contextlib.suppress(_TimeIsUp):
            return await _in_time(self._seconds, anext(self._merged))
        raise ChannelTimeout("no message came within the timeout")


def merge(channels: Iterable[_Merged], timeout: float | None = None) -> AsyncIterator[tuple[_Merged, Any]]:
    """Return an asynchronous iterator over the messages of many channels; see :func:`gaechannel.merge`."""
    seconds = seconds_to_wait(timeout)
    merged: AsyncIterator[tuple[_Merged, Any]] = _core.AsyncMerge(prepare(channels))
    return merged if seconds < 0 else _MergeWithin(merged, seconds)
