"""The keyword arguments that all channels share, from what callers write to what the C core takes."""

import numbers
import os
import re
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, TypedDict, TypeVar
from urllib.parse import urlsplit

from gaechannel._authorities import found_authorities
from gaechannel._checks import (
    check_callable,
    check_count,
    check_flag,
    check_no_bool,
    check_seconds,
    check_takes,
    check_type,
)

if TYPE_CHECKING:
    from typing_extensions import TypeIs

# A header's name: RFC 9110's token.
_NAME_CHARACTERS = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")

# As _core.Channel has it.
_BUFFERED: dict[bool | str, int] = {False: 0, True: 1, "auto": 2}

Headers: TypeAlias = Mapping[str, str] | Iterable[tuple[str, str]]


class Jar(Protocol):
    """What a channel wants of ``http.cookiejar.CookieJar``."""

    def add_cookie_header(self, request: Any) -> None: ...
    def extract_cookies(self, response: Any, request: Any) -> None: ...


Cookies: TypeAlias = Mapping[str, str] | Jar
_Given = TypeVar("_Given")
#: A value, or a callable that is asked for it; for asyncio it may return an awaitable.
Given: TypeAlias = _Given | Callable[[], _Given | Awaitable[_Given]]
#: How a channel stands.
State: TypeAlias = Literal["new", "connecting", "open", "waiting", "closed"]
OnState: TypeAlias = Callable[[Any, Any], object]
Buffered: TypeAlias = bool | Literal["auto"]
_Path: TypeAlias = str | os.PathLike[str]
Verify: TypeAlias = bool | _Path
Certificate: TypeAlias = _Path | tuple[_Path, _Path]


class ChannelOptions(TypedDict, total=False):
    """What every channel's constructor takes beside its own arguments.

    Attributes:
        timeout: seconds without a byte before the back channel counts as dead; None: one and a half times
            the keep-alive that the server announces, or else 60 (None).
        request_timeout: seconds that any other request may make no progress (30.0).
        connect_timeout: seconds for DNS, TCP and TLS together (10.0).
        auto_reconnect: whether a back channel that breaks is opened again (True).
        max_reconnects: how many failures in a row, without an array between, are mended; None: any number
            (None).
        max_backoff: the longest wait between two tries, in seconds: 1, 2, 4 … with jitter (32.0).
        buffered: whether the server is to end the back channel after each batch (``CI=1``), for proxies that
            hold a response back until it ends; "auto": once a proxy seems to do so, because nothing came, or
            all at the end ("auto"). The development server's dialect knows no back channel.
        headers: more headers for every request, a mapping or pairs; or a callable that returns a mapping,
            asked before each session, and after a 401 once more before that is raised (None).
        cookies: cookies for every request, a mapping; one that the server sets takes the place of the one of
            its name. Or a ``http.cookiejar.CookieJar``, which is read before each session, and is given what
            servers set (None).
        on_state: a callable that is told when ``state`` has changed, ``on_state(channel, state)``: while
            somebody waits for something of the channel, in that thread or event loop. What it raises comes
            out there. It may send and close, and look with ``recv(timeout=0)``; to wait for the channel
            raises ChannelError (None).
        user_agent: the User-Agent header; None: this package's name and version (None).
        proxy: the proxy's URL; "" for none; None: what the environment says, ``https_proxy`` and so on
            (None).
        verify: whether the server's certificate must be valid, and that of a proxy with an ``https`` URL; or
            a file, or a directory, of the CA certificates to trust, and no others (True).
        cert: a file with the client's certificate and key, without a password, or a pair of files (None).
        http2: whether to speak HTTP/2 where TLS offers it (True).
        max_chunk_size: the largest chunk length believed, in UTF-16 code units (16 Mi).
        queue_limit: how many bytes of received messages may wait before the back channel is paused; None:
            1 Mi, or in asyncio 512 Ki, so that one busy channel does not keep the others waiting (None).
        max_unsent: how many bytes of maps, keys and values together, may wait for the server to confirm them;
            past that ``send`` raises :class:`gaechannel.SendQueueFull`, and in asyncio it waits (16 Mi).
    """

    timeout: float | None
    request_timeout: float
    connect_timeout: float
    auto_reconnect: bool
    max_reconnects: int | None
    max_backoff: float
    buffered: Buffered
    headers: Given[Headers] | None
    cookies: Cookies | None
    on_state: OnState | None
    user_agent: str | None
    proxy: str | None
    verify: Verify
    cert: Certificate | None
    http2: bool
    max_chunk_size: int
    queue_limit: int | None
    max_unsent: int


