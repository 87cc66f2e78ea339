"""Where a server's log goes, and how it is written: lines for people, or JSON for programs."""

from __future__ import annotations

import contextlib
import json
import logging
import logging.handlers
import sys
import time
from datetime import UTC, datetime
from typing import TextIO

from .arguments import CommandError

#: The loggers of the server, and of its requests alone.
SERVER = "gaechannel.server"
ACCESS = "gaechannel.server.access"

_SECONDS = 60.0  # between two lines that say that the log cannot be written


class _Json(logging.Formatter):
    """One JSON object a line: when, how bad, who, what, and the fields of a record that has some."""

    def format(self, record: logging.LogRecord) -> str:
        what: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        fields = getattr(record, "fields", None)
        if fields is None:
            what["message"] = record.getMessage()
        else:
            what |= fields
        if record.exc_info:
            what["exception"] = self.formatException(record.exc_info)
        return json.dumps(what)


class _Lines(logging.Formatter):
    """A line a record; what goes wrong has its traceback behind it."""

    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self, form: str) -> None:
        super().__init__(form)
        self.converter = time.gmtime


class _Once:
    """What is done where a record cannot be written: one line a minute, and the server goes on."""

    _said = float("-inf")

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        now = time.monotonic()
        if now - self._said >= _SECONDS and sys.stderr is not None:
            self._said = now
            with contextlib.suppress(OSError):  # it may be standard error that cannot be written
                print(f"gaechannel: the log cannot be written: {sys.exc_info()[1]}", file=sys.stderr)


class _Stderr(_Once, logging.StreamHandler[TextIO]):
    pass


class _File(_Once, logging.handlers.WatchedFileHandler):
    """A file that is opened anew where another stands in its place: logrotate needs no signal."""


def log_server(access: str | None, *, as_json: bool) -> logging.Logger | None:
    """Have the server's warnings and errors go to standard error, and its requests where it is said.

    Args:
        access: a file, or ``-`` for standard error; None: requests are not logged.
        as_json: whether a record is a JSON object.

    Returns:
        The logger of requests; None where they are not logged.

    Raises:
        CommandError: the file cannot be written.
    """
    handler = _Stderr()
    handler.setFormatter(_Json() if as_json else _Lines("%(asctime)s %(levelname)s %(message)s"))
    for name in (SERVER, "aiohttp", "asyncio"):
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.propagate = False
    if access is None:
        return None
    requests = logging.getLogger(ACCESS)
    try:
        written: logging.Handler = _Stderr() if access == "-" else _File(access, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"--access-log: {access}: {error.strerror or error}") from None
    written.setFormatter(_Json() if as_json else _Lines("%(asctime)s %(message)s"))
    requests.addHandler(written)
    requests.setLevel(logging.INFO)
    requests.propagate = False
    return requests
