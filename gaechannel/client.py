"""The client of the App Engine Channel API: the 2011 module's ``Client``, on the C core."""

import logging
import random
import string
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode

from gaechannel import _base
from gaechannel._arguments import client_arguments, given
from gaechannel._base import Stats
from gaechannel._hooks import OnSession
from gaechannel._options import Buffered, Certificate, Cookies, Given, Headers, OnState, Verify, check_url
from gaechannel.errors import ChannelError

__all__ = ["Client", "Stats", "random_string"]


def random_string(len: int) -> str:
    """Return that many random ASCII letters, as the old module made them for ``zx``. Not for secrets."""
    return "".join(random.choices(string.ascii_letters, k=len))  # noqa: S311 - not for secrets


class TalkChannel(_base.Channel[str]):
    """What both clients of the talk dialect share: the old module's attributes."""

    def is_initialized(self) -> bool:
        """Whether ``clid`` is known."""
        return self.clid is not None

    def _obey_overrides(self) -> None:
        def is_overridden(name: str) -> bool:
            # By a subclass or an attribute; not asking vars(), which would make a dictionary for each client.
            return getattr(getattr(self, name), "__func__", None) is not getattr(TalkChannel, name)

        self._set_custom_urls(is_overridden("_get_init_url"), is_overridden("_get_bind_url"))

    def _get_bind_url(self, **kwargs: object) -> str:
        """Return the URL of a request to ``/dch/bind``; keyword arguments are parameters of its query."""
        base, _, query = self._common_url().partition("?")
        params: dict[str, object] = dict(parse_qsl(query, keep_blank_values=True))
        params.update(kwargs)
        return f"{base}?{urlencode(params)}"

    def _get_init_url(self) -> str:
        """Return the URL of the page that names ``clid`` and ``gsessionid``."""
        return self._init_url()

    def _parse_init_response(self, html: str | bytes) -> None:
        """Take ``clid`` and ``gsessionid`` from that page.

        Raises:
            ChannelError: the page does not call ``new chat.WcsDataClient(…)``.
        """
        text = html.decode("utf-8", "replace") if isinstance(html, bytes) else html
        if not self._read_init_page(text):
            raise ChannelError("Talk Server returned unexpected response: no new chat.WcsDataClient(…) in it")

    def _parse_channel_message(self, body: Any) -> str | None:
        """Return the text in ``["c", [clid, ["ae", text]]]``; None if that is no message to us."""
        try:
            (c, (clid, (ae, text))) = body
        except (TypeError, ValueError):
            return None
        return text if c == "c" and ae == "ae" and clid == self.clid else None

    # ---- Attributes ----

    @property
    def base_url(self) -> str:
        """The channel server's address; may be changed before connecting."""
        return self._url or ""

    @base_url.setter
    def base_url(self, url: str) -> None:
        self._url = check_url(url, "base_url")

    @property
    def token(self) -> str | None:
        """The token in use; None when a callable has not been asked yet."""
        return self._token

    @token.setter
    def token(self, token: str | bytes | None) -> None:
        self._token = token.decode() if isinstance(token, bytes) else token

    @property
    def clid(self) -> str | None:
        """The client's id; None before :meth:`initialize`."""
        return self._clid

    @clid.setter
    def clid(self, clid: str | None) -> None:
        self._clid = clid

    @property
    def max_reconnects_trials(self) -> int | None:
        """``max_reconnects``, under the old module's name."""
        return self.max_reconnects

    @max_reconnects_trials.setter
    def max_reconnects_trials(self, trials: int | None) -> None:
        self.max_reconnects = trials


class Client(TalkChannel, _base.SyncChannel[str]):
    """Receives the messages of one channel of the App Engine Channel API::

        for message in Client(token).messages():
            print(message)

    It mirrors the ``Client`` of the 2011 module ``gae_channel``, private names included, and takes more
    keyword arguments. It is iterable itself, and a context manager that closes it.

    Args:
        token: what the application's server got from ``create_channel``; or a callable that returns it, which
            is asked again when the token has expired.
        logger: where log records go; None: the logger ``Channel``.
        base_url: the channel server's address; None: the environment's ``GAECHANNEL_BASE_URL``, or else
            Google's old address, which has answered nobody since 2017.
        on_session: a callable that is asked before each session opens, the first included, in the thread or
            event loop that waits for the channel: ``on_session(channel, session)``. What it sends belongs to
            that session and goes first in the opening request, before maps that are left over; it may set
            ``channel.params``, ``channel.headers``. What it raises comes out of the iteration,
            and the next try asks it again; so does one after an opening that failed for good, in place of
            what it sent before. It must not wait for the channel itself. See :class:`gaechannel.Session`.
        new_sessions: whether a session that the server has lost is replaced by a new one; if not,
            :class:`gaechannel.SessionLost` is raised, once: who goes on with the channel opens a new session.
            Broken connections are mended all the same.

    All others are :class:`gaechannel.ChannelOptions`'.

    Raises:
        ValueError: an argument makes no sense, such as an empty token or a URL that is not http or https.

    The protocol was found by the 2011 module's author; docs/protocol.rst says what is known of it.
    """

    def __init__(
        self,
        token: str | bytes | Callable[[], str | bytes],
        logger: logging.Logger | None = None,
        *,
        base_url: str | None = None,
        on_session: OnSession | None = None,
        new_sessions: bool = True,
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
        super().__init__(**client_arguments(**given(locals())))

    # ---- Receiving ----

    def messages(self) -> Iterator[str]:
        """Return an iterator over the channel's messages, as the application sent them.

        It connects when first asked for a message, and goes on over as many back channels as it takes: one
        that ended in order is reopened at once, one that broke after a backoff, a corrupt one is logged and
        reopened, a session that the server has forgotten is replaced by a new one. Nothing is lost or
        repeated over a reconnect. Calling ``messages()`` again goes on where the last iterator stopped.

        Raises:
            TokenExpired, InvalidToken: the server does not accept the token.
            HTTPStatusError: the server refused with a status that no retry can mend.
            TransportError, ChannelTimeout: the server could not be reached for the first time, or
                ``auto_reconnect`` is off, or ``max_reconnects`` is used up.
            ChannelClosed: the channel was closed, or the server stopped the session.
            ChannelError: the server said something unexpected.
        """
        self._obey_overrides()
        return self._messages("messages")

    def __iter__(self) -> Iterator[str]:
        return self.messages()

    def long_poll_messages(self) -> Iterator[str]:
        """Return an iterator over one back channel's messages: it ends when the back channel does.

        It connects first where that was not done. Failures are raised, not mended: see :meth:`messages`; and
        ``TalkMessageCorrupted`` if the body is corrupt.
        """
        self._obey_overrides()
        return self._messages("poll")

    # ---- Connecting, step by step, as the old module did ----

    def initialize(self) -> None:
        """Fetch ``clid`` and ``gsessionid``, which every later request needs.

        Raises:
            ChannelError, and as :meth:`messages`.
        """
        self._obey_overrides()
        self._reach("initialized", True)

    def _fetch_sid(self) -> None:
        """Open a session, and set ``sid``."""
        self._obey_overrides()
        self._reach("open", True)

    def _connect(self) -> None:
        """Tell the server that this client wants messages; without that none comes."""
        self._obey_overrides()
        self._reach("connected", True)
