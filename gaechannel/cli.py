"""The command ``gaechannel``: a demonstration, a channel server, and what talks to one.

Exit status: 0, 1 after an error (one line on stderr), 2 after wrong arguments, 130 after Ctrl-C. A reader of
standard output that has gone is no error.

``demo`` and ``serve`` need aiohttp; ``create``, ``send`` and ``listen`` need nothing beyond this package.
"""

import argparse
import contextlib
import http.client
import json
import logging
import os
import re
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TextIO
from urllib.parse import urlencode, urlsplit

from gaechannel._core import libcurl_version
from gaechannel._options import check_url
from gaechannel._version import __version__
from gaechannel.client import Client, Stats
from gaechannel.errors import ChannelClosed, ChannelError, HTTPStatusError, TransportError
from gaechannel.merging import merge

if TYPE_CHECKING:
    from gaechannel.server import LocalServer, Session

__all__ = ["main"]

# Where `serve` listens unless told otherwise.
_PORT = 8080
_LOCAL_URL = f"http://127.0.0.1:{_PORT}/talkgadget"

# What would end a line, or do things to a terminal.
_CONTROLS = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
_SHORT_ESCAPES = {"\n": "\\n", "\r": "\\r"}


class _CommandError(Exception):
    """What one line on stderr says."""


def main(argv: list[str] | None = None) -> int:
    """Run the command with these arguments, or the process's; return the exit status.

    Raises:
        SystemExit: the arguments are wrong, or ask for help.
    """
    try:
        try:
            return _run(argv)
        finally:
            _flush()
    except BrokenPipeError:
        _forget_stdout()
        return 0
    except KeyboardInterrupt:
        return 130


def _run(argv: list[str] | None) -> int:
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A lone surrogate, or a character that the terminal's encoding lacks, must not end the program.
            stream.reconfigure(line_buffering=True, errors="backslashreplace")
    parser = _parser()
    args = parser.parse_args(argv)
    try:
        status: int = args.run(args)
    except BrokenPipeError:
        raise
    except (ChannelError, OSError, _CommandError) as error:
        print("gaechannel:", " ".join(str(error).split()) or type(error).__name__, file=sys.stderr)
        return 1
    return status


def _flush() -> None:
    if sys.stdout is not None:
        sys.stdout.flush()


