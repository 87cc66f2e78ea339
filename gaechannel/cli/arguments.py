"""Arguments that several commands share, and what a value must be."""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from gaechannel._options import check_url

#: Where `serve` listens unless told otherwise.
PORT = 8080
_LOCAL_URL = f"http://127.0.0.1:{PORT}/talkgadget"

if TYPE_CHECKING:
    _Commands = argparse._SubParsersAction[argparse.ArgumentParser]


class CommandError(Exception):
    """What one line on stderr says."""


def add_command(
    commands: _Commands,
    name: str,
    run: Callable[[argparse.Namespace], int],
    text: str,
    more: str = "",
) -> argparse.ArgumentParser:
    """Add a command; ``run`` is given what its arguments are, and ``fail``, which ends the program."""
    description = f"{text[0].upper()}{text[1:]}. {more}".strip()
    parser = commands.add_parser(name, help=text, description=description)
    parser.set_defaults(run=run, fail=parser.error)
    return parser


def add_server(parser: argparse.ArgumentParser) -> None:
    """Add what says which server is administered, and that one may."""
    add_base_url(parser)
    add_admin_token(parser, "default: the environment's GAECHANNEL_ADMIN_TOKEN")


def add_base_url(parser: argparse.ArgumentParser) -> None:
    """Add ``--base-url``."""
    parser.add_argument(
        "--base-url",
        type=url,
        default=os.environ.get("GAECHANNEL_BASE_URL") or _LOCAL_URL,
        metavar="URL",
        help=f"the channel server's address; default: the environment's GAECHANNEL_BASE_URL, or {_LOCAL_URL}",
    )


def add_admin_token(parser: argparse.ArgumentParser, text: str) -> None:
    """Add ``--admin-token``; ``text`` says what it is where it is not given."""
    parser.add_argument("--admin-token", metavar="SECRET", help=f"the server's administrative token; {text}")


def url(text: str) -> str:
    """A channel server's address."""
    try:
        return check_url(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def count(text: str) -> int:
    """A whole number above 0."""
    with contextlib.suppress(ValueError):
        if int(text) > 0:
            return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")


def port(text: str) -> int:
    """A port, or 0."""
    with contextlib.suppress(ValueError):
        if 0 <= int(text) <= 65535:
            return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a port: 0 to 65535")


def positive(text: str) -> float:
    """A number above 0, and finite."""
    with contextlib.suppress(ValueError):
        if 0 < float(text) < float("inf"):
            return float(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
