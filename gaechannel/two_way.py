"""The living dialects: BrowserChannel and WebChannel, which send, too."""

import contextlib
import json
import logging
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

from gaechannel import _core
from gaechannel._arguments import (
    browser_channel_arguments,
    check_message_key,
    given,
    web_channel_arguments,
)
from gaechannel._base import OpenedWith, SyncChannel, WebOpenedWith
from gaechannel._checks import check_flag, check_type
from gaechannel._hooks import OnSession, Params
from gaechannel._options import (
    Buffered,
    Certificate,
    Cookies,
    Given,
    Headers,
    OnState,
    Verify,
    seconds_to_wait,
)
from gaechannel.dev import DevClient
from gaechannel.errors import ChannelError, ChannelTimeout, MapsRefused, SendQueueFull

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


def _value_given(value: str) -> Any:
    """A field's value as it was given, from ``_core``'s: behind an S what was a str, behind a J its JSON."""
    if value[0] == "J":
        with contextlib.suppress(ValueError):  # JSON text of somebody's own, which may be anything
            return json.loads(value[1:])
    return value[1:]


def maps_given(lines: str, message_key: str | None) -> list[tuple[int, Any]]:
    """Maps as they were given, with their ids: from ``_core``'s lines.

    Args:
        lines: a line each.
        message_key: where the maps hold one message each, its key; other maps come as they are.
    """
    maps: list[tuple[int, Any]] = []
    for line in lines.splitlines():
        number, _, form = line.partition(" ")
        pairs = parse_qsl(form, keep_blank_values=True)
        is_message = len(pairs) == 1 and pairs[0][0] == message_key and pairs[0][1][0] == "J"
        fields = {key: _value_given(value) for key, value in pairs}
        maps.append((int(number), fields[pairs[0][0]] if is_message else fields))
    return maps


def raw_text(text: str | bytes) -> str:
    """JSON text that is made already.

    Raises:
        TypeError, ValueError: it is no text. Whether it is JSON is not looked at.
    """
    check_type("text", text, str | bytes, "JSON text, a str or bytes")
    try:
        made = text.decode() if isinstance(text, bytes) else text
        made.encode()
    except UnicodeError:
        raise ValueError("text must be UTF-8, without surrogates") from None
    return made


def field_bytes(fields: list[Field]) -> int:
    """What of a map counts for ``max_unsent``."""
    return sum(len(field[0].encode()) + len(field[1].encode()) for field in fields)


def queue_full(channel: _core.Channel, number: int) -> SendQueueFull:
    """Why ``_core.Channel._send`` returned that number."""
    if number == -1:
        return SendQueueFull(
            f"max_unsent is reached: {channel.unsent} maps wait for the server to confirm them"
        )
    return SendQueueFull("the map is larger than max_unsent")


def not_open(channel: _core.Channel, timeout: float | None) -> ChannelTimeout:
    """A session that did not open in time, with what went wrong last."""
    return _late(f"the session was not open within {timeout} seconds", channel.last_error)


def not_confirmed(
    channel: _core.Channel, timeout: float | None, cause: BaseException | None
) -> ChannelTimeout:
    """Maps that were not confirmed in time, with what kept them."""
    return _late(f"{channel.unsent} maps were not confirmed within {timeout} seconds", cause)


def why_unsent(channel: _core.Channel, before: BaseException | None) -> BaseException | None:
    """What keeps maps from being confirmed: the last failure, unless it is the one before and was mended."""
    last = channel.last_error
    return last if last is not before or channel.state != "open" else None


def _late(text: str, cause: BaseException | None) -> ChannelTimeout:
    return ChannelTimeout(text if cause is None else f"{text}: {cause}")


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


class Maps(OpenedWith):
    """What two-way channels have, for asyncio or not, of the maps that they send."""

    # The key of a map that holds a message; and whether messages are what the channel's send() takes.
    _message_key = ""
    _sends_messages = False

    def _maps_given(self, lines: str) -> list[tuple[int, Any]]:
        return maps_given(lines, self._message_key if self._sends_messages else None)

    def pending(self) -> list[tuple[int, Any]]:
        """Return the maps that the server has not confirmed, oldest first: (id, map), each map as it was
        given to ``send``.

        Some of them may be on their way, or have been carried out.
        """
        return self._maps_given(self._pending())

    def drop_unsent(self) -> list[tuple[int, Any]]:
        """Take the maps that the server has not confirmed off the queue, and return them as :meth:`pending`
        does.

        What a request of the present session holds, or has held, cannot be called back: it may have been
        carried out, or may yet be, since the server waits for the next map by its number. All others are
        never sent.
        """
        return self._maps_given(self._drop_unsent())


