"""The exceptions that this package raises.

::

    ChannelError
     ├── ParseError               (also a ValueError)
     ├── TalkMessageCorrupted
     ├── TransportError           (also an OSError, which was called IOError once)
     │    ├── ChannelTimeout      (also a TimeoutError)
     │    └── HTTPStatusError
     │         ├── SessionLost
     │         ├── MapsRefused
     │         └── TokenError
     │              ├── InvalidToken
     │              └── TokenExpired
     ├── WebChannelError
     ├── SendQueueFull            (also a BufferError)
     └── ChannelClosed

Their texts name the URL and quote the server, without tokens and other secrets.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from email.message import Message

__all__ = [
    "ChannelClosed",
    "ChannelError",
    "ChannelTimeout",
    "HTTPStatusError",
    "InvalidToken",
    "MapsRefused",
    "ParseError",
    "SendQueueFull",
    "SessionLost",
    "TalkMessageCorrupted",
    "TokenError",
    "TokenExpired",
    "TransportError",
    "WebChannelError",
]


# gRPC's names of its codes, from 0.
_GRPC_CODES = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
]


class ChannelError(Exception):
    """The server said something unexpected; also the base of all exceptions here."""

    def __reduce__(self) -> tuple[Any, ...]:
        return *super().__reduce__()[:2], self._own_state()

    def _own_state(self) -> dict[str, Any]:
        """What a copy has, in another process, too: all but the channel that ``merge()`` names."""
        return {name: value for name, value in self.__dict__.items() if name != "channel"}


class ParseError(ChannelError, ValueError):
    """A text is not a literal as the talk servers write it.

    Attributes:
        msg: what is wrong.
        pos: at which character of the text, counted from 0.
    """

    def __init__(self, msg: str, pos: int = 0) -> None:
        super().__init__(f"{msg}: char {pos}")
        self.msg = msg
        self.pos = pos

    def __reduce__(self) -> tuple[type["ParseError"], tuple[str, int], dict[str, Any]]:
        return type(self), (self.msg, self.pos), self._own_state()


class TalkMessageCorrupted(ChannelError):
    """A body is no run of chunks of arrays: something in it is broken, or it ended inside a chunk."""


class TransportError(ChannelError, OSError):
    """The network failed: DNS, TCP, TLS or a proxy.

    Attributes:
        curl_code: libcurl's number for what happened (``CURLE_…``); 0 if libcurl saw nothing wrong.
    """

    def __init__(self, message: str, *, curl_code: int = 0) -> None:
        super().__init__(message)
        self.curl_code = curl_code

    def __str__(self) -> str:
        return str(self.args[0])


class ChannelTimeout(TransportError, TimeoutError):
    """The server, or the way to it, was silent for too long."""


class HTTPStatusError(TransportError):
    """The server refused a request. Attributes and methods are also those of ``urllib.error.HTTPError``.

    Attributes:
        code: the status, such as 404.
        reason: the status line's words; empty over HTTP/2, which has none.
        body: the response's body, up to its first 64 KiB. What is no UTF-8 in it is shown as escapes.
        url: what was asked for.

    Tokens, credentials and cookies are three asterisks in all of them; in ``url``, so are the values of all
    parameters that are not the protocol's own.
    """

    def __init__(
        self, message: str, *, code: int = 0, reason: str = "", body: str = "", head: str = "", url: str = ""
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.body = body
        self.url = url
        self._head = head
        self._read = 0

    @property
    def msg(self) -> str:
        """``reason``, under the name that ``urllib``'s HTTPError has for it."""
        return self.reason

    def read(self, amt: int | None = None) -> bytes:
        """``body`` as bytes, as ``urllib``'s HTTPError reads it: what is not read yet, or so many of them."""
        body = self.body.encode("utf-8", "surrogatepass")
        begin = self._read
        end = len(body) if amt is None or amt < 0 else min(begin + amt, len(body))
        self._read = end
        return body[begin:end]

    @property
    def headers(self) -> "Message":
        """The response's headers: ``headers["Retry-After"]``, ``headers.get_all("Set-Cookie")``."""
        from email.parser import HeaderParser  # only now: most programs never look

        return HeaderParser().parsestr(self._head)


class SessionLost(HTTPStatusError):
    """The server does not know the session any more, and no new one was to be opened in its place.

    It has said 400 or 410 to a request that named the session, or ``Unknown SID`` with any status. What the
    old session had not delivered is gone, and so are subscriptions made in it.

    Attributes:
        maps: where ``resend_unconfirmed`` is off, maps that may have been carried out, as they were given:
            (id, map), oldest first. They are queued no longer.
    """

    def __init__(self, message: str, *, maps: Sequence[tuple[int, Any]] = (), **rest: Any) -> None:
        super().__init__(message, **rest)
        self.maps: list[tuple[int, Any]] = list(maps)


class MapsRefused(HTTPStatusError):
    """The server refused a request with maps. They are queued no longer, and the channel can go on.

    Attributes:
        maps: them, oldest first: (id, map), each map as it was given to ``send``, and as ``pending()`` shows
            it.
    """

    def __init__(self, message: str, *, maps: Sequence[tuple[int, Any]] = (), **rest: Any) -> None:
        super().__init__(message, **rest)
        self.maps: list[tuple[int, Any]] = list(maps)


class TokenError(HTTPStatusError):
    """The server does not accept the token (status 401)."""


class InvalidToken(TokenError):
    """The token was never valid, or belongs to another server."""


class TokenExpired(TokenError):
    """The token was valid once: ask the application for a new one."""


class WebChannelError(ChannelError):
    """The server sent an error object over a WebChannel, as Firestore does.

    Attributes:
        code: its number, such as 403, or gRPC's, such as 7, where it came as Closure's metadata; None if it
            has none.
        message: its words.
        status: its name, such as ``PERMISSION_DENIED``.
        error: the whole object.
    """

    def __init__(self, error: dict[str, Any]) -> None:
        self.code: Any = error.get("code")
        self.message: str = str(error.get("message", ""))
        self.status: str = str(error.get("status", ""))
        self.error = error
        words = " ".join(str(part) for part in (self.code, self.status) if part)
        super().__init__(f"{words or 'error'}: {self.message}")

    @classmethod
    def _of_metadata(cls, metadata: object) -> Self | None:
        """The error in what Closure's servers send as ``__sm__``; None where it is something else."""
        found = metadata.get("status") if isinstance(metadata, dict) else metadata
        while isinstance(found, list) and found and isinstance(found[0], (list, dict)):
            found = found[0]
        if isinstance(found, dict):
            error = found.get("error", found)
            return cls(error) if isinstance(error, dict) and {"code", "message"} & error.keys() else None
        if not isinstance(found, list) or not found or type(found[0]) is not int or found[0] == 0:
            return None
        # google.rpc.Status, as a list: its code, its message, its details.
        code, message, *details = [*found, None][: max(len(found), 2)]
        name = _GRPC_CODES[code] if 0 < code < len(_GRPC_CODES) else ""
        error = {"code": code, "message": message or "", "status": name}
        return cls({**error, "details": details[0]} if details else error)

    def __reduce__(self) -> tuple[type["WebChannelError"], tuple[dict[str, Any]], dict[str, Any]]:
        return type(self), (self.error,), self._own_state()


class SendQueueFull(ChannelError, BufferError):
    """More than ``max_unsent`` bytes of maps would wait to be confirmed; the map was not queued."""


class ChannelClosed(ChannelError):
    """The channel was used after ``close()``, or the server has stopped the session."""
