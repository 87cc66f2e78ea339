"""Times and limits of a service, and the limit on open files of the process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypedDict

from gaechannel._checks import check_count, check_seconds, check_type

#: Fields of a form, unless told otherwise.
MAX_FIELDS = 10_000


class LimitOptions(TypedDict, total=False):
    """The keyword arguments that become :class:`Limits`; see there."""

    keepalive: float
    backchannel_seconds: float
    backchannel_bytes: int | None
    session_timeout: float
    max_sessions: int
    max_sessions_per_token: int
    max_body: int
    max_fields: int
    body_seconds: float
    hook_seconds: float
    max_queued: int
    max_unacknowledged: int
    host_prefix: str | None


@dataclass(frozen=True, slots=True)
class Limits:
    """Times and limits; every service takes them as keyword arguments."""

    #: Seconds after which a silent back channel gets a ``["noop"]``. The real servers: 15 to 30.
    keepalive: float = 25.0
    #: Seconds after which a back channel is ended in order. The real one: some 4 minutes.
    backchannel_seconds: float = 240.0
    #: Bytes of chunks after which a back channel is ended in order; 10,000 as the real one did; None: half of
    #: ``max_unacknowledged``, so that a client that keeps up has acknowledged in time.
    backchannel_bytes: int | None = None
    #: Seconds without a request or an open back channel after which a session has ended.
    session_timeout: float = 60.0
    #: Sessions at the same time; an opening request over it is answered 429 with ``Retry-After``.
    max_sessions: int = 100_000
    #: Sessions at the same time of all tokens of one client id; over it as above.
    max_sessions_per_token: int = 10_000
    #: Bytes of a request's body; a longer one is answered 413. None is decompressed.
    max_body: int = 1 << 20
    #: Fields of a request's form, and maps; more of them are answered 413. A query has 200 at most.
    max_fields: int = MAX_FIELDS
    #: Seconds that a request's body may take, and one more for each 1,000 bytes that have come; a slower one
    #: is answered 408.
    body_seconds: float = 20.0
    #: Seconds that the application's functions, such as ``on_map``, may take for a request; a session that
    #: they hold up longer is stopped.
    hook_seconds: float = 10.0
    #: Bytes that all sessions hold together: arrays until they are acknowledged, and what their opening
    #: requests said. An array over it ends the sessions that hold most, as over ``max_unacknowledged``.
    max_queued: int = 256 << 20
    #: Bytes of arrays that a session holds until they are acknowledged. An array over it ends the session:
    #: what was not sent yet is dropped, and the client gets ``["stop"]``.
    max_unacknowledged: int = 64 << 20
    #: Host prefix told to clients in array 0 and in the test phase; None: none.
    host_prefix: str | None = None
    #: Bytes after which a back channel is ended, whichever limit says so.
    bytes_per_backchannel: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("keepalive", "backchannel_seconds", "session_timeout", "body_seconds", "hook_seconds"):
            check_seconds(name, getattr(self, name), endless=True)
        for name in (
            "max_sessions",
            "max_sessions_per_token",
            "max_body",
            "max_fields",
            "max_queued",
            "max_unacknowledged",
        ):
            check_count(name, getattr(self, name))
        check_count("backchannel_bytes", self.backchannel_bytes, or_none=True)
        check_type("host_prefix", self.host_prefix, str | None, "a str or None")
        half = max(1, self.max_unacknowledged // 2)
        least = half if self.backchannel_bytes is None else min(self.backchannel_bytes, half)
        object.__setattr__(self, "bytes_per_backchannel", least)  # frozen for all others

    @property
    def shortest(self) -> float:
        """Seconds before which nothing of a session, or of its back channel, is over."""
        return min(self.keepalive, self.backchannel_seconds, self.session_timeout)

    @property
    def sweep_seconds(self) -> float:
        """Seconds between two sweeps of all sessions: an eighth of the shortest time here, 5 ms to 2.5 s."""
        return min(2.5, max(0.005, self.shortest / 8))


class ConnectionOptions(TypedDict, total=False):
    """The keyword arguments that become :class:`ConnectionLimits`; see there."""

    header_seconds: float
    idle_seconds: float
    max_head: int
    max_connections: int | None
    max_connections_per_address: int | None


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Limits of a listener's connections; :class:`~gaechannel.server.LocalServer` takes them as arguments."""

    #: Seconds that a request's head may take from its first byte; a slower one is answered 408. Over TLS the
    #: handshake may take as long.
    header_seconds: float = 10.0
    #: Seconds that a connection may be there without a request.
    idle_seconds: float = 75.0
    #: Bytes of a request's head; a longer one is answered 431. Its first line has 65,536 at
    #: most, a header 8,190.
    max_head: int = 96 << 10
    #: Connections at the same time. One that waits without asking for anything, the longest first, is cut for
    #: one more; where all are being answered, that is answered 429. None: the limit on open files, less 100.
    max_connections: int | None = None
    #: Connections at the same time from one address (of IPv6, one /64 network); one more is answered 429.
    #: None: half of ``max_connections``, and this machine's own, a proxy's say, as many as there may be.
    max_connections_per_address: int | None = None

    def __post_init__(self) -> None:
        for name in ("header_seconds", "idle_seconds"):
            check_seconds(name, getattr(self, name), endless=True)
        for name in ("max_head", "max_connections", "max_connections_per_address"):
            check_count(name, getattr(self, name), or_none=name != "max_head")


def raise_file_limit(count: int) -> int:
    """Let this process have ``count`` open files: a server needs one a channel, and some 50 of its own.

    Args:
        count: how many it must be able to open.

    Returns:
        The limit now in force, ``count`` or more.

    Raises:
        OSError: the system's hard limit is lower and this process may not raise it; the text says both
            numbers and what to do.
    """
    try:
        import resource
    except ImportError:  # pragma: no cover - Windows
        raise OSError("this system has no limit on open files that a process can raise") from None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    infinite = resource.RLIM_INFINITY
    if soft == infinite or soft >= count:
        return count if soft == infinite else soft
    new_hard = hard if hard == infinite or hard >= count else count
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, new_hard))
    except (ValueError, OSError) as error:
        raise OSError(
            f"{count} open files are needed, the hard limit is {hard} and cannot be raised from here:"
            f" raise it with `ulimit -Hn {count}` as root, or with LimitNOFILE= of the service"
        ) from error
    return count