def _forget_stdout() -> None:
    """Let the interpreter's own flush at exit go nowhere."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())
    os.close(devnull)


# ---- Arguments ----


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gaechannel",
        description="Messages over the BrowserChannel protocol, from the command line.",
        epilog="`gaechannel COMMAND --help` says more of each.",
    )
    version = f"gaechannel {__version__}, libcurl {libcurl_version}"
    parser.add_argument("--version", action="version", version=version)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_demo(commands)
    _add_serve(commands)
    _add_create(commands)
    _add_send(commands)
    _add_listen(commands)
    return parser


if TYPE_CHECKING:
    _Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def _add(
    commands: "_Commands", name: str, run: Callable[[argparse.Namespace], int], text: str, more: str = ""
) -> argparse.ArgumentParser:
    description = f"{text[0].upper()}{text[1:]}. {more}".strip()
    parser = commands.add_parser(name, help=text, description=description)
    parser.set_defaults(run=run, fail=parser.error)
    return parser


def _add_demo(commands: "_Commands") -> None:
    _add(commands, "demo", _demo, "watch messages arrive from a local channel server over broken connections")


def _add_serve(commands: "_Commands") -> None:
    parser = _add(
        commands,
        "serve",
        _serve,
        "run a channel server until Ctrl-C",
        "It prints how to use it once it listens.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument(
        "--port", type=_port, default=_PORT, help="port to listen on; 0: a free one (%(default)s)"
    )
    _add_admin_token(
        parser, "default: the environment's GAECHANNEL_ADMIN_TOKEN, or a new one, which is printed"
    )
    parser.add_argument(
        "--backchannel-seconds",
        type=_positive,
        default=240.0,
        metavar="S",
        help="how long a back channel may be open before it is ended in order (%(default)g)",
    )
    parser.add_argument(
        "--channels",
        type=_count,
        metavar="N",
        help="have room for so many open channels: raises the limit on open files",
    )


def _add_create(commands: "_Commands") -> None:
    parser = _add(commands, "create", _create, "print a token for a new channel")
    parser.add_argument("client_id", metavar="CLIENT_ID", help="the application's name for who will listen")
    parser.add_argument("--minutes", type=_count, metavar="N", help="how long the token is valid (120)")
    _add_server(parser)


def _add_send(commands: "_Commands") -> None:
    parser = _add(commands, "send", _send, "send a message to a channel")
    parser.add_argument(
        "client_id", metavar="CLIENT_ID", help="what the channel was created with; or its token"
    )
    parser.add_argument("text", metavar="TEXT", help="the message; -: each line of standard input is one")
    _add_server(parser)


def _add_listen(commands: "_Commands") -> None:
    parser = _add(
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
    parser.add_argument("--count", type=_count, metavar="N", help="stop after so many messages")
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="say on stderr what is asked of the server"
    )
    _add_base_url(parser)


def _add_server(parser: argparse.ArgumentParser) -> None:
    _add_base_url(parser)
    _add_admin_token(parser, "default: the environment's GAECHANNEL_ADMIN_TOKEN")


def _add_base_url(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--base-url",
        type=_url,
        default=os.environ.get("GAECHANNEL_BASE_URL") or _LOCAL_URL,
        metavar="URL",
        help=f"the channel server's address; default: the environment's GAECHANNEL_BASE_URL, or {_LOCAL_URL}",
    )


def _add_admin_token(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("--admin-token", metavar="SECRET", help=f"the server's administrative token; {text}")


def _url(text: str) -> str:
    try:
        return check_url(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _count(text: str) -> int:
    with contextlib.suppress(ValueError):
        if int(text) > 0:
            return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")


def _port(text: str) -> int:
    with contextlib.suppress(ValueError):
        if 0 <= int(text) <= 65535:
            return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a port: 0 to 65535")


def _positive(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 < float(text) < float("inf"):
            return float(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")


# ---- listen ----


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return _SHORT_ESCAPES.get(found[0]) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")


def _one_line(text: str) -> str:
    return _CONTROLS.sub(_escape, text)


def _json_line(channel: int, message: str) -> str:
    encoding = (getattr(sys.stdout, "encoding", None) or "ascii").lower().replace("-", "")
    # Where all can be printed, print it; a lone surrogate becomes its escape on the way out.
    text = json.dumps({"channel": channel, "message": message}, ensure_ascii=encoding != "utf8")
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _stdin() -> TextIO:
    if sys.stdin is None:
        raise _CommandError("standard input is closed")
    return sys.stdin


def _tokens(args: argparse.Namespace) -> list[str]:
    tokens: list[str] = []
    for token in args.tokens:
        tokens += _stdin().read().split() if token == "-" else [token]  # noqa: S105
    if not tokens:
        raise _CommandError("there is no token on standard input")
    if "" in tokens:
        args.fail("a TOKEN is empty")
    return tokens


def _clients(args: argparse.Namespace, logger: logging.Logger) -> list[Client]:
    try:
        return [Client(token, logger, base_url=args.base_url) for token in _tokens(args)]
    except ValueError as error:
        raise _CommandError(str(error)) from None


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


def _log_to_stderr(logger: logging.Logger, verbose: bool) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("gaechannel: %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG if verbose else logging.WARNING)


def _listen(args: argparse.Namespace) -> int:
    logger = logging.Logger("Channel")  # noqa: LOG001 - nobody else's
    _log_to_stderr(logger, args.verbose)
    clients = _clients(args, logger)
    _end_in_order_on_signals()
    gone = threading.Event()
    with contextlib.ExitStack() as stack:
        for client in clients:
            stack.callback(client.close)

        def close() -> None:
            gone.set()
            stack.close()

        _when_reader_goes(close)
        places = {client: place for place, client in enumerate(clients, 1)}
        try:
            for number, (client, message) in enumerate(merge(clients), 1):
                print(_json_line(places[client], message) if args.json else _one_line(message))
                if number == args.count:
                    break
        except ChannelClosed:
            # By ourselves, before it was asked for a message?
            if not gone.is_set():
                raise
    return 0


def _when_reader_goes(then: Callable[[], object]) -> None:
    """Call that when standard output is a pipe and nobody reads it any more; otherwise the next message would
    have to come before it is noticed."""
    try:
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)
    except (AttributeError, OSError, ValueError):
        return

    def watch() -> None:
        if any(event & select.POLLERR for _, event in poll.poll()):
            then()

    threading.Thread(target=watch, daemon=True).start()


# ---- create and send ----


def _admin(args: argparse.Namespace, command: str, form: dict[str, str]) -> str:
    """What the server's administrative interface answers.

    Not over urllib: that would follow redirects with the token, and go through a proxy, from which the server
    takes nothing.
    """
    secret = args.admin_token or os.environ.get("GAECHANNEL_ADMIN_TOKEN")
    if not secret:
        args.fail("no administrative token: give --admin-token, or set GAECHANNEL_ADMIN_TOKEN")
    url = urlsplit(args.base_url)
    connection_class = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = connection_class(url.hostname or "", url.port, timeout=30)
    path = f"{url.path.removesuffix('/talkgadget')}/admin/{command}"
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/x-www-form-urlencoded"}
    try:
        connection.request("POST", path, urlencode(form, errors="surrogatepass"), headers)
        response = connection.getresponse()
        body = response.read(1 << 20).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise TransportError(f"cannot reach the server at {url.scheme}://{url.netloc}: {reason}") from error
    finally:
        connection.close()
    if response.status == 401:
        raise _CommandError("the server does not accept the administrative token")
    if response.status != 200:
        raise HTTPStatusError(f"the server answered {response.status}: {body.strip() or response.reason}")
    return body


def _create(args: argparse.Namespace) -> int:
    form = {"client_id": args.client_id}
    if args.minutes is not None:
        form["duration_minutes"] = str(args.minutes)
    print(_admin(args, "create", form).strip())
    return 0


def _send(args: argparse.Namespace) -> int:
    texts: Iterable[str] = [args.text]
    if args.text == "-":
        texts = (line.removesuffix("\n") for line in _stdin())
    for text in texts:
        _admin(args, "send", {"client_id": args.client_id, "message": text})
    return 0


# ---- serve ----


def _server_classes() -> type["LocalServer"]:
    try:
        from gaechannel.server import LocalServer
    except ImportError as error:
        raise _CommandError(str(error)) from error
    return LocalServer


_LOOK_SECONDS = 0.25  # how often `serve` looks whether it is to end


def _serve(args: argparse.Namespace) -> int:
    local_server = _server_classes()
    given = args.admin_token or os.environ.get("GAECHANNEL_ADMIN_TOKEN")
    if args.channels is not None:
        from gaechannel.server import raise_file_limit

        raise_file_limit(args.channels + 50)
    # No Event: a signal handler that sets one may find its lock held by what it has interrupted.
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: ended.append(number))
    server = local_server(
        host=args.host,
        port=args.port,
        admin_token=given or None,
        backchannel_seconds=args.backchannel_seconds,
        **({} if args.channels is None else {"max_sessions": args.channels}),
    )
    server.browserchannel.on_session = server.webchannel.on_session = _answer
    with server:
        print(_how_to_use(server, bool(given)))
        while not ended:
            time.sleep(_LOOK_SECONDS)  # a signal that comes just before this does not cut it short
    return 0


def _answer(session: "Session") -> None:
    """Let a program that tries the two-way channels see that something comes back."""
    session.on_message = lambda data: session.send({"you said": data})


def _how_to_use(server: "LocalServer", given: bool) -> str:
    secret = "" if given else f"\n  export GAECHANNEL_ADMIN_TOKEN={server.admin_token}"
    return f"""\
