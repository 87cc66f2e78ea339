"""What every handler needs: a request's body, plain answers, refusals that are answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestPayloadError

from gaechannel.server.core.errors import Refusal, bad_request

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


def refusing(handler: Handler) -> Handler:
    """A handler whose refusals are answered, with the text as the reason phrase and as the body."""

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except Refusal as refusal:
            return text_reply(refusal.body, refusal.status, refusal.text, refusal.headers)

    return answer


# What aiohttp says of a body that cannot be decompressed.
_BROKEN_BODY = (RequestPayloadError, HttpProcessingError)


async def read_body(request: web.Request, limit: int) -> bytes:
    """A request's body.

    Raises:
        Refusal: 413 as soon as it is known to be longer than ``limit`` bytes; 400 if it cannot be
            decompressed.
    """
    too_long = Refusal(413, f"The body is longer than {limit} bytes")
    if (request.content_length or 0) > limit:
        raise too_long
    body = bytearray()
    try:
        async for piece in request.content.iter_any():
            body += piece
            if len(body) > limit:
                raise too_long
    except _BROKEN_BODY as error:
        raise bad_request("The body is not what its Content-Encoding says") from error
    return bytes(body)


def check_version(params: Mapping[str, str]) -> None:
    """Refuse every version of the protocol but 8.

    Raises:
        Refusal: 400.
    """
    if params.get("VER") != "8":
        raise bad_request("VER is not 8")
