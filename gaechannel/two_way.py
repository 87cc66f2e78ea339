"""The living dialects: BrowserChannel and WebChannel, which send, too."""

import json
import logging
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

from gaechannel._arguments import Params, browser_channel_arguments, given, web_channel_arguments
from gaechannel._base import SyncChannel
from gaechannel._options import Buffered, Certificate, Headers, Verify, check_type, seconds_to_wait
from gaechannel.dev import DevClient
from gaechannel.errors import ChannelError, ChannelTimeout, MapsRefused

__all__ = ["BrowserChannel", "DevClient", "WebChannel"]

# How long leaving a `with` block waits for maps that the server has not confirmed, in seconds.
LEAVE_TIMEOUT = 5.0

# A map's field: its key, its value, and whether the value is JSON of what was given.
Field = tuple[str, str] | tuple[str, str, bool]


def map_fields(map: Mapping[str, object]) -> list[Field]:
    """A map's fields as the wire has them: strings as they are, all else as JSON, as Closure's client does
    it.

    Raises:
        TypeError: it is no mapping, a key is not a str, or a value cannot be JSON.
        ValueError: the map is empty; servers refuse a request with such a map, and all that are with it.
    """
    check_type("a map", map, Mapping, "a mapping, such as a dict")
    if not map:
        raise ValueError("a map needs at least one field")
    fields: list[Field] = []
    for key, value in map.items():
        if not isinstance(key, str):
            raise TypeError(f"a map's keys must be str, not {type(key).__name__}")
        fields.append(
            (key, value) if isinstance(value, str) else (key, dumps(value, f"the field {key!r}"), True)
        )
    return fields


def maps_given(lines: str) -> list[tuple[int, Any]]:
    """The maps that the server has refused, as they were given: from ``_core``'s lines."""
    maps = []
    for line in lines.splitlines():
        number, _, form = line.partition(" ")
        fields = parse_qsl(form, keep_blank_values=True)
        maps.append(
            (
                int(number),
                {key: json.loads(value[1:]) if value[0] == "J" else value[1:] for key, value in fields},
            )
        )
    return maps


def messages_given(lines: str) -> list[tuple[int, Any]]:
    """The same of a WebChannel, whose maps hold one message each."""
    return [(number, fields["__data__"]) for number, fields in maps_given(lines)]


def undelivered(unsent: int, error: ChannelError) -> int:
    """How many maps are lost with a channel that is left with this error."""
    return unsent + len(error.maps) if isinstance(error, MapsRefused) else unsent


