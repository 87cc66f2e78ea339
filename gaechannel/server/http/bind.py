"""The bind requests of all dialects over aiohttp: opening, maps, back channel, terminate."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from aiohttp import web
from multidict import MultiDict

from gaechannel.server.core.dialect import NOOP
from gaechannel.server.core.errors import Refusal, bad_request
from gaechannel.server.core.framing import frame, frame_json
from gaechannel.server.core.maps import Body, body_steps, decode_form, decode_headers, integer, run_through
from gaechannel.server.core.session import Session
from gaechannel.server.core.sessions import Opening, SessionService

from .backchannel import HttpBackChannel, Line
from .hook_calls import HookCalls
from .replies import HEADERS, check_version, read_body, text_reply

#: Bytes of a body that is decoded without a pause.
_LARGE_BYTES = 32 << 10


@dataclass(frozen=True, slots=True)
class _Asked:
    """A back channel that is asked for."""

    session: Session
    #: The highest array id that its client has; None: it says none.
    aid: int | None
    #: Whether it ends after one chunk.
    one_batch: bool
    #: Seconds after which it ends in order, where its client has said so.
    bound: float | None
    #: What its head says beyond the others'.
    headers: Mapping[str, str]


def query_of(request: web.Request) -> Mapping[str, str]:
    """A request's query; not ``request.query``, which is kept for as long as the request."""
    return MultiDict(parse_qsl(request.rel_url.raw_query_string, keep_blank_values=True))


