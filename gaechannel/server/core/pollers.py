"""Clients of the development server's dialect: a client id has one queue, and a poll takes one message.

That dialect has no ids and no acknowledgements: a message is gone once a poll has been answered with it. Nor
has it sessions: all who poll with a client id's tokens share its queue, as in App Engine's SDK.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from .channels import Channels
from .errors import too_many_sessions
from .limits import Limits
from .store import Kept, Store


class Poller:
    """A client id that is polled: it hears the messages."""

    __slots__ = ("_store", "client_id", "last_seen", "queue", "size")

    def __init__(self, client_id: str, now: float, store: Store) -> None:
        self._store = store
        self.client_id: str = client_id
        self.last_seen: float = now
        self.queue: deque[str] = deque()
        #: Characters of all messages in the queue.
        self.size: int = 0

    def hear(self, message: str, literal: bytes) -> None:
        """Keep a message; an empty one cannot be told from none, and is dropped."""
        if message:
            self.queue.append(message)
            self.size += len(message)
            self._store.hold(self.client_id, message)


class Pollers:
    """The client ids that are polled.

    Args:
        channels: whose messages they hear.
        limits: one that has not been polled for ``session_timeout`` seconds, or has more than
            ``max_unacknowledged`` characters waiting, is disconnected; there are ``max_sessions`` at most.
        monotonic: seconds on a clock that never goes back.
        store: is told what must outlive the process.
    """

    def __init__(
        self, channels: Channels, limits: Limits, monotonic: Callable[[], float], store: Store
    ) -> None:
        self._store = store
        self._channels = channels
        self._limits = limits
        self._monotonic = monotonic
        self._pollers: dict[str, Poller] = {}

    def __len__(self) -> int:
        return len(self._pollers)

    def connect(self, client_id: str) -> None:
        """Have a client id's messages queued from now on; where they are, it is heard of again.

        Raises:
            Refusal: 429 where there are ``max_sessions`` already.
        """
        with self._channels.lock:
            poller = self._pollers.get(client_id)
            if poller is not None:
                poller.last_seen = self._monotonic()
                new = None
            else:
                if len(self._pollers) >= self._limits.max_sessions:
                    raise too_many_sessions()
                new = self._pollers[client_id] = Poller(client_id, self._monotonic(), self._store)
                self._store.poll(client_id, True)
        if new is None:
            self._channels.heard(client_id)
        else:
            self._channels.add_listener(client_id, new)

    def poll(self, client_id: str) -> str:
        """The next message of a client id, or "" if there is none; connects it where it is not.

        Raises:
            Refusal: as ``connect``.
        """
        self.connect(client_id)
        with self._channels.lock:
            poller = self._pollers.get(client_id)
            if poller is None or not poller.queue:
                return ""
            message = poller.queue.popleft()
            poller.size -= len(message)
            self._store.release(client_id, 1)
            return message

    def disconnect(self, client_id: str) -> None:
        """Forget a client id and its queue; one that is not there is forgotten already."""
        with self._channels.lock:
            poller = self._pollers.pop(client_id, None)
            if poller is not None:
                self._store.poll(client_id, False)
                self._store.release(client_id)
        if poller is not None:
            self._channels.remove_listener(client_id, poller)

    def sweep(self) -> None:
        """Forget who is not polled any more, or does not keep up."""
        now, limits = self._monotonic(), self._limits
        with self._channels.lock:
            gone = [
                client_id
                for client_id, poller in self._pollers.items()
                if now - poller.last_seen > limits.session_timeout or poller.size > limits.max_unacknowledged
            ]
        for client_id in gone:
            self.disconnect(client_id)

    def restore(self, kept: Kept) -> None:
        """Have those that were polled in an earlier process, and what waited for them. Lock held."""
        for client_id in kept.polled:
            poller = self._pollers[client_id] = Poller(client_id, self._monotonic(), self._store)
            poller.queue.extend(kept.held.get(client_id, ()))
            poller.size = sum(map(len, poller.queue))
            self._channels.add_listener(client_id, poller, restored=True)

    def hand_over(self) -> None:
        """Forget all of them here; the next process has them."""
        self._pollers.clear()

    @property
    def waiting(self) -> int:
        """How many messages wait to be polled."""
        return sum(len(poller.queue) for poller in self._pollers.values())

    def forget(self) -> None:
        """Forget all of them."""
        for client_id in list(self._pollers):
            self.disconnect(client_id)
