"""The web application: which dialect stands where."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from typing import Any

from aiohttp import web

from gaechannel._checks import check_type
from gaechannel.server.core.browserchannel import BrowserChannelService
from gaechannel.server.core.dialect import WEBCHANNEL
from gaechannel.server.core.service import ChannelService
from gaechannel.server.core.sessions import SessionService, call_now

from .bind import Bind
from .dev import Dev
from .forwarded import Proxies
from .gate import Gate
from .health import Health
from .hook_calls import HookRunner
from .jsapi import jsapi
from .mounted import prefix_of
from .pages import Pages
from .phases import TestPhases
from .presence_posts import Posting
from .replies import invite_body, refusing, timed
from .script import Script
from .talk_page import TokenPage

#: Where the talk dialect and the development server's stand, and the script that pages load.
TALK_PATH = "/talkgadget"
DEV_PATH = "/_ah/channel/dev"
JSAPI_PATH = "/_ah/channel/jsapi"

#: Seconds that notices of presence still get when the server stops.
_PRESENCE_SECONDS = 1.0


def default_mounts() -> dict[str, BrowserChannelService]:
    """A browserchannel service at ``/channel``, a webchannel service at ``/webchannel``."""
    return {"/channel": BrowserChannelService(), "/webchannel": BrowserChannelService(dialect=WEBCHANNEL)}


def check_mounts(mounts: Mapping[str, BrowserChannelService]) -> None:
    """Refuse what cannot be served.

    Raises:
        TypeError, ValueError: what is mounted is no service, or where it is mounted is no path.
    """
    for path, mounted in mounts.items():
        check_type("a path of mounts", path, str, "a str")
        if not path.startswith("/"):
            raise ValueError(f"a path of mounts must begin with a slash, as {path!r} does not")
        check_type(f"mounts[{path!r}]", mounted, BrowserChannelService, "a BrowserChannelService")


def make_app(
    service: ChannelService | None = None,
    *,
    mounts: Mapping[str, BrowserChannelService] | None = None,
    test_delay: float = 2.0,
    trust_proxy: Iterable[str] = (),
    health: Health | None = None,
    script: Script | None = None,
    allow_origins: Iterable[str] = (),
    host_names: Iterable[str] | None = None,
) -> web.Application:
    """An aiohttp application that serves all dialects, ``/healthz``, ``/readyz``, and a page at ``/``.

    An application serves one event loop once; the services may be given to another one after it.

    Args:
        service: serves the talk dialect at ``/talkgadget``, the development server's at
            ``/_ah/channel/dev``, and pages' script for it at ``/_ah/channel/jsapi``; None: a new one.
        mounts: what else is served, by path; None: :func:`default_mounts`.
        test_delay: seconds between the two pieces of the second test phase.
        trust_proxy: addresses or networks of proxies whose ``X-Forwarded-…`` headers are believed; ``unix``
            for who comes by a Unix socket.
        health: what ``/readyz`` says; None: that the server is ready.
        script: for tests of clients: what is answered instead; None: nothing is.
        allow_origins: origins whose pages may use the server from a browser (CORS), such as
            ``https://example.org``; ``*`` for every one, but without cookies. The server's own may.
        host_names: names that a request's ``Host`` may have beside addresses and names without a dot, such as
            ``localhost``, against DNS rebinding; None: any.

    Raises:
        ValueError: an origin or a name is none.

    Returns:
        The application. Its shutdown ends all back channels in order, and leaves the sessions there. Services
        that have a ``store`` take up at its startup what that has kept, and at its end tell presence that
        their clients are gone, and let go of the store.
    """
    service = ChannelService() if service is None else service
    mounts = default_mounts() if mounts is None else mounts
    check_mounts(mounts)
    app = web.Application()
    gate = Gate(
        service.counters,
        allow_origins=allow_origins,
        host_names=host_names,
        paths=[TALK_PATH, DEV_PATH, *mounts, "/healthz", "/readyz", "/"],
        for_all=[JSAPI_PATH],
    )
    gate.watch(app)
    proxies = Proxies(trust_proxy)
    (Health() if health is None else health).add_to(app)
    paths = {path: one.dialect.name for path, one in mounts.items()}
    Pages("public.html", ["page.css"], paths, lambda request: own_address(request, proxies)).add_to(app)
    script = Script() if script is None else script
    add_talk(app, service, proxies, test_delay, script)
    if service.serves_polls:
        app.router.add_get(DEV_PATH, refusing(Dev(service).get, service.counters), allow_head=False)
    app.router.add_get(JSAPI_PATH, jsapi)
    for path, mounted in mounts.items():
        _add_dialect(app, path.rstrip("/"), mounted, test_delay, script)
    services: list[SessionService] = [service, *mounts.values()]
    app.cleanup_ctx.append(_taking_up(services))
    app.cleanup_ctx.append(_hooks(services))
    app.cleanup_ctx.append(_sweeping(services))
    app.cleanup_ctx.append(_presence(service))
    app.cleanup_ctx.append(_handing_over(services))  # the last to begin is the first to end

    async def end_back_channels(_app: web.Application) -> None:
        for one in services:
            one.end_back_channels()

    app.on_shutdown.append(end_back_channels)
    app.on_response_prepare.append(say_no_more)
    return app


def add_talk(
    app: web.Application, service: ChannelService, proxies: Proxies, test_delay: float, script: Script
) -> None:
    """Have an application serve the talk dialect."""
    page = TokenPage(service, proxies)
    first = script.of(service)
    app.router.add_get(TALK_PATH + "/d", refusing(page.get, service.counters, first))
    _add_dialect(app, TALK_PATH, service, test_delay, script)


def own_address(request: web.Request, proxies: Proxies) -> str:
    """The address of the application that answers a request, as the client knows it."""
    return proxies.origin(request) + prefix_of(request.app)


async def say_no_more(_request: web.Request, response: web.StreamResponse) -> None:
    """Take back what aiohttp says of itself, before an answer goes out."""
    # aiohttp's own headers. Clients keep what a back channel's head says for as long as it lasts.
    response.headers.pop("Server", None)
    if isinstance(response, web.Response) and not response.content_length:
        response.headers.pop("Content-Type", None)


def _add_dialect(
    app: web.Application, base: str, service: SessionService, test_delay: float, script: Script
) -> None:
    bind, path = Bind(service), base + service.dialect.bind_path
    app.on_cleanup.append(bind.close)
    first, counters = script.of(service), service.counters
    app.router.add_get(path, refusing(bind.get, counters, first), allow_head=False)
    app.router.add_post(
        path, refusing(timed(bind.post, service), counters, first), expect_handler=invite_body
    )
    if service.dialect.test_path is not None:
        phases = TestPhases(service, test_delay)
        app.router.add_get(
            base + service.dialect.test_path, refusing(phases.get, counters, first), allow_head=False
        )


def _hooks(services: list[SessionService]) -> Callable[[web.Application], AsyncIterator[None]]:
    async def context(_app: web.Application) -> AsyncIterator[None]:
        runner = HookRunner()
        for one in services:
            one.run_hook = runner
        yield
        for one in services:
            one.run_hook = call_now
        runner.close()

    return context


def _sweeping(services: list[SessionService]) -> Callable[[web.Application], AsyncIterator[None]]:
    """One timer for all sessions of all services."""
    seconds = min(one.limits.sweep_seconds for one in services)

    async def sweep() -> None:
        while True:
            await asyncio.sleep(seconds)
            for one in services:
                for _ in one.sweeping():
                    await asyncio.sleep(0)

    async def context(_app: web.Application) -> AsyncIterator[None]:
        async with _Background(sweep()):
            yield

    return context


def _presence(service: ChannelService) -> Callable[[web.Application], AsyncIterator[None]]:
    async def context(_app: web.Application) -> AsyncIterator[None]:
        async with (
            Posting(service.presence_url) as post,
            _Background(service.presence.run(post)) as task,
        ):
            yield
            service.presence.finish()
            await asyncio.wait([task], timeout=_PRESENCE_SECONDS)

    return context


def _taking_up(services: list[SessionService]) -> Callable[[web.Application], AsyncIterator[None]]:
    """Go on with what the process before this one has left."""

    async def context(_app: web.Application) -> AsyncIterator[None]:
        for one in services:
            await one.take_up()
        yield

    return context


def _handing_over(services: list[SessionService]) -> Callable[[web.Application], AsyncIterator[None]]:
    """Leave what there is to the next process, and tell presence so."""

    async def context(_app: web.Application) -> AsyncIterator[None]:
        yield
        for one in services:
            await one.leave_to_others()
        for one in services:
            one.store.close(told=True)

    return context


class _Background:
    """A task beside an ``async with`` block.

    No generator: where a program ends without ``cleanup()``, asyncio closes all of them at once, and tells of
    one within another as of an error.
    """

    def __init__(self, work: Coroutine[Any, Any, None]) -> None:
        self._work = work

    async def __aenter__(self) -> asyncio.Task[None]:
        self._task = asyncio.create_task(self._work)
        return self._task

    async def __aexit__(self, *error: object) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
