"""Client ids: who listens under each, and what was sent while nobody did."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from itertools import islice
from typing import Any, Protocol

from .framing import encode_string
from .presence import Presence
from .store import Kept, Store

#: How many channels are looked at in one go.
_SWEPT_AT_ONCE = 1000


class Listener(Protocol):
    """Who gets a client id's messages: a session, or the queue of who polls."""

    def hear(self, message: str, literal: bytes) -> None:
        """Take a message, given as it is and as a JSON string. The lock of :class:`Channels` is held."""


class Channel:
    """A client id, who listens under it, and what was sent while nobody did."""

    __slots__ = ("client_id", "expires", "held", "listeners", "present")

    def __init__(self, client_id: str, hold: int) -> None:
        self.client_id: str = client_id
        self.listeners: list[Listener] = []
        self.held: deque[tuple[str, bytes]] = deque(maxlen=hold)
        #: When its last token ends, in seconds since 1970.
        self.expires: float = 0.0
        #: Whether the application has been told that its client is there.
        self.present: bool = False


class Channels:
    """The channels of a service, by client id; for any thread.

    Args:
        lock: guards them, and all that hears their messages.
        clock: seconds since 1970.
        hold: how many messages to a channel without a listener are kept for the first that comes.
        presence: is told of the first listener that comes, and of the last that goes.
        store: is told what must outlive the process.
    """

    def __init__(
        self,
        lock: AbstractContextManager[Any],
        clock: Callable[[], float],
        hold: int,
        presence: Presence,
        store: Store,
    ) -> None:
        self.lock = lock
        self._clock = clock
        self._hold = hold
        self._presence = presence
        self._store = store
        #: Messages that were sent to channels.
        self.sent: int = 0
        self._channels: dict[str, Channel] = {}
        #: The last message, as it is and as a literal.
        self._message = ""
        self._literal = encode_string("")
        self._sessions: Counter[str] = Counter()

    def __len__(self) -> int:
        """How many channels there are."""
        return len(self._channels)

    def sessions_of(self, client_id: str) -> int:
        """How many sessions there are of a client id, listening or not."""
        return self._sessions[client_id]

    def count_session(self, client_id: str, change: int) -> None:
        """A session of a client id has begun (1) or ended (-1)."""
        with self.lock:
            self._sessions[client_id] += change
            if not self._sessions[client_id]:
                del self._sessions[client_id]

    def first(self, count: int) -> list[Channel]:
        """The oldest channels, so many at most."""
        with self.lock:
            return list(islice(self._channels.values(), count))

    def present(self) -> list[str]:
        """The client ids under which somebody listens."""
        with self.lock:
            return [client_id for client_id, channel in self._channels.items() if channel.listeners]

    def find(self, client_id: str) -> Channel | None:
        """The channel of a client id, if there is one."""
        return self._channels.get(client_id)

    def create(self, client_id: str, expires: float) -> None:
        """Have a channel for a client id, at least until then, in seconds since 1970."""
        with self.lock:
            channel = self._make(client_id)
            channel.expires = max(channel.expires, expires)
            self._store.create(client_id, expires)

    def send(self, channel: Channel, message: str) -> None:
        """Let all who listen hear a message; keep it where nobody does."""
        with self.lock:
            if message is not self._message:  # else it is sent to one client after the other
                self._message, self._literal = message, encode_string(message)
            literal = self._literal
            self.sent += 1
            if not channel.listeners and self._hold:
                if len(channel.held) == self._hold:
                    self._store.release(channel.client_id, 1)
                channel.held.append((message, literal))
                self._store.hold(channel.client_id, message)
            for listener in channel.listeners:
                listener.hear(message, literal)

    def add_listener(self, client_id: str, listener: Listener, *, restored: bool = False) -> None:
        """Have a listener hear what is sent to a client id, what was held for it first.

        Args:
            restored: whether it listened in an earlier process: the application knows of its client, or hears
                of it when the client is heard of again.
        """
        with self.lock:
            channel = self._make(client_id)
            channel.listeners.append(listener)
            if channel.held:
                self._store.release(client_id)
            while channel.held:
                listener.hear(*channel.held.popleft())
        if not restored:
            self.heard(client_id)

    def heard(self, client_id: str) -> None:
        """A listener's client is there: the application is told if it does not know."""
        with self.lock:
            channel = self._make(client_id)
            new, channel.present = not channel.present, True
        if new:
            self._presence.connected(client_id)

    def remove_listener(self, client_id: str, listener: Listener) -> None:
        """Undo ``add_listener``."""
        with self.lock:
            channel = self._make(client_id)
            channel.listeners.remove(listener)
            last = not channel.listeners and channel.present
            if last:
                channel.present = False
        if last:
            self._presence.disconnected(client_id)

    def sweeping(self) -> Iterator[None]:
        """Forget the channels whose tokens have all ended, and under which nobody listens; not all in one go,
        but for who holds them up between the steps."""
        now = self._clock()
        with self.lock:
            client_ids = list(self._channels)
        for begin in range(0, len(client_ids), _SWEPT_AT_ONCE):
            with self.lock:
                for client_id in client_ids[begin : begin + _SWEPT_AT_ONCE]:
                    channel = self._channels.get(client_id)
                    if channel is not None and not channel.listeners and now >= channel.expires:
                        del self._channels[client_id]
                        self._store.forget(client_id)
            yield

    def restore(self, kept: Kept) -> None:
        """Have the channels that an earlier process kept, and what it held for them. Lock held."""
        for client_id, expires in kept.channels.items():
            self._make(client_id).expires = expires
        for client_id, messages in kept.held.items():
            if client_id not in kept.polled:
                held = self._make(client_id).held
                held.extend((message, encode_string(message)) for message in messages)

    def restored(self, *, told: bool) -> None:
        """All who listened in an earlier process do again. Lock held.

        Args:
            told: whether that process had told the application that they are gone.
        """
        for channel in self._channels.values():
            channel.present = bool(channel.listeners) and not told

    def hand_over(self, *, tell: bool) -> None:
        """Forget all channels here; the next process has them.

        Args:
            tell: whether the application is told that their clients are gone.
        """
        with self.lock:
            present = [client_id for client_id, channel in self._channels.items() if channel.present]
            self._channels.clear()
            self._sessions.clear()
        for client_id in present if tell else ():
            self._presence.disconnected(client_id)

    @property
    def held(self) -> int:
        """How many messages wait for a first listener."""
        with self.lock:
            return sum(len(channel.held) for channel in self._channels.values())

    def _make(self, client_id: str) -> Channel:
        channel = self._channels.get(client_id)
        if channel is None:
            channel = self._channels[client_id] = Channel(client_id, self._hold)
        return channel
