"""A session of the talk dialect: it hears its client id's messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .channels import Channels
from .framing import encode_string
from .session import Session, SessionContext
from .store import KeptSession
from .tokens import TokenSigner

#: The map with which a session begins to listen.
CONNECT = '["connect-add-client"]'


class TalkSession(Session):
    """A session of the talk dialect: it hears messages once it has said ``connect-add-client``.

    Args:
        context: the service.
        sid: the session's id.
        clid: the id that the page ``/d`` gave to this client; it comes back in every message.
        client_id: the id that the application gave to ``create_channel``.
        channels: where it listens.
        tokens: reads the token of each request.
        **more: see :class:`Session`.
    """

    __slots__ = ("_channels", "_tokens", "clid", "client_id", "connected", "prefix")

    def __init__(
        self,
        context: SessionContext,
        sid: str,
        *,
        clid: str,
        client_id: str,
        channels: Channels,
        tokens: TokenSigner,
        **more: Any,
    ) -> None:
        super().__init__(context, sid, **more)
        self.clid: str = clid
        self.client_id: str = client_id
        #: Whether ``connect-add-client`` has come.
        self.connected: bool = False
        self._channels = channels
        channels.count_session(client_id, 1)
        self._tokens = tokens
        #: What stands before a message's literal in an array's data.
        self.prefix: bytes = b'["c",[%b,["ae",' % encode_string(clid)

    def hear(self, message: str, literal: bytes) -> None:
        self.push(b"%b%b]]]" % (self.prefix, literal))

    def facts(self) -> dict[str, Any]:
        return {**super().facts(), "clid": self.clid, "client_id": self.client_id}

    def restore(self, kept: KeptSession) -> None:
        super().restore(kept)
        self.connected = kept.connected
        if self.connected:
            self._channels.add_listener(self.client_id, self, restored=True)
        if self.ended:
            self._channels.count_session(self.client_id, -1)

    def keep_mark(self) -> None:
        self._context.store.mark(
            self.sid, connected=self.connected and not self.ended, stopped=self._stopped, ended=self.ended
        )

    def belongs(self, params: Mapping[str, str]) -> bool:
        return self._tokens.read(params.get("token")).client_id == self.client_id

    def deliver(self, maps: Iterable[dict[str, str]]) -> None:
        maps = list(maps)
        if not self.connected and not self.ended and any(one.get("m") == CONNECT for one in maps):
            self.connected = True
            self.keep_mark()
            self._channels.add_listener(self.client_id, self)
        super().deliver(maps)

    def closed(self, reason: str) -> None:
        if self.connected:
            self._channels.remove_listener(self.client_id, self)
        self._channels.count_session(self.client_id, -1)
        super().closed(reason)
