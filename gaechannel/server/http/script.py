"""For tests of clients: answers in the place of the server's own, and what is wrong with requests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from aiohttp import web

from gaechannel.server.core.errors import Refusal, bad_request
from gaechannel.server.core.session import Session
from gaechannel.server.core.sessions import SessionService

from .replies import text_reply

#: What requests are for.
KINDS = ("page", "test", "open", "maps", "back", "terminate")


@dataclass(slots=True)
class _Answer:
    """An answer that is still to be given."""

    to: str | None
    status: int
    body: bytes | str
    reason: str | None
    headers: Mapping[str, str]


class Script:
    """Looks at each request before its handler does.

    Args:
        strict: whether requests are refused that servers in use let pass.

    Attributes:
        faults: what was wrong with requests, in the order of their coming.
    """

    def __init__(self, *, strict: bool = False) -> None:
        self.strict = strict
        self.faults: list[str] = []
        self._answers: list[_Answer] = []
        self._rids: WeakKeyDictionary[Session, int] = WeakKeyDictionary()

    def answer(
        self,
        status: int,
        body: bytes | str,
        *,
        to: str | None,
        times: int,
        reason: str | None,
        headers: Mapping[str, str] | None,
    ) -> None:
        """Have the next requests answered so.

        Raises:
            ValueError: ``to`` is none of ``KINDS``.
        """
        if to is not None and to not in KINDS:
            raise ValueError(f"to must be one of {', '.join(KINDS)}, or None")
        self._answers += [_Answer(to, status, body, reason, headers or {})] * times

    def of(self, service: SessionService) -> Looking:
        """Who looks at a service's requests."""
        return Looking(self, service)

    def before(self, request: web.Request, service: SessionService) -> web.Response | None:
        """The answer that stands in the place of the server's; None: the server is to give its own.

        Raises:
            Refusal: 400, where it is strict and the request is not right.
        """
        if not self._answers and not self.strict:
            return None
        kind = _kind(request)
        for at, one in enumerate(self._answers):
            if one.to is None or one.to == kind:
                del self._answers[at]
                return text_reply(one.body, one.status, one.reason, one.headers)
        if self.strict:
            self._check(request, kind, service)
        return None

    def refused(self, refusal: Refusal) -> None:
        """A request has been refused; that its session is unknown is no fault of it."""
        if self.strict and refusal.status == 400 and refusal.text != "Unknown SID":
            self.faults.append(refusal.text)

    def _check(self, request: web.Request, kind: str, service: SessionService) -> None:
        params = request.query
        if kind in {"page", "test"}:
            return
        for name in ("zx", "t"):
            if name not in params:
                raise bad_request(f"{name} is missing")
        if not re.fullmatch("[1-9][0-9]{0,8}", params["t"]):
            raise bad_request("t is not a number from 1")
        if kind in {"maps", "back"} and "AID" not in params:
            raise bad_request("AID is missing")
        if kind == "back":
            if "CI" not in params:
                raise bad_request("CI is missing")
            if params.get("TYPE") != "xmlhttp":
                raise bad_request("TYPE is not xmlhttp")
        session = service.look_up(params) if kind in {"maps", "back"} else None
        if session is None:
            return
        aid = params["AID"]
        if aid.isdecimal() and int(aid) >= session.next_id:
            raise bad_request("AID is past the last array")
        if kind == "maps":
            self._check_rid(session, params)

    def _check_rid(self, session: Session, params: Mapping[str, str]) -> None:
        rid, again = params.get("RID", ""), params["t"] != "1"
        if not rid.isdecimal():
            return  # the handler says so
        last = self._rids.get(session)
        self._rids[session] = int(rid)
        if last is not None and int(rid) != last + 1 and not (again and int(rid) == last):
            raise bad_request("RID is not the last one and 1")


@dataclass(frozen=True, slots=True)
class Looking:
    """A script that looks at the requests of one service."""

    script: Script
    service: SessionService

    def before(self, request: web.Request) -> web.Response | None:
        """See :meth:`Script.before`."""
        return self.script.before(request, self.service)

    def refused(self, refusal: Refusal) -> None:
        """See :meth:`Script.refused`."""
        self.script.refused(refusal)


def _kind(request: web.Request) -> str:
    """What a request is for, one of ``KINDS``."""
    params = request.query
    if request.path.endswith("/d"):
        return "page"
    if request.path.endswith("/test"):
        return "test"
    if params.get("TYPE") == "terminate":
        return "terminate"
    if params.get("SID", "null") in {"", "null"}:
        return "open"
    return "back" if params.get("RID") == "rpc" else "maps"
