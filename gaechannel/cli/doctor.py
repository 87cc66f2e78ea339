"""`gaechannel doctor`: what a report of a fault needs to say of the machine, and a test connection."""

from __future__ import annotations

import argparse
import importlib.metadata
import logging
import os
import platform
import re
import ssl
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gaechannel import _core
from gaechannel._authorities import found_authorities
from gaechannel._version import __version__
from gaechannel.client import Client
from gaechannel.errors import ChannelError, HTTPStatusError, InvalidToken
from gaechannel.two_way import BrowserChannel, WebChannel

from .arguments import add_command, add_connection, connection_options, url
from .output import one_line

if TYPE_CHECKING:
    from gaechannel import ChannelOptions

    from .arguments import _Commands

_LOOPBACK_SECONDS = 20.0
_PROXY_NAMES = ("https_proxy", "http_proxy", "all_proxy")
_AUTHORITY_NAMES = ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "SSL_CERT_DIR")
_SECRET_NAMES = ("GAECHANNEL_ADMIN_TOKEN",)
#: What is used where it is there, beside the package itself.
_COMPANIONS = ("aiohttp", "certifi", "gevent", "orjson", "uvloop")


def add_doctor(commands: _Commands) -> None:
    parser = add_command(
        commands,
        "doctor",
        _doctor,
        "say what a report of a fault needs: versions, certificates, proxies, a test connection",
        "Names no token, password or home directory. Without URL the connection is to a server of its own on"
        " this machine, where aiohttp is installed. The status is 1 if something is wrong.",
    )
    parser.add_argument(
        "url", metavar="URL", nargs="?", type=url, help="also open a session at that channel's URL"
    )
    parser.add_argument(
        "--dialect",
        choices=("talk", "browserchannel", "webchannel"),
        help="what is spoken at URL (App Engine's Channel API, talk, where that ends in /talkgadget, else"
        " webchannel)",
    )
    add_connection(parser)


def _doctor(args: argparse.Namespace) -> int:
    options = connection_options(args)
    if options and args.url is None:
        args.fail("--verify, --cert and --proxy are nothing without a URL")
    print(f"{'gaechannel':<13}{__version__}")
    for name, words in _machine():
        print(f"{name:<13}{words}")
    well = True
    checks: list[Callable[[], tuple[str, bool, str]]] = [lambda: _certificates(args.verify)]
    checks.append(_loopback if args.url is None else lambda: _remote(args, options))
    for check in checks:
        name, good, words = check()
        well &= good
        print(f"{name:<13}{'' if good else 'WRONG: '}{words}")
    return 0 if well else 1


# ---- What there is ----


def _machine() -> Iterator[tuple[str, str]]:
    gil = "" if getattr(sys, "_is_gil_enabled", lambda: True)() else ", without the GIL"
    yield "Python", f"{platform.python_implementation()} {platform.python_version()}{gil}"
    yield "built", "for any CPython from 3.11 on" if ".abi3." in _core.__file__ else "for this CPython alone"
    libc = " ".join(platform.libc_ver()).strip()
    system = f"{platform.system()} {platform.release()}, {platform.machine()}"
    yield "system", ", ".join(filter(None, (system, _distribution(), libc, sysconfig.get_platform())))
    read_by = _core.blocks_extension or "nothing that is faster than a character at a time"
    made = "written in place" if _core.writes_in_place else "made by the stable ABI"
    yield "texts", f"read by {read_by}, {made}"
    details = _core._libcurl_details()
    yield "libcurl", f"{details['version']}; {' '.join(details['features'])}"
    yield "with", ", ".join(_companions()) or "nothing of " + ", ".join(_COMPANIONS)
    yield "proxies", ", ".join(_proxies()) or "none in the environment"
    yield "environment", ", ".join(_environment()) or "nothing of gaechannel's"
    yield "files", _open_files()


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        return ""


def _companions() -> Iterator[str]:
    for name in _COMPANIONS:
        try:
            yield f"{name} {importlib.metadata.version(name)}"
        except importlib.metadata.PackageNotFoundError:
            continue


def _proxies() -> Iterator[str]:
    for name in _PROXY_NAMES:
        # Libcurl does not read HTTP_PROXY: a web server's programs would have it from whoever asks them.
        for spelling in (name, name.upper()) if name != "http_proxy" else (name,):
            if value := os.environ.get(spelling):
                yield f"{spelling}={_place(value)}"
    for spelling in ("no_proxy", "NO_PROXY"):
        if value := os.environ.get(spelling):
            yield f"{spelling}={one_line(value)}"


def _environment() -> Iterator[str]:
    for name in ("GAECHANNEL_BASE_URL", "GAECHANNEL_ADMIN"):
        if address := os.environ.get(name):
            is_path = "/" in address and "://" not in address  # a Unix socket's
            yield f"{name}={_homeless(address) if is_path else _place(address)}"
    for name in _SECRET_NAMES:
        if os.environ.get(name):
            yield f"{name} is set"
    if os.environ.get("GAECHANNEL_STABLE_ABI", "0") not in ("", "0"):
        yield "GAECHANNEL_STABLE_ABI is set"
    for name in _AUTHORITY_NAMES:
        if value := os.environ.get(name):
            yield f"{name}={_homeless(value)}"
    if value := os.environ.get("REQUESTS_CA_BUNDLE"):
        yield f"REQUESTS_CA_BUNDLE={_homeless(value)} (not read: SSL_CERT_FILE is)"


def _open_files() -> str:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return f"{_limit(soft)} may be open, {_limit(hard)} at most: a channel takes one or two"


def _limit(number: int) -> str:
    return "any number" if number < 0 else str(number)


