"""The channel service of one node of several, which share what they hold in Redis.

Redis has the sessions; a node has those whose back channel is open here, and only while its fence holds:
whoever opens a session's next back channel, at whatever node, raises the session's epoch. Arrays get their
ids in Redis, and come to the node that has the back channel with what it is told; one that it misses it
reads. A node that was stopped and wakes up late writes to a connection that nobody reads any more, and is
refused what it asks.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import secrets
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from typing import Any, Unpack, cast

from .checks import check_message
from .dialect import STOP
from .errors import Refusal, unknown_sid
from .framing import data_of, encode_string
from .redis_link import RedisLink
from .redis_scripts import (
    APPEND,
    ATTACH,
    BEGIN,
    CREATE,
    DETACH,
    END,
    EXPIRE,
    FIND,
    KEY,
    LEASE,
    MAPS,
    READ,
    SEND,
    SEND_MANY,
    TRIM,
)
from .service import ChannelService, ServiceOptions
from .session import BackChannel, Session
from .sessions import Opening
from .store import MemoryStore
from .talk_session import CONNECT, TalkSession

logger: logging.Logger = logging.getLogger("gaechannel.server")

#: Most messages that one script sends, since Redis does nothing else meanwhile.
_MANY = 200
#: Most sessions that one look at the leases ends.
_EXPIRE_AT_ONCE = 200


class _Acknowledged(MemoryStore):
    """Tells Redis of what has arrived."""

    def __init__(self, service: SharedChannelService) -> None:
        super().__init__()
        self._service = service

    def acknowledge(self, sid: str, array_id: int) -> None:
        self._service.link.tell(TRIM, sid, array_id)


class SharedSession(TalkSession):
    """A session as one node sees it: for one request, or while its back channel is open here."""

    __slots__ = ("_service", "epoch")

    def __init__(self, service: SharedChannelService, sid: str, **more: Any) -> None:
        super().__init__(service, sid, **more)
        self._service = service
        #: What says that its back channel is here; "" where it is not.
        self.epoch: str = ""

    def push(self, data: bytes, *, wrapped: bool = True) -> int | None:
        link = self._service.link
        if not self.epoch or link.behind:  # what is pushed while Redis is away is a keep-alive too many
            return None
        link.tell(APPEND, self.sid, self.epoch, data)
        return self.next_id

    def arrived(self, array_id: int, array: bytes) -> None:
        """An array that Redis has given an id. Lock held."""
        if array_id == self.next_id:
            self._arrays.append(array)
            self._hold(len(array))
            self._traffic.queued += 1
            if data_of(array) == STOP:
                self._stopped = "overflow"
            self._wake_back()
        elif array_id > self.next_id:
            self._service.read_again(self)

    def discharge(self) -> list[bytes]:
        """Hold nothing: Redis does. Returns the data of the first arrays. Lock held."""
        first = [data_of(array) for array in self._arrays]
        self.release()
        self._arrays = []
        self._outstanding = self._kept = 0
        return first

    def detach(self, back: BackChannel) -> None:
        mine = self._back is back
        super().detach(back)
        if mine:
            self._service.leave(self)

    def closed(self, reason: str) -> None:
        """It has been given its last array. It was counted nowhere here, and its client is Redis' matter."""

    def drop_back(self) -> None:
        """The session is another node's, or nobody's: its back channel here ends. Lock held."""
        back = self._back
        self._back = None
        self.epoch = ""
        self.hold(self.next_id, [], None)
        if back is not None:
            self._traffic.back_channels -= 1
            back.ending = True
            back.wake()
            back.abort()


