"""A command's options in a TOML file: the same names, and the command line wins."""

from __future__ import annotations

import argparse
import difflib
import os
import sys
import tomllib
from collections.abc import Iterable
from typing import Any

from .arguments import CommandError, mode, path

#: Options that make no sense in a file.
_ONLY_ARGUMENTS = frozenset({"help", "config"})
#: What options that are secrets become.
_SECRETS = ("admin_token",)


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add ``--config``, which :func:`configured` obeys."""
    parser.add_argument(
        "--config",
        type=path,
        metavar="FILE",
        help="read options from this TOML file: the same names without the dashes in front, such as"
        " `port = 8080`; what is given as an argument wins",
    )
    parser.set_defaults(parser=parser)


def configured(parser: argparse.ArgumentParser, argv: list[str] | None) -> argparse.Namespace:
    """What the arguments say, and, where they name one, a configuration file.

    Raises:
        CommandError: the file cannot be read, or holds what is no option, or no value of one.
        SystemExit: the arguments are wrong, or ask for help.
    """
    args = parser.parse_args(argv)
    file = getattr(args, "config", None)
    if file is None:
        return args
    command: argparse.ArgumentParser = args.parser
    known = {_name(action): action for action in command._actions if action.option_strings}
    defaults: dict[str, Any] = {}
    for key, value in _read(file).items():
        action = known.get(key)
        if action is None or key in _ONLY_ARGUMENTS:
            raise CommandError(f"{file}: there is no option {key!r}{_suggestion(key, known)}")
        given = getattr(args, action.dest) != action.default
        if not (given and isinstance(action, argparse._AppendAction)):  # which would add to the file's
            defaults[action.dest] = _value(file, key, value, action)
    if any(key in defaults for key in _SECRETS) and os.stat(file).st_mode & 0o077:
        print(f"gaechannel: {file} holds a secret and can be read by others: chmod 600", file=sys.stderr)
    command.set_defaults(**defaults)
    return parser.parse_args(argv)


def _name(action: argparse.Action) -> str:
    return action.option_strings[-1].removeprefix("--")


def _read(file: str) -> dict[str, Any]:
    try:
        with open(file, "rb") as opened:
            return tomllib.load(opened)
    except OSError as error:
        raise CommandError(f"--config: {file}: {error.strerror or error}") from None
    except ValueError as error:  # no TOML, or no UTF-8
        raise CommandError(f"--config: {file}: {error}") from None


def _suggestion(key: str, known: Iterable[str]) -> str:
    names = [name for name in known if name not in _ONLY_ARGUMENTS]
    close = difflib.get_close_matches(key.replace("_", "-").lower(), names, 1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are: {', '.join(sorted(names))}"


def _value(file: str, key: str, value: object, action: argparse.Action) -> object:
    """A value as the command line would have made it of its text."""
    if isinstance(action, argparse._AppendAction):
        return [_one(file, key, one, action) for one in (value if isinstance(value, list) else [value])]
    if action.nargs == 0:
        if not isinstance(value, bool):
            raise CommandError(f"{file}: {key}: {value!r} is neither true nor false")
        return value
    return _one(file, key, value, action)


def _one(file: str, key: str, value: object, action: argparse.Action) -> object:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise CommandError(f"{file}: {key}: {value!r} is neither a string nor a number")
    # A mode's digits would be taken for octal ones, whichever its number was written in.
    if action.type in (None, mode, path) and not isinstance(value, str):
        raise CommandError(f"{file}: {key}: {value!r} is no string")
    if action.type is None:
        return value
    assert callable(action.type)  # noqa: S101 - no command registers a type by name
    try:
        return action.type(str(value))
    except (argparse.ArgumentTypeError, ValueError) as error:
        raise CommandError(f"{file}: {key}: {error}") from None
