"""`gaechannel listen`: print the messages of channels."""

from __future__ import annotations

import argparse
import contextlib
import logging
import signal
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gaechannel.client import Client
from gaechannel.dev import DevClient
from gaechannel.errors import ChannelClosed, TransportError
from gaechannel.merging import merge
from gaechannel.two_way import BrowserChannel, WebChannel

from .arguments import (
    CommandError,
    add_base_url,
    add_command,
    add_connection,
    connection_options,
    count,
    header,
    json_value,
    no_server_hint,
    pair,
    server_url,
)
from .output import as_json, log_to_stderr, one_line, stdin, when_reader_goes

if TYPE_CHECKING:
    from gaechannel import ChannelOptions
    from gaechannel._base import SyncChannel

    from .arguments import _Commands

_COULD_NOT_CONNECT = 7  # libcurl's CURLE_COULDNT_CONNECT
_TWO_WAY = ("browserchannel", "webchannel")


def add_listen(commands: _Commands) -> None:
    parser = add_command(
        commands,
        "listen",
        _listen,
        "print the messages of channels, one a line",
        "A line end or another control character inside a message is printed as its escape; --json is for"
        " readers who must tell it from a backslash that was sent. What is no text is printed as JSON. Of"
        " several channels, each line begins with the place of its TOKEN or URL among the arguments.",
    )
    parser.add_argument(
        "channels",
        metavar="TOKEN|URL",
        nargs="+",
        help="a channel's token, or in the dialects browserchannel and webchannel its URL; -: read from"
        " standard input",
    )
    parser.add_argument(
        "--dialect",
        choices=("talk", "dev", *_TWO_WAY),
        default="talk",
        help="what the server speaks: App Engine's Channel API (talk), its development server (dev),"
        " browserchannel or webchannel (%(default)s)",
    )
    two_way = parser.add_argument_group("of browserchannel and webchannel")
    two_way.add_argument(
        "--param", type=pair, action="append", metavar="NAME=VALUE", help="a parameter of every request"
    )
    two_way.add_argument(
        "--send",
        type=json_value,
        action="append",
        metavar="JSON",
        help="send that whenever a session opens: a message; of browserchannel, a map, whose values that are"
        " no strings go as JSON",
    )
    two_way.add_argument(
        "--form",
        type=pair,
        action="append",
        metavar="NAME=VALUE",
        help="of browserchannel: a field of the opening request's form",
    )
    parser.add_argument(
        "--header", type=header, action="append", metavar="'NAME: VALUE'", help="a header of every request"
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help='print {"channel": N, "id": ID, "time": SECONDS, "message": MESSAGE}: the place of the token or'
        " URL among the arguments, from 1; the array's id; seconds since 1970",
    )
    parser.add_argument("--count", type=count, metavar="N", help="stop after so many messages")
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="say on stderr what is asked of the server"
    )
    add_base_url(parser)
    add_connection(parser)


def _named(args: argparse.Namespace) -> list[str]:
    """The tokens or URLs."""
    named: list[str] = []
    for name in args.channels:
        named += stdin().read().split() if name == "-" else [name]
    kind = "URL" if args.dialect in _TWO_WAY else "token"
    if not named:
        raise CommandError(f"there is no {kind} on standard input")
    if "" in named:
        args.fail(f"a {kind.upper()} is empty")
    if kind == "token" and any(name.startswith(("http://", "https://")) for name in named):
        args.fail(
            f"in the dialect {args.dialect} a channel is named by a token: for a URL, give"
            " --dialect webchannel or --dialect browserchannel"
        )
    return named


def _check(args: argparse.Namespace) -> None:
    """What a dialect has no use for was given by mistake."""
    for name in ("param", "send", "form"):
        if getattr(args, name) and args.dialect not in (_TWO_WAY if name != "form" else _TWO_WAY[:1]):
            args.fail(f"--{name} is nothing to the dialect {args.dialect}: see --dialect")
    if args.base_url is not None and args.dialect in _TWO_WAY:
        args.fail(
            f"--base-url is nothing to the dialect {args.dialect}, whose channels are named by their URLs"
        )
    if args.dialect == "browserchannel" and not all(one and isinstance(one, dict) for one in args.send or ()):
        args.fail("--send: a map is a JSON object with at least one field")


def _maker(args: argparse.Namespace, logger: logging.Logger) -> Callable[[str], SyncChannel[Any]]:
    """What makes a channel of a token, or of a URL."""
    options: ChannelOptions = {"headers": args.header, **connection_options(args)}
    params = dict(args.param or ())

    def send(channel: Any, _session: object) -> None:
        for message in args.send or ():
            channel.send(message)

    form = dict(args.form or ())
    if args.dialect == "browserchannel":
        return lambda url: BrowserChannel(
            url, params=params, open_form=form, on_session=send, logger=logger, **options
        )
    if args.dialect == "webchannel":
        return lambda url: WebChannel(url, params=params, on_session=send, logger=logger, **options)
    base_url = server_url(args)
    if args.dialect == "dev":
        root = base_url.removesuffix("/talkgadget")
        return lambda token: DevClient(token, root, logger=logger, **options)
    return lambda token: Client(token, logger, base_url=base_url, **options)


def _channels(args: argparse.Namespace, logger: logging.Logger) -> list[SyncChannel[Any]]:
    make = _maker(args, logger)
    named = _named(args)
    try:
        return [make(name) for name in named]
    except ValueError as error:
        if args.dialect in _TWO_WAY:
            args.fail(str(error))
        raise CommandError(str(error)) from None


def _end_in_order_on_signals() -> None:
    """Have what ends a service, or a terminal, leave the program by way of its `with` blocks."""

    def leave(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        return  # somebody's program has called main() from elsewhere
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, leave)


def _line(args: argparse.Namespace, place: int, channel: SyncChannel[Any], message: object) -> str:
    if args.json:
        known = {"channel": place, "id": channel._taken_id, "time": round(time.time(), 3)}
        return as_json({**known, "message": message})
    text = one_line(message) if isinstance(message, str) else as_json(message)
    return f"{place}: {text}" if args.labels else text


def _listen(args: argparse.Namespace) -> int:
    logger = logging.Logger("Channel")  # noqa: LOG001 - nobody else's
    log_to_stderr(logger, args.verbose)
    _check(args)
    channels = _channels(args, logger)
    args.labels = len(channels) > 1
    _end_in_order_on_signals()
    gone = threading.Event()
    with contextlib.ExitStack() as stack:
        for channel in channels:
            stack.callback(channel.close)

        def close() -> None:
            gone.set()
            stack.close()

        when_reader_goes(close)
        places = {channel: place for place, channel in enumerate(channels, 1)}
        try:
            for number, (channel, message) in enumerate(merge(channels), 1):
                print(_line(args, places[channel], channel, message))
                if number == args.count:
                    break
        except ChannelClosed:
            # By ourselves, before it was asked for a message?
            if not gone.is_set():
                raise
        except TransportError as error:
            is_proxys = "(through the proxy " in str(error) or "URL of a proxy" in str(error)
            if error.curl_code != _COULD_NOT_CONNECT or args.dialect in _TWO_WAY or is_proxys:
                raise
            raise CommandError(f"{error}{no_server_hint(server_url(args))}") from None
    return 0