def _place(address: str) -> str:
    """A URL without what may let its owner in: its user, path and query."""
    try:
        parts = urlsplit(address if "://" in address else f"//{address}")
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "(no URL)"
    scheme = f"{parts.scheme}://" if parts.scheme else ""
    user = "***@" if parts.username or parts.password else ""
    return one_line(f"{scheme}{user}{host}{port}")


def _homeless(path: str) -> str:
    """A path without the user's name."""
    home = os.path.expanduser("~")
    return one_line("~" + path[len(home) :] if home != "/" and path.startswith(home + os.sep) else path)


# ---- What works ----


def _certificates(given: str | None) -> tuple[str, bool, str]:
    found = found_authorities() if given is None else {"ca_file": given}
    by_libcurl = not found
    if by_libcurl:
        details = _core._libcurl_details()
        found = {"ca_file": details["ca_file"], "ca_path": details["ca_path"]}
    places = [path for path in (found.get("ca_file"), found.get("ca_path")) if path]
    found_there = [(path, *_authorities_in(path)) for path in places]
    counted = [f"{_homeless(path)} ({count or why})" for path, count, why in found_there]
    if not places:
        # A libcurl that asks the system by itself, as Apple's and macOS's wheels do, names no place.
        return (
            "certificates",
            _core.finds_authorities,
            (
                "asked of the system"
                if _core.finds_authorities
                else "none found: install ca-certificates or certifi"
            ),
        )
    if given is not None:
        origin = "as --verify says"
    elif by_libcurl:
        origin = "as libcurl was built"
    elif any(map(os.environ.get, _AUTHORITY_NAMES)):
        origin = "as the environment says"
    else:
        origin = "as they were found"
    return "certificates", any(count for _, count, _ in found_there), f"{', '.join(counted)}, {origin}"


def _authorities_in(path: str) -> tuple[int, str]:
    """How many authorities are in a file or a directory; where there are none, why."""
    try:
        if os.path.isdir(path):
            hashed = {name for name in os.listdir(path) if re.fullmatch(r"[0-9a-f]{8}\.\d+", name)}
            return len(hashed), "no names as `openssl rehash` makes them"
        with open(path, "rb") as file:
            content = file.read()
    except OSError as error:
        return 0, f"cannot be read: {error.strerror}"
    count = content.count(b"-----BEGIN CERTIFICATE-----")
    why = _unreadable(path) if count else _core._pem_fault(path, False) or "no certificate"
    return (0, f"cannot be read: {why}") if count and why else (count, why)


def _unreadable(path: str) -> str:
    """What OpenSSL says of a file with certificates; nothing if it can read them."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except OSError as error:
        return one_line(str(error.strerror or error))
    return ""


def _loopback() -> tuple[str, bool, str]:
    """A message from a server of our own."""
    try:
        from gaechannel.server import LocalServer
    except ImportError:
        return (
            "connection",
            True,
            "not tested: `doctor URL` tests one, and so does gaechannel[server] by itself",
        )
    began = time.monotonic()
    try:
        with (
            LocalServer() as server,
            Client(server.create_channel("doctor"), base_url=server.base_url, proxy="") as client,
        ):
            server.send_message("doctor", "well")
            client.recv(timeout=_LOOPBACK_SECONDS)
    except (ChannelError, OSError) as error:
        return "connection", False, f"on this machine: {_words(error)}"
    return "connection", True, f"a message on this machine, after {_milliseconds(began)}"


def _silent() -> logging.Logger:
    """A logger for a channel whose exception says it all."""
    logger = logging.Logger("Channel")  # noqa: LOG001 - nobody else's
    logger.addHandler(logging.NullHandler())
    return logger


def _remote(args: argparse.Namespace, options: ChannelOptions) -> tuple[str, bool, str]:
    """A session at the URL that was given."""
    where = _place(args.url)
    dialect = args.dialect or ("talk" if args.url.endswith("/talkgadget") else "webchannel")
    began = time.monotonic()
    try:
        if dialect == "talk":
            return _talk(args.url, where, options)
        channel_class = WebChannel if dialect == "webchannel" else BrowserChannel
        with channel_class(args.url, logger=_silent(), **options) as channel:
            channel.connect(timeout=_LOOPBACK_SECONDS, retry=False)
            return "connection", True, f"{where}: a session, after {_milliseconds(began)}"
    except HTTPStatusError as error:
        words = (
            f"{where}: reached after {_milliseconds(began)}, which answers {error.code} {error.reason or ''}"
        )
        others = "" if args.dialect else "; --dialect browserchannel, for one, asks for another"
        said = f"{one_line(words).strip()}: no channel of the dialect {dialect}, or not for us{others}"
        return "connection", False, said
    except (ChannelError, OSError) as error:
        return "connection", False, f"{where}: {_words(error)}"
    except ValueError as error:  # an option's
        args.fail(str(error))
        raise


def _talk(base_url: str, where: str, options: ChannelOptions) -> tuple[str, bool, str]:
    """Whether a server of the Channel API is there: it refuses a token that it has not made."""
    began = time.monotonic()
    try:
        with Client("doctor", base_url=base_url, logger=_silent(), **options) as client:
            client.recv(timeout=_LOOPBACK_SECONDS)
    except InvalidToken:
        pass
    after = _milliseconds(began)
    return "connection", True, f"{where}: a server of the Channel API, which wants a token, after {after}"


def _milliseconds(began: float) -> str:
    return f"{(time.monotonic() - began) * 1000:.0f} ms"


def _words(error: Exception) -> str:
    """An error's words up to the URL in it."""
    code = getattr(error, "curl_code", None)
    said = re.split(r" \(https?://|; the server said", str(error))[0]
    return one_line(f"{type(error).__name__}{f' {code}' if code else ''}: {said}")
