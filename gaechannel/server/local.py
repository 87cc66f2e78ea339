"""A channel server in a thread of its own, for tests, notebooks and the demo."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import dataclasses
import logging
import os
import secrets
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType, UnionType
from typing import Any, Self, TypeVar, Unpack, cast

from aiohttp import web

from gaechannel._checks import check_count, check_flag, check_type

from .core.browserchannel import BrowserChannelService
from .core.counters import Counters
from .core.dialect import WEBCHANNEL
from .core.limits import ConnectionLimits, ConnectionOptions, LimitOptions
from .core.service import ChannelService, ServiceOptions
from .core.sqlite_store import SqliteStore
from .http.access_log import access_log_class
from .http.addresses import Address
from .http.admin import make_admin_app
from .http.app import TALK_PATH, check_mounts, make_app
from .http.forwarded import Proxies
from .http.gate import Gate
from .http.health import Health
from .http.listener import Listener
from .http.metrics_page import load_metrics, make_metrics_app
from .http.script import Script

_T = TypeVar("_T")


def _mounts(options: ServiceOptions, counters: Counters) -> dict[str, BrowserChannelService]:
    """The default mounts, with the limits among the options of a channel service, its counters and store."""
    limits: LimitOptions = {key: options[key] for key in LimitOptions.__annotations__ if key in options}  # type: ignore[literal-required, assignment]
    store = options.get("store")
    return {
        "/channel": BrowserChannelService(counters=counters, store=store, **limits),
        "/webchannel": BrowserChannelService(dialect=WEBCHANNEL, counters=counters, store=store, **limits),
    }


class ServerOptions(ServiceOptions, ConnectionOptions, total=False):
    """The keyword arguments of :class:`LocalServer` beyond its own: see :class:`ChannelService` and
    :class:`~gaechannel.server.ConnectionLimits`."""


def _shared_service(url: str, options: ServiceOptions) -> ChannelService:
    try:
        from .core.shared_service import SharedChannelService
    except ImportError as error:
        raise ImportError("sharing channels by Redis needs redis-py: install gaechannel[redis]") from error
    return SharedChannelService(url, **options)


def _divided(options: ServerOptions) -> tuple[ConnectionOptions, ServiceOptions]:
    """The options of connections, and those of a channel service.

    Raises:
        TypeError: one is neither.
    """
    names = ConnectionOptions.__annotations__
    for name in options:
        if name not in names and name not in ServiceOptions.__annotations__:
            raise TypeError(f"LocalServer() got an unexpected keyword argument {name!r}")
    connections = {key: value for key, value in options.items() if key in names}
    service = {key: value for key, value in options.items() if key not in names}
    return cast(ConnectionOptions, connections), cast(ServiceOptions, service)


#: What some of a server's arguments must be. Addresses, limits and a service's arguments are looked at where
#: they are used.
_TYPES: dict[str, tuple[type | UnionType, str]] = {
    "service": (ChannelService | None, "a ChannelService or None"),
    "host": (str, "a str"),
    "mounts": (Mapping | None, "a mapping of paths to BrowserChannelServices, or None"),
    "admin_token": (str | None, "a str or None"),
    "ssl_context": (ssl.SSLContext | None, "an ssl.SSLContext or None"),
    "admin_ssl_context": (ssl.SSLContext | None, "an ssl.SSLContext or None"),
    "test_delay": (int | float, "a number of seconds"),
    "unix": (str | None, "the path of a Unix socket, a str, or None"),
    "unix_mode": (int, "an int, such as 0o660"),
    "sockets": (Mapping | None, "a mapping of names to lists of sockets, or None"),
    "trust_proxy": (Iterable, "addresses and networks"),
    "allow_origins": (Iterable, "origins, such as https://example.org"),
    "host_names": (Iterable | None, "names of hosts, or None"),
    "access_log": (logging.Logger | None, "a logger or None"),
    "state": (str | os.PathLike | None, "a path or None"),
    "redis": (str | None, "a Redis's URL, a str, or None"),
}
_PURPOSES = ("public", "admin", "metrics")


def _check(given: Mapping[str, Any]) -> None:
    """Raise TypeError or ValueError if a server's arguments are not what they must be."""
    for name, (types, wanted) in _TYPES.items():
        check_type(name, given[name], types, wanted)
    for name in ("reuse_port", "strict"):
        check_flag(name, given[name])
    check_count("port", given["port"], least=0)
    if given["port"] > 0xFFFF:
        raise ValueError(f"port must be at most 65535, not {given['port']}")
    check_count("backlog", given["backlog"])
    if given["admin_token"] == "":
        raise ValueError("admin_token is empty")
    for purpose in given["sockets"] or ():
        if purpose not in _PURPOSES:
            raise ValueError(f"sockets are for {', '.join(_PURPOSES)}, not for {purpose!r}")


