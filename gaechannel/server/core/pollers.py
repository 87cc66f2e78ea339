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


class Poller:
    """A client id that is polled: it hears the messages."""

    __slots__ = ("client_id", "last_seen", "queue", "size")

    def __init__(self, client_id: str, now: float) -> None:
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


class Pollers:
    """The client ids that are polled.

    Args:
        channels: whose messages they hear.
        limits: one that has not been polled for ``session_timeout`` seconds, or has more than
            ``max_unacknowledged`` characters waiting, is disconnected; there are ``max_sessions`` at most.
        monotonic: seconds on a clock that never goes back.
    """

    def __init__(self, channels: Channels, limits: Limits, monotonic: Callable[[], float]) -> None:
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
                return
            if len(self._pollers) >= self._limits.max_sessions:
                raise too_many_sessions()
            poller = self._pollers[client_id] = Poller(client_id, self._monotonic())
        self._channels.add_listener(client_id, poller)

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
            return message

    def disconnect(self, client_id: str) -> None:
        """Forget a client id and its queue; one that is not there is forgotten already."""
        with self._channels.lock:
            poller = self._pollers.pop(client_id, None)
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

    def forget(self) -> None:
        """Forget all of them."""
        for client_id in list(self._pollers):
            self.disconnect(client_id)
