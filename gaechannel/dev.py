"""The dialect of App Engine's development server."""

import logging
from collections.abc import Callable, Iterator

from gaechannel._arguments import dev_arguments, given
from gaechannel._base import SyncChannel
from gaechannel._options import Buffered, Certificate, Cookies, Given, Headers, OnState, Verify

__all__ = ["DevClient"]


class DevClient(SyncChannel[str]):
    """A channel of App Engine's development server, which is polled every half second::

        for message in DevClient(token, "http://localhost:8080").messages():
            print(message)

    Args:
        token: what ``create_channel`` returned; or a callable that returns it.
        url: the development server's address, without ``/_ah/channel/dev``.
        logger: where log records go; None: the logger ``Channel``.

    All others are :class:`gaechannel.ChannelOptions`'.
    """

    _ends_with_form = False

    def __init__(
        self,
        token: str | bytes | Callable[[], str | bytes],
        url: str,
        *,
        logger: logging.Logger | None = None,
        timeout: float | None = None,
        request_timeout: float = 30.0,
        connect_timeout: float = 10.0,
        auto_reconnect: bool = True,
        max_reconnects: int | None = None,
        max_backoff: float = 32.0,
        buffered: Buffered = "auto",
        headers: Given[Headers] | None = None,
        cookies: Cookies | None = None,
        on_state: OnState | None = None,
        user_agent: str | None = None,
        proxy: str | None = None,
        verify: Verify = True,
        cert: Certificate | None = None,
        http2: bool = True,
        max_chunk_size: int = 16 * 1024 * 1024,
        queue_limit: int | None = None,
        max_unsent: int = 16 * 1024 * 1024,
    ) -> None:
        super().__init__(**dev_arguments(**given(locals())))

    def messages(self) -> Iterator[str]:
        """Return an iterator over the channel's messages; see :meth:`gaechannel.Client.messages`."""
        return self._messages("messages")
