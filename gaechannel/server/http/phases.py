"""The two test phases, with which a browser looks for blocked hosts and buffering proxies."""

from __future__ import annotations

import asyncio

from aiohttp import web

from gaechannel.server.core.errors import bad_request
from gaechannel.server.core.framing import encode_json
from gaechannel.server.core.sessions import SessionService

from .replies import HEADERS, check_version, text_reply


class TestPhases:
    """The handler of one dialect's test requests.

    Args:
        service: the sessions, for ``limits.host_prefix`` and the dialect.
        delay: seconds between the two pieces of the second phase's answer; the real servers: 2.
    """

    __test__ = False  # no test of pytest's

    def __init__(self, service: SessionService, delay: float) -> None:
        self._service = service
        self._delay = delay

    async def get(self, request: web.Request) -> web.StreamResponse:
        """Phase 1 (``MODE=init``): ``[hostPrefix,blockedPrefix]``. Phase 2: ``11111``, later ``2``."""
        params = request.query
        check_version(params)
        mode = params.get("MODE")
        if mode == "init":
            headers = {"X-Accept": "application/json"} if self._service.dialect.json_bodies else None
            return text_reply(encode_json([self._service.limits.host_prefix, None]), headers=headers)
        if mode is not None:
            raise bad_request("MODE is unknown")
        if params.get("TYPE") != "xmlhttp":
            raise bad_request("TYPE is unknown")
        response = web.StreamResponse(headers={**HEADERS, "Content-Type": "text/plain; charset=utf-8"})
        await response.prepare(request)
        await response.write(b"11111")
        await asyncio.sleep(self._delay)
        await response.write(b"2")
        await response.write_eof()
        return response
