"""What a caller gives to be asked before a session opens, or to be told what becomes of it."""

import inspect
from collections.abc import Callable, Generator, Mapping
from contextvars import ContextVar
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import urlencode

from gaechannel._checks import check_callable, check_takes, check_type
from gaechannel._core import Channel
from gaechannel._options import (
    Cookies,
    Jar,
    OnState,
    check_header,
    cookie_arguments,
    header_arguments,
    is_credential,
    is_jar,
)
from gaechannel.errors import ChannelError, SessionLost

Params: TypeAlias = Mapping[str, str]


ON_STATE_WAITS = "on_state cannot wait for the channel that tells it; it may send, close, or recv(timeout=0)"


class Session(NamedTuple):
    """A session that is about to open.

    Attributes:
        number: 1 for the channel's first, and so on; the same again where an opening has failed.
        lost: why the last one ended, where the server had forgotten it; or None.
    """

    number: int
    lost: SessionLost | None


OnSession: TypeAlias = Callable[[Any, Session], Any]


class Encoded(NamedTuple):
    """What the C core takes for a mapping of a caller's.

    Attributes:
        text: the mapping, encoded; None for an empty one.
        secrets: what must not be seen of it.
        privates: what a server's body may say, but no log.
    """

    text: str | None
    secrets: list[str]
    privates: list[str]


def _pairs(name: str, mapping: object) -> dict[str, str]:
    """A mapping's items as strings."""
    check_type(name, mapping, Mapping, "a mapping of strings, or a callable that returns one")
    pairs = {}
    for key, value in mapping.items():  # type: ignore[attr-defined]
        check_type(f"each name in {name}", key, str, "a str")
        check_type(f"{name}[{key!r}]", value, str | int | float, "a str")
        pairs[key] = str(value)
    return pairs


def encode_params(name: str, params: Params | None) -> Encoded:
    """Parameters of a query. Their values are tokens and names of somebody's, most of them: a server that
    quotes them must not bring them into a log. Its body may show those that are no credentials: a link, say,
    that names the database.
    """
    pairs = _pairs(name, params or {})
    secrets = [value for key, value in pairs.items() if is_credential(key)]
    privates = [value for key, value in pairs.items() if not is_credential(key)]
    return Encoded(urlencode(pairs) or None, secrets, privates)


def encode_form(name: str, form: Params | None) -> Encoded:
    """A form's fields."""
    pairs = _pairs(name, form or {})
    return Encoded(urlencode(pairs) or None, list(pairs.values()), [])


def encode_init_headers(name: str, headers: Params | None) -> Encoded:
    """Headers that travel in the opening body."""
    check_type(name, headers or {}, Mapping, "a mapping of strings, or a callable that returns one")
    pairs = dict(headers or {})
    for key, value in pairs.items():
        check_header("initial header", key, value)
    secrets = [part for value in pairs.values() for part in {value, *value.split()}]
    return Encoded("".join(f"{key}:{value}\r\n" for key, value in pairs.items()) or None, secrets, [])


def _cookies_of_jar(jar: Jar, url: str) -> tuple[str | None, list[str]]:
    """The cookies that go to a URL as a ``Cookie`` header has them, and their values."""
    from urllib.request import Request  # whoever has a jar has imported it

    request = Request(f"{url}/")  # noqa: S310 - a channel's, which is http or https; nothing is opened
    jar.add_cookie_header(request)
    header = request.get_header("Cookie")
    return header, [part.partition("=")[2] for part in (header or "").split("; ")]


def store_cookies(jar: Jar, lines: str) -> None:
    """Give a jar what servers have set: a line each, of the URL, a tab, and the header's value."""
    from email.message import Message
    from urllib.request import Request

    class Response:
        def __init__(self, value: str) -> None:
            self._head = Message()
            self._head["Set-Cookie"] = value

        def info(self) -> Message:
            return self._head

    # A header's value may have in it what splitlines() takes for a line's end, and would take the rest for
    # another server's.
    for line in lines.split("\n")[:-1]:
        url, _, value = line.partition("\t")
        jar.extract_cookies(Response(value), Request(url))  # noqa: S310


def read_cookies(lines: str) -> dict[str, str]:
    """Cookies by their names, from ``_core``'s lines."""
    given, *lines_set, _ = lines.split("\n")
    cookies = dict(part.split("=", 1) for part in given.split("; ") if "=" in part)
    for line in lines_set:
        *_, name, value = line.split("\t")
        cookies[name] = value
    return cookies


# What may be asked for before each session, in this order; and how it is encoded, but for the headers.
_ENCODERS = {"params": encode_params, "open_form": encode_form, "init_headers": encode_init_headers}


class Opening:
    """Whoever is inside it is asked about a channel's next session."""

    __slots__ = ("channel",)

    def __init__(self, channel: object) -> None:
        self.channel: object = channel

    def enter(self) -> None:
        """From now on this task, or thread, runs as one who is asked."""
        _opening.set(self)

    def end(self) -> None:
        """Nobody is asked any more."""
        self.channel = None


_opening: ContextVar[Opening | None] = ContextVar("gaechannel_opening", default=None)


def is_asked_by(channel: object) -> bool:
    """Whether a callable of the channel's own is what runs, and the channel waits for it."""
    opening = _opening.get()
    return opening is not None and opening.channel is channel


