"""What all channels share."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Generic, NamedTuple, Self, TypeVar

from gaechannel import _core
from gaechannel._options import batch_size, seconds_to_wait
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


#: What a channel's messages are.
Message = TypeVar("Message")


class Channel(_core.Channel, Generic[Message]):
    """What every channel has, for asyncio or not."""

    def __repr__(self) -> str:
        # Without secrets; of a channel that a forked child has from its parent, too.
        module = type(self).__module__
        name = f"{module}.{type(self).__name__}" if module == "gaechannel.aio" else type(self).__name__
        try:
            state = "closed" if self.closed else "open" if self.sid else "new"
            return f"<{name} of {self._redact(self._url or '')}, {state}>"
        except (ChannelError, RuntimeError):
            return f"<{name} of another process, or not initialized>"

    def __dir__(self) -> list[str]:
        # What is for programs to use; private names can be reached all the same.
        return [name for name in super().__dir__() if not name.startswith("_")]

    def _obey_overrides(self) -> None:
        """Look which methods a subclass has replaced, before the channel is driven; see TalkChannel."""

    @property
    def stats(self) -> Stats:
        """What was counted so far."""
        counts = self._stats()
        last = counts[-1]
        return Stats(*counts[:-1], None if last < 0 else last)


class SyncChannel(Channel[Message]):
    """What every channel has that is used without asyncio."""

    if TYPE_CHECKING:

        def __iter__(self) -> Iterator[Message]: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def recv(self, timeout: float | None = None) -> Message:
        """Return the next message; the session is opened if it is not open.

        Args:
            timeout: seconds to wait at most; 0: only look what is there, and let the channel do what it can
                without waiting; None: as long as it takes.

        Raises:
            ChannelTimeout: no message came in that time. Nothing is lost by it: the next call, or an
                iterator, goes on where this one stopped.
            ChannelClosed: the channel was closed, or the session has ended.
            ChannelError: as iterating raises it.
            TypeError, ValueError: ``timeout`` is no number of seconds.
        """
        self._obey_overrides()
        message: Message = self._recv(seconds_to_wait(timeout))
        return message

    def batches(self, max_size: int | None = None) -> Iterator[list[Message]]:
        """Return an iterator over lists of messages: each is what is there when it is asked for, at least
        one.

        Args:
            max_size: how many messages a list may hold; None: all that are there, which ``queue_limit``
                bounds.

        Raises:
            ChannelError: as :meth:`messages`; what came before is handed out first.
            TypeError, ValueError: ``max_size`` is no number of messages.
        """
        self._obey_overrides()
        return self._messages("batches", batch_size(max_size))
