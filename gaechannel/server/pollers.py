"""Clients of the development server's dialect: each has a queue, and polls it message by message.

That dialect has no ids and no acknowledgements: a message is gone once a poll has been answered with it.
"""

from __future__ import annotations

import secrets
from collections import deque
from typing import TYPE_CHECKING

from .errors import bad_request, too_many_sessions

if TYPE_CHECKING:
    from .service import ChannelService


class Poller:
    """One polling client: hears its client id's messages."""

    __slots__ = ("client_id", "last_seen", "queue", "size")

    def __init__(self, client_id: str, now: float) -> None:
        self.client_id = client_id
        self.last_seen = now
        self.queue: deque[str] = deque()
        #: Characters of all messages in the queue.
        self.size = 0

    def hear(self, message: str, literal: bytes) -> None:
        """Keep a message; an empty one cannot be told from none, and is dropped."""
        if message:
            self.queue.append(message)
            self.size += len(message)


class Pollers:
    """The polling clients of a channel service.

    Args:
        service: whose messages they hear, and whose limits hold: one that has not polled for
            ``session_timeout`` seconds, or has more than ``max_unacknowledged`` characters waiting, is
            disconnected.
    """

    def __init__(self, service: ChannelService) -> None:
        self._service = service
        self._pollers: dict[str, Poller] = {}

    def __len__(self) -> int:
        return len(self._pollers)

    def connect(self, client_id: str) -> str:
        """A new polling client for a client id.

        Returns:
            The id with which it polls.

        Raises:
            Refusal: 503 where there are ``max_sessions`` already.
        """
        if len(self._pollers) >= self._service.limits.max_sessions:
            raise too_many_sessions()
        poller = Poller(client_id, self._service.monotonic())
        number = secrets.token_hex(8)
        with self._service.lock:
            self._pollers[number] = poller
        self._service.add_listener(client_id, poller)
        return number

    def poll(self, client_id: str, number: str) -> str:
        """The next message of a polling client, or "" if there is none.

        Raises:
            Refusal: 400 where there is no such client, or no more.
        """
        poller = self._find(client_id, number)
        if poller is None:
            raise bad_request("Unknown client")
        poller.last_seen = self._service.monotonic()
        with self._service.lock:
            if not poller.queue:
                return ""
            message = poller.queue.popleft()
            poller.size -= len(message)
            return message

    def disconnect(self, client_id: str, number: str) -> None:
        """Forget a polling client; one that is not there is forgotten already."""
        poller = self._find(client_id, number)
        if poller is not None:
            self._remove(number, poller)

    def sweep(self) -> None:
        """Forget who has stopped polling, or does not keep up."""
        now, limits = self._service.monotonic(), self._service.limits
        with self._service.lock:
            gone = [
                (number, poller)
                for number, poller in self._pollers.items()
                if now - poller.last_seen > limits.session_timeout or poller.size > limits.max_unacknowledged
            ]
        for number, poller in gone:
            self._remove(number, poller)

    def forget(self) -> None:
        """Forget all of them."""
        for number, poller in list(self._pollers.items()):
            self._remove(number, poller)

    def _find(self, client_id: str, number: str) -> Poller | None:
        poller = self._pollers.get(number)
        return poller if poller is not None and poller.client_id == client_id else None

    def _remove(self, number: str, poller: Poller) -> None:
        with self._service.lock:
            if self._pollers.pop(number, None) is None:
                return
        self._service.remove_listener(poller.client_id, poller)
