"""`gaechannel serve`: run a channel server."""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import re
import secrets
import signal
import socket
import stat
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from gaechannel._options import check_url

from . import systemd
from .arguments import (
    ADMIN,
    PORT,
    CommandError,
    add_admin_token,
    add_command,
    count,
    given_admin_token,
    mode,
    not_negative,
    path,
    port,
    positive,
)
from .certificate import Certificate
from .config import add_config
from .limits import add_limits, given_limits
from .logs import log_server

if TYPE_CHECKING:
    from gaechannel.server import LocalServer, Session

    from .arguments import _Commands

_MIN_KEY_BYTES = 16  # as gaechannel.server has it
_CALL_SECONDS = 10.0  # for which it waits for its event loop
_OTHER_FILES = 200  # beside a connection for each channel, some for requests and some for the process
_ARGUMENT = re.compile(r"^([a-z_]+): ")
_LOOK_SECONDS = 0.25  # how often `serve` looks whether it is to end


def add_serve(commands: _Commands) -> None:
    parser = add_command(
        commands,
        "serve",
        _serve,
        "run a channel server until Ctrl-C",
        "It prints how to use it once it listens.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument(
        "--port", type=port, default=PORT, help="port to listen on; 0: a free one (%(default)s)"
    )
    parser.add_argument(
        "--unix",
        type=path,
        metavar="PATH",
        help="listen on this Unix socket, for a proxy in front, and on no port",
    )
    parser.add_argument(
        "--unix-mode", type=mode, default=0o660, metavar="MODE", help="who may connect to it (660)"
    )
    parser.add_argument(
        "--cert",
        type=path,
        metavar="FILE",
        help="serve by https: the certificate and what signed it, in PEM; read again at SIGHUP",
    )
    parser.add_argument("--key", type=path, metavar="FILE", help="its key, in PEM; default: in the same file")
    parser.add_argument(
        "--trust-proxy",
        action="append",
        metavar="ADDRESS",
        help="believe the X-Forwarded-… headers of proxies at this address or in this network; unix: of who"
        " comes by the Unix socket; may be repeated",
    )
    parser.add_argument(
        "--admin",
        metavar="ADDRESS",
        help="where the administrative interface listens, by which applications create and send: HOST:PORT,"
        f" or the path of a Unix socket ({ADMIN}; a free port where --port is 0)",
    )
    add_admin_token(
        parser, "default: the environment's GAECHANNEL_ADMIN_TOKEN, or a new one, which is printed"
    )
    parser.add_argument(
        "--key-file",
        type=path,
        metavar="FILE",
        help="the secret that signs tokens, so that they outlive a restart: tokens alone do, and a message to"
        " a channel is dropped until its listener is back, or it is created again; where there is no such"
        " file, a new secret is written to it, for its owner only (default: a new secret each time)",
    )
    parser.add_argument(
        "--state",
        type=path,
        metavar="FILE",
        help="keep channels, sessions, messages that have not arrived and, without --key-file, the secret"
        " that signs tokens in this file, over restarts and kills; it is made where it is not there, for its"
        " owner only (default: all of it ends with the process)",
    )
    parser.add_argument(
        "--redis",
        metavar="URL",
        help="share the Channel API's channels with the other servers at this Redis, redis://HOST:PORT:"
        " whatever server a request reaches has them all; two-way channels and polls are not served then",
    )
    parser.add_argument(
        "--reuse-port",
        action="store_true",
        help="let the next server listen on the same port before this one ends; both need it",
    )
    parser.add_argument(
        "--presence-url",
        type=_application,
        metavar="URL",
        help="the application that is told by POST who comes and goes, as App Engine did, at URL/_ah/channel/"
        "connected/ and disconnected/; tried again, for a minute, where it is not there (default: nobody is)",
    )
    parser.add_argument(
        "--backchannel-seconds",
        type=positive,
        default=240.0,
        metavar="S",
        help="how long a back channel may be open before it is ended in order (%(default)g)",
    )
    parser.add_argument(
        "--channels",
        type=count,
        metavar="N",
        help="have room for so many open channels: raises the limit on open files",
    )
    parser.add_argument(
        "--metrics",
        metavar="ADDRESS",
        help="answer /metrics, /healthz and /readyz to everybody who can connect to HOST:PORT or to the Unix"
        " socket of this path (default: at --admin alone, to who has its token)",
    )
    parser.add_argument(
        "--access-log",
        type=path,
        metavar="FILE",
        help="write a line for each request, without tokens and SIDs; -: to standard error; another file in"
        " its place is noticed",
    )
    parser.add_argument("--log-json", action="store_true", help="log in JSON, an object a line")
    parser.add_argument(
        "--drain-seconds",
        type=not_negative,
        default=0.0,
        metavar="S",
        help="go on so long after SIGTERM, while /readyz answers 503, so that load balancers send nobody new"
        " (%(default)g)",
    )
    add_limits(parser)
    add_config(parser)


