"""What goes over the administrative interface, and what its answers mean; no connection here.

Both faces, the blocking one and asyncio's, make their calls and read the answers here, and so have the same
limits, batches and errors.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import secrets
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple
from urllib.parse import urlencode, urlsplit

from gaechannel.server.core import errors
from gaechannel.server.core.checks import check_client_id, check_message, token_minutes
from gaechannel.server.core.tokens import TOKEN_PREFIX

#: Most messages of one request, and most bytes: the server does not serve anybody else meanwhile.
BATCH_MESSAGES = 500
BATCH_BYTES = 512 << 10
#: Seconds before the first try again; twice as many before each that follows.
FIRST_WAIT = 0.1
#: Seconds between two tries to hear again of who comes and goes.
LONGEST_WAIT = 5.0
#: Seconds after which a connection for presence that says nothing is dead: the server says something each 15.
SILENCE_SECONDS = 45.0
#: Statuses that a server on its way up or down, or a proxy before it, answers.
_PASSING = {429, 502, 503, 504}

_FORM = "application/x-www-form-urlencoded"


class ServerUnreachable(errors.Error, OSError):
    """The channel server is not there, or does not answer in time."""


class ServerRefused(errors.Error):
    """The channel server refuses: another key, another server, a request over its limits."""


def _is_loopback(host: str | None) -> bool:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host or "").is_loopback
    return host == "localhost"


class TryAgain(Exception):
    """An answer after which the same call may be tried once more; its text is what to say in the end."""


class PresenceEvent(NamedTuple):
    """A client has come, or gone."""

    event: Literal["connected", "disconnected"]
    client_id: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where the administrative interface is, and the secret that it asks for."""

    #: A Unix socket's path; "" where the URL says it.
    path: str
    #: Scheme, host and port, as shown.
    origin: str
    tls: bool
    host: str
    port: int | None
    #: What stands before ``/admin``.
    base: str
    key: str = field(repr=False)

    @classmethod
    def of(cls, url: str | None, key: str | None) -> Place:
        """The place that the arguments or the environment name.

        Raises:
            ValueError: they name none, or there is no key.
        """
        url = url or os.environ.get("GAECHANNEL_ADMIN")
        key = key or os.environ.get("GAECHANNEL_ADMIN_TOKEN")
        if not url:
            raise ValueError("no channel server: give its administrative URL, or set GAECHANNEL_ADMIN")
        if not key:
            raise ValueError("no key: give the administrative token, or set GAECHANNEL_ADMIN_TOKEN")
        if not key.isascii() or not key.isprintable():
            raise ValueError("the key holds what no header can carry")
        if "://" not in url and ("/" in url or url.startswith("unix:")):
            path = url.removeprefix("unix:")
            return cls(path, path, False, "localhost", None, "", key)
        if "://" not in url:
            url = f"{'http' if _is_loopback(urlsplit(f'//{url}').hostname) else 'https'}://{url}"
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"{url!r} is neither http://HOST:PORT nor unix:PATH")
        if parts.scheme == "http" and not _is_loopback(parts.hostname):
            raise ValueError("an administrative interface on another machine is reached by https alone")
        origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        tls = parts.scheme == "https"
        return cls("", origin, tls, parts.hostname, parts.port, parts.path.rstrip("/"), key)

    def headers(self, more: dict[str, str]) -> dict[str, str]:
        """A request's."""
        return {"Authorization": f"Bearer {self.key}", **more}

    def unreachable(self, error: BaseException) -> ServerUnreachable:
        """What is raised where a connection fails, in the system's words."""
        words = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return ServerUnreachable(f"the channel server at {self.origin} cannot be reached: {words}")


@dataclass(frozen=True, slots=True)
class Call:
    """One POST; to do it twice does no more than to do it once."""

    path: str
    body: bytes
    headers: dict[str, str]


def create_call(client_id: str, duration_minutes: int | None) -> Call:
    """The call of ``create_channel``. A second one makes one more token, which does no harm.

    Raises:
        InvalidChannelClientIdError, InvalidChannelTokenDurationError: as App Engine's API.
    """
    check_client_id(client_id)
    form = {"client_id": client_id, "duration_minutes": str(token_minutes(duration_minutes))}
    return Call("/admin/create", urlencode(form).encode(), {"Content-Type": _FORM})


def check_pair(client_id: object, message: object) -> None:
    """Refuse what ``send_message`` refuses.

    Raises:
        InvalidMessageError, InvalidChannelClientIdError: as App Engine's API.
    """
    check_message(message)
    if not isinstance(client_id, str) or not client_id.startswith(TOKEN_PREFIX):
        check_client_id(client_id)


