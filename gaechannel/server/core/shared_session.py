"""A session of which Redis holds all, as one node sees it.

Its arrays are here only while its back channel is. A keep-alive is none of them: it goes out under the id of
the last array that went before it on this back channel, or that its client has acknowledged. Who has an array
drops what comes with its id again, as after every reconnect; so its client's AID stays true, and Redis hears
nothing of who is silent.
"""

from __future__ import annotations

from typing import Any, Protocol

from .dialect import NOOP, STOP
from .framing import data_of, frame_one
from .redis_link import RedisLink
from .redis_scripts import APPEND
from .session import BackChannel, SessionContext
from .talk_session import TalkSession

#: How the last array of a session that was stopped ends.
_STOPS = b",%b]" % STOP


class Node(SessionContext, Protocol):
    """What such a session must know of its service."""

    link: RedisLink

    def read_again(self, session: SharedSession) -> None:
        """Read what a session has been given since, on the event loop."""

    def leave(self, session: SharedSession) -> None:
        """The session's back channel has ended here. Lock held."""


class SharedSession(TalkSession):
    """A session as one node sees it: for one request, or while its back channel is open here."""

    __slots__ = ("_node", "_silent", "epoch")

    def __init__(self, node: Node, sid: str, **more: Any) -> None:
        super().__init__(node, sid, **more)
        self._node = node
        #: What says that its back channel is here; "" where it is not.
        self.epoch: str = ""
        #: Whether a keep-alive is to go out.
        self._silent = False

    def push(self, data: bytes, *, wrapped: bool = True) -> int | None:
        if not self.epoch:
            return None
        self._node.link.tell(APPEND, self.sid, self.epoch, data)
        return self.next_id

    def keep_alive(self) -> None:
        self._silent = True
        self._wake_back()

    def take(self, back: BackChannel) -> tuple[bytes, bool]:
        chunk, last = super().take(back)
        if self._silent:
            self._silent = False
            if not chunk and not last:
                chunk, last = frame_one(b"[%d,%b]" % (self.next_id - 1, NOOP)), back.one_batch
                back.taken += len(chunk)
                back.last_taken = self._context.monotonic()
        return chunk, last

    def arrived(self, array: bytes) -> bool:
        """An array that Redis has given an id. Lock held. Returns whether one before it is missing."""
        array_id, expected = int(array[1 : array.index(b",")]), self._base + len(self._arrays)
        if array_id == expected:
            self._arrays.append(array)
            self._hold(len(array))
            self._traffic.queued += 1
            if array.endswith(_STOPS):
                self._stopped = "overflow"
            self._wake_back()
        return array_id > expected

    def has_acknowledged(self, aid: int) -> int:
        """Forget the arrays up to ``aid``. Lock held. Returns the last of them that has been sent."""
        self.acknowledge(aid)
        return min(aid, self._base - 1)

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
            self._node.leave(self)

    def closed(self, reason: str) -> None:
        """The session has had its last array. It was counted nowhere here; its client is Redis' matter."""

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
