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
import secrets
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from typing import Any, TypeVar, Unpack, cast

from .checks import check_message
from .errors import Refusal, too_many_sessions, too_many_sessions_of_a_token, unknown_sid
from .framing import encode_string
from .redis_link import JOINED, JOINT, RedisLink
from .redis_scripts import (
    ATTACH,
    BEGIN,
    CREATE,
    DETACH,
    END,
    EXPIRE,
    FIND,
    KEY,
    LEASE,
    PRESENT,
    READ,
    RECEIVE,
    SEND,
)
from .service import ChannelService, ServiceOptions
from .session import BackChannel, Session
from .sessions import Opening
from .shared_session import SharedSession
from .store_traffic import StoreTraffic
from .talk_session import CONNECT, TalkSession

_Result = TypeVar("_Result")

#: Most sessions that one look at the leases ends, and whose leases are renewed in one script.
_EXPIRE_AT_ONCE = 200
_LEASES_AT_ONCE = 1000
#: Seconds between two looks at the leases, at most.
_EXPIRE_SECONDS = 5.0
#: Seconds until a session is read again that could not be read now: its next array may be long in coming.
_READ_AGAIN_SECONDS = 2.0
#: Seconds for which a sending is known that its application may ask for again, and one that the link may.
_SENDER_SECONDS = 600
_LINK_SECONDS = 60


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
    session_class: type[TalkSession] = SharedSession

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "gaechannel",
        patience: float = 10.0,
        **options: Unpack[ServiceOptions],
    ) -> None:
        self._hold = options.get("hold", 100)
        super().__init__(**options)
        self.presence.told_elsewhere = True
        self.link: RedisLink = RedisLink(
            url,
            prefix=f"{{{prefix}}}",
            patience=patience,
            on_told=self._told,
            on_linked=self._linked,
        )
        self._reading: set[str] = set()
        #: What is told of sessions that are on their way here: it may come before they do.
        self._coming: dict[str, list[bytes]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._next_lease = self._next_expiry = 0.0
        #: What was asked and may be waited for by ``commit``.
        self._begun: set[asyncio.Future[Any]] = set()

    @property
    def store_traffic(self) -> StoreTraffic:
        """What it has had to do with Redis."""
        return self.link.traffic

    @property
    def _lease(self) -> int:
        return round(self.limits.session_timeout * 1000)

    # The process.

    async def take_up(self) -> None:
        key = await self.link.start(KEY, self._tokens.key)
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
        client, literal = self._sending(client_id, message)
        if self.link.is_here:
            self._wait_for(self._send_joined(client, literal)[0])
        else:
            self.link.tell(SEND, *self._send_head(), client + JOINT + literal)

    def _begin(self, script: str, *words: Any) -> None:
        if self.link.is_here:
            self._wait_for(self.link.begin(script, *words))
        else:
            self.link.tell(script, *words)

    def _wait_for(self, begun: asyncio.Future[Any]) -> None:
        """Whoever commits meanwhile does; and hears what has become of it."""
        if begun not in self._begun:
            self._begun.add(begun)
            begun.add_done_callback(self._done)

    def _done(self, begun: asyncio.Future[Any]) -> None:
        self._begun.discard(begun)
        begun.exception()

    async def commit(self) -> None:
        for begun in list(self._begun):
            await asyncio.shield(begun)

    async def present(self) -> list[str]:
        return [client.decode("utf-8", "surrogatepass") for client in await self.link.ask(PRESENT)]

    @property
    def session_count(self) -> int:
        return max(self.store_traffic.sessions, len(self))

    @property
    def channel_count(self) -> int:
        return self.store_traffic.channels

    def has_channel(self, client_id: str) -> bool:
        raise NotImplementedError("it is Redis that knows: await send()")

    def is_connected(self, client_id: str) -> bool:
        raise NotImplementedError("it is Redis that knows")

    def outstanding(self, client_id: str) -> int:
        raise NotImplementedError("it is Redis that knows")

    async def send(self, client_id: str, message: str) -> bool:
        answer, place = self._send_joined(*self._sending(client_id, message))
        heard: list[bytes] = await asyncio.shield(answer)
        return heard[place] != b"-1"

    async def send_many(self, messages: Sequence[tuple[str, str]], key: str | None = None) -> list[int]:
        sendings = [self._sending(*one) for one in messages]  # so that none is sent where one is refused
        # None before those in front of it are there: what is refused half-way comes again with its key.
        heard: list[bytes] = []
        for at in range(0, len(sendings), JOINED):
            some = JOINT.join(itertools.chain.from_iterable(sendings[at : at + JOINED]))
            head = self._send_head(None if key is None else f"{key} {at}")
            heard += (await self.link.ask(SEND, *head, some)).split()
        return self._count(heard)

    def _sending(self, client_id: str, message: str) -> tuple[bytes, bytes]:
        check_message(message)
        return self._client_of(client_id).encode("utf-8", "surrogatepass"), encode_string(message)

    def _send_joined(self, client: bytes, literal: bytes) -> tuple[asyncio.Future[Any], int]:
        """Have a message sent, with others that are being sent."""
        answer, place = self.link.join(SEND, self._send_head, client, literal)
        if place == 0:
            answer.add_done_callback(lambda done: done.exception() or self._count(done.result()))
        return answer, place

    def _send_head(self, key: str | None = None) -> tuple[Any, ...]:
        """What stands before the messages of a script that sends."""
        limit = self.limits.max_unacknowledged
        if key is None:  # so that it may be asked twice
            return self._hold, limit, secrets.token_urlsafe(12), _LINK_SECONDS
        return self._hold, limit, key, _SENDER_SECONDS

    def _count(self, heard: list[bytes]) -> list[int]:
        """Count messages. Returns the places of those to no channel."""
        dropped = [at for at, one in enumerate(heard) if one == b"-1"]
        self.traffic.dropped += len(dropped)
        self.channels.sent += len(heard) - len(dropped)
        return dropped

    # The requests.

    async def seek(self, params: Mapping[str, str]) -> Session:
        self.check(params)
        sid = params.get("SID", "")
        session = self._sessions.get(sid)  # where it has gone meanwhile, who asks for it next is told so
        if session is None:
            facts = await self.link.ask(FIND, sid, self._lease)
            if not facts:
                raise unknown_sid()
            session = cast(SharedSession, self.session_again(sid, json.loads(facts)))
            self._see(session)
        if not session.belongs(params):
            raise unknown_sid()
        return session

    async def seek_again(self, session: Session, params: Mapping[str, str]) -> Session:
        return self._sessions.get(session.sid, session)  # as above

    async def begin(self, opening: Opening, *, alone: bool = False) -> tuple[Session, bytes]:
        self.admit(opening.params)
        session = cast(SharedSession, self.make_session(secrets.token_urlsafe(16), opening))
        first = self._see(session)
        most, most_of_client = self.limits.max_sessions, self.limits.max_sessions_per_token
        begun, gone = await self.link.ask(
            BEGIN,
            session.sid,
            session.client_id,
            json.dumps(session.facts()),
            self._lease,
            session.prefix,
            most,
            most_of_client,
            opening.params.get("OSID", ""),
            *first,
        )
        if begun < 0:
            raise too_many_sessions() if begun == -1 else too_many_sessions_of_a_token()
        if gone:
            self.presence.disconnected(session.client_id)
        self.traffic.sessions += 1
        if opening.maps:
            await self._take(session, -1, opening.ofs, opening.maps, 0, again=False)
            arrays = await self.link.ask(READ, session.sid, "", 0) or []
        else:
            arrays = [b"[%d,%b]" % one for one in enumerate(first)]
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
            if self._sessions.get(session.sid) is session and isinstance(session, SharedSession):
                aid = session.has_acknowledged(aid)
        return await self._take(session, aid, ofs, maps, rid, again=again)

    async def _take(
        self,
        session: Session,
        aid: int,
        ofs: int | None,
        maps: list[dict[str, str]],
        rid: int,
        *,
        again: bool,
    ) -> list[int]:
        """Take a request's maps, to the end: nobody else hands on those that Redis has taken."""
        connects = any(one.get("m") == CONNECT for one in maps)
        key = secrets.token_urlsafe(12)  # so that it may be asked twice
        words = "" if ofs is None else ofs, len(maps), rid, int(again), int(connects), key

        async def take() -> list[int]:
            found = await self.link.ask(RECEIVE, session.sid, aid, self._lease, *words)
            if not found:
                raise unknown_sid()
            skip, came, *status = found
            self.traffic.maps += len(maps) - skip
            Session.deliver(session, maps[skip:])
            if came and isinstance(session, TalkSession):
                self.presence.connected(session.client_id)
            return [*status, 0]

        return await self._whole(take())

    async def finish(self, session: Session, reason: str) -> None:
        await self._forget(session.sid)
        with self.lock:
            if isinstance(session, SharedSession):
                self._drop(session)

    async def join(
        self, session: Session, back: BackChannel, aid: int | None, *, resend: bool = True
    ) -> None:
        had = -1 if aid is None else aid
        asked = self.link.begin(ATTACH, session.sid, self.link.node, had, self._lease)
        told = self._coming.setdefault(session.sid, [])
        try:
            found = await asyncio.shield(asked)
        except asyncio.CancelledError:
            asked.add_done_callback(lambda done: self._give_back(session.sid, done))
            raise
        finally:
            if self._coming.get(session.sid) is told:
                del self._coming[session.sid]
            else:  # two have asked at once, and the other was told
                told = [b""]
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
            for array in told:
                self._arrived(session, array)

    def _give_back(self, sid: str, attached: asyncio.Future[Any]) -> None:
        """Redis has given this node a session whose client has gone meanwhile: nobody has it."""
        if attached.cancelled() or attached.exception() is not None or not attached.result():
            return
        with self.lock:
            here = self._sessions.get(sid)
            if isinstance(here, SharedSession):  # it has been fenced, too
                self._drop(here)
        self.link.tell(DETACH, sid, attached.result()[0].decode(), self._lease)

    # What is told.

    def leave(self, session: SharedSession) -> None:
        """The session's back channel has ended here. Lock held."""
        if session.epoch:
            self.link.tell(DETACH, session.sid, session.epoch, self._lease)
        self._drop(session)

    def _told(self, what: bytes, rest: bytes) -> None:
        if what == b"arrays":
            with self.lock:
                for line in rest.split(b"\n"):
                    sid, _, array = line.partition(b" ")
                    name = sid.decode()
                    session = self._sessions.get(name)
                    if isinstance(session, SharedSession):
                        self._arrived(session, array)
                    if name in self._coming:
                        self._coming[name].append(array)
        elif what in {b"connected", b"disconnected"}:
            self.presence.tell_watchers(what.decode(), rest.decode("utf-8", "surrogatepass"))
        else:
            sid, _, epoch = rest.partition(b"\n")
            with self.lock:
                session = self._sessions.get(sid.decode())
                if isinstance(session, SharedSession) and (
                    what == b"gone" or (what == b"fenced" and int(epoch) > int(session.epoch))
                ):
                    self._drop(session)

    def _arrived(self, session: SharedSession, array: bytes) -> None:
        """A session has an array more; b"" where what it holds is not told. Lock held."""
        if not array or session.arrived(array):
            self.read_again(session)

    def _drop(self, session: SharedSession) -> None:
        """The session is another node's, or nobody's, or its client's turn. Lock held."""
        if self._sessions.get(session.sid) is session:
            del self._sessions[session.sid]
        self.store_traffic.fences += session.has_back_channel
        session.drop_back()

    def _linked(self) -> None:
        """Something may have been missed: read all again."""
        for tell in list(self.presence.on_missed):
            tell()
        for told in self._coming.values():
            told.append(b"")
        for session in self.sessions:
            if isinstance(session, SharedSession):
                self.read_again(session)

    def read_again(self, session: SharedSession) -> None:
        """Read what a session has been given since, on the event loop."""
        if session.sid not in self._reading:
            self.store_traffic.reads += 1
            self._work(self._read(session))

    async def _read(self, session: SharedSession) -> None:
        epoch = session.epoch
        while True:
            self._reading.discard(session.sid)
            if session.epoch != epoch or not epoch:
                return
            with contextlib.suppress(Refusal):
                arrays = await self.link.ask(READ, session.sid, epoch, session.next_id)
                self._have_read(session, epoch, arrays)
                return
            await asyncio.sleep(_READ_AGAIN_SECONDS)

    def _have_read(self, session: SharedSession, epoch: str, arrays: list[bytes] | None) -> None:
        with self.lock:
            if session.epoch != epoch:
                return
            if arrays is None:
                self._drop(session)
                return
            for array in arrays:
                session.arrived(array)

    async def _whole(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """Do what nobody else will do once Redis has done its part, though who asked for it go meanwhile."""
        doing = asyncio.get_running_loop().create_task(work)
        self._tasks.add(doing)
        doing.add_done_callback(self._tasks.discard)
        doing.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(doing)

    def _work(self, work: Coroutine[Any, Any, None]) -> None:
        async def quietly() -> None:
            with contextlib.suppress(Refusal):  # Redis is away; when it is back all is read again
                await work

        task = asyncio.get_running_loop().create_task(quietly())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # Time.

    @property
    def is_cut_off(self) -> bool:
        return self.link.lost_seconds > self.limits.session_timeout / 4

    def sweeping(self) -> Iterator[None]:
        yield from super().sweeping()
        if self.is_cut_off:
            yield from self._let_go()
        now, quarter = self.monotonic(), self.limits.session_timeout / 4
        if now >= self._next_lease:
            self._next_lease = now + quarter
            yield from self._lease_again()
        if now >= self._next_expiry:
            self._next_expiry = now + min(quarter, _EXPIRE_SECONDS)
            self._work(self._expire())

    def _let_go(self) -> Iterator[None]:
        """End all back channels: nothing comes by them, and another node may hear of what does.

        Their clients have three quarters of the time that their sessions are kept for, or half of it where
        the way to Redis was silent first.
        """
        for session in self.sessions:
            with self.lock:
                if isinstance(session, SharedSession):
                    self._drop(session)
            yield

    def _lease_again(self) -> Iterator[None]:
        """Back channels that are open keep their sessions."""
        sids = [session.sid for session in self.sessions if session.has_back_channel]
        self.store_traffic.leases += len(sids)
        for at in range(0, len(sids), _LEASES_AT_ONCE):
            self.link.tell(LEASE, self._lease, *sids[at : at + _LEASES_AT_ONCE])
            yield

    async def _expire(self) -> None:
        found = await self.link.ask(EXPIRE, _EXPIRE_AT_ONCE, secrets.token_urlsafe(12), self._lease)
        self.store_traffic.sessions, self.store_traffic.channels, gone = found
        for client in gone:
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
