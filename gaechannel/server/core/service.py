"""The channel service: what ``google.appengine.api.channel`` was to an application, without any HTTP.

``create_channel`` gives a token to a client id, ``send_message`` queues a text for whoever listens under it.
Limits and names of errors are App Engine's: a client id has at most 256 bytes of UTF-8, a message 32,767, a
token lives 120 minutes unless asked otherwise, from 1 minute to 24 hours.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Unpack

from gaechannel._checks import check_callable, check_count, check_takes, check_type

from .channels import Channel, Channels
from .checks import MAX_CLIENT_ID_BYTES, MAX_MESSAGE_BYTES, check_client_id, check_message, token_minutes
from .counters import Counters
from .dialect import TALK
from .errors import (
    Refusal,
    bad_request,
    too_many_sessions_of_a_token,
)
from .limits import LimitOptions
from .pollers import Pollers
from .presence import Callback, Presence
from .session import Session
from .sessions import Opening, SessionService
from .store import Kept, KeptSession, Store
from .store_traffic import StoreTraffic
from .talk_session import TalkSession
from .tokens import TOKEN_PREFIX, Token, TokenSigner

logger: logging.Logger = logging.getLogger("gaechannel.server")


class ServiceOptions(LimitOptions, total=False):
    """The keyword arguments of :class:`ChannelService`; see there."""

    key: bytes | None
    counters: Counters | None
    store: Store | None
    clock: Callable[[], float]
    monotonic: Callable[[], float]
    on_connected: Callback | None
    on_disconnected: Callback | None
    presence_url: str | None
    hold: int


def _check_address(presence_url: str | None) -> None:
    """Raise TypeError or ValueError if it is no address of an application."""
    check_type("presence_url", presence_url, str | None, "a str or None")
    if presence_url is not None and not re.match(r"https?://[^/\s]", presence_url):
        raise ValueError("presence_url must begin with http:// or https:// and a host")


class ChannelService(SessionService):
    """Channels, tokens, sessions, and the messages that are not acknowledged yet.

    ``create_channel`` and ``send_message`` may be called from any thread.

    Args:
        key: the secret that signs tokens, at least 16 bytes, so that they survive a restart; None: a new one.
            Without a ``store`` tokens alone do: what was held for a channel is gone, and until its listener
            is back or ``create_channel`` is called again, what is sent to it is dropped.
        store: keeps sessions, what they have not acknowledged, channels, what is held for them, and the
            secret that signs tokens where ``key`` gives none: a :class:`SqliteStore`, say, which other
            services of this process may share. None: nothing outlives the process.
        counters: counts what is refused; None: new ones.
        clock: seconds since 1970, for the tokens.
        monotonic: seconds on a clock that never goes back, for everything else.
        on_connected: called with the client id when its first listener has come; a plain callable (called on
            the server's event loop, it must not block) or a coroutine function.
        on_disconnected: the same when its last listener has gone.
        presence_url: base URL of an application that is told by POST, as App Engine did, at its
            ``/_ah/channel/connected/`` and ``/_ah/channel/disconnected/``, form field ``from``.
        hold: how many messages to a channel that was created and has no listener are kept for the first that
            comes; 0 drops them, as App Engine did.
        **limits: see :class:`~gaechannel.server.Limits`: ``keepalive=25.0`` s, ``backchannel_seconds=240.0``,
            ``backchannel_bytes=None``, ``session_timeout=60.0`` s, ``max_sessions=100_000``,
            ``max_sessions_per_token=10_000``, ``max_body=1_048_576`` bytes, ``max_fields=10_000``,
            ``body_seconds=20.0``, ``max_queued=268_435_456`` bytes, ``max_unacknowledged=67_108_864`` bytes,
            ``host_prefix=None``.

    Raises:
        ValueError: a limit or the key makes no sense.
    """

    #: Whether it has the development server's dialect.
    serves_polls: bool = True
    #: What its sessions are.
    session_class: type[TalkSession] = TalkSession

    def __init__(
        self,
        *,
        key: bytes | None = None,
        counters: Counters | None = None,
        store: Store | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        on_connected: Callback | None = None,
        on_disconnected: Callback | None = None,
        presence_url: str | None = None,
        hold: int = 100,
        **limits: Unpack[LimitOptions],
    ) -> None:
        super().__init__(TALK, monotonic=monotonic, counters=counters, store=store, **limits)
        check_count("hold", hold, least=0)
        check_type("key", key, bytes | None, "bytes or None")
        check_callable("clock", clock, or_none=False)
        for told, function in (("on_connected", on_connected), ("on_disconnected", on_disconnected)):
            check_callable(told, function)
            check_takes(told, function, "client_id")
        _check_address(presence_url)
        #: Where the application is told of clients by POST; None: nowhere.
        self.presence_url = presence_url
        self.presence: Presence = Presence(on_connected, on_disconnected, posts=presence_url is not None)
        #: Who listens, by client id.
        self.channels: Channels = Channels(self.lock, clock, hold, self.presence, self.store)
        #: The clients of the development server's dialect.
        self.pollers: Pollers = Pollers(self.channels, self.limits, monotonic, self.store)
        self._clock = clock
        self._tokens = TokenSigner(key, clock)
        self._key_given = key is not None
        self._keeps = self.store.keeps

    # google.appengine.api.channel

    @property
    def is_cut_off(self) -> bool:
        """Whether clients had better go to another server that shares the channels."""
        return False

    def create_channel(self, client_id: str, duration_minutes: int | None = None) -> str:
        """A token with which a client can listen to what is sent to ``client_id``.

        Args:
            client_id: any string of 1 to 256 bytes of UTF-8.
            duration_minutes: how long the token lives, 1 to 1440 minutes; None: 120.

        Raises:
            InvalidChannelClientIdError: the client id is not such a string.
            InvalidChannelTokenDurationError: the lifetime is not such a number.
        """
        self._may_take_on()
        token, expires = self._new_token(client_id, duration_minutes)
        self.channels.create(client_id, expires)
        return token

    def _new_token(self, client_id: str, duration_minutes: int | None) -> tuple[str, float]:
        """A token, and when it ends."""
        check_client_id(client_id)
        minutes = token_minutes(duration_minutes)
        return self._tokens.issue(client_id, minutes * 60), self._clock() + minutes * 60

    def send_message(self, client_id: str, message: str) -> None:
        """Send a text to all who listen. That nobody does is no error.

        Args:
            client_id: what ``create_channel`` was given, or a token that it returned.
            message: a string of at most 32,767 bytes of UTF-8.

        Raises:
            InvalidChannelClientIdError: the client id is not a string of 1 to 256 bytes.
            InvalidMessageError: the message is not such a string.
        """
        if type(message) is not str or len(message) * 4 > MAX_MESSAGE_BYTES:
            check_message(message)
        if self._keeps:
            self._may_take_on()
        channel = self.channels.find(client_id) if self._loaded and type(client_id) is str else None
        if channel is None:
            channel = self._find_channel(client_id)
        self._send(channel, message)

    async def create(self, client_id: str, duration_minutes: int | None = None) -> str:
        """As :meth:`create_channel`, and committed."""
        token = self.create_channel(client_id, duration_minutes)
        await self.commit()
        return token

    async def send(self, client_id: str, message: str) -> bool:
        """As :meth:`send_message`, and committed. Returns whether there is such a channel."""
        return not await self.send_many([(client_id, message)])

    async def send_many(self, messages: Sequence[tuple[str, str]], key: str | None = None) -> list[int]:
        """Send client ids' messages in this order, none where one of them is refused, and commit.

        Args:
            messages: client ids (or tokens) and messages.
            key: what names this sending where it is asked for again at another node.

        Returns:
            The places of those to no channel.

        Raises:
            Error: as ``send_message``.
        """
        if self._keeps:
            self._may_take_on()
        found = []
        for client_id, message in messages:
            check_message(message)
            found.append(self._find_channel(client_id))
        for channel, (_, message) in zip(found, messages, strict=True):
            self._send(channel, message)
        await self.commit()
        return [at for at, channel in enumerate(found) if channel is None]

    def _send(self, channel: Channel | None, message: str) -> None:
        if channel is not None:
            self.channels.send(channel, message)
        else:
            with self.lock:
                self.traffic.dropped += 1

    async def present(self) -> list[str]:
        """The client ids under which somebody listens."""
        return self.channels.present()

    @property
    def session_count(self) -> int:
        """How many sessions there are, as of some seconds ago where other nodes have some of them."""
        return len(self)

    @property
    def channel_count(self) -> int:
        """The same of channels."""
        return len(self.channels)

    @property
    def store_traffic(self) -> StoreTraffic | None:
        """What a node has had to do with the store that it shares; None: it shares none."""
        return None

    # Beyond it.

    def has_channel(self, client_id: str) -> bool:
        """Whether there is a channel of this client id (or token): one was created, or somebody listens. What
        is sent to another is dropped. A server that was started anew knows none, be its ``key`` the same."""
        return self._find_channel(client_id) is not None

    def is_connected(self, client_id: str) -> bool:
        """Whether somebody listens under this client id (or token)."""
        channel = self._find_channel(client_id)
        return channel is not None and bool(channel.listeners)

    def outstanding(self, client_id: str) -> int:
        """Bytes that the sessions of this client id (or token) have not acknowledged, for a sender that must
        not run ahead of ``max_unacknowledged``."""
        channel = self._find_channel(client_id)
        with self.lock:
            listeners = [] if channel is None else list(channel.listeners)
        return sum(one.outstanding for one in listeners if isinstance(one, Session))

    def read_token(self, token: str | None) -> Token:
        """What a token says.

        Raises:
            Refusal: 400 where it is missing, 401 where it is forged or has expired.
        """
        return self._tokens.read(token)

    # The talk dialect's part of SessionService.

    def check(self, params: Mapping[str, str]) -> None:
        self.read_token(params.get("token"))

    def admit(self, params: Mapping[str, str]) -> None:
        super().admit(params)
        client_id = self.read_token(params.get("token")).client_id
        count = self.channels.sessions_of(client_id) - (self._replaced(params) is not None)
        if count >= self.limits.max_sessions_per_token:
            raise too_many_sessions_of_a_token()

    def _named(self, params: Mapping[str, str]) -> tuple[str, str]:
        """The clid and the client id of who opens a session."""
        clid = params.get("clid")
        if not clid or len(clid) > MAX_CLIENT_ID_BYTES:
            raise bad_request("clid is missing or too long")
        return clid, self.read_token(params.get("token")).client_id

    def make_session(self, sid: str, opening: Opening, **more: Any) -> TalkSession:
        clid, client_id = self._named(opening.params)
        return self.session_class(
            self,
            sid,
            clid=clid,
            client_id=client_id,
            channels=self.channels,
            tokens=self._tokens,
            params=opening.params,
            form=opening.form,
            headers=opening.headers,
            **more,
        )

    def look_up(self, params: Mapping[str, str]) -> Session | None:
        session = super().look_up(params)
        if session is None and params.get("SID") == "ae":
            # The module of 2011 takes the word that stands before a message's text for its SID from then on.
            channel = self.channels.find(self.read_token(params.get("token")).client_id)
            talking = [] if channel is None else [x for x in channel.listeners if isinstance(x, TalkSession)]
            return next((x for x in reversed(talking) if x.clid == params.get("clid")), None)
        return session

    def sweeping(self) -> Iterator[None]:
        self.pollers.sweep()
        yield from self.channels.sweeping()
        yield from super().sweeping()

    def find(self, params: Mapping[str, str]) -> Session:
        session = super().find(params)
        if session.restored and isinstance(session, TalkSession) and session.connected and not session.ended:
            self.channels.heard(session.client_id)
        return session

    def restore(self, kept: Kept) -> None:
        if not self._key_given:
            if kept.key is None:
                self.store.use_key(self._tokens.key)
            else:
                self._tokens.key = kept.key
        self.channels.restore(kept)
        super().restore(kept)
        self.pollers.restore(kept)
        self.channels.restored(told=kept.told)

    def restored_session(self, kept: KeptSession) -> TalkSession:
        return self.session_again(kept.sid, kept.facts)

    def session_again(self, sid: str, facts: Mapping[str, Any]) -> TalkSession:
        """A session that was made before, of what its :meth:`Session.facts` were."""
        return self.session_class(self, sid, channels=self.channels, tokens=self._tokens, **facts)

    def hand_over(self, *, tell: bool = True) -> None:
        super().hand_over(tell=tell)
        self.pollers.hand_over()
        self.channels.hand_over(tell=tell)

    @property
    def waiting(self) -> int:
        return super().waiting + self.pollers.waiting + self.channels.held

    def forget(self) -> None:
        super().forget()
        self.pollers.forget()

    def _client_of(self, client_id: str) -> str:
        """The client id that an application means: itself, or a token's."""
        if type(client_id) is str and client_id.startswith(TOKEN_PREFIX):
            try:
                return self._tokens.read(client_id, expired=True).client_id
            except Refusal:
                pass  # a client id may look like a token
        check_client_id(client_id)
        return client_id

    def _may_take_on(self) -> None:
        self.load()
        self.store.check()

    def _find_channel(self, client_id: str) -> Channel | None:
        if not self._loaded:
            self.load()
        channel = self.channels.find(client_id) if type(client_id) is str else None
        return self.channels.find(self._client_of(client_id)) if channel is None else channel
