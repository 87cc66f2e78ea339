"""Arguments that several commands share, and what a value must be."""

from __future__ import annotations

import argparse
import contextlib
import ipaddress
import json
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gaechannel._options import ChannelOptions, check_header, check_url

#: Where `serve` listens unless told otherwise, and its administrative interface.
PORT = 8080
ADMIN = "127.0.0.1:8081"
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


def add_admin(parser: argparse.ArgumentParser) -> None:
    """Add what says which server is administered, and that one may."""
    parser.add_argument(
        "--admin",
        type=_admin_argument,
        metavar="ADDRESS",
        help="where the server's administrative interface listens: HOST:PORT (by https where that is another"
        " machine), a URL, or the path of a Unix socket; default: the environment's GAECHANNEL_ADMIN, or"
        f" {ADMIN}",
    )
    add_admin_token(parser, "default: the environment's GAECHANNEL_ADMIN_TOKEN")


def add_base_url(parser: argparse.ArgumentParser) -> None:
    """Add ``--base-url``."""
    parser.add_argument(
        "--base-url",
        type=url,
        metavar="URL",
        help=f"the channel server's address; default: the environment's GAECHANNEL_BASE_URL, or {_LOCAL_URL}",
    )


def add_connection(parser: argparse.ArgumentParser) -> None:
    """Add what says how a server is reached: :func:`connection_options` has it."""
    group = parser.add_argument_group("of the connection")
    group.add_argument(
        "--verify",
        type=path,
        metavar="PATH",
        help="a file, or a directory, of the certificates of authorities to trust, and no others; default:"
        " what the environment's SSL_CERT_FILE names, or whom the system trusts",
    )
    group.add_argument(
        "--cert", type=path, metavar="FILE", help="the client's certificate, in PEM without a password"
    )
    group.add_argument("--key", type=path, metavar="FILE", help="its key; default: in the same file")
    group.add_argument(
        "--proxy",
        metavar="URL",
        help='the proxy, such as socks5h://HOST:PORT; "": none; default: what https_proxy and the like say',
    )


def connection_options(args: argparse.Namespace) -> ChannelOptions:
    """What :func:`add_connection` has added, as channels take it."""
    options: ChannelOptions = {}
    if args.key is not None and args.cert is None:
        args.fail("--key is given, and no --cert")
    if args.verify is not None:
        options["verify"] = args.verify
    if args.cert is not None:
        options["cert"] = args.cert if args.key is None else (args.cert, args.key)
    if args.proxy is not None:
        options["proxy"] = args.proxy
    return options


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
    host = urlsplit(url).hostname if "://" in url else "localhost"
    return "; `gaechannel serve` runs a server" if host in ("127.0.0.1", "localhost", "::1") else ""


def add_admin_token(parser: argparse.ArgumentParser, text: str) -> None:
    """Add ``--admin-token`` and ``--admin-token-file``; ``text`` says what it is where neither is given."""
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--admin-token", metavar="SECRET", help=f"the server's administrative token; {text}")
    either.add_argument(
        "--admin-token-file",
        type=path,
        metavar="FILE",
        help="a file that holds it, in one line, to be read by its owner",
    )


def _fits_header(secret: str) -> bool:
    return secret.isascii() and secret.isprintable()


def given_admin_token(args: argparse.Namespace) -> str | None:
    """The administrative token that was given, by argument, file or environment; None where none was."""
    if args.admin_token_file is None:
        secret = args.admin_token or os.environ.get("GAECHANNEL_ADMIN_TOKEN") or None
        if secret is not None and not _fits_header(secret):
            name = "--admin-token" if args.admin_token else "GAECHANNEL_ADMIN_TOKEN"
            raise CommandError(f"{name} holds what no header can carry: that is one line of ASCII")
        return secret
    name = args.admin_token_file
    try:
        with open(name, encoding="utf-8") as file:
            secret = file.read().strip()
    except (OSError, UnicodeError) as error:
        words = getattr(error, "strerror", None) or str(error)
        raise CommandError(f"--admin-token-file: {name}: {words}") from None
    if not secret or "\n" in secret:
        raise CommandError(f"--admin-token-file: {name} has no token in it: that is one line")
    if not _fits_header(secret):
        raise CommandError(f"--admin-token-file: {name} holds what no header can carry: that is ASCII")
    # What systemd has loaded is shut off by the folder.
    loaded = os.path.dirname(name) == os.environ.get("CREDENTIALS_DIRECTORY")
    if os.stat(name).st_mode & 0o077 and not loaded:
        print(f"gaechannel: {name} holds a secret and can be read by others: chmod 600", file=sys.stderr)
    return secret


def admin_address(text: str) -> str:
    """Where an administrative interface listens, as a URL or a Unix socket's path.

    A token is a secret: it goes to no other machine but by https.
    """
    if "://" in text:
        checked = check_url(text, "an administrative interface's URL")
        parts = urlsplit(checked)
        if parts.scheme == "http" and not _is_loopback(parts.hostname):
            raise ValueError("an administrative interface on another machine is reached by https alone")
        return checked
    if "/" in text:
        return text.removeprefix("unix:")
    try:
        parts = urlsplit(f"//{text}")
        if parts.port is None or not parts.hostname or "@" in text:
            raise ValueError
    except ValueError:
        raise ValueError(f"{text!r} is neither HOST:PORT nor a URL nor the path of a Unix socket") from None
    return f"{'http' if _is_loopback(parts.hostname) else 'https'}://{text}"


def _is_loopback(host: str | None) -> bool:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host or "").is_loopback
    return host == "localhost"


def _admin_argument(text: str) -> str:
    try:
        return admin_address(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def admin_server(args: argparse.Namespace) -> str:
    """Where the administrative interface is: by argument, or environment, or where `serve` has it."""
    if args.admin is not None:
        return str(args.admin)
    given = os.environ.get("GAECHANNEL_ADMIN")
    try:
        return admin_address(given or ADMIN)
    except ValueError as error:
        args.fail(f"the environment's GAECHANNEL_ADMIN: {error}")
        raise


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


def path(text: str) -> str:
    """A file's path."""
    if not text:
        raise argparse.ArgumentTypeError("the path is empty")
    return text


def mode(text: str) -> int:
    """A file's mode, in octal digits."""
    with contextlib.suppress(ValueError):
        if 0 <= int(text, 8) <= 0o777:
            return int(text, 8)
    raise argparse.ArgumentTypeError(f"{text!r} is not a file's mode, such as 660")


def not_negative(text: str) -> float:
    """A number, 0 or more, and finite."""
    with contextlib.suppress(ValueError):
        if 0 <= float(text) < float("inf"):
            return float(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number, 0 or more")


def positive(text: str) -> float:
    """A number above 0, and finite."""
    with contextlib.suppress(ValueError):
        if 0 < float(text) < float("inf"):
            return float(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
