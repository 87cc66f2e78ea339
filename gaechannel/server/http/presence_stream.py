"""Who comes and goes, told over an open request: lines of JSON, first all who are there, then each change."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable

from aiohttp import web

from gaechannel.server.core.service import ChannelService

from .replies import HEADERS

#: Seconds after which a silent stream gets an empty line.
_KEEPALIVE_SECONDS = 15.0
#: Client ids in one line of those who are there.
_IDS_A_LINE = 500
#: Events that wait for a reader; one that does not keep up is cut, and asks again who is there.
_MOST_WAITING = 100_000


def _line(what: str, client_ids: list[str]) -> bytes:
    return json.dumps({what: client_ids}, separators=(",", ":")).encode() + b"\n"


class PresenceStreams:
    """The handler of ``GET /admin/presence``.

    Args:
        service: whose clients it tells of.
    """

    def __init__(self, service: ChannelService) -> None:
        self._service = service
        self._ends: set[Callable[[], None]] = set()
        service.presence.on_missed.add(self._end_all)

    async def get(self, request: web.Request) -> web.StreamResponse:
        """Lines ``{"here":[…]}``, the last of them ``{"present":[…]}``, say who is there; then
        ``{"connected":[…]}`` and ``{"disconnected":[…]}``; an empty line says that the server is there."""
        response = web.StreamResponse(headers={**HEADERS, "Content-Type": "application/x-ndjson"})
        waiting: asyncio.Queue[bytes | None] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def put(line: bytes) -> None:
            if waiting.qsize() < _MOST_WAITING:
                waiting.put_nowait(line)
            elif request.transport is not None:  # here, since a write waits for the reader
                request.transport.abort()

        def tell(what: str, client_id: str) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has closed
                loop.call_soon_threadsafe(put, _line(what, [client_id]))

        def end() -> None:
            waiting.put_nowait(None)

        self._service.presence.watchers.add(tell)
        self._ends.add(end)
        try:
            present = await self._service.present()  # which is refused where the store cannot be reached
            await response.prepare(request)
            while len(present) > _IDS_A_LINE:
                await response.write(_line("here", present[:_IDS_A_LINE]))
                del present[:_IDS_A_LINE]
            await response.write(_line("present", present))
            while True:
                try:
                    async with asyncio.timeout(_KEEPALIVE_SECONDS):
                        line = await waiting.get()
                except TimeoutError:
                    line = b"\n"
                if line is None:
                    break
                await response.write(line)
        except ConnectionResetError:
            pass  # who listened has gone
        finally:
            self._service.presence.watchers.discard(tell)
            self._ends.discard(end)
        return response

    async def end(self, _app: web.Application) -> None:
        """End all streams in order, as the server stops."""
        self._end_all()

    def _end_all(self) -> None:
        """End all in order: who listens asks again, and is told anew who is there."""
        for end in list(self._ends):
            end()