def dumps(value: object, what: str) -> str:
    """Compact JSON, in which a lone surrogate stays an escape.

    Raises:
        TypeError, ValueError: the value, which the error calls ``what``, cannot be JSON.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{what} cannot be JSON: {error}") from None
    try:
        text.encode()
    except UnicodeEncodeError:
        text = json.dumps(value, separators=(",", ":"))
    return text


class _TwoWay(SyncChannel[Any]):
    """What BrowserChannel and WebChannel share."""

    @staticmethod
    def _maps_given(lines: str) -> list[tuple[int, Any]]:
        return maps_given(lines)

    def __exit__(self, *exc_info: object) -> None:
        try:
            if exc_info[0] is None and self.unsent and not self.closed:
                if self._over:
                    raise ChannelError("the session has ended")
                self.flush(LEAVE_TIMEOUT)
        except ChannelError as error:
            self.logger.warning("%d maps were not delivered: %s", undelivered(self.unsent, error), error)
        finally:
            self.close()

    def connect(self) -> None:
        """Open the session, unless it is open.

        Raises:
            TransportError, ChannelTimeout: the server could not be reached.
            HTTPStatusError: it refused; MapsRefused where maps went with the request.
            ChannelError: it said something unexpected.
        """
        self._reach("open", False)

    def messages(self) -> Iterator[Any]:
        """Return an iterator over what the server sends; the same as iterating over the channel.

        It opens the session when first asked, and goes on over as many back channels and sessions as it
        takes; see :meth:`gaechannel.Client.messages` for what it mends and what it raises.
        """
        return self._messages("messages")

    def flush(self, timeout: float | None = None) -> None:
        """Wait until the server has all maps.

        Args:
            timeout: seconds to wait at most; None: as long as it takes.

        Raises:
            ChannelTimeout: the time is up; the maps stay queued.
            MapsRefused: the server refused some; the others stay queued.
            ChannelError: as :meth:`messages`.
        """
        if not self._flush(seconds_to_wait(timeout)):
            raise ChannelTimeout(f"{self.unsent} maps were not confirmed within {timeout} seconds")


class BrowserChannel(_TwoWay):
    """A session with a BrowserChannel server (Closure's ``goog.net.BrowserChannel``), such as
    node-browserchannel::

        with BrowserChannel("https://example.org/channel") as channel:
            channel.send({"x": "3", "y": "10"})
            for data in channel:
                print(data)

    Iterating yields each array's data as Python objects. Maps sent before the session is open go with its
    opening request. A map is sent while somebody iterates or flushes, and, where that takes no waiting, at
    once.

    Args:
        url: the channel's address; requests go to ``{url}/bind``.
        params: more parameters for every request's query.
        open_form: more form fields for the opening request's body, as YouTube's Lounge wants for pairing.
        replaces: (SID, AID) of a session that this one replaces (``OSID`` and ``OAID``).
        logger: where log records go; None: the logger ``Channel``.

    All others are :class:`gaechannel.ChannelOptions`'.

    A host prefix in the server's opening reply is for browsers' connection limits, and not used here.
    """

    def __init__(
        self,
        url: str,
        *,
        params: Params | None = None,
        open_form: Params | None = None,
        replaces: tuple[str, int] | None = None,
        logger: logging.Logger | None = None,
        timeout: float | None = None,
        request_timeout: float = 30.0,
        connect_timeout: float = 10.0,
        auto_reconnect: bool = True,
        max_reconnects: int | None = None,
        max_backoff: float = 32.0,
        buffered: Buffered = "auto",
        headers: Headers | None = None,
        user_agent: str | None = None,
        proxy: str | None = None,
        verify: Verify = True,
        cert: Certificate | None = None,
        http2: bool = True,
        max_chunk_size: int = 16 * 1024 * 1024,
        queue_limit: int | None = None,
    ) -> None:
        super().__init__(**browser_channel_arguments(**given(locals(), but="replaces")))
        if replaces is not None:
            self._osid, self._oaid = replaces[0], str(replaces[1])

    def send(self, map: Mapping[str, object]) -> int:
        """Queue a map; values that are not str are sent as JSON.

        Returns:
            The map's id: 0 for the first, and so on.
        """
        return self._send(map_fields(map))

    def send_json(self, obj: object) -> int:
        """Queue an object as node-browserchannel's ``JSON`` map; return the map's id."""
        return self._send([("JSON", dumps(obj, "the object"))])


class WebChannel(_TwoWay):
    """A session with a WebChannel server (Closure's ``goog.labs.net.webChannel``), such as Firestore's::

        with WebChannel("https://example.org/Listen/channel", params={"database": "…"}) as channel:
            channel.send({"addTarget": …})
            for message in channel:
                print(message)

    Iterating yields each message's object; an error object raises :class:`gaechannel.WebChannelError`, after
    which the iteration may go on.

    Args:
        url: the channel's address, to which all requests go.
        params: more parameters for every request's query.
        init_headers: headers that travel in the opening request's body, such as Authorization, as browsers
            do it
            to avoid a preflight request.
        fast_handshake: open session and back channel in one request.
        logger: where log records go; None: the logger ``Channel``.

    All others are :class:`gaechannel.ChannelOptions`'.
    """

    @staticmethod
    def _maps_given(lines: str) -> list[tuple[int, Any]]:
        return messages_given(lines)

    def __init__(
        self,
        url: str,
        *,
        params: Params | None = None,
        init_headers: Mapping[str, str] | None = None,
        fast_handshake: bool = False,
        logger: logging.Logger | None = None,
        timeout: float | None = None,
        request_timeout: float = 30.0,
        connect_timeout: float = 10.0,
        auto_reconnect: bool = True,
        max_reconnects: int | None = None,
        max_backoff: float = 32.0,
        buffered: Buffered = "auto",
        headers: Headers | None = None,
        user_agent: str | None = None,
        proxy: str | None = None,
        verify: Verify = True,
        cert: Certificate | None = None,
        http2: bool = True,
        max_chunk_size: int = 16 * 1024 * 1024,
        queue_limit: int | None = None,
    ) -> None:
        super().__init__(**web_channel_arguments(**given(locals())))

    def send(self, message: object) -> int:
        """Queue a message, anything that can be JSON; return its map's id."""
        return self._send([("__data__", dumps(message, "the message"), True)])
