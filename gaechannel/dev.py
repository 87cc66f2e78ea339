"""The dialect of App Engine's development server."""

import logging
from collections.abc import Callable, Iterator
from typing import Self, Unpack

from gaechannel import _core
from gaechannel._arguments import dev_arguments
from gaechannel._base import Stats, channel_repr, channel_stats
from gaechannel._options import ChannelOptions

__all__ = ["DevClient"]


class DevClient(_core.Channel):
    """A channel of App Engine's development server, which is polled every half second::

        for message in DevClient(token, "http://localhost:8080").messages():
            print(message)

    Args:
        token: what ``create_channel`` returned; or a callable that returns it.
        url: the development server's address, without ``/_ah/channel/dev``.
        logger: where log records go; None: the logger ``Channel``.
        **options: see :class:`gaechannel.ChannelOptions`.
    """

    def __init__(
        self,
        token: str | Callable[[], str],
        url: str,
        *,
        logger: logging.Logger | None = None,
        **options: Unpack[ChannelOptions],
    ) -> None:
        super().__init__(**dev_arguments(token, url, logger, **options))

    def __repr__(self) -> str:
        return channel_repr(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def messages(self) -> Iterator[str]:
        """Return an iterator over the channel's messages; see :meth:`gaechannel.Client.messages`."""
        return self._messages("messages")

    @property
    def stats(self) -> Stats:
        """What was counted so far."""
        return channel_stats(self)
