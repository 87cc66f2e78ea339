"""What a service writes down, so that the process after this one can go on where it ended.

The rules are the session's and the channels'; a store is told what they did, each thing under its lock, and
keeps it. What was told in one turn of the event loop is kept whole or not at all. Nothing is said to anybody,
no request answered and no array sent, before what it rests on has been committed: see :meth:`Store.commit`. A
client thus never holds an id that the next process would give to another array.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol


class StoreError(OSError):
    """The store cannot be read or written; the text says which, and why."""


@dataclass(slots=True)
class KeptSession:
    """A session as a store gives it back."""

    sid: str
    #: What stays the same: the opening request's fields, and the dialect's own.
    facts: Mapping[str, Any]
    #: The arrays that are not acknowledged, as they go out, and the first one's id.
    arrays: list[bytes]
    base: int
    #: The id of the next map, and the id of the last request with maps.
    next_map: int = 0
    last_rid: int = -1
    #: Whether it hears its client id's messages.
    connected: bool = False
    #: Why its last array has been queued, or None; whether its end was told.
    stopped: str | None = None
    ended: bool = False


@dataclass(slots=True)
class Kept:
    """All that a store had kept when it was opened."""

    #: The secret that signs tokens; None: there is none yet.
    key: bytes | None = None
    #: Whether the process before this one told the application that its clients had gone, as it does when it
    #: ends in order, and not when it is killed.
    told: bool = False
    #: When the last token of each client id ends, in seconds since 1970.
    channels: dict[str, float] = field(default_factory=dict)
    #: The messages that wait for each client id's first listener, or for its next poll.
    held: dict[str, list[str]] = field(default_factory=dict)
    #: The client ids that are polled.
    polled: list[str] = field(default_factory=list)
    #: The sessions of each service, by its name.
    sessions: dict[str, list[KeptSession]] = field(default_factory=dict)


class Store(Protocol):
    """Keeps what services tell it. One store may serve several services of one process, by their names."""

    #: Whether anything outlives the process.
    keeps: bool
    #: Guards the store and all services that use it.
    lock: threading.RLock

    @property
    def is_open(self) -> bool:
        """Whether the session is open."""

    def open(self) -> None:
        """Take the store for this process alone, and read it; nothing where it is open. It may take seconds.

        Raises:
            StoreError: it cannot be read, or another process has it.
        """

    def load(self) -> Kept:
        """What the process before this one has left; the store is open."""

    def check(self) -> None:
        """Called before something new is taken on.

        Raises:
            Refusal: 503, while the store cannot be written.
        """

    # What is told. The lock is held, or all of it is told in one turn of the event loop.

    def use_key(self, key: bytes) -> None:
        """The secret that signs tokens."""

    def create(self, client_id: str, expires: float) -> None:
        """There is a channel, until then at least."""

    def forget(self, client_id: str) -> None:
        """There is no channel any more, and nobody listened."""

    def hold(self, client_id: str, message: str) -> None:
        """A message waits for whoever listens first, or polls next."""

    def release(self, client_id: str, count: int | None = None) -> None:
        """The oldest ``count`` of the messages that waited do not wait any more; None: all of them."""

    def poll(self, client_id: str, polled: bool) -> None:
        """A client id is polled from now on, or is not any more."""

    def begin(self, service: str, session: KeptSession) -> None:
        """A session has begun."""

    def append(self, sid: str, array_id: int, array: bytes) -> None:
        """A session has one array more."""

    def acknowledge(self, sid: str, array_id: int) -> None:
        """The arrays up to this one have arrived."""

    def cut(self, sid: str, array_id: int) -> None:
        """The arrays from this one on will not be sent."""

    def take_maps(self, sid: str, next_map: int, last_rid: int) -> None:
        """The maps before ``next_map`` have been handed to the application, and what it did then was told."""

    def mark(self, sid: str, *, connected: bool, stopped: str | None, ended: bool) -> None:
        """How far a session has come."""

    def end(self, sid: str) -> None:
        """A session is not there any more."""

    # Until when it is told.

    async def commit(self) -> None:
        """Wait until all that was told is kept, whatever becomes of this process.

        Raises:
            Refusal: 503, where it cannot be written now. It is kept in mind, and tried again.
        """

    def commit_from_thread(self) -> None:
        """``commit`` for a thread that has no event loop; on the event loop's own it only begins.

        Raises:
            Refusal: as ``commit``.
        """

    def close(self, *, told: bool) -> None:
        """Keep all, and let the next process have it.

        Args:
            told: whether the application has been told that its clients have gone.
        """

    def abandon(self) -> None:
        """Close without keeping what is not committed, as a process that is killed."""


def _nothing(*_given: object, **_named: object) -> None:
    """What is not kept need not be told."""


class MemoryStore:
    """Keeps nothing: what services hold is in their own memory, and gone with the process."""

    keeps: bool = False
    is_open: bool = False

    def __init__(self) -> None:
        self.lock: threading.RLock = threading.RLock()

    def load(self) -> Kept:
        return Kept()

    async def commit(self) -> None:
        pass

    open: ClassVar[Callable[..., None]] = _nothing
    check: ClassVar[Callable[..., None]] = _nothing
    use_key: ClassVar[Callable[..., None]] = _nothing
    create: ClassVar[Callable[..., None]] = _nothing
    forget: ClassVar[Callable[..., None]] = _nothing
    hold: ClassVar[Callable[..., None]] = _nothing
    release: ClassVar[Callable[..., None]] = _nothing
    poll: ClassVar[Callable[..., None]] = _nothing
    begin: ClassVar[Callable[..., None]] = _nothing
    append: ClassVar[Callable[..., None]] = _nothing
    acknowledge: ClassVar[Callable[..., None]] = _nothing
    cut: ClassVar[Callable[..., None]] = _nothing
    take_maps: ClassVar[Callable[..., None]] = _nothing
    mark: ClassVar[Callable[..., None]] = _nothing
    end: ClassVar[Callable[..., None]] = _nothing
    commit_from_thread: ClassVar[Callable[..., None]] = _nothing
    close: ClassVar[Callable[..., None]] = _nothing
    abandon: ClassVar[Callable[..., None]] = _nothing