Serving on {server.url}, until Ctrl-C.
  App Engine's Channel API  {server.base_url}
  browserchannel            {server.url}/channel
  webchannel                {server.url}/webchannel
  administrative token      {"the one you gave" if given else server.admin_token}

In another terminal on this machine, create a channel, listen to it, and send to it:
  export GAECHANNEL_BASE_URL={server.base_url}{secret}
  gaechannel create me | gaechannel listen - &
  gaechannel send me 'Hello, channel!'"""


# ---- demo ----

_DEMO_MESSAGES = 40
_DEMO_CUT_AT = 18
_DEMO_PAUSE = 0.1  # seconds between two messages
_DEMO_BACKCHANNEL = 0.8  # seconds until the server ends a back channel in order
_DEMO_TEXTS = ("plain text", "naïve café, 10 €", "😀 is two UTF-16 units", '{"a": "JSON \\"document\\""}')


class _Story(logging.Handler):
    """Prints what happens, with the seconds since the beginning; also takes the client's log records."""

    def __init__(self) -> None:
        super().__init__()
        self.started = time.monotonic()
        self.opened = 0
        self.cut = 0
        self._is_cut = False

    def say(self, who: str, what: str) -> None:
        print(f"{time.monotonic() - self.started:6.2f} s  {who:<8}{what}")

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if found := re.search(r"long poll: .*[?&]AID=(\d+)", text):
            if self.opened and not self._is_cut:
                self.say("server", f"ended back channel {self.opened} in order")
            self.opened += 1
            self._is_cut = False
            self.say("client", f"opens back channel {self.opened}: send what follows array {found[1]}")
        elif record.levelno >= logging.WARNING:
            if text.startswith("Connection lost"):
                self.cut += 1
                self._is_cut = True
            self.say("client", text)