class Hooks:
    """A channel's callables, and the mappings that they may replace.

    Attributes:
        given: what each of them was given as.
        on_session: asked before each session opens.
        on_state: told when the state has changed.
        tellers: the threads, or the tasks, in which that is running.
    """

    __slots__ = ("_lost", "_remembered", "cookies", "given", "on_session", "on_state", "tellers")

    def __init__(
        self,
        given: dict[str, Any],
        on_session: OnSession | None = None,
        on_state: OnState | None = None,
        cookies: Cookies | None = None,
    ) -> None:
        check_callable("on_session", on_session)
        check_takes("on_session", on_session, "channel", "session")
        for name, value in given.items():
            check_takes(name, value)
        self.given: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        self.on_session: OnSession | None = on_session
        self.on_state: OnState | None = on_state
        self.cookies: Cookies | None = cookies
        # Of each name, the secrets that came last and those before, which a server may still quote.
        self._remembered: dict[str, tuple[Encoded, Encoded]] = {}
        self._lost: tuple[int, SessionLost] | None = None
        self.tellers: list[Any] = []

    def are_any(self) -> bool:
        """Whether there is anything to ask, to tell, or to remember."""
        return (
            bool(self.given)
            or is_jar(self.cookies)
            or self.on_session is not None
            or self.on_state is not None
        )

    def attach(self, channel: Channel) -> None:
        """Tell the channel what is asked for."""
        asks = self.on_session is not None or any(map(callable, self.given.values()))
        jar = is_jar(self.cookies)
        channel._set_asks(asks or jar, callable(self.given.get("headers")), self.on_state is not None, jar)

    def set(self, channel: Channel, name: str, value: Any) -> None:
        """Set a mapping, for the requests from now on; or a callable, for the sessions from now on."""
        check_takes(name, value)
        if not callable(value):
            self._apply(channel, name, value)
        self.given[name] = value
        self.attach(channel)

    def _apply(self, channel: Channel, name: str, value: Any) -> None:
        if name == "headers":
            arguments, secrets = header_arguments(value)
            if is_jar(self.cookies):
                mine, more = _cookies_of_jar(self.cookies, channel._url or "")
                cookies = "; ".join(part for part in (arguments["cookies"], mine) if part) or None
            else:
                cookies, more = cookie_arguments(self.cookies, arguments["cookies"])
            # What servers have set is in the jar, too.
            channel._set_headers(arguments["headers"], cookies, is_jar(self.cookies))
            encoded = Encoded(None, secrets + more, [])
        else:
            encoded = _ENCODERS[name](name, value)
            setattr(channel, f"_{name}", encoded.text)
        before = self._remembered.get(name, (Encoded(None, [], []),))[0]
        self._remembered[name] = (encoded, before)
        all_encoded = [one for two in self._remembered.values() for one in two]
        channel._set_secrets(
            [secret for one in all_encoded for secret in one.secrets],
            [private for one in all_encoded for private in one.privates],
        )

    def _session(self, channel: Channel) -> Session:
        number = channel._stats()[5] + 1
        last = channel.last_error
        if isinstance(last, SessionLost):
            self._lost = (number, last)
        lost = self._lost[1] if self._lost is not None and self._lost[0] == number else None
        return Session(number, lost)

    def prepare(self, channel: Channel) -> Generator[tuple[str, Any], Any, None]:
        """Ask all that is to be asked before a session opens; yields who answered, and what, and wants that
        back, awaited where it has to be.
        """
        if self.on_session is not None:
            yield "on_session", self.on_session(channel, self._session(channel))
        for name in ("params", "headers", "open_form", "init_headers"):
            yield from self._ask(channel, name)
        if is_jar(self.cookies) and not callable(self.given.get("headers")):
            self._apply(channel, "headers", self.given.get("headers"))

    def renew_headers(self, channel: Channel) -> Generator[tuple[str, Any], Any, None]:
        """Ask for the headers alone, as :meth:`prepare` does."""
        return self._ask(channel, "headers")

    def _ask(self, channel: Channel, name: str) -> Generator[tuple[str, Any], Any, None]:
        source = self.given.get(name)
        if not callable(source):
            return
        value = yield name, source()
        try:
            check_type(name, value, Mapping, "a mapping")
            self._apply(channel, name, value)
        except (TypeError, ValueError) as error:
            # Not from that: its traceback shows the value.
            raise type(error)(f"what {name}'s callable returned is not usable: {error}") from None


def refuse_awaitable(name: str, answer: object) -> None:
    """Raise TypeError if a callable of a channel without asyncio is a coroutine function."""
    if inspect.isawaitable(answer):
        if inspect.iscoroutine(answer):
            answer.close()
        raise TypeError(f"{name} must not be a coroutine function: gaechannel.aio's channels can await it")


def refuse_waiting(channel: object) -> None:
    """Raise ChannelError where a callable of the channel's own would wait for the channel."""
    if is_asked_by(channel):
        raise ChannelError(
            "a channel's own callable cannot wait for the channel, which waits for the callable"
        )


class Asking:
    """A generator of :class:`Hooks`, run step by step as one who is asked about the channel.

    Attributes:
        name: the option whose callable answered last.
    """

    name = ""

    def __init__(self, channel: object, steps: Generator[tuple[str, Any], Any, None]) -> None:
        self._opening = Opening(channel)
        self._steps = steps

    def next(self, answer: object = None) -> tuple[bool, Any]:
        """Go on with an answer: whether there is one more to look at, and that one."""
        before = _opening.set(self._opening)
        try:
            self.name, answered = self._steps.send(answer)
            return True, answered
        except StopIteration:
            self._opening.end()
            return False, None
        except BaseException:
            self._opening.end()
            raise
        finally:
            _opening.reset(before)

    def enter(self) -> None:
        """From now on this task runs as one who is asked."""
        self._opening.enter()

    def end(self) -> None:
        """Nobody is asked any more."""
        self._opening.end()
        self._steps.close()
