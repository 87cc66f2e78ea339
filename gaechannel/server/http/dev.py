"""The development server's dialect, as App Engine's SDK had it: ``/_ah/channel/dev``.

Statuses, reason phrases, bodies and content types are those of its ``devappserver2/channel.py``; what still
differs, such as a charset, is listed in ``docs/dialects.rst``.
"""

from __future__ import annotations

import contextlib

from aiohttp import web

from gaechannel.server.core.errors import Refusal
from gaechannel.server.core.service import ChannelService


class Dev:
    """The handler of ``/_ah/channel/dev``.

    Args:
        service: the channels.
    """

    def __init__(self, service: ChannelService) -> None:
        self._service = service

    async def get(self, request: web.Request) -> web.StreamResponse:
        """``connect`` answers ``1``; ``poll`` one message or nothing; all else is refused without a word."""
        command, token = request.query.get("command"), request.query.get("channel")
        if command is None or token is None:
            return _reply(status=400)
        pollers = self._service.pollers
        if command == "disconnect":
            # The SDK's page says it when it goes, and the SDK does not know it.
            with contextlib.suppress(Refusal):
                pollers.disconnect(self._service.read_token(token).client_id)
        if command not in {"connect", "poll"}:
            return _reply(status=400)
        try:
            client_id = self._service.read_token(token).client_id
        except Refusal as refusal:
            return _reply(status=refusal.status, reason=refusal.text)
        if command == "connect":
            pollers.connect(client_id)
            await self._service.commit()
            return _reply("1", "text/plain")
        # A lone surrogate has no UTF-8, and this dialect no escapes.
        message = pollers.poll(client_id)
        await self._service.commit()
        return _reply(message, "application/json; charset=utf-8")


def _reply(
    text: str = "", content_type: str = "", *, status: int = 200, reason: str | None = None
) -> web.Response:
    headers = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
    if text:
        headers["Content-Type"] = content_type
    return web.Response(body=text.encode("utf-8", "replace"), status=status, reason=reason, headers=headers)
