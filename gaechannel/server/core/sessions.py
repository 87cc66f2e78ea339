"""The sessions of one service: opening, finding, expiring them, and their keep-alives."""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Unpack

from gaechannel._checks import check_callable, check_type

from .counters import Counters
from .dialect import Dialect
from .errors import failed_application, too_many_sessions, too_much_queued, unknown_sid
from .limits import LimitOptions, Limits
from .session import BackChannel, Session
from .store import Kept, KeptSession, MemoryStore, Store
from .traffic import Traffic

logger: logging.Logger = logging.getLogger("gaechannel.server")

#: How many sessions are looked at in one go.
_SWEPT_AT_ONCE = 500


def call_now(function: Callable[[], object]) -> None:
    """Call a function of the application."""
    function()


@dataclass(slots=True)
class Opening:
    """What an opening request holds, whatever its dialect."""

    #: The query.
    params: Mapping[str, str]
    #: Its maps, and the id of the first.
    maps: list[dict[str, str]] = field(default_factory=list)
    ofs: int = 0
    #: The form's fields that are no map.
    form: Mapping[str, str] = field(default_factory=dict)
    #: HTTP headers in the body or the query (webchannel).
    headers: Mapping[str, str] = field(default_factory=dict)
    #: The HTTP headers that it came with.
    request_headers: Mapping[str, str] = field(default_factory=dict)
    #: The session, as soon as there is one.
    session: Session | None = None
    #: Whether nobody waits for it any more; set under the service's lock.
    given_up: bool = False


