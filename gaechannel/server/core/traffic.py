"""What a service has carried: plain numbers that cost next to nothing to keep, for whoever exports them."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

#: Upper bounds of the buckets of times, in seconds.
BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)

#: One array in so many is timed: a look at the clock for each would be a tenth of what its delivery costs.
SAMPLED = 16


class Histogram:
    """How often times have fallen between the bounds.

    Attributes:
        counts: how many fell into each bucket; the last has no upper bound.
        total: the sum of all times, in seconds.
    """

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts: list[int] = [0] * (len(BOUNDS) + 1)
        self.total: float = 0.0

    def observe(self, seconds: float) -> None:
        """Count one time. The caller sees to it that no two threads do so at once."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds


@dataclass(slots=True)
class Traffic:
    """Counted under the lock of the service whose traffic it is."""

    #: Sessions that were opened.
    sessions: int = 0
    #: Messages of the application to client ids that have no channel.
    dropped: int = 0
    #: Maps that came from clients, each once.
    maps: int = 0
    #: Arrays that were queued, handed to the network for the first time, handed to it again, acknowledged.
    queued: int = 0
    delivered: int = 0
    resent: int = 0
    acknowledged: int = 0
    #: Back channels that are open now.
    back_channels: int = 0
    #: Seconds from an array's queuing to its being handed to the network, its client's absence included; of
    #: one array in ``SAMPLED``.
    delivery: Histogram = field(default_factory=Histogram)
    #: Seconds that openings and requests with maps took, from their head until their answer was ready.
    requests: Histogram = field(default_factory=Histogram)
