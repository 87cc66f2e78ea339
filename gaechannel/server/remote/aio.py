"""App Engine's Channel API for an asyncio application that does not run in the channel server's process.

See :mod:`gaechannel.server.remote`; the names, limits and errors are the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from types import TracebackType
from typing import Self

import aiohttp

from gaechannel.server.core.errors import (
    Error,
    InvalidChannelClientIdError,
    InvalidChannelTokenDurationError,
    InvalidMessageError,
)

from .calls import (
    FIRST_WAIT,
    LONGEST_WAIT,
    SILENCE_SECONDS,
    Batch,
    Call,
    Entry,
    Place,
    PresenceEvent,
    Present,
    Queue,
    ServerRefused,
    ServerUnreachable,
    TryAgain,
    create_call,
    read_answer,
)

__all__ = [
    "ChannelAPI",
    "Error",
    "InvalidChannelClientIdError",
    "InvalidChannelTokenDurationError",
    "InvalidMessageError",
    "PresenceEvent",
    "ServerRefused",
    "ServerUnreachable",
]


class ChannelAPI:
    """``create_channel`` and ``send_message`` of a channel server in another process, for one event loop.

    What is sent in one turn of the event loop, or while a request is on its way, goes together. It is used as
    ``async with``, or closed by ``await api.close()``.

    Args:
        url: the administrative interface: ``http://127.0.0.1:8081``, ``https://…`` or ``unix:/path``; None:
            the environment's ``GAECHANNEL_ADMIN``.
        key: the administrative token; None: the environment's ``GAECHANNEL_ADMIN_TOKEN``.
        timeout: seconds that a server may take to accept a connection and to answer.
        retries: how often a call is tried again where the server is not there, breaks off or answers 429,
            502, 503 or 504; a tenth of a second later, then twice as long each time. The server knows a
            message that it has taken already.
        ssl_context: for ``https``; None: the system's authorities.

    Raises:
        ValueError: neither the arguments nor the environment name a server and a key.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        timeout: float = 10.0,
        retries: int = 3,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._place = Place.of(url, key)
        self._timeout = timeout
        self._retries = retries
        self._ssl_context = ssl_context
        self._http: aiohttp.ClientSession | None = None
        self._queue = Queue()
        self._sending: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<aio.ChannelAPI {self._place.origin}>"

    async def create_channel(self, client_id: str, duration_minutes: int | None = None) -> str:
        """See :meth:`gaechannel.server.remote.ChannelAPI.create_channel`."""
        return (await self._ask(create_call(client_id, duration_minutes))).decode()

    async def send_message(self, client_id: str, message: str) -> None:
        """See :meth:`gaechannel.server.remote.ChannelAPI.send_message`."""
        entry = Entry(((client_id, message),))
        # No coroutine between: where thousands are sent at once, what each of them takes is what it costs.
        await self._queued(entry)
        if entry.error is not None:
            raise entry.error

    async def send_messages(self, messages: Iterable[tuple[str, str]]) -> list[str]:
        """See :meth:`gaechannel.server.remote.ChannelAPI.send_messages`. What a cancelled task has queued is
        sent all the same."""
        entry = Entry(messages)
        if not entry.done:
            await self._queued(entry)
        if entry.error is not None:
            raise entry.error
        return list(entry.dropped)

    def _queued(self, entry: Entry) -> asyncio.Future[None]:
        """Queue an entry; done when that is."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry.waiter = waiter
        self._queue.add(entry)
        if self._sending is None:
            self._sending = asyncio.create_task(self._send_all())
        return waiter

    async def presence(self) -> AsyncIterator[PresenceEvent]:
        """See :meth:`gaechannel.server.remote.ChannelAPI.presence`."""
        present = Present()
        wait = FIRST_WAIT
        heard = False
        while True:
            try:
                async with contextlib.aclosing(self._listen()) as lines:
                    async for line in lines:
                        heard, wait = True, FIRST_WAIT
                        for event in present.events(line):
                            yield event
            except ServerUnreachable:
                if not heard:
                    raise
            await asyncio.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT)

    async def close(self) -> None:
        """Close the connections, after what is being sent; what is asked later opens new ones."""
        if self._sending is not None:
            await asyncio.wait([self._sending])
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            connector: aiohttp.BaseConnector
            if self._place.path:
                connector = aiohttp.UnixConnector(self._place.path)
            else:
                connector = aiohttp.TCPConnector(ssl=True if self._ssl_context is None else self._ssl_context)
            self._http = aiohttp.ClientSession(connector=connector)
        return self._http

    async def _send_all(self) -> None:
        """Send what is queued, a request after the other, until nothing is."""
        batch: Batch | None = None
        try:
            while batch := self._queue.take():
                await self._send(batch)
        finally:
            self._sending = None
            if batch is not None:  # it was cancelled, as at the event loop's end
                self._tell(batch.failed(ServerUnreachable("the sending of this message was cancelled")))

    async def _send(self, batch: Batch) -> None:
        try:
            done = batch.answered(await self._ask(batch.call))
        except Exception as error:
            done = batch.failed(error)
        self._tell(done)

    def _tell(self, entries: list[Entry]) -> None:
        for entry in entries:
            if not entry.waiter.done():
                entry.waiter.set_result(None)

    async def _ask(self, call: Call) -> bytes:
        tries = 0
        while True:
            try:
                return await self._exchange(call)
            except (aiohttp.ClientError, OSError) as error:
                found = self._place.unreachable(error)
            except TryAgain as error:
                found = ServerUnreachable(str(error))
            if tries == self._retries:
                raise found
            await asyncio.sleep(FIRST_WAIT * 2**tries)
            tries += 1

    async def _exchange(self, call: Call) -> bytes:
        async with self._session().post(
            self._url(call),
            data=call.body,
            headers=self._place.headers(call.headers),
            timeout=aiohttp.ClientTimeout(total=self._timeout),
            allow_redirects=False,
        ) as reply:
            return read_answer(self._place, call, reply.status, reply.reason or "", await reply.read())

    def _url(self, call: Call) -> str:
        place = self._place
        return f"{'http://localhost' if place.path else place.origin}{place.base}{call.path}"

    async def _listen(self) -> AsyncGenerator[bytes]:
        call = Call("/admin/presence", b"", {})
        patience = aiohttp.ClientTimeout(total=None, sock_connect=self._timeout, sock_read=SILENCE_SECONDS)
        try:
            async with self._session().get(
                self._url(call),
                headers=self._place.headers({}),
                timeout=patience,
                allow_redirects=False,
                read_bufsize=1 << 20,  # a line may hold 500 client ids
            ) as reply:
                if reply.status != 200:
                    read_answer(self._place, call, reply.status, reply.reason or "", await reply.read())
                while line := await reply.content.readline():
                    yield line
        except (aiohttp.ClientError, OSError) as error:
            raise self._place.unreachable(error) from error
        except TryAgain as error:
            raise ServerUnreachable(str(error)) from None
