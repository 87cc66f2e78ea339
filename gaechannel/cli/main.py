"""The command ``gaechannel``: a demonstration, a channel server, and what talks to one.

Exit status: 0, 1 after an error (one line on stderr), 2 after wrong arguments, 130 after Ctrl-C. A reader of
standard output that has gone is no error.

``demo`` and ``serve`` need aiohttp, the others nothing beyond this package.
"""

from __future__ import annotations

import argparse
import sys

from gaechannel import _core
from gaechannel._version import __version__
from gaechannel.errors import ChannelError

from .admin import add_create, add_send
from .arguments import CommandError
from .config import configured
from .decode import add_decode
from .demo import add_demo
from .doctor import add_doctor
from .listen import add_listen
from .output import flush, forget_stdout
from .serve import add_serve


def main(argv: list[str] | None = None) -> int:
    """Run the command with these arguments, or the process's; return the exit status.

    Raises:
        SystemExit: the arguments are wrong, or ask for help.
    """
    try:
        try:
            return _run(argv)
        finally:
            flush()
    except BrokenPipeError:
        forget_stdout()
        return 0
    except KeyboardInterrupt:
        return 130


_AUTHORITY = "is its authority your own? Name it by SSL_CERT_FILE=FILE in the environment, or by --verify"
_CLOCK = "is this machine's clock right?"
#: What TLS libraries say, and what may be done about it: the first that is found in the error's words.
_HINTS = {
    "certificate has expired": _CLOCK,
    "certificate is not yet valid": _CLOCK,
    "too weak a ": "have its certificate made anew",
    # Of OpenSSL and the wheels' AWS-LC, and of GnuTLS.
    "SSL certificate problem": _AUTHORITY,
    "certificate verification failed": _AUTHORITY,
    "during the TLS handshake": "does that port speak https?",
    "wrong version number": "does that port speak plain http?",
    "WRONG_VERSION_NUMBER": "does that port speak plain http?",
    "unexpected TLS packet": "does that port speak plain http?",
    "Empty reply from server (http:": "does that port speak https?",
}


def _run(argv: list[str] | None) -> int:
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A lone surrogate, or a character that the terminal's encoding lacks, must not end the program.
            stream.reconfigure(line_buffering=True, errors="backslashreplace")
    parser = _parser()
    try:
        args = configured(parser, argv)
        status: int = args.run(args)
    except BrokenPipeError:
        raise
    except (ChannelError, OSError, CommandError) as error:
        words = " ".join(_words(error).split()) or type(error).__name__
        hint = next((f"; {hint}" for said, hint in _HINTS.items() if said in words), "")
        print(f"gaechannel: {words}{hint}", file=sys.stderr)
        return 1
    return status


def _words(error: Exception) -> str:
    if isinstance(error, ChannelError) or not isinstance(error, OSError) or not error.strerror:
        return str(error)
    return f"{error.filename}: {error.strerror}" if error.filename else error.strerror


def _version() -> str:
    details = _core._libcurl_details()
    tls = f" with {details['version'].split()[1]}" if "SSL" in details["features"] else ""
    return f"gaechannel {__version__}, libcurl {_core.libcurl_version}{tls}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gaechannel",
        description="Messages over the BrowserChannel protocol, from the command line.",
        epilog="`gaechannel COMMAND --help` says more of each.",
    )
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    add_demo(commands)
    add_serve(commands)
    add_create(commands)
    add_send(commands)
    add_listen(commands)
    add_decode(commands)
    add_doctor(commands)
    return parser
