"""What nodes that share a store have had to do with it: plain numbers, for whoever exports them."""

from __future__ import annotations

from dataclasses import dataclass, field

from .traffic import Histogram


@dataclass(slots=True)
class StoreTraffic:
    """Counted on the event loop of the node whose traffic it is."""

    #: Seconds from asking the store to its answer, each time; several scripts may be asked at once.
    answers: Histogram = field(default_factory=Histogram)
    #: Scripts that were run, and how often some were asked for again.
    scripts: int = 0
    retries: int = 0
    #: Times that the store was lost, and that the channel by which it tells things was.
    reconnects: int = 0
    relinks: int = 0
    #: Back channels that ended since their sessions went to another back channel, or ended.
    fences: int = 0
    #: Sessions that were read again, since this node was not told of an array, or not what it holds.
    reads: int = 0
    #: Sessions whose leases were renewed, however often.
    leases: int = 0
    #: Sessions and channels that the store holds, as of some seconds ago: all nodes' together.
    sessions: int = 0
    channels: int = 0
