"""One iterator over many channels."""

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from gaechannel import _core
from gaechannel._base import Channel
from gaechannel._options import seconds_to_wait

__all__ = ["merge"]

Merged = TypeVar("Merged", bound=_core.Channel)


def prepare(channels: Iterable[Merged]) -> list[Merged]:
    """The channels as a list, ready to be iterated over by the C core."""
    if isinstance(channels, _core.Channel):
        raise TypeError("merge() takes several channels, in a list for one, not a channel")
    try:
        iterator = iter(channels)
    except TypeError:
        raise TypeError(f"merge() takes channels, in an iterable, not {type(channels).__name__}") from None
    prepared = list(iterator)
    for channel in prepared:
        if isinstance(channel, Channel):
            channel._obey_overrides()
    return prepared


def merge(channels: Iterable[Merged], timeout: float | None = None) -> Iterator[tuple[Merged, Any]]:
    """Return an iterator over the messages of many channels, ``(channel, message)``, as they come::

        for client, message in merge([Client(one), Client(other)]):
            print(client.token, message)

    One thread waits for all of them; a busy channel does not keep the others waiting. It ends when all
    channels have ended. Channels can be closed while it runs; they cannot be added.

    Args:
        channels: any synchronous channels of this package, each once.
        timeout: seconds that the iterator waits for a message at most, each time that it is asked for one;
            0: it only looks; None: as long as it takes.

    Raises:
        ChannelTimeout: no message came in that time, of no channel in particular; the iteration may go on.
        ChannelError: one channel failed, as its own iterator would say; the exception's attribute
            ``channel`` is that channel. The iteration may go on with the others. What a token's callable
            raises comes in the same way; going on asks it again.
        TypeError: something is not a synchronous channel, or ``timeout`` no number of seconds.
        ValueError: a channel is given twice, or is being merged already, or ``timeout`` is negative.
    """
    seconds = seconds_to_wait(timeout)
    return _core.Merge(prepare(channels), seconds)