def server_classes() -> type[LocalServer]:
    try:
        from gaechannel.server import LocalServer
    except ImportError as error:
        raise CommandError(str(error)) from error
    return LocalServer


def _application(text: str) -> str:
    """An application's address."""
    try:
        return check_url(text, "an application's URL")
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _serve(args: argparse.Namespace) -> int:
    local_server = server_classes()
    given = given_admin_token(args)
    if args.channels is not None:
        from gaechannel.server import raise_file_limit

        raise_file_limit(args.channels + _OTHER_FILES)
    if args.key is not None and args.cert is None:
        args.fail("--key is given, and no --cert")
    certificate = None if args.cert is None else Certificate(args.cert, args.key)
    # No Event: a signal handler that sets one may find its lock held by what it has interrupted.
    signals: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: signals.append(number))
    if certificate is not None or "NOTIFY_SOCKET" in os.environ:  # else a terminal that closes ends it
        signal.signal(signal.SIGHUP, lambda number, _frame: signals.append(number))
    sockets: dict[str, list[socket.socket]] = {}
    for name, one in systemd.listening_sockets():
        sockets.setdefault(name if name in ("admin", "metrics") else "public", []).append(one)
    access_log = log_server(args.access_log, as_json=args.log_json)
    try:
        server = local_server(
            host=args.host,
            port=args.port,
            unix=args.unix,
            unix_mode=args.unix_mode,
            ssl_context=None if certificate is None else certificate.context,
            metrics=args.metrics,
            sockets=sockets,
            trust_proxy=args.trust_proxy or (),
            access_log=access_log,
            admin=args.admin or (ADMIN if args.port else "127.0.0.1:0"),
            admin_token=given,
            key=None if args.key_file is None else _given_key(args.key_file),
            backchannel_seconds=args.backchannel_seconds,
            presence_url=args.presence_url,
            state=args.state,
            redis=args.redis,
            reuse_port=args.reuse_port,
            **({} if args.channels is None else {"max_sessions": args.channels}),
            **given_limits(args),
        )
    except ImportError as error:
        raise CommandError(str(error)) from error
    except ValueError as error:
        # An argument's name in front is the option's.
        args.fail(_ARGUMENT.sub(lambda found: f"--{found[1].replace('_', '-')}: ", str(error)))
        raise
    for mounted in server.mounts.values():
        mounted.on_session = _answer
    with _started(server, args):
        print(_how_to_use(server, bool(given)))
        systemd.notify("READY=1")
        _wait(server, signals, certificate)
        systemd.notify("STOPPING=1")
        server.drain()
        _wait(server, signals, certificate, args.drain_seconds)
        if args.state is None and args.redis is None:
            _say_what_is_lost(server)
    return 0


def _started(server: LocalServer, args: argparse.Namespace) -> LocalServer:
    """The server, which runs; an error says which option it is about."""
    try:
        return server.start()
    except OSError as error:
        raise CommandError(_option_words(args, error)) from None


def _option_words(args: argparse.Namespace, error: OSError) -> str:
    """What is wrong, behind the option that it comes from."""
    if error.filename is None:  # a store's
        return f"--{'state' if args.redis is None else 'redis'}: {error}"
    place, reason = str(error.filename), error.strerror or str(error)
    if os.path.exists(place) and not stat.S_ISSOCK(os.stat(place).st_mode):
        reason = "it is there already, and no socket"
    elsewhere = [name for name in ("unix", "metrics", "admin") if getattr(args, name) == place]
    if not elsewhere and place == ADMIN:
        elsewhere = ["admin"]  # where it is unless told otherwise
    in_use = error.errno in (errno.EADDRINUSE, errno.EACCES)
    option = elsewhere[0] if elsewhere else "port" if in_use else "host"
    return f"--{option}: {place}: {reason}"


