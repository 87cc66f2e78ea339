"""The connections of a listener: who waits for what, how long, and how many there may be.

aiohttp has no bound on the time that a request's head takes, nor on how many connections there are. Each of
its protocols gets a :class:`Guard` around it here, which sees the bytes come; :func:`telling_guards` tells it
when a request begins to be answered, and when that ends. All guards of one phase have the same time to leave
it, so that one dictionary a phase, in the order of their coming, says whose is over.

What aiohttp holds for a request (a parser, two tasks, the request, the response, its writer) is two thirds of
what an open back channel would take. So a guard lends its connection to the back channel, once the response
has begun: aiohttp is told that it has ended, and gets it back, new, for the requests that follow.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections import Counter
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any, Protocol, cast

from aiohttp import web

from gaechannel.server.core.counters import Counters
from gaechannel.server.core.limits import ConnectionLimits

_RequestHandler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

#: What ends a request's head.
_END_OF_HEAD = b"\r\n\r\n"
#: Bytes of a request's body that comes without a length, chunk sizes included.
_CHUNKED_BYTES = 16 << 20
#: Bytes that are dropped behind a request that was refused.
_LINGERING_BYTES = 1 << 20
#: Connections that are cut in one turn of the event loop, so that others have theirs.
_CUTS_A_TURN = 32
#: Descriptors that are left for other things than connections.
_OTHER_DESCRIPTORS = 100

#: What is answered to who does not send a head in time, or one that is too long.
_TOO_LATE, _TOO_LONG = (
    b"HTTP/1.1 %b\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b"
    % (line, len(line), line)
    for line in (b"408 The head did not come in time", b"431 The head is too long")
)


class Phase(Enum):
    """What a connection is at."""

    #: Nothing has come.
    NEW = 1
    #: A request's head is coming.
    HEAD = 2
    #: A request is being answered: however long that takes, others bound it.
    ASKED = 3
    #: An answer has been given, and no further request has come.
    IDLE = 4


class Borrower(Protocol):
    """A protocol that is lent a connection."""

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""

    def pause_writing(self) -> None:
        """More has been written than the client reads."""

    def resume_writing(self) -> None:
        """There is room again."""


class Guard(asyncio.Protocol):
    """Stands between a connection's transport and aiohttp's protocol, or who has been lent the connection.

    Args:
        connections: what it is one of.
    """

    __slots__ = (
        "_behind",
        "_connections",
        "_has_body",
        "_inner",
        "_later",
        "_paused",
        "_pipelined",
        "_size",
        "_tail",
        "address",
        "budget",
        "lent",
        "phase",
        "transport",
        "until",
    )

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._inner: asyncio.Protocol | Borrower = connections.protocol()
        self._size = 0
        self._tail = b""
        #: Bytes that have come behind the head.
        self._behind = 0
        #: Whether a request may have come before the answer to the one before it: aiohttp has it then.
        self._pipelined = False
        #: Whether the request has a body: what comes behind its head may be that, and no request.
        self._has_body = False
        #: Whether the transport has more to write than it wants to.
        self._paused = False
        #: What has come while the connection was lent.
        self._later = b""
        #: Whether the connection is lent.
        self.lent: bool = False
        self.transport: asyncio.Transport | None = None
        #: Where it comes from; None where that is not counted.
        self.address: str | None = None
        self.phase: Phase = Phase.NEW
        #: When the phase is over, on the event loop's clock.
        self.until: float = 0.0
        #: Bytes that may come before the request's end.
        self.budget: int = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.address = address_of(transport.get_extra_info("peername"))
        self._connections.add(self)
        self._connect()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.remove(self)
        self.transport = None
        self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.phase in (Phase.NEW, Phase.IDLE):
            self._size, self._tail, self._behind = 0, b"", 0
            self.budget = self._connections.limits.max_head
            self._connections.enter(self, Phase.HEAD)
        if self.in_head:
            self._look_for_the_end(data)
        else:
            self._size += len(data)
            self._behind += len(data)
        if self._size > self.budget:
            self._connections.cut(self, "head" if self.phase is Phase.HEAD else "pipelined")
            return
        if self.lent:
            self._later += data
        else:
            cast(asyncio.Protocol, self._inner).data_received(data)

    def eof_received(self) -> bool | None:
        return None if self.lent else cast(asyncio.Protocol, self._inner).eof_received()

    def pause_writing(self) -> None:
        self._paused = True
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._paused = False
        self._inner.resume_writing()

    @property
    def in_head(self) -> bool:
        """Whether a request's head is coming, and has not come whole."""
        return self.phase is Phase.HEAD and self._tail is not _END_OF_HEAD

    def begin(self, request: web.BaseRequest) -> None:
        """A request begins to be answered."""
        length = request.content_length
        if length is None:
            length = _CHUNKED_BYTES if request.body_exists else 0
        # What came with the head in one piece has been counted, and may be all of it.
        self.budget = self._size + self._connections.limits.max_head + length
        self._tail = b""
        self._has_body = request.body_exists
        self._connections.enter(self, Phase.ASKED)

    def end(self, request: web.BaseRequest) -> None:
        """The request has been answered, or will be in a moment; what is left of its body is dropped."""
        if self._behind != (request.content_length or 0):
            self._pipelined = True  # or a body without a length, of which only aiohttp knows the end
        if request.content.is_eof():
            self._connections.enter(self, Phase.IDLE)
            return
        # No head is looked for in it: aiohttp drops it, and ends the connection.
        self._connections.enter(self, Phase.HEAD)
        self._tail = _END_OF_HEAD
        self._size, self.budget = 0, _LINGERING_BYTES

    def lend(self, borrower: Borrower) -> bool:
        """Let somebody write to the transport, and have aiohttp forget the connection, with its request.

        The handler of that request is to end by ``asyncio.CancelledError``.

        Returns:
            Whether it is lent: not so where aiohttp has more of it, or may get it, or is to log the request's
            end.
        """
        if not self._connections.lends or self.transport is None:
            return False
        if self._has_body or self._pipelined or self._behind:
            return False
        inner = cast(web.RequestHandler, self._inner)
        self._inner, self.lent = borrower, True
        inner.transport = None  # it would close it
        inner.connection_lost(None)
        return True

    def give_back(self, *, keep: bool) -> None:
        """What has been lent is back: the next request may come.

        Args:
            keep: whether the connection goes on.
        """
        transport = self.transport
        if transport is None:
            return
        self._connections.enter(self, Phase.IDLE)  # who does not read the rest has so long
        if not keep or not self._connections.lends:
            transport.close()
            return
        self._inner, self.lent = self._connections.protocol(), False
        self._connect()
        if self._paused:
            self._inner.pause_writing()
        later, self._later = self._later, b""
        if later:
            self.data_received(later)

    def _connect(self) -> None:
        if self.transport is not None:
            cast(asyncio.Protocol, self._inner).connection_made(self.transport)

    def _look_for_the_end(self, data: bytes) -> None:
        """Count what has come of a head, up to its end."""
        joined = self._tail + data
        at = joined.find(_END_OF_HEAD)
        if at < 0:
            self._size += len(data)
            self._tail = joined[-3:]
            return
        # The time goes on until aiohttp hands the request on: it may be no request at all.
        self._size += at + len(_END_OF_HEAD) - len(self._tail)
        if self._size > self.budget:
            return
        self._behind = len(joined) - at - len(_END_OF_HEAD)
        self._size, self.budget = len(data), max(self.budget, len(data)) + _LINGERING_BYTES
        self._tail = _END_OF_HEAD


