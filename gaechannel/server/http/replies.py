"""What every handler needs: a request's body, plain answers, refusals that are answered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestPayloadError

from gaechannel.server.core.counters import Counters
from gaechannel.server.core.errors import Refusal, bad_request
from gaechannel.server.core.limits import Limits
from gaechannel.server.core.sessions import SessionService

# What aiohttp says of a body that breaks off, or is no chunked one.
_BROKEN_BODY = (RequestPayloadError, HttpProcessingError)

#: Bytes of a body that buy a second more: slow links are real, a byte a second is none.
_BYTES_A_SECOND = 1000.0

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

#: What every answer says: it is for this client, now, and not to be guessed at.
HEADERS = {
    "Cache-Control": "no-cache, no-store, max-age=0, must-revalidate",
    "X-Content-Type-Options": "nosniff",
    "X-Accel-Buffering": "no",
}


def text_reply(
    body: bytes | str, status: int = 200, reason: str | None = None, headers: Mapping[str, str] | None = None
) -> web.Response:
    """An answer of plain text in UTF-8."""
    return web.Response(
        body=body.encode("utf-8") if isinstance(body, str) else body,
        status=status,
        reason=reason,
        headers={**HEADERS, "Content-Type": "text/plain; charset=utf-8", **(headers or {})},
    )


class Before(Protocol):
    """Who looks at each request before its handler does."""

    def before(self, request: web.Request) -> web.Response | None:
        """What is answered instead; None: the handler's answer."""

    def refused(self, refusal: Refusal) -> None:
        """The request has been refused."""


def refusing(handler: Handler, counters: Counters, first: Before | None = None) -> Handler:
    """A handler whose refusals are counted, and answered with the text as reason phrase and body.

    Args:
        handler: the handler.
        counters: where they are counted.
        first: who looks at the request before; None: nobody.
    """

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            if first is not None:
                instead = first.before(request)
                if instead is not None:
                    return instead
            return await handler(request)
        except Refusal as refusal:
            counters.refuse(refusal.cause)
            if first is not None:
                first.refused(refusal)
            reply = text_reply(refusal.body, refusal.status, refusal.text, refusal.headers)
            if not request.content.is_eof():
                reply.force_close()  # nobody is to send the rest
            return reply

    return answer


def timed(handler: Handler, service: SessionService) -> Handler:
    """A handler of which it is kept how long it takes; not so where its answer is a back channel."""

    async def answer(request: web.Request) -> web.StreamResponse:
        began = service.monotonic()
        response = await handler(request)
        if isinstance(response, web.Response):
            service.traffic.requests.observe(service.monotonic() - began)
        return response

    return answer


async def invite_body(_request: web.Request) -> None:
    """What aiohttp asks for a request with ``Expect: 100-continue``: nothing yet, its token may be wrong."""


async def read_body(request: web.Request, limits: Limits) -> bytes:
    """A request's body, once its token or SID is known to be right.

    Raises:
        Refusal: 413 as soon as it is known to be longer than ``max_body`` bytes; 415 if it is compressed: few
            bytes could become many; 408 if it comes slower than ``body_seconds`` allows.
    """
    if request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise Refusal(415, "No body is decompressed here", {"Accept-Encoding": "identity"}, cause="coding")
    limit = limits.max_body
    too_long = Refusal(413, f"The body is longer than {limit} bytes", cause="body")
    if (request.content_length or 0) > limit:
        raise too_long
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # this was no answer yet
    body = bytearray()
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        async with asyncio.timeout_at(began + limits.body_seconds) as patience:
            async for piece in request.content.iter_any():
                body += piece
                if len(body) > limit:
                    raise too_long
                patience.reschedule(began + limits.body_seconds + len(body) / _BYTES_A_SECOND)
    except TimeoutError:
        raise Refusal(408, "The body did not come in time", cause="slow") from None
    except _BROKEN_BODY as error:
        raise bad_request("The body cannot be read") from error
    return bytes(body)


def check_version(params: Mapping[str, str]) -> None:
    """Refuse every version of the protocol but 8.

    Raises:
        Refusal: 400.
    """
    if params.get("VER") != "8":
        raise bad_request("VER is not 8")
