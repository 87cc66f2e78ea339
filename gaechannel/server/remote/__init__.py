"""App Engine's Channel API for an application that does not run in the channel server's process.

The calls are those of ``google.appengine.api.channel``; they go to a server's administrative interface
(``gaechannel serve --admin``). :mod:`gaechannel.server.remote.aio` has the same for asyncio.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import ssl
import threading
import time
from collections.abc import Generator, Iterable, Iterator
from types import TracebackType
from typing import Self

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

#: Most bytes of an answer.
_MAX_ANSWER = 1 << 20


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class ChannelAPI:
    """``create_channel`` and ``send_message`` of a channel server in another process.

    For any thread: what several threads send while a request is on its way goes together in the next one. It
    may be made before a process forks, and closed or left alone at the end.

    Args:
        url: the administrative interface: ``http://127.0.0.1:8081``, ``https://…`` or ``unix:/path``; None:
            the environment's ``GAECHANNEL_ADMIN``.
        key: the administrative token; None: the environment's ``GAECHANNEL_ADMIN_TOKEN``.
        timeout: seconds that a server may take to accept a connection, and to answer.
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
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._idle: list[http.client.HTTPConnection] = []
        self._queue = Queue()
        self._queue_lock = threading.Lock()
        self._turn = threading.Lock()

    def __repr__(self) -> str:
        return f"<ChannelAPI {self._place.origin}>"

    def create_channel(self, client_id: str, duration_minutes: int | None = None) -> str:
        """A token with which a client can listen to what is sent to ``client_id``.

        Args:
            client_id: any string of 1 to 256 bytes of UTF-8.
            duration_minutes: how long the token lives, 1 to 1440 minutes; None: 120.

        Raises:
            InvalidChannelClientIdError: the client id is not such a string.
            InvalidChannelTokenDurationError: the lifetime is not such a number.
            ServerUnreachable: the server is not there.
            ServerRefused: it refuses.
        """
        call = create_call(client_id, duration_minutes)
        self._after_fork()
        return self._ask(call).decode()

    def send_message(self, client_id: str, message: str) -> None:
        """Send a text to all who listen. That nobody does is no error.

        Args:
            client_id: what ``create_channel`` was given, or a token that it returned.
            message: a string of at most 32,767 bytes of UTF-8.

        Raises:
            InvalidChannelClientIdError: the client id is not a string of 1 to 256 bytes.
            InvalidMessageError: the message is not such a string.
            ServerUnreachable: the server is not there. A message whose answer was lost may have been taken.
            ServerRefused: it refuses.
        """
        self.send_messages(((client_id, message),))

    def send_messages(self, messages: Iterable[tuple[str, str]]) -> list[str]:
        """Send many messages, in this order and in as few requests as they fit in.

        Args:
            messages: client ids and texts, as for ``send_message``; none is sent where one is not right.

        Returns:
            The client ids for which the server has no channel: these messages were dropped.

        Raises:
            InvalidChannelClientIdError, InvalidMessageError, ServerUnreachable, ServerRefused: as
                ``send_message``.
        """
        entry = Entry(messages)
        self._after_fork()
        with self._queue_lock:
            self._queue.add(entry)
        while True:
            with self._turn:  # who has it sends what all have queued
                if entry.done:
                    break
                with self._queue_lock:
                    batch = self._queue.take()
                if batch is not None:
                    self._send(batch)
        if entry.error is not None:
            raise entry.error
        return list(entry.dropped)

    def presence(self) -> Iterator[PresenceEvent]:
        """Who comes and goes: first all who are connected, then each as it happens, for ever.

        A server that is started anew, or a connection that breaks, is outlasted: what has changed meanwhile
        are the next events. Who came and went in between is not told.

        Raises:
            ServerUnreachable: the server is not there at the beginning.
            ServerRefused: it refuses.
        """
        self._after_fork()
        present = Present()
        wait = FIRST_WAIT
        heard = False
        while True:
            try:
                with contextlib.closing(self._listen()) as lines:
                    for line in lines:
                        heard, wait = True, FIRST_WAIT
                        yield from present.events(line)
            except ServerUnreachable:
                if not heard:
                    raise
            time.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT)

    def close(self) -> None:
        """Close the connections; what is asked later opens new ones."""
        while self._idle:
            self._idle.pop().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _after_fork(self) -> None:
        """In a forked child, leave the parent's connections and locks alone."""
        if self._process != os.getpid():
            self._begin()

    def _send(self, batch: Batch) -> None:
        try:
            batch.answered(self._ask(batch.call))
        except Exception as error:
            batch.failed(error)
        except BaseException:  # Ctrl-C: the others are not to wait for ever
            batch.failed(ServerUnreachable("the sending of this message was interrupted"))
            raise

    def _ask(self, call: Call) -> bytes:
        tries = 0
        while True:
            try:
                return self._ask_once(call)
            except (OSError, http.client.HTTPException) as error:
                found = self._place.unreachable(error)
            except TryAgain as error:
                found = ServerUnreachable(str(error))
            if tries == self._retries:
                raise found
            time.sleep(FIRST_WAIT * 2**tries)
            tries += 1

    def _ask_once(self, call: Call) -> bytes:
        try:
            connection = self._idle.pop()
        except IndexError:
            return self._exchange(self._connect(self._timeout), call)
        try:
            return self._exchange(connection, call)
        except (ConnectionError, http.client.HTTPException):  # the server closes who is idle
            return self._exchange(self._connect(self._timeout), call)

    def _exchange(self, connection: http.client.HTTPConnection, call: Call) -> bytes:
        try:
            connection.request(
                "POST", self._place.base + call.path, call.body, self._place.headers(call.headers)
            )
            response = connection.getresponse()
            body = response.read(_MAX_ANSWER)
            reusable = not response.will_close and response.isclosed()
        except BaseException:
            connection.close()
            raise
        if reusable:
            self._idle.append(connection)
        else:
            connection.close()
        return read_answer(self._place, call, response.status, response.reason, body)

    def _connect(self, timeout: float) -> http.client.HTTPConnection:
        place = self._place
        if place.path:
            return _UnixConnection(place.path, timeout)
        if place.tls:
            return http.client.HTTPSConnection(
                place.host, place.port, timeout=timeout, context=self._ssl_context
            )
        return http.client.HTTPConnection(place.host, place.port, timeout=timeout)

    def _listen(self) -> Generator[bytes]:
        """The lines of a connection for presence, until it breaks.

        Raises:
            ServerUnreachable: the server is not there.
            ServerRefused: it refuses.
        """
        call = Call("/admin/presence", b"", {})
        connection = self._connect(SILENCE_SECONDS)
        try:
            connection.request("GET", self._place.base + call.path, headers=self._place.headers({}))
            response = connection.getresponse()
            if response.status != 200:
                read_answer(self._place, call, response.status, response.reason, response.read(_MAX_ANSWER))
            while line := response.readline():
                yield line
        except (OSError, http.client.HTTPException) as error:
            raise self._place.unreachable(error) from error
        except TryAgain as error:
            raise ServerUnreachable(str(error)) from None
        finally:
            connection.close()
