"""The administrative interface: what an application did through App Engine's API, over HTTP.

It has a listener of its own, so that a proxy in front of the public one can never lead to it. Nothing of a
request is read before its token is known to be right. A page for people and the server's numbers are here,
too.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice

from aiohttp import web

from gaechannel.server.core.answered import Answered
from gaechannel.server.core.errors import Error, Refusal, bad_request
from gaechannel.server.core.maps import decode_form, integer
from gaechannel.server.core.service import ChannelService
from gaechannel.server.core.sessions import SessionService
from gaechannel.server.core.talk_session import TalkSession

from .app import JSAPI_PATH, TALK_PATH, add_talk, own_address, say_no_more
from .forwarded import Proxies
from .gate import Gate
from .health import Health
from .jsapi import jsapi
from .metrics_page import MetricsPage
from .pages import Pages
from .presence_stream import PresenceStreams
from .replies import HEADERS, invite_body, read_body, refusing, text_reply
from .script import Script

#: Most channels, and most sessions, that a page is told of.
_MOST_SHOWN = 200


def make_admin_app(
    service: ChannelService,
    token: str,
    *,
    mounts: Mapping[str, SessionService] | None = None,
    public_url: Callable[[], str] | None = None,
    health: Health | None = None,
    host_names: Iterable[str] | None = None,
) -> web.Application:
    """An aiohttp application that answers the administrative interface; to be served to the owner alone.

    Beside it: a page for people at ``/``, and what that needs, the talk dialect among it; ``/healthz`` and
    ``/readyz``, which want no token; ``/metrics``, which does.

    Args:
        service: the channels.
        token: the secret that ``Authorization: Bearer`` must carry.
        mounts: the other services of the server, by path; None: there are none.
        public_url: the address that the page shows clients; None: the page's own.
        health: what ``/readyz`` says; None: that the server is ready.
        host_names: as for :func:`make_app`.

    Raises:
        ValueError: the token is empty.
    """
    mounts = {} if mounts is None else mounts
    admin = Admin(service, token, mounts)
    app = web.Application()
    Gate(
        service.counters,
        host_names=host_names,
        paths=["/admin/create", "/admin/send", "/metrics", "/healthz", "/readyz", "/"],
    ).watch(app)
    app.router.add_post("/admin/create", refusing(admin.create, service.counters), expect_handler=invite_body)
    app.router.add_post("/admin/send", refusing(admin.send, service.counters), expect_handler=invite_body)
    app.router.add_get("/admin/state", refusing(admin.state, service.counters))
    app.router.add_get("/metrics", refusing(admin.metrics, service.counters))
    (Health() if health is None else health).add_to(app)
    proxies = Proxies()

    def address(request: web.Request) -> str:
        return own_address(request, proxies) if public_url is None else public_url()

    paths = {path: one.dialect.name for path, one in mounts.items()}
    Pages("admin.html", ["page.css", "page.js"], paths, address).add_to(app)
    add_talk(app, service, proxies, 0.0, Script())
    app.router.add_get(JSAPI_PATH, jsapi)
    app.on_response_prepare.append(say_no_more)
    app.router.add_get("/admin/presence", refusing(admin.presence, service.counters), allow_head=False)
    app.on_shutdown.append(admin.streams.end)
    return app


class Admin:
    """The handlers below ``/admin``, and that of ``/metrics`` where a token is wanted for it.

    Args:
        service: the channels.
        token: the secret that ``Authorization: Bearer`` must carry.
        mounts: the other services of the server, by path.

    Raises:
        ValueError: the token is empty.
    """

    def __init__(self, service: ChannelService, token: str, mounts: Mapping[str, SessionService]) -> None:
        if not token:
            raise ValueError("the administrative token is empty")
        self._service = service
        self._token = token.encode("utf-8")
        self._mounts = mounts
        self._metrics = MetricsPage(service, mounts)
        self._answered = Answered(service.monotonic)
        #: What is being sent, by its request's key.
        self._sending: dict[str, asyncio.Task[bytes]] = {}
        self.streams: PresenceStreams = PresenceStreams(service)

    async def create(self, request: web.Request) -> web.StreamResponse:
        """Form ``client_id`` and perhaps ``duration_minutes``; answers the token."""
        form = await self._form(request)
        minutes = form.get("duration_minutes")
        duration = None if minutes is None else integer(minutes, "duration_minutes")
        with _explained():
            token = await self._service.create(_field(form, "client_id"), duration)
        return text_reply(token)

    async def send(self, request: web.Request) -> web.StreamResponse:
        """Form ``client_id`` (or a token) and ``message``; answers nothing, or that there is no channel.

        Or JSON, ``{"messages":[[client_id,message],…]}``: answers ``{"dropped":[…]}``, the places in that
        list of those to no channel. None is sent where one is refused. A second request with the same
        ``Idempotency-Key`` is answered as the first was, and sends nothing.
        """
        if request.content_type == "application/json":
            return await self._send_many(request)
        form = await self._form(request)
        client_id = _field(form, "client_id")
        with _explained():
            known = await self._service.send(client_id, _field(form, "message"))
        return text_reply("" if known else "this server has no channel of that client")

    async def state(self, request: web.Request) -> web.StreamResponse:
        """What is open, as JSON: channels and sessions, and no more of them than a page can show."""
        self._check(request)
        service = self._service
        channels, sessions = service.channels, {TALK_PATH: service, **self._mounts}
        counts = [service.channel_count, service.session_count + sum(map(len, self._mounts.values()))]
        shown_channels = [
            {"client_id": one.client_id, "listeners": len(one.listeners), "held": len(one.held)}
            for one in channels.first(_MOST_SHOWN)
        ]
        opened = ((path, one) for path, service in sessions.items() for one in service.first(_MOST_SHOWN))
        shown_sessions = [
            {
                "path": path,
                "name": one.name,
                "client_id": one.client_id if isinstance(one, TalkSession) else None,
                "back_channel": one.has_back_channel,
                "outstanding": one.outstanding,
            }
            for path, one in islice(opened, _MOST_SHOWN)
        ]
        state = {
            "channel_count": counts[0],
            "session_count": counts[1],
            "complete": counts == [len(shown_channels), len(shown_sessions)],
            "channels": shown_channels,
            "sessions": shown_sessions,
        }
        return web.json_response(state, headers=HEADERS)

    async def metrics(self, request: web.Request) -> web.StreamResponse:
        """The server's numbers; see :mod:`gaechannel.server.http.metrics`."""
        self._check(request)
        return await self._metrics.get(request)

    async def presence(self, request: web.Request) -> web.StreamResponse:
        """Who is there, and who comes and goes, as lines of JSON for as long as the request is open."""
        self._check(request)
        return await self.streams.get(request)

    async def _send_many(self, request: web.Request) -> web.StreamResponse:
        self._check(request)
        body = await read_body(request, self._service.limits)
        key = request.headers.get("Idempotency-Key")
        answer = self._answered.get(key)
        if answer is None:
            sending = None if key is None else self._sending.get(key)
            if sending is None:
                sending = asyncio.create_task(self._send_all(key, _messages(body)))
                if key is not None:
                    self._sending[key] = sending
            # The sender may go before all is kept, and ask again: what has begun is to be known then.
            answer = await asyncio.shield(sending)
        return web.Response(body=answer, content_type="application/json", headers=HEADERS)

    async def _send_all(self, key: str | None, messages: list[tuple[str, str]]) -> bytes:
        try:
            with _explained():
                dropped = await self._service.send_many(messages, key)
        finally:
            self._sending.pop(key or "", None)
        answer = json.dumps({"dropped": dropped}).encode()
        self._answered.keep(key, answer)
        return answer

    async def _form(self, request: web.Request) -> dict[str, str]:
        self._check(request)
        body = await read_body(request, self._service.limits)
        try:
            return decode_form(body.decode("utf-8")).form
        except UnicodeDecodeError:
            raise bad_request("the body is not UTF-8") from None

    def _check(self, request: web.Request) -> None:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        given_bytes = given.strip().encode("utf-8", "surrogateescape")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given_bytes, self._token):
            raise Refusal(401, "Unauthorized", {"WWW-Authenticate": "Bearer"}, cause="admin")


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """What App Engine's API would raise is answered 400, by its name."""
    try:
        yield
    except Refusal:
        raise
    except Error as error:
        raise bad_request(f"{type(error).__name__}: {error}") from None


def _messages(body: bytes) -> list[tuple[str, str]]:
    """The client ids and messages of a body.

    Raises:
        Refusal: 400 where it holds none.
    """
    try:
        messages = [(client_id, message) for client_id, message in json.loads(body)["messages"]]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise bad_request("the body is not an object with a list of pairs named messages") from None
    return messages


def _field(form: dict[str, str], name: str) -> str:
    if name not in form:
        raise bad_request(f"{name} is missing")
    return form[name]
