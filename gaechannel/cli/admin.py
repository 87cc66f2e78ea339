"""`gaechannel create` and `send`: what an application does, over a server's administrative interface."""

from __future__ import annotations

import argparse
import http.client
import socket
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from gaechannel.errors import HTTPStatusError, TransportError

from .arguments import (
    CommandError,
    add_admin,
    add_command,
    admin_server,
    count,
    given_admin_token,
    no_server_hint,
)
from .output import one_line, stdin

if TYPE_CHECKING:
    from .arguments import _Commands

_SECONDS = 30.0  # that a request may take


def add_create(commands: _Commands) -> None:
    parser = add_command(commands, "create", _create, "print a token for a new channel")
    parser.add_argument("client_id", metavar="CLIENT_ID", help="the application's name for who will listen")
    parser.add_argument(
        "--minutes", type=count, metavar="N", help="how long the token is valid: 1 to 1440 (120)"
    )
    add_admin(parser)


def add_send(commands: _Commands) -> None:
    parser = add_command(commands, "send", _send, "send a message to a channel")
    parser.add_argument(
        "client_id", metavar="CLIENT_ID", help="what the channel was created with; or its token"
    )
    parser.add_argument("text", metavar="TEXT", help="the message; -: each line of standard input is one")
    add_admin(parser)


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _connect(server: str) -> tuple[http.client.HTTPConnection, str, str]:
    """A connection to an administrative interface, how it is called, and what its paths begin with."""
    if "://" not in server:
        return _UnixConnection(server), server, ""
    url = urlsplit(server)
    connection_class = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    origin = f"{url.scheme}://{url.netloc.rpartition('@')[2]}"
    return connection_class(url.hostname or "", url.port, timeout=_SECONDS), origin, url.path.rstrip("/")


def _admin(args: argparse.Namespace, command: str, form: dict[str, str]) -> str:
    """What the server's administrative interface answers.

    Not over urllib: that would follow redirects with the token, and go through a proxy.
    """
    secret = given_admin_token(args)
    if not secret:
        args.fail(
            "no administrative token: give --admin-token or --admin-token-file, or set GAECHANNEL_ADMIN_TOKEN"
        )
    server = admin_server(args)
    connection, origin, base = _connect(server)
    path = f"{base}/admin/{command}"
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/x-www-form-urlencoded"}
    try:
        connection.request("POST", path, urlencode(form, errors="surrogatepass"), headers)
        response = connection.getresponse()
        body = response.read(1 << 20).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise TransportError(
            f"cannot reach the server at {origin}: {reason}{no_server_hint(server)}"
        ) from error
    finally:
        connection.close()
    if response.status == 401:
        raise CommandError("the server does not accept the administrative token")
    if response.status == 404:
        raise CommandError(
            f"there is no channel server's administration at {origin}{path}: --admin, or the environment's"
            " GAECHANNEL_ADMIN, is what `gaechannel serve` prints, such as 127.0.0.1:8081"
        )
    if response.status != 200:
        words = body.strip() or response.reason
        raise HTTPStatusError(f"the server answered {response.status} to {origin}{path}: {words}")
    return body


def _create(args: argparse.Namespace) -> int:
    form = {"client_id": args.client_id}
    if args.minutes is not None:
        form["duration_minutes"] = str(args.minutes)
    print(_admin(args, "create", form).strip())
    return 0


def _argument(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:  # Python's way to keep what it cannot decode
        raise CommandError("TEXT is not in the terminal's encoding") from None
    return text


def _lines() -> Iterator[str]:
    """The lines of standard input, each as soon as it is there."""
    encoding = stdin().encoding or "utf-8"
    for number, line in enumerate(stdin().buffer, 1):
        try:
            yield line.removesuffix(b"\n").removesuffix(b"\r").decode(encoding)
        except UnicodeDecodeError as error:
            raise CommandError(
                f"standard input, line {number}: not {encoding.upper()}, at its byte {error.start + 1}"
            ) from None


def _send(args: argparse.Namespace) -> int:
    said = ""
    for text in _lines() if args.text == "-" else [_argument(args.text)]:
        words = _admin(args, "send", {"client_id": args.client_id, "message": text}).strip()
        if words and words != said:  # such as that it is dropped; once, and not for each line
            print(f"gaechannel: a message was dropped: {one_line(words)}", file=sys.stderr)
        said = words
    return 0