class SessionService:
    """Sessions of one dialect; knows no HTTP. The dialects' services derive from it.

    Args:
        dialect: the row of the table of dialects.
        monotonic: seconds on a clock that never goes back, for keep-alives and idle sessions.
        counters: counts what is refused; None: new ones.
        store: keeps what is to outlive the process; None: nothing does.
        name: the service's among those of one store; None: the dialect's.
        **options: see :class:`~gaechannel.server.Limits`.
    """

    def __init__(
        self,
        dialect: Dialect,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        counters: Counters | None = None,
        store: Store | None = None,
        name: str | None = None,
        **options: Unpack[LimitOptions],
    ) -> None:
        check_type("dialect", dialect, Dialect, "a Dialect, such as gaechannel.server.WEBCHANNEL")
        check_type("counters", counters, Counters | None, "Counters or None")
        check_callable("monotonic", monotonic, or_none=False)
        self.dialect = dialect
        self.name: str = dialect.name if name is None else name
        self.store: Store = MemoryStore() if store is None else store
        self.limits: Limits = Limits(**options)
        self.monotonic = monotonic
        self.counters: Counters = Counters() if counters is None else counters
        #: Bytes that all sessions hold together.
        self.queued: int = 0
        #: Guards everything of the service and its sessions; callbacks are called without it.
        self.lock: threading.RLock = self.store.lock
        #: What has been carried.
        self.traffic: Traffic = Traffic()
        #: Whether sessions have the HTTP headers of their opening requests: a channel's do not, to be small.
        self.keeps_request_headers: bool = False
        #: Whether maps are refused that leave out ids, or do not say them: servers in use let them pass.
        self.strict: bool = False
        self._loaded = not self.store.keeps
        #: Calls what may block: here and now, unless who serves the sessions has a better place.
        self.run_hook: Callable[[Callable[[], object]], object] = call_now
        self._sessions: dict[str, Session] = {}

    def __len__(self) -> int:
        """How many sessions there are."""
        return len(self._sessions)

    @property
    def sessions(self) -> list[Session]:
        """The sessions at this moment, the oldest first."""
        with self.lock:
            return list(self._sessions.values())

    def first(self, count: int) -> list[Session]:
        """The oldest sessions, so many at most."""
        with self.lock:
            return list(islice(self._sessions.values(), count))

    # What a dialect's service says about its sessions.

    def check(self, params: Mapping[str, str]) -> None:
        """Refuse a request by its query, before its session is looked up.

        Raises:
            Refusal: to be answered to the client.
        """

    def admit(self, params: Mapping[str, str]) -> None:
        """Refuse an opening request by its query, before its body is read.

        Raises:
            Refusal: 429 where there are too many sessions, or they hold too much; and as ``check``.
        """
        self.check(params)
        replaced = self._replaced(params)
        if len(self._sessions) - (replaced is not None) >= self.limits.max_sessions:
            raise too_many_sessions()
        if self.queued >= self.limits.max_queued:
            raise too_much_queued()

    def make_session(self, sid: str, opening: Opening, **more: str | None) -> Session:
        """The session object of an opening request."""
        return Session(self, sid, params=opening.params, form=opening.form, headers=opening.headers, **more)

    def opened(self, session: Session) -> None:
        """Called once a session is there, before its first maps."""

    @property
    def has_hooks(self) -> bool:
        """Whether the application is asked about new sessions."""
        return False

    def look_up(self, params: Mapping[str, str]) -> Session | None:
        """The session whose SID a request's query holds."""
        return self._sessions.get(params.get("SID", ""))

    # What the HTTP handlers ask.

    def open(self, opening: Opening, *, alone: bool = False) -> tuple[Session, bytes]:
        """Open a session.

        Args:
            opening: the request.
            alone: whether the reply holds array 0 alone, and not what has been queued since.

        Returns:
            The session, and the payload of the opening reply.

        Raises:
            Refusal: 429 when there are too many, 500 where the application fails, or was waited for too long.
        """
        params = opening.params
        self.store.check()
        with self.lock:
            self.admit(params)
            replaced = self._replaced(params)
            more: dict[str, str | None] = {}
            wanted = params.get("X-HTTP-Session-Id")
            if wanted and self.dialect.web_handshake:
                more = {"http_session_param": wanted, "http_session_id": secrets.token_urlsafe(16)}
            session = self.make_session(secrets.token_urlsafe(16), opening, **more)
            if self.keeps_request_headers:
                session.request_headers = opening.request_headers
            self._sessions[session.sid] = session
            self.traffic.sessions += 1
            if self.store.keeps:
                self.store.begin(self.name, session.kept())
        if replaced is not None:
            self.end(replaced, "replaced")
        opening.session = session
        try:
            self.opened(session)
        except Exception:
            logger.exception("on_session failed for session %s", session.name)
            self.end(session, "failed")
            raise failed_application() from None
        self._receive(session, opening.ofs, opening.maps)
        with self.lock:
            if not opening.given_up:
                return session, session.take_reply(alone=alone)
        self.end(session, "failed")  # nobody would ever hear its SID
        raise failed_application()

    def find(self, params: Mapping[str, str]) -> Session:
        """The session that a request's query names.

        Raises:
            Refusal: 400 ``Unknown SID``, also for another client's, or without ``X-HTTP-Session-Id``'s value.
        """
        self.check(params)
        session = self.look_up(params)
        if session is None or not session.belongs(params):
            raise unknown_sid()
        session.last_seen = self.monotonic()
        return session

    def forward(
        self,
        session: Session,
        aid: int,
        ofs: int | None,
        maps: list[dict[str, str]],
        rid: int = 0,
        *,
        again: bool = False,
    ) -> list[int]:
        """Take a request's maps and its AID; ``ofs``, ``rid`` and ``again`` as in :meth:`Session.new_maps`.

        Returns:
            The reply: back channel present, last array id sent, bytes outstanding.

        Raises:
            Refusal: 400 ``Unknown SID`` where the session has been stopped.
        """
        if session.stopped:
            raise unknown_sid()
        with self.lock:
            session.acknowledge(aid)
        self._receive(session, ofs, maps, rid, again=again)
        with self.lock:
            return session.status()

    def end(self, session: Session, reason: str) -> None:
        """End a session now: its back channel ends in order, and its SID is unknown from here on."""
        with self.lock:
            if self._sessions.pop(session.sid, None) is not None:
                self.store.end(session.sid)
            back = session.back
        self._close(session, reason)
        if back is not None:
            back.ending = True
            back.wake()
            back.abort()

    def written(self, session: Session) -> None:
        """A chunk has been handed to the network: a session whose ``["stop"]`` was in it has ended.

        It stays until the client has acknowledged that array or is not heard of any more, so that it can be
        sent again if the connection was cut in the middle.
        """
        if session.stopped:
            with self.lock:
                reason = session.finished_reason()
            if reason is not None:
                self._close(session, reason)

    # Time, and the end.

    def sweeping(self) -> Iterator[None]:
        """Look at every session once: send keep-alives, end back channels, forget who is gone.

        Done every ``limits.sweep_seconds`` by the application that serves the sessions: one timer for all. It
        is done in steps, between which others have their turn: no step takes longer than some ms.
        """
        now = self.monotonic()
        sessions = self.sessions
        for begin in range(0, len(sessions), _SWEPT_AT_ONCE):
            step = sessions[begin : begin + _SWEPT_AT_ONCE]
            with self.lock:
                gone = [session for session in step if now >= session.look_at and self._look_at(session, now)]
            for session in gone:
                logger.debug("session %s: not heard of any more", session.name)
                self.end(session, "timeout")
            yield
        self.store.commit_from_thread()

    def sweep(self) -> None:
        """All steps of ``sweeping`` in one go."""
        for _ in self.sweeping():
            pass

    def end_back_channels(self) -> None:
        """End every back channel in order; the sessions stay."""
        for session in self.sessions:
            back = session.back
            if back is not None:
                back.ending = True
                back.wake()

    # What outlives the process.

    async def commit(self) -> None:
        """Wait until all that has happened until now is kept. Asked before anybody is told of it.

        Raises:
            Refusal: 503, where it cannot be kept now.
        """
        await self.store.commit()

    # What the HTTP handlers ask: here of sessions that stand here. Where they do not, a service has its own.

    async def take_up(self) -> None:
        """Begin to serve: go on with what the process before this one has left."""
        if self.store.keeps:
            await asyncio.to_thread(self.store.open)  # which waits for the process before this one
            self.load()
            await self.commit()

    async def leave_to_others(self) -> None:
        """Serve no longer: tell presence so, and leave what there is to the next process."""
        if self.store.keeps:
            self.hand_over(tell=self.store.is_open)

    async def seek(self, params: Mapping[str, str]) -> Session:
        """As :meth:`find`."""
        return self.find(params)

    async def seek_again(self, session: Session, params: Mapping[str, str]) -> Session:
        """As :meth:`seek`, of a session that was found before its request's body came."""
        return await self.seek(params)

    async def begin(self, opening: Opening, *, alone: bool = False) -> tuple[Session, bytes]:
        """As :meth:`open`, and committed."""
        opened = self.open(opening, alone=alone)
        await self.commit()
        return opened

    async def receive(
        self,
        session: Session,
        aid: int,
        ofs: int | None,
        maps: list[dict[str, str]],
        rid: int = 0,
        *,
        again: bool = False,
    ) -> list[int]:
        """As :meth:`forward`, and committed."""
        status = self.forward(session, aid, ofs, maps, rid, again=again)
        await self.commit()
        return status

    async def finish(self, session: Session, reason: str) -> None:
        """As :meth:`end`, and committed."""
        self.end(session, reason)
        await self.commit()

    async def join(
        self, session: Session, back: BackChannel, aid: int | None, *, resend: bool = True
    ) -> None:
        """Give a session its back channel: :meth:`Session.attach`."""
        with self.lock:
            session.attach(back, aid, resend=resend)

    def load(self) -> None:
        """Go on with what the process before this one has left, once; from any thread.

        Raises:
            StoreError: it cannot be read, or another process has it.
        """
        with self.lock:
            if not self._loaded:
                self.store.open()
                self._loaded = True
                self.restore(self.store.load())

    def restore(self, kept: Kept) -> None:
        """Make what was kept again. Lock held."""
        for one in kept.sessions.get(self.name, []):
            session = self.restored_session(one)
            self._sessions[session.sid] = session
            session.restore(one)
            try:
                self.opened(session)
            except Exception:
                logger.exception("on_session failed for session %s", session.name)
                session.fail()

    def restored_session(self, kept: KeptSession) -> Session:
        """The session object of a session that was kept."""
        return Session(self, kept.sid, **kept.facts)

    @property
    def waiting(self) -> int:
        """How many messages have not arrived, as far as is known: without a store they are lost."""
        return sum(session.waiting for session in self.sessions)

    def hand_over(self, *, tell: bool = True) -> None:
        """Let go of what is kept: the next process has it, or this one, after the next :meth:`load`.

        Args:
            tell: whether the application is told that its clients are gone.
        """
        with self.lock:
            self._sessions.clear()
            self.queued = 0
            self._loaded = False

    def forget(self) -> None:
        """End every session without a word to its client, as a server does that starts anew."""
        for session in self.sessions:
            self.end(session, "forgotten")

    def make_room(self) -> None:
        """Stop the sessions that hold most, until an eighth of ``max_queued`` is free. Lock held."""
        self.counters.say("sessions hold too much: those that hold most are stopped")
        goal = self.limits.max_queued - self.limits.max_queued // 8
        for session in sorted(self._sessions.values(), key=lambda one: one.outstanding, reverse=True):
            if self.queued <= goal:
                return
            session.drop()

    def _look_at(self, session: Session, now: float) -> bool:
        """Do for a session what it is time for; returns whether its client is gone. Lock held.

        It says, too, when it may be time for more, since most times there is nothing to be done: what begins
        after this moment is not over before the shortest time of the limits has passed.
        """
        limits, back = self.limits, session.back
        if session.ended:
            return False
        soon = now + limits.shortest
        if back is None:
            session.look_at = min(soon, session.last_seen + limits.session_timeout)
            return now - session.last_seen > limits.session_timeout
        if back.lost():
            session.detach(back)
            back.wake()  # whoever waits for its next chunk is to give up
        elif now >= back.deadline:
            back.ending = True
            back.wake()
            if now >= back.deadline + limits.keepalive:
                back.abort()
        else:
            due = back.last_taken + limits.keepalive
            if now >= due:
                if session.idle:
                    session.keep_alive()
                due = soon
            session.look_at = min(soon, due, back.deadline)
        return False

    def _replaced(self, params: Mapping[str, str]) -> Session | None:
        """The session that an opening request names as the one that it replaces, if it may."""
        found = self._sessions.get(params.get("OSID", ""))
        return found if found is not None and found.belongs(params) else None

    def _receive(
        self,
        session: Session,
        ofs: int | None,
        maps: list[dict[str, str]],
        rid: int = 0,
        *,
        again: bool = False,
    ) -> None:
        if maps:
            if self.strict:
                session.check_first(ofs)
            with self.lock:
                maps = session.new_maps(ofs, maps, rid, again=again)
            session.deliver(maps)
            with self.lock:
                session.keep_maps()

    def _close(self, session: Session, reason: str) -> None:
        with self.lock:
            if session.ended:
                return
            session.ended = True
            session.release()
            if session.sid in self._sessions:
                session.keep_mark()
        session.closed(reason)