def seconds_to_wait(timeout: float | None) -> float:
    """A wait's timeout as ``_core.Channel`` takes it: negative where there is none.

    Raises:
        TypeError, ValueError: it is no number of seconds.
    """
    if timeout is None:
        return -1.0
    check_type("timeout", timeout, numbers.Real, "a number of seconds or None")
    check_no_bool("timeout", timeout, "a number of seconds or None")
    if not timeout >= 0:
        raise ValueError(f"timeout must be 0 or more seconds, or None, not {timeout}")
    return float(timeout) if timeout < 1e9 else -1.0  # thirty years are for ever


def batch_size(max_size: int | None) -> int:
    """A batch's limit as ``_core.Channel`` takes it: 0 where there is none.

    Raises:
        TypeError, ValueError: it is no number of messages.
    """
    if max_size is None:
        return 0
    check_count("max_size", max_size, or_none=True)
    return min(int(max_size), 2**31 - 1)


# Of a text that is no URL: what may be a password, and what may be a token.
_USERINFO = re.compile("^(.*?://)?.*@", re.DOTALL)
_QUERY = re.compile("([?#]).*", re.DOTALL)
_LONG_WORD = re.compile(r"[\w+=-]{17,}")


def shown(url: str) -> str:
    """A text that is no URL of a channel, without what may let its owner in."""
    without = _QUERY.sub(r"\1…", _USERINFO.sub(r"\1…@", url))
    return repr(_LONG_WORD.sub("…", without))


def check_url(url: str, name: str = "a channel's URL", hint: str = "") -> str:
    """Return the URL without its trailing slashes; raise ValueError if it is not http or https.

    Args:
        url: what was given.
        name: the argument's.
        hint: where a query belongs.
    """
    check_type(name, url, str, "a str")
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname)
        sound = sound and not parts.fragment and not parts.query
        sound = sound and (parts.port is None or parts.port > 0)
    except ValueError:
        sound = False
    if not sound or any(character <= " " or character == "\x7f" for character in url):
        raise ValueError(
            f"{name} must be http://… or https://… with a host and a sound port,"
            f" without spaces, query or fragment, not {shown(url)}{hint if '?' in url else ''}"
        )
    return url.rstrip("/")


_WORD = re.compile("[A-Z]*[a-z]+|[A-Z]+")
_CREDENTIAL = re.compile(
    ".*(?:token|secret|password|passwd|passphrase|(?:api|access|auth|secret|private|session)key|signature|credential"
    "|auth|authorization|authentication|session|sessionid|sessid|sid|cookie)s?"
    "|(?:key|sig|pass|userpass|pwd|jwt|hmac|csrf|xsrf)s?",
    re.IGNORECASE,
)


def is_credential(name: str) -> bool:
    """Whether a parameter of this name is likely to let its owner in; csrc/session goes by the same words."""
    return any(_CREDENTIAL.fullmatch(word) for word in _WORD.findall(name))


def _cookie_secrets(cookies: str) -> list[str]:
    """The values in a Cookie header."""
    return [cookie.partition("=")[2].strip() for cookie in cookies.split(";")]


def check_header(kind: str, name: object, value: object) -> None:
    """Raise TypeError or ValueError if these are no header."""
    check_type(f"a{'n' if kind[0] == 'i' else ''} {kind}'s name", name, str, "a str")
    check_type(f"the {kind} {name}", value, str, "a str")
    if not name or not set(str(name)) <= _NAME_CHARACTERS:
        raise ValueError(f"not a{'n' if kind[0] == 'i' else ''} {kind}'s name: {name!r}")
    if any(character in str(value) for character in "\r\n\0"):
        raise ValueError(f"the {kind} {name} has a line end in it")


# What may not stand in a cookie's name, or in its value, between others: RFC 6265's, but for the quotes and
# the spaces that servers take.
_NOT_IN_COOKIES = frozenset(map(chr, range(32))) | {";", "\x7f"}