@dataclass(slots=True)
class _Running:
    """What there is while the server runs."""

    loop: asyncio.AbstractEventLoop
    #: Set to stop it.
    stopping: asyncio.Event
    listeners: list[Listener]

    async def cut(self) -> int:
        """Cut all connections; returns how many there were."""
        transports = [transport for one in self.listeners for transport in one.transports]
        for transport in transports:
            transport.abort()
        return len(transports)


class LocalServer:
    """A channel server in a thread of its own, with an event loop of its own.

    It works in a notebook, whose event loop is busy already, and beside blocking code::

        with LocalServer() as server:
            token = server.create_channel("me")
            server.send_message("me", "hi")

    The services outlive ``stop``: after a ``start`` the same port, tokens and sessions are there again. With
    ``state`` they outlive the process, too, however it ends.

    Args:
        service: serves the talk dialect; None: a new :class:`ChannelService` with ``options``.
        host: address to listen on.
        port: port to listen on; 0: a free one, which is kept when the server is started again.
        mounts: browserchannel and webchannel services by path, in the place of the default ones, which
            ``{**default_mounts(), "/more": …}`` keeps; None: one at ``/channel``, one at ``/webchannel``,
            with the limits among ``options``.
        admin: where the administrative interface listens, ``HOST:PORT`` or the path of a Unix socket: never
            where strangers come in; None: there is none.
        admin_token: secret of the administrative interface; None: a new one.
        ssl_context: serves https with it; None: http.
        admin_ssl_context: serves the administrative interface by https; None: ``ssl_context`` where
            ``admin`` can be reached from other machines, else http.
        backlog: connections that may wait to be accepted.
        test_delay: seconds between the two pieces of the second test phase.
        unix: the path of a Unix socket to listen on, instead of host and port; None: those.
        unix_mode: who may connect to it, by its file's mode; a proxy in front needs to.
        metrics: where ``/metrics`` is answered to everybody who can connect, ``HOST:PORT`` or a Unix socket's
            path; None: it is answered at the administrative interface alone, to who has its token.
        sockets: sockets that listen already, by what they are for: ``"public"``, ``"admin"``, ``"metrics"``;
            they take the place of the addresses above, and stay open.
        trust_proxy: addresses or networks of proxies whose ``X-Forwarded-…`` headers are believed; ``unix``
            for who comes by a Unix socket.
        access_log: is told of each request to the public address, tokens and SIDs left out; None: nobody is.
        state: a file, made where it is not there, that keeps sessions, messages, channels and the tokens'
            secret over restarts and kills: :class:`SqliteStore`. ``start`` waits up to 10 s for another
            process to let go of it. ``stop`` tells presence that clients are gone, and the next ``start``
            goes on. None: nothing outlives the process.
        redis: the URL of a Redis that several servers share: whatever server a request reaches has all
            channels and sessions of the Channel API. The two-way channels and polls are not served then.
        reuse_port: whether another process may listen on the same ports (``SO_REUSEPORT``), administration's
            among them, so that the next one does before this one ends.
        allow_origins: origins whose pages may use the server from a browser, such as
            ``https://example.org``; ``*`` for every one, but without cookies. The server's own may.
        host_names: names that a request's ``Host`` may have beside addresses and names without a dot, against
            DNS rebinding; a proxy that hands the name on wants it here. None: any, but none where ``host`` is
            this machine's own address.
        strict: for tests of clients: whether requests are answered 400 that servers in use let pass, and
            ``faults`` say why: without ``zx``, ``t``, ``AID``, ``CI`` or ``ofs``, with maps' ids left out, an
            AID past the last array, a ``TYPE`` other than ``xmlhttp``, or a RID that is not the next.
        **options: arguments of :class:`ChannelService`, and of :class:`~gaechannel.server.ConnectionLimits`,
            which hold for each of the listeners.

    Attributes:
        service: the channel service.
        mounts: the other services, by path.
        counters: what has been refused and cut; the default mounts share the service's.
        admin_token: secret of the administrative interface.
        admin: where that listens; its port is 0 before the first ``start`` if a free one was asked for.
        port: the port; 0 before the first ``start`` if a free one was asked for.
        metrics: where the numbers are answered; None: at the administrative interface alone.
        health: what ``/readyz`` says.

    Raises:
        ImportError: ``metrics`` needs prometheus-client.
        TypeError: an argument is of another type; both ``service`` and ``state`` or ``options`` are given.
        ValueError: ``admin`` is no address, or has no TLS where other machines can reach it; ``metrics`` or
            ``trust_proxy`` is no address; a number, a path or a purpose of a socket makes no sense.
    """

    def __init__(
        self,
        service: ChannelService | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        mounts: Mapping[str, BrowserChannelService] | None = None,
        admin: str | None = "127.0.0.1:0",
        admin_token: str | None = None,
        ssl_context: ssl.SSLContext | None = None,
        admin_ssl_context: ssl.SSLContext | None = None,
        backlog: int = 4096,
        test_delay: float = 2.0,
        unix: str | None = None,
        unix_mode: int = 0o660,
        metrics: str | None = None,
        sockets: Mapping[str, Sequence[socket.socket]] | None = None,
        trust_proxy: Iterable[str] = (),
        access_log: logging.Logger | None = None,
        state: str | os.PathLike[str] | None = None,
        redis: str | None = None,
        reuse_port: bool = False,
        allow_origins: Iterable[str] = (),
        host_names: Iterable[str] | None = None,
        strict: bool = False,
        **options: Unpack[ServerOptions],
    ) -> None:
        _check(locals())
        connections, service_options = _divided(options)
        self._connection_limits = ConnectionLimits(**connections)
        if state is not None:
            service_options.setdefault("store", SqliteStore(state))
        if redis is not None and state is not None:
            raise ValueError("what is shared by Redis is kept there: state and redis exclude each other")
        if service is not None and (service_options or redis is not None):
            raise TypeError("a service is given: its options are arguments of ChannelService")
        if service is not None:
            self.service: ChannelService = service
        elif redis is not None:
            self.service = _shared_service(redis, service_options)
            mounts = {} if mounts is None else mounts
        else:
            self.service = ChannelService(**service_options)
        self.counters: Counters = self.service.counters
        self.mounts: dict[str, BrowserChannelService] = (
            _mounts(service_options, self.counters) if mounts is None else dict(mounts)
        )
        check_mounts(self.mounts)
        self.admin_token: str = secrets.token_urlsafe(24) if admin_token is None else admin_token
        self.admin: Address | None = None if admin is None else Address.parse(admin, "admin")
        self.host = host
        self.port: int = port
        self._ssl_context = ssl_context
        self._admin_ssl_context = admin_ssl_context
        if self.admin is not None and not self.admin.is_loopback:
            self._admin_ssl_context = admin_ssl_context or ssl_context
            if self._admin_ssl_context is None:
                raise ValueError(
                    f"administration at {self.admin} can be reached from other machines: it needs TLS"
                )
        self._backlog = backlog
        self._test_delay = test_delay
        self.metrics: Address | None = None if metrics is None else Address.parse(metrics, "metrics")
        if self.metrics is not None:
            load_metrics()
        self.health: Health = Health(lambda: self.service.is_cut_off)
        self._unix = None if unix is None else Address(path=unix, mode=unix_mode)
        self._sockets = {} if sockets is None else sockets
        self._trust_proxy = (trust_proxy,) if isinstance(trust_proxy, str) else tuple(trust_proxy)
        self._access_log = access_log
        self._access_log_class = access_log_class(Proxies(self._trust_proxy))
        self._reuse_port = reuse_port
        self._allow_origins = [allow_origins] if isinstance(allow_origins, str) else list(allow_origins)
        if host_names is None and self._unix is None and not sockets and Address(host).is_loopback:
            host_names = ()
        if host_names is not None:
            host_names = [host_names] if isinstance(host_names, str) else list(host_names)
        self._host_names = host_names
        Gate(self.counters, allow_origins=self._allow_origins, host_names=host_names)  # whether they are some
        self._script = Script(strict=strict)
        if strict:
            for one in (self.service, *self.mounts.values()):
                one.strict = True
        self._thread: threading.Thread | None = None
        self._running: _Running | None = None
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<LocalServer {self.url} {'running' if self.running else 'stopped'}>"

    @property
    def url(self) -> str:
        """The server's URL, without a path; ``unix:`` and the path of a Unix socket."""
        if self._unix is not None:
            return f"unix:{self._unix.path}"
        return f"{'https' if self._ssl_context else 'http'}://{Address(self.host, self.port)}"

    @property
    def base_url(self) -> str:
        """The talk dialect's base URL: what ``GAECHANNEL_BASE_URL`` is set to."""
        return self.url + TALK_PATH

    @property
    def admin_url(self) -> str | None:
        """The administrative interface's URL, or its Unix socket's path; None where there is none."""
        if self.admin is None:
            return None
        return self.admin.path or f"{'https' if self._admin_ssl_context else 'http'}://{self.admin}"

    @property
    def running(self) -> bool:
        """Whether the server is running."""
        return self._thread is not None

    @property
    def browserchannel(self) -> BrowserChannelService:
        """The service at ``/channel``; LookupError is raised where ``mounts`` or ``redis`` left none."""
        return self._mounted("/channel")

    @property
    def webchannel(self) -> BrowserChannelService:
        """The service at ``/webchannel``; LookupError is raised where ``mounts`` or ``redis`` left none."""
        return self._mounted("/webchannel")

    def _mounted(self, path: str) -> BrowserChannelService:
        if path in self.mounts:
            return self.mounts[path]
        there = f"only at {', '.join(self.mounts)}" if self.mounts else "nor at any other path"
        raise LookupError(
            f"this server has no service at {path}, {there}: mounts= takes the place of the default ones"
            " (default_mounts() makes them), and with redis= there are none"
        )

    def create_channel(self, client_id: str, duration_minutes: int | None = None) -> str:
        """See :meth:`ChannelService.create_channel`. With ``state`` it is kept when this returns."""
        token = self.service.create_channel(client_id, duration_minutes)
        self.service.store.commit_from_thread()
        return token

    def send_message(self, client_id: str, message: str) -> None:
        """See :meth:`ChannelService.send_message`. With ``state``, the message is kept when this returns, but
        for one that is sent in a callback, on the server's own event loop."""
        self.service.send_message(client_id, message)
        self.service.store.commit_from_thread()

    def start(self) -> Self:
        """Start listening; does nothing if the server runs already.

        Returns:
            The server.

        Raises:
            OSError: the address cannot be listened on, such as a port in use.
        """
        with self._lock:
            if self._thread is not None:
                return self
            started: concurrent.futures.Future[int] = concurrent.futures.Future()
            thread = threading.Thread(
                target=self._run, args=(started,), name="gaechannel-server", daemon=True
            )
            thread.start()
            try:
                self.port = started.result()
            except BaseException:
                thread.join()
                raise
            self._thread = thread
        return self

    def stop(self, *, keep_sessions: bool = True) -> None:
        """Stop in order: open back channels end, requests under way are answered; does nothing if stopped.

        Args:
            keep_sessions: whether sessions and what they hold are there after the next ``start``; if not,
                clients are told ``Unknown SID`` then. Tokens go on being valid.
        """
        self._stop(cut=False, keep_sessions=keep_sessions)

    def kill(self, *, keep_sessions: bool = True) -> None:
        """Stop at once, as a process that is killed: connections are cut in the middle of what they carry.

        Args:
            keep_sessions: as for ``stop``.
        """
        self._stop(cut=True, keep_sessions=keep_sessions)

    def drain(self) -> None:
        """Go on serving, but have ``/readyz`` say that the server ends: load balancers send nobody new."""
        self.health.stopping = True

    @property
    def faults(self) -> list[str]:
        """What was wrong with requests, where the server is ``strict``: each one's words."""
        return self._script.faults

    def answer(
        self,
        status: int = 400,
        body: bytes | str = b"",
        *,
        to: str | None = None,
        times: int = 1,
        reason: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Have the next request answered so in the place of what the server would say: a script for tests.

        Args:
            status: the status; a bare 400 is how Google's servers say that they do not know a session.
            body: the body.
            to: which requests are meant: ``"page"`` (``/d``), ``"test"``, ``"open"``, ``"maps"``, ``"back"``
                (the back channel), ``"terminate"``; None: whichever comes.
            times: how many of them.
            reason: the reason phrase; None: the status's own.
            headers: further headers.

        Raises:
            ValueError: ``to`` is none of these.
        """
        self._script.answer(status, body, to=to, times=times, reason=reason, headers=headers)

    def call(self, function: Callable[[], _T], timeout: float | None = None) -> _T:
        """Call a function on the server's event loop, and return what it returns.

        Args:
            timeout: seconds to wait for it; None: as long as it takes.

        Raises:
            RuntimeError: the server does not run.
            TimeoutError: the event loop did not come to it in time.
        """
        running = self._running
        if running is None:
            raise RuntimeError("the server does not run")

        async def run() -> _T:
            return function()

        return asyncio.run_coroutine_threadsafe(run(), running.loop).result(timeout)

    def cut(self) -> int:
        """Cut all connections in the middle of what they carry, and go on serving.

        Returns:
            How many connections there were.
        """
        running = self._running
        if running is None:
            return 0
        return asyncio.run_coroutine_threadsafe(running.cut(), running.loop).result()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop(keep_sessions=self.service.store.keeps)

    def _stop(self, *, cut: bool, keep_sessions: bool) -> None:
        with self._lock:
            running, thread = self._running, self._thread
            if running is not None and thread is not None:
                if cut:
                    self.cut()
                if not keep_sessions:
                    self._forget()
                    self.service.store.commit_from_thread()
                if cut:
                    running.loop.call_soon_threadsafe(self.service.store.abandon)
                running.loop.call_soon_threadsafe(running.stopping.set)
                thread.join()
                self._thread = None
            if not keep_sessions:
                self._forget()

    def _forget(self) -> None:
        for service in (self.service, *self.mounts.values()):
            service.forget()

    def _run(self, started: concurrent.futures.Future[int]) -> None:
        try:
            asyncio.run(self._serve(started.set_result))
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    def _add_to(self, app: web.Application) -> None:
        """Have the application serve what a subclass has beyond it."""

    async def _serve(self, ready: Callable[[int], object]) -> None:
        """Serve until told to stop; ``ready`` is called with the port."""
        self._running = running = _Running(asyncio.get_running_loop(), asyncio.Event(), [])
        async with contextlib.AsyncExitStack() as ending:
            ending.callback(setattr, self, "_running", None)
            self.health.stopping = False
            sockets, address = self._open("public", self._unix or Address(self.host, self.port), ending)
            app = make_app(
                self.service,
                mounts=self.mounts,
                test_delay=self._test_delay,
                trust_proxy=self._trust_proxy,
                health=self.health,
                allow_origins=self._allow_origins,
                host_names=self._host_names,
                script=self._script,
            )
            self._add_to(app)
            public = self._listener(app, sockets, self._ssl_context, self._access_log)
            # The public one is the first to begin, since it opens the store, and the last to end.
            running.listeners += [public, *self._private_listeners(ending)]
            for one in running.listeners:
                ending.push_async_callback(one.stop)
                await one.start()
            ready(address.port)
            await running.stopping.wait()
            self.health.stopping = True

    def _private_listeners(self, ending: contextlib.AsyncExitStack) -> Iterator[Listener]:
        """The listeners of administration and of the metrics."""
        if self.admin is not None:
            admin_app = make_admin_app(
                self.service,
                self.admin_token,
                mounts=self.mounts,
                public_url=lambda: self.url,
                health=self.health,
                host_names=() if self.admin.is_loopback else None,
            )
            sockets, self.admin = self._open("admin", self.admin, ending)
            yield self._listener(admin_app, sockets, self._admin_ssl_context)
        if self.metrics is not None or self._sockets.get("metrics"):
            metrics_app = make_metrics_app(self.service, self.mounts, self.health)
            sockets, self.metrics = self._open("metrics", self.metrics or Address(), ending)
            yield self._listener(metrics_app, sockets, None)

    def _open(
        self, name: str, address: Address, ending: contextlib.AsyncExitStack
    ) -> tuple[list[socket.socket], Address]:
        """The sockets that listen for one purpose, and the address with the port that it has got."""
        given = self._sockets.get(name)
        if given:
            # Listening ends with the closing of its socket; those that were given stay for the next start.
            sockets = [one.dup() for one in given]
            for one in sockets:
                ending.callback(one.close)
        else:
            sockets = [address.listen(self._backlog, reuse=self._reuse_port)]
            ending.callback(address.forget, sockets[0], reuse=self._reuse_port)
        place = sockets[0].getsockname()
        if not isinstance(place, tuple):
            return sockets, address
        host = place[0] if given else address.host
        return sockets, dataclasses.replace(address, host=host, port=place[1], path="")

    async def _serve_until_signal(self, on_ready: Callable[[LocalServer], object] | None) -> None:
        loop = asyncio.get_running_loop()

        def stop() -> None:
            if self._running is not None:
                self._running.stopping.set()

        def ready(port: int) -> None:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, stop)
            self.port = port
            if on_ready is not None:
                on_ready(self)

        try:
            await self._serve(ready)
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    def _listener(
        self,
        app: web.Application,
        sockets: list[socket.socket],
        ssl_context: ssl.SSLContext | None,
        access_log: logging.Logger | None = None,
    ) -> Listener:
        return Listener(
            app,
            sockets,
            ssl_context=ssl_context,
            limits=self._connection_limits,
            counters=self.counters,
            access_log=access_log,
            access_log_class=self._access_log_class,
        )


def serve(
    host: str = "127.0.0.1",
    port: int = 8080,
    admin_token: str | None = None,
    *,
    service: ChannelService | None = None,
    mounts: Mapping[str, BrowserChannelService] | None = None,
    admin: str | None = "127.0.0.1:0",
    ssl_context: ssl.SSLContext | None = None,
    admin_ssl_context: ssl.SSLContext | None = None,
    backlog: int = 4096,
    test_delay: float = 2.0,
    state: str | os.PathLike[str] | None = None,
    redis: str | None = None,
    reuse_port: bool = False,
    allow_origins: Iterable[str] = (),
    host_names: Iterable[str] | None = None,
    on_ready: Callable[[LocalServer], object] | None = None,
    **options: Unpack[ServerOptions],
) -> None:
    """Serve in the calling thread, the main one, until SIGINT or SIGTERM, and stop in order then.

    Args:
        host: address to listen on.
        port: port to listen on; 0: a free one.
        on_ready: called once with the server (``base_url``, ``admin_token``) as soon as it listens.
        admin: where the administrative interface listens; see :class:`LocalServer`.
        admin_token, service, mounts, ssl_context, admin_ssl_context, backlog: see there.
        test_delay, state, reuse_port, allow_origins, host_names: see there, too.
        **options: arguments of :class:`ChannelService`, and of :class:`~gaechannel.server.ConnectionLimits`.

    Raises:
        OSError: an address cannot be listened on, or the state file cannot be used.
        ValueError: ``admin`` is no address, or has no TLS where other machines can reach it.
    """
    server = LocalServer(
        service,
        host=host,
        port=port,
        mounts=mounts,
        admin=admin,
        admin_token=admin_token,
        ssl_context=ssl_context,
        admin_ssl_context=admin_ssl_context,
        backlog=backlog,
        test_delay=test_delay,
        state=state,
        redis=redis,
        reuse_port=reuse_port,
        allow_origins=allow_origins,
        host_names=host_names,
        **options,
    )
    asyncio.run(server._serve_until_signal(on_ready))
