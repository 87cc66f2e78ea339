"""The development server's dialect, as App Engine's SDK had it: ``/_ah/channel/dev``."""

from __future__ import annotations

from aiohttp import web

from .bind import text_reply
from .errors import bad_request
from .service import ChannelService


class Dev:
    """The handler of ``/_ah/channel/dev``.

    Args:
        service: the channels.
    """

    def __init__(self, service: ChannelService) -> None:
        self._service = service

    async def get(self, request: web.Request) -> web.StreamResponse:
        """``connect`` answers a client id; ``poll`` one message or nothing; ``disconnect`` nothing."""
        params = request.query
        command = params.get("command")
        if command is None or "channel" not in params:
            raise bad_request("command or channel is missing")
        client_id = self._service.read_token(params["channel"]).client_id
        pollers = self._service.pollers
        if command == "connect":
            return text_reply(pollers.connect(client_id))
        if command not in {"poll", "disconnect"}:
            raise bad_request("command is unknown")
        number = params.get("client")
        if not number:
            raise bad_request("client is missing")
        if command == "disconnect":
            pollers.disconnect(client_id, number)
            return text_reply("")
        # A lone surrogate has no UTF-8, and this dialect no escapes.
        return text_reply(pollers.poll(client_id, number).encode("utf-8", "replace"))