def is_jar(cookies: Cookies | None) -> "TypeIs[Jar]":
    """Whether the cookies are a CookieJar, which places them; one of ``requests`` is a mapping, too."""
    return hasattr(cookies, "extract_cookies") and hasattr(cookies, "add_cookie_header")


def cookie_arguments(cookies: Mapping[str, str] | None, given: str | None) -> tuple[str | None, list[str]]:
    """The cookies as a ``Cookie`` header has them, behind those that are there already; and their values,
    which are nobody's business.

    Raises:
        TypeError, ValueError: it is no mapping of strings, or they would not come as they are.
    """
    check_type("cookies", cookies, Mapping | None, "a mapping of strings, or a CookieJar")
    parts = [given] if given else []
    for name, value in (cookies or {}).items():
        check_type("a cookie's name", name, str, "a str")
        check_type(f"the cookie {name}", value, str, "a str")
        if not name or not _NOT_IN_COOKIES.isdisjoint(name) or {"=", ",", " "} & set(name):
            raise ValueError(f"not a cookie's name: {name!r}")
        if not _NOT_IN_COOKIES.isdisjoint(value):
            raise ValueError(f"the cookie {name} has a semicolon or a control character in it")
        parts.append(f"{name}={value}")
    return "; ".join(parts) or None, list((cookies or {}).values())


def header_arguments(headers: Headers | None) -> tuple[dict[str, str | None], list[str]]:
    """The headers as ``_core.Channel`` takes them, and their values, which are nobody's business.

    Cookies go apart from the others: libcurl is to write one header of these and those that the server sets.
    """
    if headers is None:
        return {"headers": None, "cookies": None}, []
    wanted = "a mapping, or pairs of strings"
    given: object = headers
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise TypeError(f"headers must be {wanted}, such as {{'Name': 'value'}}, not {type(given).__name__}")
    pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
    for pair in pairs:
        check_type("each of the headers", pair, tuple | list, "a pair of strings")
        if len(pair) != 2:
            raise ValueError(f"each of the headers must be a pair of strings, not {len(pair)}")
    for name, value in pairs:
        check_header("header", name, value)
    parts = [part.strip() for name, value in pairs if name.lower() == "cookie" for part in value.split(";")]
    cookies = "; ".join(part for part in parts if part)
    # libcurl takes "Name;" for a header without a value.
    lines = [
        f"{name}: {value}" if value.strip() else f"{name};"
        for name, value in pairs
        if name.lower() != "cookie"
    ]
    secrets = [part for _, value in pairs for part in {value.strip(), *value.split()}]
    return {"headers": "\n".join(lines), "cookies": cookies or None}, secrets + _cookie_secrets(cookies)


# Those that libcurl knows, "socks" among them, which is socks4.
_PROXY_SCHEMES = frozenset({"http", "https", "socks", "socks4", "socks4a", "socks5", "socks5h"})


def check_proxy(proxy: str) -> None:
    """Raise ValueError if that is neither a proxy's URL nor a host, with or without a port."""
    try:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        sound = parts.scheme in _PROXY_SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or any(character <= " " or character == "\x7f" for character in proxy):
        raise ValueError(
            "proxy must be the URL of a proxy, such as http://HOST:PORT or socks5h://HOST:PORT,"
            f' "" for none, or None for what the environment says, not {shown(proxy)}'
        )


def _proxy_secrets(proxy: str | None) -> list[str]:
    """What stands before a proxy's host, and the password in it: libcurl quotes what it cannot read."""
    userinfo = (proxy or "").rpartition("@")[0].rpartition("://")[2]
    return [part for part in (userinfo, userinfo.partition(":")[2]) if part]


def _authorities(verify: Verify) -> dict[str, str | None]:
    """Where the CA certificates are: a file, a directory, or where libcurl looks by itself.

    A place that is named stands alone: what the system trusts is not trusted beside it.
    """
    if verify is True:
        return found_authorities()
    if verify is False:
        return {}
    if not isinstance(verify, str | os.PathLike):
        raise TypeError(
            f"verify must be True, False or a path, not {type(verify).__name__}: name a file or a directory"
            " of CA certificates with verify=, and a client's own certificate with cert="
        )
    path = os.fspath(verify)
    if not path:
        raise ValueError("verify must be True, False or a path, not empty: True is for the system's own")
    if not os.path.exists(path):
        raise FileNotFoundError(f"verify: there is no file or directory {path}")
    return {"ca_file": "", "ca_path": path} if os.path.isdir(path) else {"ca_file": path, "ca_path": ""}


