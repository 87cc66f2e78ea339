"""What all channels share."""

from typing import NamedTuple

from gaechannel import _core
from gaechannel.errors import ChannelError


class Stats(NamedTuple):
    """What a channel has counted since it was made.

    Attributes:
        bytes: of response bodies, decompressed.
        chunks: chunks received whole.
        arrays: arrays received for the first time.
        messages: of those, the application's.
        reconnects: back channels opened after the first.
        sessions: sessions opened: one, and one more each time the server had lost it.
        last_message_time: when the last message came, in seconds since the epoch; None when none has.
    """

    bytes: int
    chunks: int
    arrays: int
    messages: int
    reconnects: int
    sessions: int
    last_message_time: float | None


def channel_stats(channel: _core.Channel) -> Stats:
    """A channel's counters."""
    counts = channel._stats()
    last = counts[-1]
    return Stats(*counts[:-1], None if last < 0 else last)


def channel_repr(channel: _core.Channel) -> str:
    """A channel in a few words, without secrets; of one that a forked child has from its parent, too."""
    module = type(channel).__module__
    name = f"{module}.{type(channel).__name__}" if module == "gaechannel.aio" else type(channel).__name__
    try:
        state = "closed" if channel.closed else "open" if channel.sid else "new"
        return f"<{name} of {channel._redact(channel._url or '')}, {state}>"
    except (ChannelError, RuntimeError):
        return f"<{name} of another process, or not initialized>"
