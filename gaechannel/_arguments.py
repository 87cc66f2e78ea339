"""The arguments of each kind of channel, from what callers write to what the C core takes."""

import logging
import os
from collections.abc import Callable
from typing import Any

from gaechannel._checks import check_flag, check_takes, check_type
from gaechannel._hooks import Hooks, OnSession, Params, encode_form, encode_init_headers, encode_params
from gaechannel._logging import check_logger
from gaechannel._options import Given, check_url, core_arguments, shown

# Where the service was until 2017, and where the old module looked for it.
RETIRED_URL = "https://talkgadget.google.com/talkgadget"


def given(arguments: dict[str, Any], *but: str) -> dict[str, Any]:
    """What an ``__init__`` was given, to be handed on: its signature names every option, as help shows it.

    Args:
        arguments: the function's ``locals()``, before it has any of its own.
        but: arguments that it does not hand on.
    """
    return {name: value for name, value in arguments.items() if name not in ("self", "__class__", *but)}


def channel_arguments(
    given: dict[str, Any],
    *,
    on_session: OnSession | None = None,
    new_sessions: bool = True,
    resend_unconfirmed: bool = True,
    **options: Any,
) -> dict[str, Any]:
    """What every channel's ``__init__`` takes: ``_core.Channel``'s arguments, and who is asked and told.

    Args:
        given: mappings, or callables that return them.
        on_session: see :class:`gaechannel.BrowserChannel`.
        new_sessions: see :class:`gaechannel.BrowserChannel`.
        resend_unconfirmed: see :class:`gaechannel.BrowserChannel`.
        **options: see :class:`gaechannel.ChannelOptions`.
    """
    arguments = core_arguments(**options)
    given = {**given, "headers": options.get("headers")}
    hooks = Hooks(given, on_session, options.get("on_state"), options.get("cookies"))
    arguments["keeps_session"] = not check_flag("new_sessions", new_sessions)
    arguments["sends_once"] = not check_flag("resend_unconfirmed", resend_unconfirmed)
    return {**arguments, "hooks": hooks if hooks.are_any() else None}


def token_arguments(token: str | bytes | Callable[[], Any]) -> dict[str, Any]:
    """A token, or where to get one, as ``_core.Channel`` takes it.

    Raises:
        TypeError: it is neither a str, nor bytes, nor callable.
        ValueError: it is empty, or has a line end or a surrogate in it.
    """
    if callable(token):
        check_takes("token", token)
        return {"token_source": token}
    check_type("token", token, str | bytes, "a str, bytes, or a callable that returns one of them")
    if isinstance(token, bytes):
        try:
            token = token.decode()
        except UnicodeDecodeError:
            # Not from that, which would show the token.
            raise ValueError("token is no UTF-8") from None
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
    token: str | bytes | Callable[[], Any],
    logger: logging.Logger | None,
    base_url: str | None,
    **options: Any,
) -> dict[str, Any]:
    """A client's arguments as ``_core.Channel`` takes them; their meaning is :class:`Client`'s."""
    if base_url is None:
        by_environment = os.environ.get("GAECHANNEL_BASE_URL") or RETIRED_URL
        url = check_url(by_environment, "the environment's GAECHANNEL_BASE_URL")
    else:
        url = check_url(base_url, "base_url")
    return {
        "dialect": "talk",
        "url": url,
        "url_is_retired": url == RETIRED_URL,
        "logger": check_logger(logger),
        **token_arguments(token),
        **channel_arguments({}, **options),
    }


def browser_channel_arguments(
    url: str,
    *,
    dialect: str = "browserchannel",
    params: Given[Params] | None = None,
    open_form: Given[Params] | None = None,
    raw: bool = False,
    logger: logging.Logger | None = None,
    **options: Any,
) -> dict[str, Any]:
    """What ``_core.Channel`` takes for a two-way channel; without ``bind_path``, it is the dialect's."""
    path = {"bind_path": check_bind_path(options.pop("bind_path"))} if "bind_path" in options else {}
    arguments = channel_arguments({"params": params, "open_form": open_form}, **options)
    for name, given, encode in (("params", params, encode_params), ("open_form", open_form, encode_form)):
        encoded = encode(name, None if callable(given) else given)
        arguments[name] = encoded.text
        arguments["secrets"] += encoded.secrets
        arguments["privates"] += encoded.privates
    return {
        "dialect": dialect,
        "url": check_url(url, "url", "; a two-way channel's query stands in params="),
        "raw": check_flag("raw", raw),
        "logger": check_logger(logger),
        **path,
        **arguments,
    }


def check_bind_path(path: str) -> str:
    """Return the path; raise TypeError or ValueError if it is none that can follow a channel's URL."""
    check_type("bind_path", path, str, "a str")
    if (path and not path.startswith("/")) or any(not "!" <= one <= "~" or one in "?#" for one in path):
        raise ValueError(
            "bind_path must be empty or begin with a slash, in ASCII, without spaces, query or fragment,"
            f" not {shown(path)}"
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
    init_headers: Given[Params] | None = None,
    fast_handshake: bool = False,
    bind_path: str = "",
    unwrap: bool = True,
    **options: Any,
) -> dict[str, Any]:
    """What ``_core.Channel`` takes for a WebChannel."""
    arguments = browser_channel_arguments(url, dialect="webchannel", bind_path=bind_path, **options)
    check_takes("init_headers", init_headers)
    encoded = encode_init_headers("init_headers", None if callable(init_headers) else init_headers)
    if init_headers is not None:
        arguments["hooks"] = arguments["hooks"] or Hooks({})
        arguments["hooks"].given["init_headers"] = init_headers
    arguments["secrets"] += encoded.secrets
    return {
        **arguments,
        "init_headers": encoded.text,
        "fast_handshake": check_flag("fast_handshake", fast_handshake),
        "unwraps": check_flag("unwrap", unwrap),
    }


def dev_arguments(
    token: str | bytes | Callable[[], Any], url: str, logger: logging.Logger | None, **options: Any
) -> dict[str, Any]:
    """What a channel of the development server's dialect passes to ``_core.Channel``."""
    return {
        "dialect": "dev",
        "url": check_url(url, "url"),
        "logger": check_logger(logger),
        **token_arguments(token),
        **channel_arguments({}, **options),
    }
