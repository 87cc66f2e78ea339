"""`gaechannel listen`: print the messages of channels."""

from __future__ import annotations

import argparse
import contextlib
import logging
import signal
import threading
from typing import TYPE_CHECKING

from gaechannel.client import Client
from gaechannel.errors import ChannelClosed
from gaechannel.merging import merge

from .arguments import CommandError, add_base_url, add_command, count
from .output import json_line, log_to_stderr, one_line, stdin, when_reader_goes

if TYPE_CHECKING:
    from .arguments import _Commands


def add_listen(commands: _Commands) -> None:
    parser = add_command(
        commands,
        "listen",
        _listen,
        "print the messages of channels, one a line",
        "A line end or another control character inside a message is printed as its escape; --json is for"
        " readers who must tell it from a backslash that was sent.",
    )
    parser.add_argument(
        "tokens", metavar="TOKEN", nargs="+", help="a channel's token; -: read from standard input"
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help='print {"channel": N, "message": TEXT}; N is the place of the token among the arguments, from 1',
    )
    parser.add_argument("--count", type=count, metavar="N", help="stop after so many messages")
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="say on stderr what is asked of the server"
    )
    add_base_url(parser)


def _tokens(args: argparse.Namespace) -> list[str]:
    tokens: list[str] = []
    for token in args.tokens:
        tokens += stdin().read().split() if token == "-" else [token]  # noqa: S105
    if not tokens:
        raise CommandError("there is no token on standard input")
    if "" in tokens:
        args.fail("a TOKEN is empty")
    return tokens


def _clients(args: argparse.Namespace, logger: logging.Logger) -> list[Client]:
    try:
        return [Client(token, logger, base_url=args.base_url) for token in _tokens(args)]
    except ValueError as error:
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


def _listen(args: argparse.Namespace) -> int:
    logger = logging.Logger("Channel")  # noqa: LOG001 - nobody else's
    log_to_stderr(logger, args.verbose)
    clients = _clients(args, logger)
    _end_in_order_on_signals()
    gone = threading.Event()
    with contextlib.ExitStack() as stack:
        for client in clients:
            stack.callback(client.close)

        def close() -> None:
            gone.set()
            stack.close()

        when_reader_goes(close)
        places = {client: place for place, client in enumerate(clients, 1)}
        try:
            for number, (client, message) in enumerate(merge(clients), 1):
                print(json_line(places[client], message) if args.json else one_line(message))
                if number == args.count:
                    break
        except ChannelClosed:
            # By ourselves, before it was asked for a message?
            if not gone.is_set():
                raise
    return 0
