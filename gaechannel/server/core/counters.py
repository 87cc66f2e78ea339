"""What a server has refused and cut, by cause: plain numbers, for whoever exports or logs them."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable

logger: logging.Logger = logging.getLogger("gaechannel.server")

#: Seconds between two lines of the log about the same cause.
_LOG_SECONDS = 60.0


class Counters:
    """Counts what a server has refused and cut, and says so in the log once a minute a cause, however often.

    One object serves all of a server's services and listeners.

    Args:
        monotonic: seconds on a clock that never goes back.

    Attributes:
        accepted: connections that were accepted.
        refused: requests that were answered with an error, by cause: ``"token"``, ``"sid"``, ``"body"`` (too
            long), ``"fields"`` (too many), ``"coding"`` (compressed), ``"slow"`` (a body that did not come),
            ``"sessions"``, ``"sessions of a token"``, ``"queued"``, ``"origin"``, ``"host"``, ``"hook"``,
            ``"admin"`` (its token), ``"path"`` (there is nothing), ``"malformed"`` and others.
        cut: connections that were cut, by cause: ``"head"`` (it did not come, or was too long), ``"idle"``,
            ``"connections"`` (in all), ``"connections of an address"``, ``"descriptors"``, ``"pipelined"``
            (sent without being asked), ``"tls"``.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.accepted: int = 0
        self.refused: Counter[str] = Counter()
        self.cut: Counter[str] = Counter()
        self._monotonic = monotonic
        #: When the log may hear of each cause again, and how often it has not been told since.
        self._silent_until: dict[str, float] = {}
        self._untold: Counter[str] = Counter()

    def refuse(self, cause: str) -> None:
        """Count a request that is refused."""
        self.refused[cause] += 1

    def cut_one(self, cause: str) -> None:
        """Count a connection that is cut."""
        self.cut[cause] += 1

    def say(self, what: str) -> None:
        """Have the log say what has happened: at once, and then once a minute how often again."""
        now = self._monotonic()
        if now < self._silent_until.get(what, now):
            self._untold[what] += 1
            return
        self._silent_until[what] = now + _LOG_SECONDS
        again = self._untold.pop(what, 0)
        logger.warning("%s%s", what, f", {again} times more in the last minute" if again else "")