class Entry:
    """Messages that one caller sends, and which of their client ids have no channel.

    Attributes:
        pairs: client ids and messages.
        left: how many of them have not been answered.
        dropped: client ids for which the server has no channel: these messages were dropped.
        error: why it failed; None: it did not.
    """

    __slots__ = ("dropped", "error", "left", "pairs", "waiter")

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self.pairs: tuple[tuple[str, str], ...] = tuple(pairs)
        for client_id, message in self.pairs:
            check_pair(client_id, message)
        self.left: int = len(self.pairs)
        self.dropped: list[str] | tuple[()] = ()  # as most times
        self.error: BaseException | None = None
        #: What its caller waits on.
        self.waiter: Any = None

    @property
    def done(self) -> bool:
        """Whether nothing of the call is still to be done."""
        return self.left == 0 or self.error is not None


class Batch:
    """Messages of one or more callers that go in one request, and the request."""

    def __init__(self, members: list[tuple[Entry, str, str]]) -> None:
        self._members = members
        messages = [[client_id, message] for _, client_id, message in members]
        self.call: Call = Call(
            "/admin/send",
            json.dumps({"messages": messages}, separators=(",", ":")).encode(),
            {"Content-Type": "application/json", "Idempotency-Key": secrets.token_urlsafe(16)},
        )

    def answered(self, body: bytes) -> list[Entry]:
        """Tell the callers what the server said; returns those that are done.

        Raises:
            ServerRefused: it is no answer to this.
        """
        try:
            dropped = set(json.loads(body)["dropped"])
        except (ValueError, KeyError, TypeError):
            raise ServerRefused(f"that is no channel server's answer: {body[:80]!r}") from None
        for at, (entry, client_id, _) in enumerate(self._members):
            entry.left -= 1
            if at in dropped:
                if not entry.dropped:
                    entry.dropped = []
                entry.dropped.append(client_id)
        return [entry for entry in self.entries() if entry.done]

    def failed(self, error: BaseException) -> list[Entry]:
        """Tell the callers that it failed; returns them."""
        for entry in self.entries():
            entry.error = error
        return self.entries()

    def entries(self) -> list[Entry]:
        """Whose messages are in it, each once."""
        return list(dict.fromkeys(entry for entry, _, _ in self._members))


class Queue:
    """Messages that wait for the request before theirs, in the order of their sending."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Entry, str, str]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, entry: Entry) -> None:
        """Queue a caller's messages."""
        self._waiting.extend((entry, client_id, message) for client_id, message in entry.pairs)

    def take(self) -> Batch | None:
        """The next request's; None where nothing waits."""
        members: list[tuple[Entry, str, str]] = []
        size = 0
        while self._waiting and len(members) < BATCH_MESSAGES:
            one = self._waiting[0]
            if one[0].error is None:  # what came before it has failed, and it is not to overtake that
                size += 6 * len(one[2]) + 300  # as \u escapes, at most
                if members and size > BATCH_BYTES:
                    break
                members.append(one)
            self._waiting.popleft()
        return Batch(members) if members else None


def read_answer(place: Place, call: Call, status: int, reason: str, body: bytes) -> bytes:
    """The body of a good answer.

    Raises:
        TryAgain: the server, or a proxy before it, says that it cannot now.
        Error: the server refuses; one of App Engine's errors where it says so.
    """
    if status == 200:
        return body
    words = body.decode("utf-8", "replace").strip() or reason
    where = f"{place.origin}{place.base}{call.path}"
    if status in _PASSING:
        raise TryAgain(f"{where}: {status} {words[:200]}")
    if status in {401, 403}:
        raise ServerRefused(f"{place.origin} does not accept the key: {status} {words[:200]}")
    if status == 404:
        raise ServerRefused(f"there is no channel server's administration at {where}")
    name, colon, text = words.partition(": ")
    kind = getattr(errors, name, None) if colon and name.startswith("Invalid") else None
    if isinstance(kind, type) and issubclass(kind, errors.Error):
        raise kind(text)
    raise ServerRefused(f"{where} answered {status}: {words[:200]}")


class Present:
    """Who is connected, as far as has been heard: makes events of what the server says.

    Each time that a connection is made the server says who is there; what differs from before are the events.
    """

    def __init__(self) -> None:
        self._clients: set[str] = set()
        self._here: set[str] = set()

    def events(self, line: bytes) -> list[PresenceEvent]:
        """The events in a line.

        Raises:
            ServerRefused: it is none of a channel server.
        """
        if not line.strip():
            return []  # a keep-alive
        try:
            ((what, clients),) = json.loads(line).items()
            named = set(clients)
        except (ValueError, TypeError, AttributeError):
            raise ServerRefused(f"that is no line of a channel server: {line[:80]!r}") from None
        came: set[str] = set()
        gone: set[str] = set()
        if what == "here":
            self._here |= named
        elif what == "present":
            named |= self._here
            self._here = set()
            came, gone = named - self._clients, self._clients - named
        elif what == "connected":
            came = named - self._clients
        else:
            gone = named & self._clients
        self._clients = (self._clients | came) - gone
        return [PresenceEvent("disconnected", one) for one in sorted(gone)] + [
            PresenceEvent("connected", one) for one in sorted(came)
        ]
