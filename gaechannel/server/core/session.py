"""One session: the arrays that its client has not acknowledged, and the maps that it has sent.

No HTTP and no event loop here. A back channel is anything with the members of :class:`BackChannel`; a session
knows at most one at a time, and tells it by ``wake`` that there is something to ``take``.

Arrays are kept as the bytes that go out, encoded once, until a request's AID has reached their id. Their ids
run without gaps from ``_base``; ``_position`` is the first that the present back channel has not been given.
"""

from __future__ import annotations

import json
import logging
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import AbstractContextManager
from itertools import accumulate
from typing import Any, Protocol

from .dialect import NOOP, STOP, Dialect
from .errors import SessionEnded, bad_request, unknown_sid
from .framing import data_of, encode_json, frame, frame_each, frame_one, payload_of
from .limits import Limits
from .map_ids import LeftOut, new_ids
from .store import KeptSession, Store
from .traffic import SAMPLED, Traffic

logger: logging.Logger = logging.getLogger("gaechannel.server")

#: Most bytes of one chunk. A client must hold a chunk whole before it can read it.
CHUNK_BYTES = 256 << 10
#: Most arrays that one write carries.
WRITE_ARRAYS = 8192
#: What clients send in the place of a map that there is none of after all, since servers go by the ids:
#: Closure's where a map cannot be written, this project's where one was refused.
FILLER = {"type": "_badmap"}


def check_result(name: str, result: object) -> None:
    """Refuse what a coroutine function returns where a plain function belongs: nothing of it has been done.

    Raises:
        TypeError: it is a coroutine, or another awaitable.
    """
    if isinstance(result, Awaitable):
        if isinstance(result, Coroutine):
            result.close()
        raise TypeError(f"{name} must be a plain function: it has returned {type(result).__name__}")


class BackChannel(Protocol):
    """What a session must know of an open back-channel request."""

    #: Whether ``wake`` has been called since the last ``take``; set and cleared under the service's lock.
    woken: bool
    #: Whether it is to end as soon as all is written.
    ending: bool
    #: Whether it ends after one chunk (``CI=1``).
    one_batch: bool
    #: Bytes that it has been given so far.
    taken: int
    #: When it was given something last, on the service's ``monotonic`` clock.
    last_taken: float
    #: When it is to be ended in order, on the same clock.
    deadline: float

    def wake(self) -> None:
        """Have ``take`` called soon; from any thread."""

    def lost(self) -> bool:
        """Whether the connection of the back channel has gone."""

    def abort(self) -> None:
        """End now, if it is stuck in a write that its client does not read."""


class SessionContext(Protocol):
    """What a session must know of the service that has made it."""

    dialect: Dialect
    limits: Limits
    #: Seconds on a clock that never goes back.
    monotonic: Callable[[], float]
    #: Bytes that all its sessions hold; changed under the lock.
    queued: int
    #: Calls what may block, now or soon; asked without the lock.
    run_hook: Callable[[Callable[[], object]], object]
    #: What its service has carried.
    traffic: Traffic
    #: Is told what must outlive the process.
    store: Store

    @property
    def lock(self) -> AbstractContextManager[Any]:
        """Guards everything of the service and its sessions."""

    def end(self, session: Session, reason: str) -> None:
        """End the session now."""

    def make_room(self) -> None:
        """Have those sessions drop what they hold that hold most. Lock held."""


