"""Arguments that several commands share, and what a value must be."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gaechannel._options import check_header, check_url

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
        metavar="URL",
        help=f"the channel server's address; default: the environment's GAECHANNEL_BASE_URL, or {_LOCAL_URL}",
    )


def server_url(args: argparse.Namespace) -> str:
    """The channel server's address: the argument's, or the environment's, or where `serve` listens."""
    if args.base_url is None:
        try:
            given = os.environ.get("GAECHANNEL_BASE_URL") or _LOCAL_URL
            args.base_url = check_url(given, "the environment's GAECHANNEL_BASE_URL")
        except ValueError as error:
            args.fail(str(error))
    return str(args.base_url)


def no_server_hint(url: str) -> str:
    """What is to be done where nobody answers, on this machine."""
    host = urlsplit(url).hostname
    return "; `gaechannel serve` runs a server" if host in ("127.0.0.1", "localhost", "::1") else ""


def add_admin_token(parser: argparse.ArgumentParser, text: str) -> None:
    """Add ``--admin-token``; ``text`` says what it is where it is not given."""
    parser.add_argument("--admin-token", metavar="SECRET", help=f"the server's administrative token; {text}")


def url(text: str) -> str:
    """A channel server's address."""
    try:
        return check_url(text, "a channel server's URL")
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def pair(text: str) -> tuple[str, str]:
    """A parameter's name and its value."""
    name, separator, value = text.partition("=")
    if not name or not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def header(text: str) -> tuple[str, str]:
    """A header's name and its value; neither is shown where they make no sense, since it may be a secret."""
    name, separator, value = text.partition(":")
    if not separator:
        raise argparse.ArgumentTypeError("a header is 'NAME: VALUE'")
    try:
        check_header("header", name.strip(), value.strip())
    except ValueError:
        raise argparse.ArgumentTypeError(
            "a header is 'NAME: VALUE': NAME without spaces, VALUE in one line"
        ) from None
    return name.strip(), value.strip()


def json_value(text: str) -> object:
    """JSON."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"not JSON: {error}") from None


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
