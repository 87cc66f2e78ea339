"""The arguments of each kind of channel, from what callers write to what the C core takes."""

import logging
import os
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias
from urllib.parse import urlencode

from gaechannel._logging import check_logger
from gaechannel._options import check_type, check_url, core_arguments, is_credential

# Where the service was until 2017, and where the old module looked for it.
RETIRED_URL = "https://talkgadget.google.com/talkgadget"

Params: TypeAlias = Mapping[str, str]


def given(arguments: dict[str, Any], *but: str) -> dict[str, Any]:
    """What an ``__init__`` was given, to be handed on: its signature names every option, as help shows it.

    Args:
        arguments: the function's ``locals()``, before it has any of its own.
        but: arguments that it does not hand on.
    """
    return {name: value for name, value in arguments.items() if name not in ("self", "__class__", *but)}


def token_arguments(token: str | Callable[[], Any]) -> dict[str, Any]:
    """A token, or where to get one, as ``_core.Channel`` takes it.

    Raises:
        TypeError: it is neither a str nor callable.
        ValueError: it is empty, or has a line end or a surrogate in it.
    """
    if callable(token):
        return {"token_source": token}
    check_type("token", token, str, "a str or a callable that returns one")
    if not token:
        raise ValueError("token is empty")
    if "\n" in token or "\r" in token:
        raise ValueError("token has a line end in it: of a file's content, strip() is the token")
    try:
        token.encode()
    except UnicodeEncodeError:
        # Not from that, which would show the token.
        raise ValueError("token is no text: it has surrogates in it") from None
    return {"token": token}


def client_arguments(
    token: str | Callable[[], Any],
    logger: logging.Logger | None,
    base_url: str | None,
    **options: Any,
) -> dict[str, Any]:
    """A client's arguments as ``_core.Channel`` takes them; their meaning is :class:`Client`'s."""
    if base_url is None:
        base_url = os.environ.get("GAECHANNEL_BASE_URL") or RETIRED_URL
    url = check_url(base_url)
    return {
        "dialect": "talk",
        "url": url,
        "url_is_retired": url == RETIRED_URL,
        "logger": check_logger(logger),
        **token_arguments(token),
        **core_arguments(**options),
    }


def browser_channel_arguments(
    url: str,
    *,
    dialect: str = "browserchannel",
    params: Params | None = None,
    open_form: Params | None = None,
    bind_path: str = "/bind",
    raw: bool = False,
    logger: logging.Logger | None = None,
    **options: Any,
) -> dict[str, Any]:
    """What ``_core.Channel`` takes for a two-way channel."""
    arguments = core_arguments(**options)
    check_type("raw", raw, bool, "True or False")
    for name, given in (("params", params), ("open_form", open_form)):
        check_type(name, given, Mapping | None, "a mapping of strings")
    # Tokens and names of somebody's, most of them: a server that quotes them must not bring them into a log.
    # Of the parameters, its body may show those that are no credentials: a link that names the database, say.
    arguments["secrets"] += map(str, (open_form or {}).values())
    for key, value in (params or {}).items():
        arguments["secrets" if is_credential(str(key)) else "privates"].append(str(value))
    return {
        "dialect": dialect,
        "url": check_url(url),
        "params": urlencode(params) if params else None,
        "open_form": urlencode(open_form) if open_form else None,
        "bind_path": check_bind_path(bind_path),
        "raw": raw,
        "logger": check_logger(logger),
        **arguments,
    }


def check_bind_path(path: str) -> str:
    """Return the path; raise TypeError or ValueError if it is none that can follow a channel's URL."""
    check_type("bind_path", path, str, "a str")
    if (path and not path.startswith("/")) or any(not "!" <= one <= "~" or one in "?#" for one in path):
        raise ValueError(
            "bind_path must be empty or begin with a slash, in ASCII, without spaces, query or fragment"
        )
    return path


def check_message_key(key: str) -> str:
    """Return the key; raise TypeError or ValueError if no map can have it."""
    check_type("message_key", key, str, "a str")
    if not key:
        raise ValueError("message_key is empty")
    try:
        key.encode()
    except UnicodeEncodeError:
        raise ValueError("message_key is no text: it has surrogates in it") from None
    return key


def web_channel_arguments(
    url: str,
    *,
    init_headers: Mapping[str, str] | None = None,
    fast_handshake: bool = False,
    bind_path: str = "",
    unwrap: bool = True,
    **options: Any,
) -> dict[str, Any]:
    """What ``_core.Channel`` takes for a WebChannel."""
    check_type("unwrap", unwrap, bool, "True or False")
    arguments = browser_channel_arguments(url, dialect="webchannel", bind_path=bind_path, **options)
    headers = dict(init_headers or {})
    for name, value in headers.items():
        if any(character in name + value for character in "\r\n\0"):
            raise ValueError(f"the initial header {name!r} has a line end in it")
    arguments["init_headers"] = "".join(f"{name}:{value}\r\n" for name, value in headers.items()) or None
    arguments["secrets"] += [part for value in headers.values() for part in {value, *value.split()}]
    return {**arguments, "fast_handshake": fast_handshake, "unwraps": unwrap}


def dev_arguments(
    token: str | Callable[[], Any], url: str, logger: logging.Logger | None, **options: Any
) -> dict[str, Any]:
    """What a channel of the development server's dialect passes to ``_core.Channel``."""
    return {
        "dialect": "dev",
        "url": check_url(url),
        "logger": check_logger(logger),
        **token_arguments(token),
        **core_arguments(**options),
    }