class Session:
    """A session of any dialect. Made by its service; ``send``, ``stop`` and ``close`` are for any thread.

    Attributes:
        sid: the session's id.
        params: the opening request's query.
        form: the fields of the opening request's form that are no map (YouTube's pairing stands there).
        headers: the HTTP headers that the opening request carried in its body or query (webchannel).
        request_headers: the HTTP headers of the opening request, names in any case; none in the talk dialect,
            nor of a session that was ``restored``.
        http_session_id: the value that every request repeats in ``http_session_param``, or None.
        http_session_param: the name of that query parameter, or None.
        on_map: called with each map, a ``dict`` of strings, once and in the order of their ids.
        on_message: called with each map's message, decoded: the JSON under ``JSON`` (webchannel:
            ``__data__``), or the string under ``_S``; not called for a map that has neither, nor for one
            whose JSON is none, which is logged.
        on_close: called once, with the reason: ``"terminated"`` by the client, ``"timeout"``, ``"stopped"``,
            ``"closed"``, ``"replaced"`` by another session (OSID), ``"overflow"``, ``"forgotten"``,
            ``"failed"`` where a function of the application has raised or was too slow; not where the next
            process goes on with it.
        data: whatever the handler wants to keep with the session.
        restored: whether the session was begun in an earlier process, which kept it in a state file. Its
            ``on_…`` and ``data`` were that process's.
    """

    __slots__ = (
        "__weakref__",
        "_arrays",
        "_back",
        "_base",
        "_carried",
        "_context",
        "_doubted",
        "_kept",
        "_last_rid",
        "_left_out",
        "_next_map",
        "_outstanding",
        "_position",
        "_sent",
        "_stopped",
        "_store",
        "_traffic",
        "_waits_since",
        "data",
        "ended",
        "form",
        "headers",
        "http_session_id",
        "http_session_param",
        "last_seen",
        "look_at",
        "on_close",
        "on_map",
        "on_message",
        "params",
        "request_headers",
        "restored",
        "sid",
    )

    def __init__(
        self,
        context: SessionContext,
        sid: str,
        *,
        params: Mapping[str, str],
        form: Mapping[str, str],
        headers: Mapping[str, str],
        http_session_param: str | None = None,
        http_session_id: str | None = None,
    ) -> None:
        self.sid: str = sid
        self.params: Mapping[str, str] = params
        self.form: Mapping[str, str] = form
        self.headers: Mapping[str, str] = headers
        self.http_session_param: str | None = http_session_param
        self.http_session_id: str | None = http_session_id
        self.on_map: Callable[[dict[str, str]], object] | None = None
        self.on_message: Callable[[Any], object] | None = None
        self.on_close: Callable[[str], object] | None = None
        self.data: Any = None
        self.restored: bool = False
        self.request_headers: Mapping[str, str] = {}
        #: Whether ``on_close`` has been called.
        self.ended: bool = False
        #: When the client was last heard, on the service's ``monotonic`` clock.
        self.last_seen: float = context.monotonic()
        #: When it is time to look at it again, on the same clock.
        self.look_at: float = 0.0
        self._context = context
        #: Told of each array; None where nothing is kept, since that is the hottest path there is.
        self._store: Store | None = context.store if context.store.keeps else None
        dialect, limits = context.dialect, context.limits
        greeting = dialect.greeting(sid, limits.host_prefix, round(limits.keepalive * 1000))
        self._arrays: list[bytes] = [b"[0,%b]" % greeting]
        if dialect.filler is not None:
            self._arrays.append(b"[1,%b]" % dialect.filler)
        self._base = 0
        self._position = 0
        self._sent = -1
        #: The last array that a back channel has carried to its end in order; None: the client says its AID.
        self._carried: int | None = -1
        #: Characters of what the opening request said.
        said = (*params.items(), *form.items(), *headers.items())
        self._kept = sum(len(key) + len(value) for key, value in said)
        self._outstanding = 0
        self._hold(sum(map(len, self._arrays)))
        context.queued += self._kept
        #: The first id that an earlier process may have given to an array that its store has forgotten; or 0.
        self._doubted = 0
        self._next_map = 0
        #: Lower ids that have not come. No store keeps them: what comes late after a restart is dropped.
        self._left_out: LeftOut = ()
        self._last_rid = -1
        self._stopped: str | None = None
        self._traffic = context.traffic
        self._traffic.queued += len(self._arrays)
        #: When an array was queued that is timed and that no back channel has been given; 0: none is.
        self._waits_since = 0.0
        self._back: BackChannel | None = None

    @property
    def name(self) -> str:
        """What logs call the session: enough of the SID to tell it from others, and not to use it."""
        return f"{self.sid[:6]}…"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} next={self.next_id} outstanding={self._outstanding}>"

    # For the application, from any thread.

    def send(self, data: Any) -> int:
        """Queue one array.

        Args:
            data: anything that has JSON; webchannel clients get it as the one message of the array.

        Returns:
            The array's id.

        Raises:
            SessionEnded: the session has ended or was stopped.
            TypeError, ValueError: the data has no JSON.
        """
        return self._queue(self._encode(data), wrapped=True)

    def send_raw(self, literal: str | bytes) -> int:
        """Queue one array whose data is written as it is given: no JSON, no list around it, what you will.

        Args:
            literal: the data's text, such as ``["a",,'b']``; UTF-8 where it is bytes. Who counts a chunk's
                length in bytes or characters reads it if it is ASCII.

        Returns:
            The array's id.

        Raises:
            SessionEnded: the session has ended or was stopped.
        """
        return self._queue(literal.encode("utf-8") if isinstance(literal, str) else literal, wrapped=False)

    def _encode(self, data: Any) -> bytes:
        return encode_json(data, ascii_only=self._context.dialect.ascii_only)

    def _queue(self, data: bytes, *, wrapped: bool) -> int:
        with self._context.lock:
            array_id = self.push(data, wrapped=wrapped)
        if array_id is None:
            raise SessionEnded(f"session {self.name} has ended")
        return array_id

    def send_error(self, code: int, message: str, status: str = "UNKNOWN", *, form: str = "error") -> int:
        """Queue an error as a message, in one of the forms in which Google's servers write them.

        Args:
            code: an HTTP status; with ``form="pblite"`` one of gRPC's codes.
            message: the words.
            status: gRPC's name of the code.
            form: ``"error"``: ``[{"error":…}]``; ``"wrapped"``: ``[[{"error":…}]]``; ``"metadata"``:
                ``[{"__sm__":{"status":[[{"error":…}]]}}]``; ``"pblite"``: that with ``[[[code,message]]]``.

        Returns:
            The array's id.

        Raises:
            SessionEnded: the session has ended or was stopped.
            ValueError: there is no such form.
        """
        error = {"error": {"code": code, "message": message, "status": status}}
        data: Any
        if form == "error":
            data = [error]
        elif form == "wrapped":
            data = [[error]]
        elif form in {"metadata", "pblite"}:
            data = [{"__sm__": {"status": [[error]] if form == "metadata" else [[[code, message]]]}}]
        else:
            raise ValueError("form must be error, wrapped, metadata or pblite")
        return self.send_raw(self._encode(data))

    def stop(self) -> None:
        """End the session with a ``["stop"]``: clients take it as an error and do not reconnect.

        What was sent before is delivered first; ``on_close`` is called when all of it has been sent.
        """
        self._finish(STOP, "stopped")

    def close(self) -> None:
        """End the session in order.

        Webchannel clients get a ``["close"]``. The other dialects have no word for it: their back channel
        ends, and what is asked next is answered ``Unknown SID``. A session that has been
        stopped is left to finish that.
        """
        word = self._context.dialect.close_array
        if word is not None:
            self._finish(word, "closed")
        elif not self.stopped:
            self._context.end(self, "closed")

    @property
    def outstanding(self) -> int:
        """Bytes of the arrays that the client has not acknowledged."""
        return self._outstanding

    @property
    def has_back_channel(self) -> bool:
        """Whether a back channel is open at this moment."""
        return self._back is not None

    @property
    def next_id(self) -> int:
        """The id that the next array gets."""
        return self._base + len(self._arrays)

    # For the service and the HTTP handlers. "Lock held": the caller holds the service's lock.

    @property
    def stopped(self) -> bool:
        """Whether the last array has been queued."""
        return self._stopped is not None

    @property
    def back(self) -> BackChannel | None:
        """The open back channel."""
        return self._back

    @property
    def idle(self) -> bool:
        """Whether there is nothing that the back channel has not been given."""
        return self._position == len(self._arrays)

    def push(self, data: bytes, *, wrapped: bool = True) -> int | None:
        """Queue an array whose data is JSON already. Lock held.

        Returns:
            Its id; None where the session has ended, or ends because its client does not acknowledge.
        """
        if self._stopped is not None or self.ended:
            return None
        context = self._context
        if wrapped:
            before, after = context.dialect.wrap
            if before:
                data = before + data + after
        size, limits = len(data), context.limits
        if context.queued + size > limits.max_queued:
            context.make_room()
            if self.stopped:
                return None
        if self._outstanding + size > limits.max_unacknowledged or context.queued + size > limits.max_queued:
            self._overflow()
            return None
        return self._append(data)

    def keep_alive(self) -> None:
        """Have something go out, since nothing has for long; all has been sent. Lock held."""
        self.push(NOOP, wrapped=False)

    def attach(self, back: BackChannel, aid: int | None, *, resend: bool = True) -> None:
        """A new back channel: the old one ends, the new one is given all that is not acknowledged. Lock held.

        A client that has never said an AID, as hangups does not, has what its back channels have carried to
        their end: it would be given all of that again for ever.

        Args:
            back: the back channel.
            aid: the request's AID; None: it says none.
            resend: whether it is given what was sent before; not so where this answer has carried it already.

        Raises:
            Refusal: the client has acknowledged the ``["stop"]``: there is no session any more.
        """
        if aid is not None:
            self._carried = None
        elif self._carried is not None:
            aid = self._carried
        else:
            aid = -1
        if self._doubted:
            self._settle(aid)
        self.acknowledge(aid)
        if self._stopped is not None and not self._arrays:
            raise unknown_sid()
        old, self._back = self._back, back
        self._traffic.back_channels += old is None
        if resend:
            self._traffic.resent += self._position
            self._position = 0
        if old is not None:
            old.wake()
            old.abort()

    def carried(self, back: BackChannel) -> None:
        """The back channel has been given all, and ends in order. Lock held."""
        if self._back is back and self._carried is not None:
            self._carried = self._base + self._position - 1

    def detach(self, back: BackChannel) -> None:
        """The back channel has ended, for whatever reason. Lock held."""
        if self._back is back:
            self._back = None
            self._traffic.back_channels -= 1
            self.last_seen = self._context.monotonic()

    def acknowledge(self, aid: int) -> None:
        """Forget the arrays up to ``aid``. Lock held.

        An AID past the last array that was sent counts as that one: the module of 2011 says 1 from the start,
        and a server that believed it would throw array 1 away unread.
        """
        count = min(aid, self._sent) - self._base + 1
        if count <= 0:
            return
        self._context.store.acknowledge(self.sid, self._base + count - 1)
        self._hold(-sum(map(len, self._arrays[:count])))
        self._traffic.acknowledged += count
        del self._arrays[:count]
        self._base += count
        self._position = max(0, self._position - count)

    def take(self, back: BackChannel) -> tuple[bytes, bool]:
        """The next chunks for a back channel, b"" if there are none, and whether it ends then."""
        context = self._context
        with context.lock:
            back.woken = False
            if self._back is not back:
                return b"", True
            position = self._position
            left = len(self._arrays) - position
            if left == 0:
                return b"", back.ending or self._stopped is not None or self.ended
            limit = context.limits.bytes_per_backchannel
            if left == 1:  # as most times: this is the hottest path there is
                chunk = frame_one(self._arrays[position])
                self._position = position + 1
                sent = self._base + position
                if sent > self._sent:
                    self._traffic.delivered += 1
                    self._sent = sent
            else:
                chunk = self._chunks(min(CHUNK_BYTES, limit))
            back.taken += len(chunk)
            now = back.last_taken = context.monotonic()
            since = self._waits_since
            if since:
                self._waits_since = 0.0
                self._traffic.delivery.observe(now - since)
            if self.ended:  # nobody will ask again: this back channel is given all of it
                return chunk, self.idle
            return chunk, back.one_batch or back.ending or back.taken >= limit

    def take_reply(self, *, alone: bool = False) -> bytes:
        """The opening reply's payload, unframed: array 0, and unless ``alone`` what is queued. Lock held."""
        payload = payload_of(self._next_arrays(1 if alone else CHUNK_BYTES))
        if self.idle:
            self._waits_since = 0.0
        return payload

    def status(self) -> list[int]:
        """The reply to a request with maps: back channel present, last array id sent, bytes outstanding."""
        unsent = sum(map(len, self._arrays[self._position :]))
        return [int(self._back is not None), max(self._sent, 0), self._outstanding - unsent]

    def new_maps(
        self, first: int | None, maps: list[dict[str, str]], rid: int = 0, *, again: bool = False
    ) -> list[dict[str, str]]:
        """Those of the maps that have not been seen yet, as their ids say. Lock held.

        A request that was sent again repeats maps. Ids that were left out are not waited for, and may come
        late.

        Args:
            first: the id of the first, ``ofs``; None where the request names none, as remotes of the Lounge
                do: then ``rid`` and ``again`` say whether they were seen.
            maps: the maps.
            rid: the request's id.
            again: whether it says that it is not the first try, by ``t``. A remote's RID may stand still.
        """
        seen = again and rid == self._last_rid
        self._last_rid = rid
        if first is None:
            if seen:
                return []
            first = self._next_map
        if first == self._next_map:  # as nearly all do
            fresh = maps
        else:
            ids, self._left_out = new_ids(self._next_map, self._left_out, first, len(maps))
            fresh = [maps[one - first] for one in ids]
        self._next_map = max(self._next_map, first + len(maps))
        self._traffic.maps += len(fresh)
        return fresh

    # What outlives the process.

    def facts(self) -> dict[str, Any]:
        """What a session is made of again, but for its SID: the keyword arguments."""
        return {
            "params": dict(self.params),
            "form": dict(self.form),
            "headers": dict(self.headers),
            "http_session_param": self.http_session_param,
            "http_session_id": self.http_session_id,
        }

    def kept(self) -> KeptSession:
        """What a store keeps of a session that begins. Lock held."""
        return KeptSession(self.sid, self.facts(), self._arrays, self._base)

    def restore(self, kept: KeptSession) -> None:
        """Go on where a session of an earlier process stood. Lock held.

        All its arrays may have been sent, and some that the store has forgotten, since the machine failed or
        its file is an old copy: whichever the client says that it has, it has.
        """
        self.restored = True
        self.hold(kept.base, kept.arrays, kept.stopped)
        self._doubted = self.next_id
        self._next_map, self._last_rid = kept.next_map, kept.last_rid
        self.ended = kept.ended
        if self.ended:
            self.release()

    def hold(self, base: int, arrays: list[bytes], stopped: str | None) -> None:
        """Have these arrays, all of which may have been sent. Lock held."""
        self._hold(sum(map(len, arrays)) - self._outstanding)
        self._arrays, self._base, self._position = arrays, base, 0
        self._sent = self.next_id - 1
        self._stopped = stopped

    def _settle(self, aid: int) -> None:
        """The client has told for the first time since an earlier process what it has. Lock held.

        Where that is more than is known, it would drop what came since under the same ids.
        """
        first, self._doubted = self._doubted, 0
        if aid < first:
            return
        late = self._arrays[max(0, first - self._base) :]
        self._traffic.queued -= len(late)
        self._context.store.cut(self.sid, self._base)
        self._context.store.acknowledge(self.sid, aid)
        self.hold(aid + 1, [], self._stopped)
        for array in late:
            self._append(data_of(array))

    def keep_maps(self) -> None:
        """Tell the store that the maps until now have been handed on. Lock held."""
        self._context.store.take_maps(self.sid, self._next_map, self._last_rid)

    def keep_mark(self) -> None:
        """Tell the store how far the session has come. Lock held."""
        self._context.store.mark(self.sid, connected=False, stopped=self._stopped, ended=self.ended)

    @property
    def waiting(self) -> int:
        """How many arrays, keep-alives and the greeting excepted, the client has not acknowledged."""
        data = (data_of(array) for array in self._arrays if not array.startswith(b"[0,"))
        return sum(one not in {NOOP, STOP} for one in data)

    def check_first(self, first: int | None) -> None:
        """Refuse maps whose first id is not said, or leaves one out.

        Raises:
            Refusal: 400.
        """
        if first is None:
            raise bad_request("ofs is missing")
        if first > self._next_map:
            raise bad_request("ofs leaves out maps")

    def belongs(self, params: Mapping[str, str]) -> bool:
        """Whether a request with this query may use the session."""
        return self.http_session_param is None or params.get(self.http_session_param) == self.http_session_id

    def closed(self, reason: str) -> None:
        """Called once, when the session has ended: tells ``on_close``."""
        if self.on_close is not None:
            self._context.run_hook(lambda: self._tell_closed(reason))

    def deliver(self, maps: Iterable[dict[str, str]]) -> None:
        """Hand maps to ``on_map`` and ``on_message``.

        What those raise is logged, and stops the session: who knows what the application makes of the rest.
        """
        for one in maps:
            if self._stopped is not None:
                return
            if one == FILLER:
                continue
            try:
                self._deliver(one)
            except Exception:
                logger.exception("the handler of session %s failed", self.name)
                self.fail()

    def fail(self) -> None:
        """The application has failed: end the session with a ``["stop"]``, and nobody else's."""
        self._finish(STOP, "failed")

    def _tell_closed(self, reason: str) -> None:
        if self.on_close is not None:
            try:
                check_result("on_close", self.on_close(reason))
            except Exception:
                logger.exception("on_close of session %s failed", self.name)

    def _deliver(self, one: dict[str, str]) -> None:
        if self.on_map is not None:
            check_result("on_map", self.on_map(one))
        if self.on_message is not None:
            text = one.get(self._context.dialect.json_key)
            if text is not None:
                try:
                    message = json.loads(text)
                except (ValueError, RecursionError) as error:  # its client's fault, and not the handler's
                    logger.warning(
                        "session %s: a map is no JSON under its key %s, and is left out: %s",
                        self.name,
                        self._context.dialect.json_key,
                        error,
                    )
                    return
                check_result("on_message", self.on_message(message))
            elif "_S" in one:
                check_result("on_message", self.on_message(one["_S"]))

    @property
    def has_hooks(self) -> bool:
        """Whether the application has given it a function to call."""
        return self.on_map is not None or self.on_message is not None or self.on_close is not None

    def _finish(self, data: bytes, reason: str) -> None:
        with self._context.lock:
            if self._stopped is None and not self.ended:
                self._stopped = reason
                self.keep_mark()
                self._append(data)

    def _overflow(self) -> None:
        logger.warning("session %s: its client does not acknowledge, it is stopped", self.name)
        # Ids that any back channel has carried stay taken: the client would drop a ["stop"] that reused one.
        unsent = self._sent - self._base + 1
        self._hold(-sum(map(len, self._arrays[unsent:])))
        del self._arrays[unsent:]
        self._context.store.cut(self.sid, self.next_id)
        self._stopped = "overflow"
        self.keep_mark()
        self._append(STOP)

    def drop(self) -> None:
        """Drop all that is not acknowledged, sent or not, and stop: others need the room. Lock held.

        The ids of what is dropped stay taken; its client is told by ``["stop"]`` that something is missing.
        """
        logger.debug("session %s: it holds the most of too much, it is stopped", self.name)
        self._base = self.next_id
        self._sent = self._base - 1
        self._context.store.acknowledge(self.sid, self._sent)
        self._hold(-self._outstanding)
        self._arrays.clear()
        self._position = 0
        if self._stopped is None:
            self._stopped = "overflow"
            self.keep_mark()
        self._append(STOP)

    def release(self) -> None:
        """The session has ended, and what it holds counts no more. Lock held."""
        self._context.queued -= self._outstanding + self._kept

    def _hold(self, size: int) -> None:
        """Hold so many bytes more, or fewer."""
        self._outstanding += size
        if not self.ended:
            self._context.queued += size

    def _append(self, data: bytes) -> int:
        array_id = self._base + len(self._arrays)
        array = b"[%d,%b]" % (array_id, data)
        self._arrays.append(array)
        size = len(array)  # as _hold() does, without asking it: this is the hottest path there is
        self._outstanding += size
        if not self.ended:
            self._context.queued += size
        traffic = self._traffic
        traffic.queued = queued = traffic.queued + 1
        if not queued % SAMPLED and not self._waits_since:
            self._waits_since = self._context.monotonic()
        if self._store is not None:
            self._store.append(self.sid, array_id, array)
        self._wake_back()
        return array_id

    def _wake_back(self) -> None:
        back = self._back
        if back is not None and not back.woken:
            back.woken = True
            back.wake()

    def _chunks(self, limit: int) -> bytes:
        arrays = self._next_arrays(limit)
        if self._context.dialect.chunk_an_array:
            return frame_each(arrays)
        return frame(payload_of(arrays))

    def _next_arrays(self, limit: int) -> list[bytes]:
        """As many arrays as fit the limit, one at least."""
        arrays = self._arrays[self._position : self._position + WRITE_ARRAYS]
        fitting = bisect_left(list(accumulate(map(len, arrays))), limit) + 1
        del arrays[fitting:]
        self._given(len(arrays))
        return arrays

    def _given(self, count: int) -> None:
        """So many arrays more have gone out."""
        self._position += count
        sent = self._base + self._position - 1
        if sent > self._sent:
            self._traffic.delivered += sent - self._sent
            self._sent = sent

    def finished_reason(self) -> str | None:
        """Why the session is over, once its client has been given the ``["stop"]``; else None. Lock held."""
        return self._stopped if self.idle else None
