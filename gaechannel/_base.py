"""What all channels share."""

import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Self, TypeVar

from gaechannel import _core
from gaechannel._checks import check_type
from gaechannel._hooks import (
    ON_STATE_WAITS,
    Asking,
    Hooks,
    Params,
    encode_form,
    is_asked_by,
    read_cookies,
    refuse_awaitable,
    refuse_waiting,
    store_cookies,
)
from gaechannel._options import Given, Headers, State, batch_size, is_jar, seconds_to_wait
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

    # The callables that the channel asks and tells; None where there are none.
    _hooks: Hooks | None = None

    def __init__(self, *, hooks: Hooks | None = None, **arguments: Any) -> None:
        super().__init__(**arguments)
        if hooks is not None:
            self._hooks = hooks
            hooks.attach(self)

    def __repr__(self) -> str:
        # Without secrets; of a channel that a forked child has from its parent, too.
        module = type(self).__module__
        name = f"{module}.{type(self).__name__}" if module == "gaechannel.aio" else type(self).__name__
        try:
            state = "closed" if self.closed else "open" if self.sid else "new"
            return f"<{name} of {self._redact(self._url or '')}, {state}>"
        except (ChannelError, RuntimeError):
            return f"<{name} of another process, or not initialized>"

    def _repr_html_(self) -> str:
        from gaechannel._html import channel_html  # only where somebody looks

        return channel_html(self)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        # What Jupyter asks for first; it takes of it what it can show.
        return {"text/plain": repr(self), "text/html": self._repr_html_()}

    def __dir__(self) -> list[str]:
        # What is for programs to use; private names can be reached all the same.
        return [name for name in super().__dir__() if not name.startswith("_")]

    def _obey_overrides(self) -> None:
        """Look which methods a subclass has replaced, before the channel is driven; see TalkChannel."""

    # ---- What was given, and may be changed ----

    def _get_given(self, name: str) -> Any:
        return self._hooks.given.get(name) if self._hooks is not None else None

    def _set_given(self, name: str, value: Any) -> None:
        hooks = self._hooks if self._hooks is not None else Hooks({})
        hooks.set(self, name, value)
        self._hooks = hooks

    @property
    def headers(self) -> Given[Headers] | None:
        """More headers, as they were given. Others may be set: a mapping or pairs go with the requests from
        now on, a callable is asked before each session from now on.
        """
        headers: Given[Headers] | None = self._get_given("headers")
        return headers

    @headers.setter
    def headers(self, headers: Given[Headers] | None) -> None:
        self._set_given("headers", headers)

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies by their names, as they go with the next request: those that were given, and those that
        servers have set. To change it changes nothing.
        """
        return read_cookies(self._cookies())

    def _store_cookies(self, lines: str) -> None:
        if self._hooks is not None and is_jar(self._hooks.cookies):
            store_cookies(self._hooks.cookies, lines)

    def _send(self, pairs: list[Any], /) -> int:
        # What is sent by who is asked about the next session belongs to that.
        return super()._send_first(pairs) if is_asked_by(self) else super()._send(pairs)

    # Whether the dialect's request that ends a session may have a form.
    _ends_with_form = True

    def _take_close_form(self, form: Params | None) -> None:
        if form is not None and not self._ends_with_form:
            raise TypeError("form: the development server's dialect knows none")
        if form is not None:
            check_type("form", form, Mapping, "a mapping of strings")
            self._close_form = encode_form("form", form).text

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

    def close(self, form: Params | None = None) -> None:
        """End the channel, from any thread or a signal handler: a waiting ``next()`` ends within 100 ms with
        the end of iteration, connections are closed, and, where the dialect can, the server is told. May be
        called twice. Messages that were received and not taken are dropped.

        Args:
            form: fields for the request that ends the session, which then is a POST: YouTube's Lounge wants
                to know why. The development server's dialect knows none.

        Raises:
            TypeError: ``form`` is no mapping of strings.
        """
        self._take_close_form(form)
        super().close()

    # ---- What the C core asks, and tells ----

    def _prepare_session(self) -> None:
        if self._hooks is not None:
            self._answer(self._hooks.prepare(self))

    def _renew_headers(self) -> None:
        if self._hooks is not None:
            self._answer(self._hooks.renew_headers(self))

    def _answer(self, steps: Any) -> None:
        asking = Asking(self, steps)
        more, answer = asking.next()
        while more:
            refuse_awaitable(asking.name, answer)
            more, answer = asking.next(answer)

    def _tell_state(self, state: State) -> None:
        if self._hooks is None or self._hooks.on_state is None:
            return
        here = threading.get_ident()
        tellers = self._hooks.tellers
        tellers.append(here)
        try:
            refuse_awaitable("on_state", self._hooks.on_state(self, state))
        finally:
            tellers.remove(here)

    def _refuse_waiting(self) -> None:
        """Raise ChannelError where a callable of the channel's own would wait for it."""
        refuse_waiting(self)
        if self._hooks is not None and threading.get_ident() in self._hooks.tellers:
            raise ChannelError(ON_STATE_WAITS)

    def recv(self, timeout: float | None = None) -> Message:
        """Return the next message; the session is opened if it is not open.

        Args:
            timeout: seconds to wait at most; 0: only look what is there, and let the channel do what it can
                without waiting; None: as long as it takes.

        Raises:
            ChannelTimeout: no message came in that time; its cause is the last failure, if the channel is not
                open. Nothing is lost by it: the next call, or an iterator, goes on where this one stopped.
            ChannelClosed: the channel was closed, or the session has ended.
            ChannelError: as iterating raises it.
            TypeError, ValueError: ``timeout`` is no number of seconds, or negative.
        """
        self._obey_overrides()
        message: Message = self._recv(seconds_to_wait(timeout))
        return message

    def batches(self, max_size: int | None = None) -> Iterator[list[Message]]:
        """Return an iterator over lists of messages: each is what is there when it is asked for, at least
        one. For what is done once for many messages; to take them is hardly quicker than one by one.

        Args:
            max_size: how many messages a list may hold; None: all that are there, which ``queue_limit``
                bounds. Objects, of which hundreds of kB of JSON are made into one list, take several times
                as long as one by one, for the processor's cache and Python's garbage collector: bound those.

        Raises:
            ChannelError: as :meth:`messages`; what came before is handed out first.
            TypeError, ValueError: ``max_size`` is no number of messages.
        """
        self._obey_overrides()
        return self._messages("batches", batch_size(max_size))


class OpenedWith(Channel[Any]):
    """What a two-way channel's sessions are opened with."""

    @property
    def params(self) -> Given[Params] | None:
        """More parameters of every query, as they were given; to be set as ``headers``."""
        params: Given[Params] | None = self._get_given("params")
        return params

    @params.setter
    def params(self, params: Given[Params] | None) -> None:
        self._set_given("params", params)

    @property
    def open_form(self) -> Given[Params] | None:
        """More form fields of the opening request, as they were given; to be set as ``headers``."""
        form: Given[Params] | None = self._get_given("open_form")
        return form

    @open_form.setter
    def open_form(self, form: Given[Params] | None) -> None:
        self._set_given("open_form", form)


class WebOpenedWith(OpenedWith):
    """What a WebChannel's sessions are opened with."""

    @property
    def init_headers(self) -> Given[Params] | None:
        """Headers that travel in the opening request's body, as they were given; to be set as ``headers``."""
        headers: Given[Params] | None = self._get_given("init_headers")
        return headers

    @init_headers.setter
    def init_headers(self, headers: Given[Params] | None) -> None:
        self._set_given("init_headers", headers)
