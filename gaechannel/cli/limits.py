"""Options of `gaechannel serve` that bound what strangers can do."""

from __future__ import annotations

import argparse
from typing import Any

from .arguments import count, positive

#: Each is an argument of LocalServer with underscores for dashes; what it is, and its default.
LIMITS = {
    "max-body": ("bytes of a request's body", "1048576"),
    "max-fields": ("fields of a form, and maps of a request", "10000"),
    "max-head": ("bytes of a request's head", "98304"),
    "max-connections": ("connections at the same time", "the limit on open files, less 100"),
    "max-connections-per-address": (
        "of them from one address (IPv6: one /64 network)",
        "half of them; as many as there may be from this machine",
    ),
    "max-sessions": ("sessions at the same time", "100000"),
    "max-sessions-per-token": ("of them of one client id's tokens", "10000"),
    "max-unacknowledged": ("bytes that a session holds until they are acknowledged", "67108864"),
    "max-queued": ("bytes that all sessions hold together", "268435456"),
    "header-seconds": ("seconds that a request's head may take", "10"),
    "body-seconds": ("seconds that a body may take, and one more for each 1,000 bytes of it", "20"),
    "idle-seconds": ("seconds that a connection may be there without a request", "75"),
    "session-timeout": ("seconds after which a session that is not heard of has ended", "60"),
}


def add_limits(parser: argparse.ArgumentParser) -> None:
    """Add an option for each limit, and those that say which pages and names are let in."""
    parser.add_argument(
        "--allow-origin",
        action="append",
        metavar="ORIGIN",
        help="let pages of this origin, such as https://example.org, use the server from a browser; *: of"
        " every one, but without cookies; may be repeated",
    )
    parser.add_argument(
        "--host-name",
        action="append",
        metavar="NAME",
        help="a name that a request's Host may have beside addresses and names without a dot; may be repeated"
        " (default: any, but none where --host is this machine's own address)",
    )
    group = parser.add_argument_group("limits", "What is too much is refused, and counted.")
    for name, (text, default) in LIMITS.items():
        group.add_argument(
            f"--{name}",
            type=count if name.startswith("max-") else positive,
            metavar="N" if name.startswith("max-") else "S",
            help=f"{text} ({default})",
        )


def given_limits(args: argparse.Namespace) -> dict[str, Any]:
    """The arguments of LocalServer that were given."""
    names = [name.replace("-", "_") for name in LIMITS]
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    if args.allow_origin is not None:
        given["allow_origins"] = args.allow_origin
    if args.host_name is not None:
        given["host_names"] = args.host_name
    return given
