"""The administrative interface: what an application did through App Engine's API, over HTTP.

It has a listener of its own, so that a proxy in front of the public one can never lead to it. Nothing of a
request is read before its token is known to be right.
"""

from __future__ import annotations

import hmac

from aiohttp import web

from gaechannel.server.core.errors import Error, Refusal, bad_request
from gaechannel.server.core.maps import decode_form, integer
from gaechannel.server.core.service import ChannelService

from .replies import invite_body, read_body, refusing, text_reply


def make_admin_app(service: ChannelService, token: str) -> web.Application:
    """An aiohttp application that answers the administrative interface; to be served to the owner alone.

    Args:
        service: the channels.
        token: the secret that ``Authorization: Bearer`` must carry.

    Raises:
        ValueError: the token is empty.
    """
    admin = Admin(service, token)
    app = web.Application()
    app.router.add_post("/admin/create", refusing(admin.create, service.counters), expect_handler=invite_body)
    app.router.add_post("/admin/send", refusing(admin.send, service.counters), expect_handler=invite_body)
    return app


class Admin:
    """The handlers of ``/admin/create`` and ``/admin/send``.

    Args:
        service: the channels.
        token: the secret that ``Authorization: Bearer`` must carry.

    Raises:
        ValueError: the token is empty.
    """

    def __init__(self, service: ChannelService, token: str) -> None:
        if not token:
            raise ValueError("the administrative token is empty")
        self._service = service
        self._token = token.encode("utf-8")

    async def create(self, request: web.Request) -> web.StreamResponse:
        """Form ``client_id`` and perhaps ``duration_minutes``; answers the token."""
        form = await self._form(request)
        minutes = form.get("duration_minutes")
        duration = None if minutes is None else integer(minutes, "duration_minutes")
        try:
            token = self._service.create_channel(_field(form, "client_id"), duration)
        except Refusal:
            raise
        except Error as error:
            raise bad_request(f"{type(error).__name__}: {error}") from None
        return text_reply(token)

    async def send(self, request: web.Request) -> web.StreamResponse:
        """Form ``client_id`` (or a token) and ``message``; answers nothing, or that there is no channel."""
        form = await self._form(request)
        client_id = _field(form, "client_id")
        try:
            known = self._service.has_channel(client_id)
            self._service.send_message(client_id, _field(form, "message"))
        except Refusal:
            raise
        except Error as error:
            raise bad_request(f"{type(error).__name__}: {error}") from None
        return text_reply("" if known else "this server has no channel of that client")

    async def _form(self, request: web.Request) -> dict[str, str]:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        given_bytes = given.strip().encode("utf-8", "surrogateescape")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given_bytes, self._token):
            raise Refusal(401, "Unauthorized", {"WWW-Authenticate": "Bearer"}, cause="admin")
        body = await read_body(request, self._service.limits)
        try:
            return decode_form(body.decode("utf-8")).form
        except UnicodeDecodeError:
            raise bad_request("the body is not UTF-8") from None


def _field(form: dict[str, str], name: str) -> str:
    if name not in form:
        raise bad_request(f"{name} is missing")
    return form[name]
