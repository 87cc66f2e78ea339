"""What was answered to requests that may come again, since their sender did not hear the answer."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable


class Answered:
    """Answers by their requests' keys.

    Args:
        monotonic: seconds on a clock that never goes back.
        seconds: how long an answer is kept.
        count: how many are kept at most; the oldest go.
    """

    def __init__(self, monotonic: Callable[[], float], seconds: float = 600.0, count: int = 10_000) -> None:
        self._monotonic = monotonic
        self._seconds = seconds
        self._count = count
        self._answers: OrderedDict[str, tuple[float, bytes]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, key: str | None) -> bytes | None:
        """What was answered; None where nothing was, or the request has no key."""
        if key is None or key not in self._answers:
            return None
        return self._answers[key][1]

    def keep(self, key: str | None, answer: bytes) -> None:
        """Remember an answer, and forget those that are too old."""
        now = self._monotonic()
        if key is not None:
            self._answers[key] = now, answer
        while self._answers:
            oldest, (since, _) = next(iter(self._answers.items()))
            if len(self._answers) <= self._count and now - since < self._seconds:
                break
            del self._answers[oldest]