class SharedChannelService(ChannelService):
    """One node of several that serve the same channels.

    ``create_channel`` and ``send_message`` begin what ``create`` and ``send`` wait for.

    Args:
        url: where Redis is: ``redis://``, ``rediss://`` or ``unix://``.
        prefix: what its keys begin with, for servers that share a Redis and no channels.
        patience: seconds for which a request waits for a Redis that is away, before it is answered 503.
        **options: as :class:`ChannelService` has them, but ``store``.
    """

    serves_polls = False
    session_class = SharedSession

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "gaechannel",
        patience: float = 10.0,
        **options: Unpack[ServiceOptions],
    ) -> None:
        options["store"] = _Acknowledged(self)
        self._hold = options.get("hold", 100)
        super().__init__(**options)
        self.link: RedisLink = RedisLink(
            url,
            prefix=f"{{{prefix}}}",
            patience=patience,
            on_told=self._told,
            on_linked=self._linked,
        )
        self._reading: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._next_lease = 0.0
        #: What was asked and may be waited for by ``commit``.
        self._begun: set[asyncio.Future[Any]] = set()

    @property
    def _lease(self) -> int:
        return round(self.limits.session_timeout * 1000)

    # The process.

    async def take_up(self) -> None:
        await self.link.start()
        key = await self.link.ask(KEY, self._tokens.key)
        if not self._key_given:
            self._tokens.key = key

    async def leave_to_others(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await self.link.stop()

    # The application.

    def create_channel(self, client_id: str, duration_minutes: int | None = None) -> str:
        token, expires = self._new_token(client_id, duration_minutes)
        self._begin(CREATE, client_id, round(expires * 1000))
        return token

    async def create(self, client_id: str, duration_minutes: int | None = None) -> str:
        token, expires = self._new_token(client_id, duration_minutes)
        await self.link.ask(CREATE, client_id, round(expires * 1000))
        return token

    def send_message(self, client_id: str, message: str) -> None:
        self._begin(SEND, *self._sending(client_id, message))

    def _begin(self, script: str, *words: Any) -> None:
        if not self.link.is_here:
            self.link.tell(script, *words)
            return
        begun = self.link.begin(script, *words)
        self._begun.add(begun)
        begun.add_done_callback(self._begun.discard)
        begun.add_done_callback(asyncio.Future.exception)  # whoever commits meanwhile hears of it

    async def commit(self) -> None:
        for begun in list(self._begun):
            await asyncio.shield(begun)

    def has_channel(self, client_id: str) -> bool:
        raise NotImplementedError("it is Redis that knows: await send()")

    def is_connected(self, client_id: str) -> bool:
        raise NotImplementedError("it is Redis that knows")

    def outstanding(self, client_id: str) -> int:
        raise NotImplementedError("it is Redis that knows")

    async def send(self, client_id: str, message: str) -> bool:
        heard: int = await self.link.ask(SEND, *self._sending(client_id, message))
        return heard != -1

    async def send_many(self, messages: Sequence[tuple[str, str]], key: str | None = None) -> list[int]:
        sendings = [  # all of them first, so that none is sent where one is refused
            self._sending(client_id, message, None if key is None else f"{key} {at}")
            for at, (client_id, message) in enumerate(messages)
        ]
        # None before those in front of it are there: what is refused half-way comes again with its key.
        heard: list[int] = []
        for at in range(0, len(sendings), _MANY):
            some = sendings[at : at + _MANY]
            heard += await self.link.ask(SEND_MANY, *itertools.chain.from_iterable(some))
        return [at for at, listeners in enumerate(heard) if listeners == -1]

    def _sending(self, client_id: str, message: str, key: str | None = None) -> tuple[Any, ...]:
        check_message(message)
        return (
            self._client_of(client_id),
            encode_string(message),
            self._hold,
            self.limits.max_unacknowledged,
            secrets.token_urlsafe(12) if key is None else key,  # so that it may be asked twice
        )

    # The requests.

    async def seek(self, params: Mapping[str, str]) -> Session:
        self.check(params)
        sid = params.get("SID", "")
        found = await self.link.ask(FIND, sid, self._lease)
        if not found:
            raise unknown_sid()
        session = self._sessions.get(sid)
        if session is None:
            session = cast(SharedSession, self.session_again(sid, json.loads(found[0])))
            self._see(session)
        if not session.belongs(params):
            raise unknown_sid()
        return session

    async def begin(self, opening: Opening, *, alone: bool = False) -> tuple[Session, bytes]:
        self.admit(opening.params)
        session = cast(SharedSession, self.make_session(secrets.token_urlsafe(16), opening))
        first = self._see(session)
        facts = json.dumps(session.facts())
        await self.link.ask(BEGIN, session.sid, session.client_id, facts, self._lease, session.prefix, *first)
        await self._take_maps(session, opening.ofs, opening.maps, 0, again=False)
        arrays = await self.link.ask(READ, session.sid, "", 0) or []
        with self.lock:
            session.hold(0, arrays, None)
            payload = session.take_reply(alone=alone)
            session.hold(0, [], None)
        return session, payload

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
        with self.lock:
            if self._sessions.get(session.sid) is session:
                session.acknowledge(aid)
            elif aid >= 0:
                self.link.tell(TRIM, session.sid, aid)
        await self._take_maps(session, ofs, maps, rid, again=again)
        found = await self.link.ask(FIND, session.sid, self._lease)
        if not found or found[1]:
            raise unknown_sid()
        return [int(bool(found[2])), int(found[3]) - 1, 0]

    async def _take_maps(
        self, session: Session, ofs: int | None, maps: list[dict[str, str]], rid: int, *, again: bool
    ) -> None:
        if not maps:
            return
        await self._whole(self._take(session, ofs, maps, rid, again=again))

    async def _take(
        self, session: Session, ofs: int | None, maps: list[dict[str, str]], rid: int, *, again: bool
    ) -> None:
        connects = any(one.get("m") == CONNECT for one in maps)
        first = "" if ofs is None else ofs
        key = secrets.token_urlsafe(12)  # so that it may be asked twice
        found = await self.link.ask(MAPS, session.sid, first, len(maps), rid, int(again), int(connects), key)
        if not found:
            raise unknown_sid()
        skip, came = found
        Session.deliver(session, maps[skip:])
        if came and isinstance(session, TalkSession):
            self.presence.connected(session.client_id)

    async def finish(self, session: Session, reason: str) -> None:
        await self._forget(session.sid)
        with self.lock:
            if isinstance(session, SharedSession):
                self._drop(session)

    async def join(self, session: Session, back: BackChannel, aid: int, *, resend: bool = True) -> None:
        asked = self.link.begin(ATTACH, session.sid, self.link.node, aid, self._lease)
        try:
            found = await asyncio.shield(asked)
        except asyncio.CancelledError:
            asked.add_done_callback(lambda done: self._give_back(session.sid, done))
            raise
        if not found:
            raise unknown_sid()
        if not isinstance(session, SharedSession):
            raise unknown_sid()
        epoch, base, stopped, arrays = found
        with self.lock:
            here = self._sessions.get(session.sid)
            if isinstance(here, SharedSession) and here is not session:
                self._drop(here)
            session.epoch = epoch.decode()
            session.hold(int(base), arrays, stopped.decode() or None)
            self._sessions[session.sid] = session
            session.attach(back, -1, resend=True)
        self.read_again(session)  # what was told before the answer came was told to nobody

    def _give_back(self, sid: str, attached: asyncio.Future[Any]) -> None:
        """Redis has given this node a session whose client has gone meanwhile: nobody has it."""
        if attached.cancelled() or attached.exception() is not None or not attached.result():
            return
        with self.lock:
            here = self._sessions.get(sid)
            if isinstance(here, SharedSession):  # it has been fenced, too
                self._drop(here)
        self.link.tell(DETACH, sid, attached.result()[0].decode())

    # What is told.

    def leave(self, session: SharedSession) -> None:
        """The session's back channel has ended here. Lock held."""
        if session.epoch:
            self.link.tell(DETACH, session.sid, session.epoch)
        self._drop(session)

    def _told(self, words: list[bytes]) -> None:
        what, sid = words[0], words[1].decode()
        with self.lock:
            session = self._sessions.get(sid)
            if not isinstance(session, SharedSession):
                return
            if what == b"array":
                session.arrived(int(words[2]), words[3])
            elif what == b"gone" or (what == b"fenced" and int(words[2]) > int(session.epoch)):
                self._drop(session)

    def _drop(self, session: SharedSession) -> None:
        """The session is another node's, or nobody's, or its client's turn. Lock held."""
        if self._sessions.get(session.sid) is session:
            del self._sessions[session.sid]
        session.drop_back()

    def _linked(self) -> None:
        """Something may have been missed: read all again."""
        for session in self.sessions:
            if isinstance(session, SharedSession):
                self.read_again(session)

    def read_again(self, session: SharedSession) -> None:
        """Read what a session has been given since, on the event loop."""
        if session.sid not in self._reading:
            self._reading.add(session.sid)
            self._work(self._read(session))

    async def _read(self, session: SharedSession) -> None:
        self._reading.discard(session.sid)
        epoch, begin = session.epoch, session.next_id
        arrays = await self.link.ask(READ, session.sid, epoch, begin)
        with self.lock:
            if session.epoch != epoch or not epoch:
                return
            if arrays is None:
                self._drop(session)
                return
            for array in arrays:
                session.arrived(int(array[1 : array.index(b",")]), array)

    async def _whole(self, work: Coroutine[Any, Any, None]) -> None:
        """Do what nobody else will do once Redis has done its part, though who asked for it go meanwhile."""
        doing = asyncio.get_running_loop().create_task(work)
        self._tasks.add(doing)
        doing.add_done_callback(self._tasks.discard)
        doing.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.shield(doing)

    def _work(self, work: Coroutine[Any, Any, None]) -> None:
        async def quietly() -> None:
            with contextlib.suppress(Refusal):  # Redis is away; when it is back all is read again
                await work

        task = asyncio.get_running_loop().create_task(quietly())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # Time.

    def sweeping(self) -> Iterator[None]:
        yield from super().sweeping()
        now = self.monotonic()
        if now < self._next_lease:
            return
        self._next_lease = now + min(self.limits.session_timeout / 4, 5.0)
        sids = [session.sid for session in self.sessions if session.has_back_channel]
        if sids:
            self.link.tell(LEASE, self._lease, *sids)
        self._work(self._expire())

    async def _expire(self) -> None:
        for client in await self.link.ask(EXPIRE, _EXPIRE_AT_ONCE, secrets.token_urlsafe(12), self._lease):
            self.presence.disconnected(client.decode())

    async def _forget(self, sid: str) -> None:
        async def forget() -> None:
            client, last = await self.link.ask(END, sid, secrets.token_urlsafe(12))
            if last:
                self.presence.disconnected(client.decode())

        await self._whole(forget())

    def _see(self, session: SharedSession) -> list[bytes]:
        """Count a session that Redis holds as nothing here. Returns the data of its first arrays."""
        with self.lock:
            self.channels.count_session(session.client_id, -1)
            return session.discharge()