def _certificate(cert: Any) -> dict[str, str | None]:
    if cert is None:
        return {}
    given = cert if isinstance(cert, tuple) else (cert, cert)
    wanted = "a path, or a pair of paths: the certificate's and the key's"
    for file in given:
        check_type("cert", file, str | os.PathLike, wanted)
    if len(given) != 2:
        raise ValueError(f"cert must be {wanted}; this tuple has {len(given)}")
    files = [os.fspath(file) for file in given]
    if not all(files):
        raise ValueError(f"cert must be {wanted}, not empty: None shows no certificate")
    for file in files:
        if not os.path.exists(file):
            raise FileNotFoundError(f"cert: there is no file {file}")
    return {"cert": files[0], "key": files[1]}


#: The longest time that ``_core.Channel`` takes, in seconds: thirty years are for ever.
_FOREVER = 999_999_999


def _times(seconds: dict[str, float]) -> dict[str, float]:
    """Positive numbers of seconds, as ``_core.Channel`` takes them."""
    for name, value in seconds.items():
        check_seconds(name, value, or_none=name == "timeout")
    return {name: min(value, _FOREVER) for name, value in seconds.items()}


def _counts(integers: dict[str, int]) -> dict[str, int]:
    """Numbers of bytes, at least 1; one that no size can be is the largest that can."""
    for name, value in integers.items():
        check_count(name, value)
    return {name: min(int(value), sys.maxsize) for name, value in integers.items()}


def _reconnects(count: int | None) -> int:
    """``max_reconnects`` as ``_core.Channel`` takes it."""
    check_count("max_reconnects", count, least=0, or_none=True)
    return -1 if count is None else min(int(count), 2**31 - 1)


def core_arguments(
    *,
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
) -> dict[str, Any]:
    """The options as ``_core.Channel`` takes them; their meaning is ChannelOptions'.

    Raises:
        TypeError: an option is of another type.
        ValueError: a number, a header or a URL makes no sense.
        FileNotFoundError: a file that is named does not exist.
    """
    times = _times(
        {
            **({} if timeout is None else {"timeout": timeout}),
            "request_timeout": request_timeout,
            "connect_timeout": connect_timeout,
            "max_backoff": max_backoff,
        }
    )
    # The limit when none is given, _core knows.
    given_limit = {} if queue_limit is None else {"queue_limit": queue_limit}
    counts = _counts({"max_chunk_size": max_chunk_size, "max_unsent": max_unsent, **given_limit})
    if not isinstance(buffered, (bool, str)):
        raise TypeError(f'buffered must be True, False or "auto", not {type(buffered).__name__}')
    if buffered not in _BUFFERED:
        raise ValueError(f'buffered must be True, False or "auto", not {buffered!r}')
    check_callable("on_state", on_state)
    check_takes("on_state", on_state, "channel", "state")
    given_headers, secrets = header_arguments(None if callable(headers) else headers)
    given_headers["cookies"], values = cookie_arguments(
        None if is_jar(cookies) else cookies, given_headers["cookies"]
    )
    for name, text in (("user_agent", user_agent), ("proxy", proxy)):
        check_type(name, text, str | None, "a str or None")
        if text is not None and any(character in text for character in "\r\n\0"):
            raise ValueError(f"{name} has a line end in it")
    if proxy:
        check_proxy(proxy)
    secrets += values + _proxy_secrets(proxy)
    return {
        **times,
        **counts,
        "auto_reconnect": check_flag("auto_reconnect", auto_reconnect),
        "max_reconnects": _reconnects(max_reconnects),
        "buffered": _BUFFERED[buffered],
        **given_headers,
        "secrets": secrets,
        "privates": [],
        "user_agent": user_agent,
        "proxy": proxy,
        "verify": verify is not False,
        **_authorities(verify),
        **_certificate(cert),
        "http2": check_flag("http2", http2),
    }