class _TwoWay(SyncChannel[Any], Maps):
    """What BrowserChannel and WebChannel share."""

    def _queue(self, fields: list[Field]) -> int:
        number = self._send(fields)
        if number < 0:
            raise queue_full(self, number)
        return number

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

    def connect(self, timeout: float | None = None, *, retry: bool = True) -> None:
        """Open the session, unless it is open. What came with the opening reply is there to
        ``recv(timeout=0)``.

        Args:
            timeout: seconds to wait at most; None: as long as it takes.
            retry: whether a first connection that fails is tried again, after a backoff and as often as
                ``max_reconnects`` says, or raised at once. Where ``auto_reconnect`` is off, it is raised.

        Raises:
            ChannelTimeout: the time is up, with the last failure as its ``__cause__``. The next try goes on
                where this one stopped.
            TransportError: the server could not be reached.
            HTTPStatusError: it refused; MapsRefused where maps went with the request.
            ChannelError: it said something unexpected.
            TypeError, ValueError: an argument makes no sense.
        """
        seconds = seconds_to_wait(timeout)
        self._set_opening_retry(check_flag("retry", retry))
        if not self._reach("open", False, seconds):
            raise not_open(self, timeout) from self.last_error

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
            ChannelTimeout: the time is up, with what failed meanwhile as its ``__cause__``; the maps stay
                queued.
            MapsRefused: the server refused some; the others stay queued.
            ChannelError: as :meth:`messages`.
        """
        before = self.last_error
        if not self._flush(seconds_to_wait(timeout)):
            cause = why_unsent(self, before)
            raise not_confirmed(self, timeout, cause) from cause


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
        url: the channel's address; requests go to ``{url}{bind_path}``.
        params: more parameters for every request's query; or a callable that returns them, asked before each
            session.
        open_form: more form fields for the opening request's body, as YouTube's Lounge wants for pairing;
            or a callable, as ``params``.
        replaces: (SID, AID) of a session that this one replaces (``OSID`` and ``OAID``).
        message_key: the key under which :meth:`send_json` and :meth:`send_raw` send.
        bind_path: what follows the URL in all requests.
        raw: True: messages are ``bytes`` of JSON text, each array's data as it stands in the response, for a
            parser of your own; nothing is checked but the framing and where an array ends.
        on_session: a callable that is asked before each session opens, the first included, in the thread or
            event loop that waits for the channel: ``on_session(channel, session)``. What it sends belongs to
            that session and goes first in the opening request, before maps that are left over; it may set
            ``channel.params``, ``channel.headers``, ``channel.open_form`` and, of a
            WebChannel, ``channel.init_headers``. What it raises comes out of the iteration,
            and the next try asks it again; so does one after an opening that failed for good, in place of
            what it sent before. It must not wait for the channel itself. See :class:`gaechannel.Session`.
        new_sessions: whether a session that the server has lost is replaced by a new one; if not,
            :class:`gaechannel.SessionLost` is raised, once: the caller decides, and who goes on with the
            channel opens a new session, with the maps that are left. Broken connections are mended all the
            same.
        resend_unconfirmed: whether maps that a lost session had not confirmed go to the next one; they may
            have been carried out, and then are carried out twice. If not, those that were in a request of the
            lost session are in ``SessionLost.maps`` instead, and none go in a request that opens one.
        logger: where log records go; None: the logger ``Channel``.

    All others are :class:`gaechannel.ChannelOptions`'.

    A host prefix in the server's opening reply is for browsers' connection limits, and not used here.
    """

    def __init__(
        self,
        url: str,
        *,
        params: Given[Params] | None = None,
        open_form: Given[Params] | None = None,
        replaces: tuple[str, int] | None = None,
        message_key: str = "JSON",
        bind_path: str = "/bind",
        raw: bool = False,
        on_session: OnSession | None = None,
        new_sessions: bool = True,
        resend_unconfirmed: bool = True,
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
        self._message_key = check_message_key(message_key)
        super().__init__(**browser_channel_arguments(**given(locals(), "replaces", "message_key")))
        if replaces is not None:
            self._osid, self._oaid = replaces[0], str(replaces[1])

    def send(self, map: Mapping[str, object]) -> int:
        """Queue a map; values that are not str are sent as JSON.

        Returns:
            The map's id: 0 for the first, and so on.

        Raises:
            SendQueueFull: ``max_unsent`` is reached.
            TypeError, ValueError: it is no map, or a value cannot be JSON.
        """
        return self._queue(map_fields(map))

    def send_json(self, obj: object) -> int:
        """Queue an object as JSON under ``message_key``, as node-browserchannel takes it; return its map's
        id.

        Raises:
            SendQueueFull: as :meth:`send`.
            TypeError, ValueError: it cannot be JSON.
        """
        return self._queue([(self._message_key, dumps(obj, "the object"))])

    def send_raw(self, text: str | bytes) -> int:
        """The same with JSON text that is made already; whether it is JSON is not looked at."""
        return self._queue([(self._message_key, raw_text(text))])


class WebChannel(_TwoWay, WebOpenedWith):
    """A session with a WebChannel server (Closure's ``goog.labs.net.webChannel``), such as Firestore's::

        with WebChannel("https://example.org/Listen/channel", params={"database": "…"}) as channel:
            channel.send({"addTarget": …})
            for message in channel:
                print(message)

    Iterating yields each message's object; an error object raises :class:`gaechannel.WebChannelError`, after
    which the iteration may go on.

    Args:
        url: the channel's address; all requests go to ``{url}{bind_path}``.
        params: more parameters for every request's query; or a callable that returns them, asked before each
            session.
        open_form: more form fields for the opening request's body; or a callable, as ``params``.
        init_headers: headers that travel in the opening request's body, such as Authorization, as browsers
            do it to avoid a preflight request; or a callable, as ``params``.
        fast_handshake: open session and back channel in one request.
        message_key: the key of the maps that hold messages; Google Chat's is ``data``.
        bind_path: what follows the URL in all requests.
        unwrap: False: yield each array's data as it is, a list with one object in most cases, and errors,
            too.
        raw: True: messages are ``bytes`` of JSON text, each array's data as it stands in the response, errors
            included, for a parser of your own; nothing is checked but the framing and where an array ends.
        on_session: see :class:`BrowserChannel`.
        new_sessions: see :class:`BrowserChannel`.
        resend_unconfirmed: see :class:`BrowserChannel`.
        logger: where log records go; None: the logger ``Channel``.

    All others are :class:`gaechannel.ChannelOptions`'.
    """

    _sends_messages = True

    def __init__(
        self,
        url: str,
        *,
        params: Given[Params] | None = None,
        open_form: Given[Params] | None = None,
        init_headers: Given[Params] | None = None,
        fast_handshake: bool = False,
        message_key: str = "__data__",
        bind_path: str = "",
        unwrap: bool = True,
        raw: bool = False,
        on_session: OnSession | None = None,
        new_sessions: bool = True,
        resend_unconfirmed: bool = True,
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
        self._message_key = check_message_key(message_key)
        super().__init__(**web_channel_arguments(**given(locals(), "message_key")))

    def send(self, message: object) -> int:
        """Queue a message, anything that can be JSON; return its map's id.

        Raises:
            SendQueueFull: ``max_unsent`` is reached.
            TypeError, ValueError: it cannot be JSON.
        """
        return self._queue([(self._message_key, dumps(message, "the message"), True)])

    def send_raw(self, text: str | bytes) -> int:
        """The same with JSON text that is made already; whether it is JSON is not looked at."""
        return self._queue([(self._message_key, raw_text(text), True)])

    def send_map(self, fields: Mapping[str, object]) -> int:
        """Queue a map of any keys; values that are not str are sent as JSON. Else as :meth:`send`."""
        return self._queue(map_fields(fields))