class Bind:
    """The handler of one dialect's bind requests.

    Args:
        service: the sessions.
    """

    def __init__(self, service: SessionService) -> None:
        self._service = service
        self._calls = HookCalls(service)
        #: Held by the request whose large body is decoded.
        self._large = asyncio.Lock()
        #: Made with the first back channel, on the event loop that serves.
        self._line: Line | None = None

    async def close(self, _app: web.Application) -> None:
        """Nothing is asked any more."""
        self._calls.close()

    async def post(self, request: web.Request) -> web.StreamResponse:
        """Opening, maps, or terminate."""
        params = query_of(request)
        check_version(params)
        if _kind(params) == "terminate":
            return await self._terminate(params)
        if params.get("RID") == "rpc":  # casttube asks for its back channel so
            del params
            return await self.get(request)
        rid = integer(params.get("RID"), "RID")
        opening = params.get("SID", "null") in {"", "null"}
        # Nothing of the body is read for whom nothing will be done.
        found = None
        if opening:
            self._service.admit(params)
        else:
            found = await self._service.seek(params)
        decoded = await self._read(request)
        if decoded.form.get("TYPE") == "terminate":  # where pyytlounge puts it
            return await self._terminate(params)
        if found is None:
            session, payload = await self._open(request, params, decoded)
            return text_reply(frame(payload), headers=_session_header(session))
        session = await self._service.seek_again(found, params)  # it may have ended while the body came
        again = params.get("t", "1") != "1"
        status = await self._calls.forward(session, _aid(params), decoded.ofs, decoded.maps, rid, again=again)
        return text_reply(frame_json(status))

    async def get(self, request: web.Request) -> web.StreamResponse:
        """The back channel, terminate, or webchannel's fast handshake."""
        asked = await self._asked(request)
        if asked is None:
            return text_reply(b"")
        # Nothing of the query or a form is kept for as long as it is open.
        return await self._back_channel(request, asked)

    async def _asked(self, request: web.Request) -> _Asked | None:
        """What a GET asks for: a back channel; None where it has ended its session."""
        params = query_of(request)
        check_version(params)
        if _kind(params) == "terminate":
            await self._terminate(params)
            return None
        ci = params.get("CI", "0")
        if ci not in {"0", "1"}:
            raise bad_request("CI is neither 0 nor 1")
        bound = integer(params["TO"], "TO") / 1000 if ci == "1" and "TO" in params else None
        if self._service.dialect.web_handshake and "$req" in params and params.get("SID") == "null":
            # Array 0 goes in a header, which has a limit; the rest follows in the body.
            session, payload = await self._open(
                request, params, decode_form(params["$req"], self._service.limits.max_fields), alone=True
            )
            headers = {"X-HTTP-Initial-Response": quote_header(payload), **_session_header(session)}
            with self._service.lock:
                if session.idle:
                    # A browser shows a script the headers only with the first byte of the body.
                    session.push(NOOP, wrapped=False)
            await self._service.commit()
            return _Asked(session, -1, ci == "1", bound, headers)
        if params.get("RID") != "rpc":
            raise bad_request("RID is not rpc")
        aid = _aid(params) if params.get("AID") else None
        return _Asked(await self._service.seek(params), aid, ci == "1", bound, {})

    async def _read(self, request: web.Request) -> Body:
        limits = self._service.limits
        body = await read_body(request, limits)
        steps = body_steps(body, request.content_type, self._service.dialect, limits.max_fields)
        if len(body) <= _LARGE_BYTES:
            return run_through(steps)
        # One at a time, and others have their turn in between: no thread, which would take more of the
        # loop's time than a step does, each time that the loop lets go of the interpreter's lock.
        async with self._large:
            while True:
                try:
                    next(steps)
                except StopIteration as end:
                    decoded: Body = end.value
                    return decoded
                finally:
                    await asyncio.sleep(0)

    async def _open(
        self, request: web.Request, params: Mapping[str, str], body: Body, *, alone: bool = False
    ) -> tuple[Session, bytes]:
        headers = {}
        if self._service.dialect.web_handshake:
            headers = decode_headers(body.form.pop("headers", "") or params.get("$httpHeaders", ""))
        opening = Opening(params, body.maps, body.ofs or 0, body.form, headers, request.headers)
        return await self._calls.open(opening, alone=alone)

    async def _terminate(self, params: Mapping[str, str]) -> web.Response:
        await self._calls.end(await self._service.seek(params), "terminated")
        return text_reply(b"")

    async def _back_channel(self, request: web.Request, asked: _Asked) -> web.StreamResponse:
        service, session = self._service, asked.session
        if self._line is None:
            self._line = Line()
        back = HttpBackChannel(request, session, service, self._line, one_batch=asked.one_batch)
        await service.join(session, back, asked.aid, resend=not asked.headers)
        if asked.bound is not None:
            back.end_after(asked.bound)
        response = web.StreamResponse(
            headers={**HEADERS, "Content-Type": "text/plain; charset=utf-8", **asked.headers}
        )
        try:
            await back.run(response, request)
        except ConnectionResetError:
            pass  # the client has gone; what it did not get is sent again
        except Refusal:  # it cannot be kept: what nobody has kept is not sent
            if request.transport is not None:
                request.transport.abort()
        finally:
            if not back.borrows:
                back.finish()
                with service.lock:
                    session.detach(back)
        return response


def _kind(params: Mapping[str, str]) -> str:
    """What ``TYPE`` says; some clients say ``init`` when they open a session, and ``bind`` afterwards.

    Raises:
        Refusal: 400 where it is unknown.
    """
    kind = params.get("TYPE", "xmlhttp")
    if kind not in {"xmlhttp", "init", "bind", "terminate"}:
        raise bad_request("TYPE is unknown")
    return kind


def _aid(params: Mapping[str, str]) -> int:
    """The highest array id that a client has received; -1, which acknowledges nothing, if it is not said."""
    return integer(params.get("AID") or "-1", "AID", least=-1)


def quote_header(payload: bytes) -> str:
    """An array literal as the value of a header: without line feeds, and with ASCII alone."""
    text = payload.decode("utf-8").replace("\n", "")
    if text.isascii():
        return text
    units = text.encode("utf-16-be")
    pairs = (int.from_bytes(units[at : at + 2], "big") for at in range(0, len(units), 2))
    return "".join(chr(unit) if unit < 0x80 else f"\\u{unit:04x}" for unit in pairs)


def _session_header(session: Session) -> dict[str, str]:
    return {} if session.http_session_id is None else {"X-HTTP-Session-Id": session.http_session_id}
