"""What a notebook shows of a channel."""

import time
from html import escape
from typing import Any

from gaechannel.errors import ChannelError

#: Of a failure, so many characters: what a server says may be long.
_LONGEST = 300

_COLOURS = {"open": "#2e7d32", "waiting": "#c62828", "connecting": "#b26a00"}
_STYLE = "text-align:left;padding:1px 12px 1px 0;vertical-align:top"
_TITLE = f'scope="row" style="{_STYLE};white-space:nowrap"'
_CELL = f'style="{_STYLE};overflow-wrap:anywhere"'  # a failure's URL is long


def channel_html(channel: Any) -> str:
    """A table of how the channel stands: what its ``repr`` says, its state, its counters, how the last
    messages began, its last error.

    Nothing is asked of the server, and no token is in it. What came from outside is escaped.
    """
    name = repr(channel)
    try:
        rows = _rows(channel)
    except (ChannelError, RuntimeError):  # of another process, or not initialized
        return f"<code>{escape(name)}</code>"
    lines = "".join(f"<tr><th {_TITLE}>{title}</th><td {_CELL}>{cell}</td></tr>" for title, cell in rows)
    return f'<code>{escape(name)}</code><table style="margin:4px 0 0">{lines}</table>'


def _rows(channel: Any) -> list[tuple[str, str]]:
    """Titles, and what stands beside each, as HTML."""
    state, stats = channel.state, channel.stats
    colour = _COLOURS.get(state, "inherit")
    rows = [
        ("state", f'<span style="color:{colour}">●</span> {escape(state)}'),
        ("messages", f"{stats.messages:,}{_since(stats.last_message_time)}"),
        ("received", f"{stats.bytes:,} bytes, {stats.chunks:,} chunks, {stats.arrays:,} arrays"),
        ("reconnects", f"{stats.reconnects:,}"),
        ("sessions", f"{stats.sessions:,}"),
    ]
    unsent = getattr(channel, "unsent", 0)
    if unsent:
        rows.append(("unsent maps", f"{unsent:,}"))
    messages = channel._past()
    if messages:
        rows.append(("last messages", "<br/>".join(_message(channel, *message) for message in messages)))
    if channel.last_error is not None:
        rows.append(("last error", _error(channel.last_error)))
    return rows


def _since(when: float | None) -> str:
    if when is None:
        return ""
    return f", the last {max(time.time() - when, 0):,.0f} s ago"


def _message(channel: Any, number: int, beginning: bytes, length: int) -> str:
    # As it came: a str, or JSON's text. Half of a character is shown as a question mark, and what would move
    # the text or turn it around as a space.
    text = beginning.decode("utf-8", "replace")
    text = "".join(character if character.isprintable() else " " for character in text)
    return f"{number:,}: {escape(channel._redact(text))}{'…' if length > len(beginning) else ''}"


def _error(error: Exception) -> str:
    words = str(error)
    shown = words if len(words) <= _LONGEST else words[: _LONGEST - 1] + "…"
    return f"{escape(type(error).__name__)}: {escape(shown)}"
