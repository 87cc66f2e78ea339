"""Standard streams: one line a message, readers that go, what is said on stderr."""

from __future__ import annotations

import json
import logging
import os
import re
import select
import sys
import threading
from collections.abc import Callable
from typing import TextIO

from .arguments import CommandError

# What would end a line, or do things to a terminal.
_CONTROLS = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
_SHORT_ESCAPES = {"\n": "\\n", "\r": "\\r"}


def flush() -> None:
    if sys.stdout is not None:
        sys.stdout.flush()


def forget_stdout() -> None:
    """Let the interpreter's own flush at exit go nowhere."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())
    os.close(devnull)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return _SHORT_ESCAPES.get(found[0]) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")


def one_line(text: str) -> str:
    return _CONTROLS.sub(_escape, text)


def as_json(value: object) -> str:
    encoding = (getattr(sys.stdout, "encoding", None) or "ascii").lower().replace("-", "")
    # Where all can be printed, print it; a lone surrogate becomes its escape on the way out.
    text = json.dumps(value, ensure_ascii=encoding != "utf8")
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def stdin() -> TextIO:
    if sys.stdin is None:
        raise CommandError("standard input is closed")
    return sys.stdin


def log_to_stderr(logger: logging.Logger, verbose: bool) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("gaechannel: %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG if verbose else logging.WARNING)


def when_reader_goes(then: Callable[[], object]) -> None:
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
