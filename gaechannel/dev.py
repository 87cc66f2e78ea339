"""The dialect of App Engine's development server."""

import logging
from collections.abc import Callable, Iterator
from typing import Unpack

from gaechannel._arguments import dev_arguments
from gaechannel._base import SyncChannel
from gaechannel._options import ChannelOptions

__all__ = ["DevClient"]


class DevClient(SyncChannel):
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

    def messages(self) -> Iterator[str]:
        """Return an iterator over the channel's messages; see :meth:`gaechannel.Client.messages`."""
        return self._messages("messages")