def _wait(
    server: LocalServer, signals: list[int], certificate: Certificate | None, seconds: float = float("inf")
) -> None:
    """Wait for SIGTERM; meanwhile tell the watchdog that the event loop goes round, and obey SIGHUP.

    Args:
        seconds: for how long at most.
    """
    every = systemd.watchdog_seconds()
    look = _LOOK_SECONDS if every is None else min(_LOOK_SECONDS, every / 2)
    due, end = 0.0, time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        while signals:
            if signals.pop(0) == signal.SIGTERM:
                return
            if certificate is not None:
                with contextlib.suppress(TimeoutError):
                    server.call(certificate.load, timeout=_CALL_SECONDS)
        now = time.monotonic()
        if every is not None and now >= due:
            due = now + every
            with contextlib.suppress(TimeoutError):  # which the service manager then notices
                server.call(lambda: None, timeout=every)
                systemd.notify("WATCHDOG=1")
        # A signal that comes just before this does not cut it short.
        time.sleep(min(look, left))


def _say_what_is_lost(server: LocalServer) -> None:
    services = (server.service, *server.mounts.values())
    sessions = sum(len(service) for service in services)
    messages = sum(service.waiting for service in services)
    if sessions or messages:
        ending = "1 session ends" if sessions == 1 else f"{sessions} sessions end"
        lost = "1 message that has not arrived is lost"
        if messages != 1:
            lost = f"{messages} messages that have not arrived are lost"
        print(
            f"gaechannel: {ending} with this process, and {lost}; --state FILE keeps both for the next one",
            file=sys.stderr,
        )


def _given_key(name: str) -> bytes:
    """The key in the file that was given."""
    try:
        return _key(Path(name))
    except OSError as error:  # which may name the file that is made beside it
        raise CommandError(f"--key-file: {name}: {error.strerror or error}") from None


def _key(file: Path) -> bytes:
    """The key in the file, which is made where it is not there; whole, and nobody else's, at every moment."""
    with contextlib.suppress(FileNotFoundError):
        return _read_key(file)
    handle, new = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")  # mode 600
    try:
        with os.fdopen(handle, "w") as written:
            print(secrets.token_hex(32), file=written)
        with contextlib.suppress(FileExistsError):  # somebody else was faster
            os.link(new, file)
    finally:
        os.unlink(new)
    return _read_key(file)


def _read_key(file: Path) -> bytes:
    key = file.read_bytes().strip()
    if len(key) < _MIN_KEY_BYTES:
        raise CommandError(
            f"--key-file: {file} has no key in it: that is {_MIN_KEY_BYTES} bytes or more, such as a"
            " file that does not exist is given"
        )
    if file.stat().st_mode & 0o077:
        print(f"gaechannel: {file} holds a secret and can be read by others: chmod 600", file=sys.stderr)
    return key


def _answer(session: Session) -> None:
    """Let a program that tries the two-way channels see that something comes back."""
    session.on_message = lambda data: session.send({"you said": data})


def _how_to_use(server: LocalServer, given: bool) -> str:
    secret = "" if given else f"\n  export GAECHANNEL_ADMIN_TOKEN={server.admin_token}"
    metrics = "" if server.metrics is None else f"\n  metrics                   {server.metrics}"
    two_way = "".join(f"\n  {one.dialect.name:<25} {server.url}{path}" for path, one in server.mounts.items())
    if server.url.startswith("unix:"):
        return f"""\
Serving on {server.url}, until Ctrl-C: clients come by the proxy in front of it.
  administration            {server.admin_url}
  administrative token      {"the one you gave" if given else server.admin_token}{metrics}"""
    return f"""\
Serving on {server.url}, until Ctrl-C.
  App Engine's Channel API  {server.base_url}{two_way}
  administration            {server.admin_url}, with a page
  administrative token      {"the one you gave" if given else server.admin_token}{metrics}

In another terminal on this machine, create a channel, listen to it, and send to it:
  export GAECHANNEL_BASE_URL={server.base_url}
  export GAECHANNEL_ADMIN={server.admin_url}{secret}
  gaechannel create me | gaechannel listen - &
  gaechannel send me 'Hello, channel!'"""