class Connections:
    """The connections of a listener.

    Args:
        limits: how many there may be, and how long they may wait.
        counters: counts those that are cut.
        protocol: makes aiohttp's protocol for one.
        lends: whether connections are lent.
    """

    def __init__(
        self,
        limits: ConnectionLimits,
        counters: Counters,
        protocol: Callable[[], asyncio.Protocol],
        *,
        lends: bool,
    ) -> None:
        self.limits: ConnectionLimits = limits
        self.protocol = protocol
        self.lends: bool = lends
        self._counters = counters
        self._loop = asyncio.get_running_loop()
        #: Connections that are not made yet, and the tasks that make them: over TLS, handshakes.
        self.making: dict[Guard, asyncio.Task[None]] = {}
        self._phases: dict[Phase, dict[Guard, None]] = {phase: {} for phase in Phase}
        self._addresses: Counter[str] = Counter()
        self.most: int = limits.max_connections or max(16, file_limit() - _OTHER_DESCRIPTORS)
        self._seconds = {
            Phase.NEW: limits.idle_seconds,
            Phase.HEAD: limits.header_seconds,
            Phase.IDLE: limits.idle_seconds,
        }

    def __len__(self) -> int:
        return len(self.making) + sum(map(len, self._phases.values()))

    def count(self, phase: Phase) -> int:
        """How many connections are in a phase."""
        return len(self._phases[phase])

    @property
    def lent(self) -> list[asyncio.Transport]:
        """The transports of those that are lent, or write the rest of what was written while they were."""
        return [
            guard.transport
            for phase in (Phase.ASKED, Phase.IDLE)
            for guard in self._phases[phase]
            if guard.lent and guard.transport is not None
        ]

    def refusal(self, peer: Any) -> str | None:
        """Why there is no room for a new connection from there; None where there is, or one makes room."""
        address = address_of(peer)
        most = None if address is None else self._most_of(address)
        if most is not None and self._addresses[address or ""] >= most:
            return "connections of an address"
        if len(self) < self.most or self.cut_a_waiting_one("connections"):
            return None
        return "connections"

    def add(self, guard: Guard) -> None:
        """A connection has been made."""
        self.making.pop(guard, None)
        if guard.address is not None:
            self._addresses[guard.address] += 1
        self.enter(guard, Phase.NEW)

    def remove(self, guard: Guard) -> None:
        """A connection has ended."""
        self._phases[guard.phase].pop(guard, None)
        if guard.address is not None:
            self._addresses[guard.address] -= 1
            if not self._addresses[guard.address]:
                del self._addresses[guard.address]
            guard.address = None

    def enter(self, guard: Guard, phase: Phase) -> None:
        """A connection enters a phase, unless it has ended."""
        if guard.transport is None:
            return
        self._phases[guard.phase].pop(guard, None)
        guard.phase = phase
        guard.until = self._loop.time() + self._seconds.get(phase, 0.0)
        self._phases[phase][guard] = None

    def cut(self, guard: Guard, cause: str) -> None:
        """Cut a connection; it counts no more, though its end is a matter of the loop's next turn."""
        self._counters.cut_one(cause)
        self.remove(guard)
        transport = guard.transport
        if transport is None:
            return
        if guard.in_head and cause == "head":
            transport.write(_TOO_LATE if guard.until <= self._loop.time() else _TOO_LONG)
        transport.abort()

    def cut_a_waiting_one(self, cause: str) -> bool:
        """Cut the connection that has waited longest without asking for anything; whether there was one."""
        if len(self.making) > self.most // 2:
            self.making.pop(next(iter(self.making))).cancel()  # who shakes hands most slowly
            return True
        for phase in (Phase.NEW, Phase.HEAD, Phase.IDLE):
            guard = next(iter(self._phases[phase]), None)
            if guard is not None:
                self.cut(guard, cause)
                return True
        return False

    def sweep(self) -> bool:
        """Cut those whose time is over, not too many at once; whether there are more of them."""
        now = self._loop.time()
        left = _CUTS_A_TURN
        for phase, cause in ((Phase.NEW, "idle"), (Phase.HEAD, "head"), (Phase.IDLE, "idle")):
            waiting = self._phases[phase]
            while left and waiting and next(iter(waiting)).until <= now:
                self.cut(next(iter(waiting)), cause)
                left -= 1
        return not left

    @property
    def sweep_seconds(self) -> float:
        """Seconds between two sweeps."""
        return min(1.0, min(self._seconds.values()) / 4)

    def _most_of(self, address: str) -> int | None:
        """How many connections an address may have; None: as many as there may be."""
        if self.limits.max_connections_per_address is not None:
            return self.limits.max_connections_per_address
        # Connections from this machine are a proxy's, or its owner's.
        return None if ipaddress.ip_address(address).is_loopback else max(1, self.most // 2)


def telling_guards(handler: _RequestHandler) -> _RequestHandler:
    """A handler that tells a connection's guard when a request begins to be answered, and when that ends.

    Around the application, and no middleware in it: aiohttp keeps what it makes of those, and with it the
    applications that have ended.
    """

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        transport = request.transport
        guard = transport.get_protocol() if transport is not None else None
        if not isinstance(guard, Guard):
            return await handler(request)
        guard.begin(request)
        try:
            return await handler(request)
        finally:
            if guard.phase is Phase.ASKED and not guard.lent:
                guard.end(request)

    return handle


def address_of(peer: Any) -> str | None:
    """The address of a transport's or socket's peer; None for a Unix socket's.

    IPv6 networks are counted, not addresses: whoever has one address has 2**64.
    """
    if not isinstance(peer, tuple) or not peer:
        return None
    try:
        address = ipaddress.ip_address(peer[0].partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and not address.is_loopback:
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_address(int(address) >> 64 << 64))
    return str(address)


def file_limit() -> int:
    """How many files this process may have open."""
    try:
        import resource
    except ImportError:  # pragma: no cover - Windows
        return 512
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1 << 20 if soft == resource.RLIM_INFINITY else soft