def _demo(args: argparse.Namespace) -> int:
    local_server = _server_classes()
    story = _Story()
    logger = logging.Logger("Channel", logging.DEBUG)  # noqa: LOG001 - nobody else's
    logger.addHandler(story)
    with local_server(backchannel_seconds=_DEMO_BACKCHANNEL) as server:
        story.say("server", f"listens on {server.url}; ends each back channel after {_DEMO_BACKCHANNEL} s")
        token = server.create_channel("demo")
        story.say("server", f"made the channel 'demo'; its token is {token[:14]}…")
        sent = [f"{i:2}: {_DEMO_TEXTS[(i - 1) % len(_DEMO_TEXTS)]}" for i in range(1, _DEMO_MESSAGES + 1)]
        stop = threading.Event()
        sender = threading.Thread(target=_demo_send, args=(server, sent, story, stop))
        received: list[str] = []
        with Client(token, logger, base_url=server.base_url) as client:
            sender.start()
            try:
                for message in client.messages():
                    received.append(message)
                    story.say("message", message)
                    if len(received) == len(sent):
                        break
            finally:
                stop.set()
                sender.join()
        stats = client.stats
    print(_demo_summary(sent, received, stats, story))
    return 0 if received == sent else 1


def _demo_send(server: "LocalServer", messages: list[str], story: _Story, stop: threading.Event) -> None:
    for number, message in enumerate(messages, 1):
        server.send_message("demo", message)
        if number == _DEMO_CUT_AT:
            story.say("server", "cuts all connections")
            server.cut()
        if stop.wait(_DEMO_PAUSE):
            return


def _demo_summary(sent: list[str], received: list[str], stats: Stats, story: _Story) -> str:
    verdict = "every one once, and in order" if received == sent else "NOT what was sent"
    in_order = story.opened - story.cut - 1
    return f"""
messages       {stats.messages} of {len(sent)} received, {verdict}
back channels  {story.opened} opened: {in_order} ended in order, {story.cut} cut, the last one closed by us
sessions       {stats.sessions}
traffic        {stats.arrays} arrays in {stats.chunks} chunks, {stats.bytes} bytes

The program that received them:
  for message in Client(token, base_url="http://…/talkgadget").messages():
      print(message)"""
