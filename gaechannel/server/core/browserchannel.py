"""Sessions of the browserchannel and webchannel dialects, handed to a Python function: a test double."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Unpack

from gaechannel._checks import check_callable, check_takes

from .counters import Counters
from .dialect import BROWSERCHANNEL, Dialect
from .limits import LimitOptions
from .session import Session, check_result
from .sessions import SessionService
from .store import Store


class BrowserChannelService(SessionService):
    """Sessions that a Python function talks to.

    Args:
        on_session: called with each new :class:`Session`, before its first maps and before its opening reply:
            what it sends goes out with that reply. It sets ``session.on_map``, ``on_message``, ``on_close``.
            All of them are plain functions, called in threads, of one session one after the other: where one
            raises or takes longer than ``hook_seconds``, its session ends, and no other.
            May be set later, as an attribute; None: sessions are accepted and their maps dropped.
        dialect: ``BROWSERCHANNEL`` or ``WEBCHANNEL``.
        monotonic: seconds on a clock that never goes back.
        counters: counts what is refused; None: new ones.
        store: keeps sessions over the process's end: :class:`SqliteStore`. ``on_session`` is called with each
            of them when the next process starts, too; they are ``restored``. None: none outlives the process.
        name: the service's among those of one store; None: the dialect's.
        **limits: see :class:`~gaechannel.server.Limits`.

    Raises:
        ValueError: a limit makes no sense.
    """

    def __init__(
        self,
        on_session: Callable[[Session], object] | None = None,
        *,
        dialect: Dialect = BROWSERCHANNEL,
        monotonic: Callable[[], float] = time.monotonic,
        counters: Counters | None = None,
        store: Store | None = None,
        name: str | None = None,
        **limits: Unpack[LimitOptions],
    ) -> None:
        check_callable("on_session", on_session)
        check_takes("on_session", on_session, "session")
        super().__init__(dialect, monotonic=monotonic, counters=counters, store=store, name=name, **limits)
        self.on_session = on_session
        self.keeps_request_headers = True

    def opened(self, session: Session) -> None:
        if self.on_session is not None:
            check_result("on_session", self.on_session(session))

    @property
    def has_hooks(self) -> bool:
        return self.on_session is not None
