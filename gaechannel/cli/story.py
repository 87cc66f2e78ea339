"""What demonstrations print: a line for each thing that happens, and a summary."""

from __future__ import annotations

import logging
import re
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from gaechannel.client import Client, Stats

#: What the messages of demonstrations are made of.
_TEXTS = ("plain text", "naïve café, 10 €", "😀 is two UTF-16 units", '{"a": "JSON \\"document\\""}')


def numbered_messages(count: int) -> list[str]:
    """So many messages, numbered from 1."""
    return [f"{number:2}: {_TEXTS[(number - 1) % len(_TEXTS)]}" for number in range(1, count + 1)]


class Story(logging.Handler):
    """Prints what happens, with the seconds since the beginning; also takes the client's log records."""

    def __init__(self) -> None:
        super().__init__()
        self.started: float = time.monotonic()
        self.opened: int = 0
        self.cut: int = 0
        self._opened_at = 0.0
        self._is_cut = False

    def say(self, who: str, what: str) -> None:
        # In one piece, since several threads say something.
        print(f"{time.monotonic() - self.started:6.2f} s  {who:<8}{what}\n", end="")

    def logger(self) -> logging.Logger:
        """A logger for a client whose records it takes."""
        logger = logging.Logger("Channel", logging.DEBUG)  # noqa: LOG001 - nobody else's
        logger.addHandler(self)
        return logger

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if found := re.search(r"long poll: .*[?&]AID=(\d+)", text):
            if self.opened and not self._is_cut:
                self.say("server", f"ended back channel {self.opened} in order")
            self.opened += 1
            self._opened_at = time.monotonic()
            self._is_cut = False
            self.say("client", f"opens back channel {self.opened}: send what follows array {found[1]}")
        elif record.levelno >= logging.WARNING:
            if text.startswith("Connection lost"):
                self.cut += 1
                self._is_cut = True
            self.say("client", text)

    @property
    def back_channel_seconds(self) -> float:
        """For how long the last back channel has been open, as far as is known."""
        return time.monotonic() - self._opened_at

    def receive(self, client: Client, count: int, send: Callable[[threading.Event], None]) -> list[str]:
        """The next `count` messages of a client, fewer where it is closed, each told as it comes.

        Args:
            client: whose messages.
            count: how many.
            send: sends them, in a thread that has ended when this returns; stops where its event is set.
        """
        stop = threading.Event()
        sender = threading.Thread(target=send, args=(stop,))
        received: list[str] = []
        sender.start()
        try:
            for message in client.messages():
                received.append(message)
                self.say("message", message)
                if len(received) == count:
                    break
        finally:
            stop.set()
            sender.join()
        return received

    def summary(self, sent: list[str], received: list[str], stats: Stats) -> str:
        """How much of what was sent has come, and how."""
        verdict = "every one once, and in order" if received == sent else "NOT what was sent"
        in_order = self.opened - self.cut - 1
        return f"""
messages       {stats.messages} of {len(sent)} received, {verdict}
back channels  {self.opened} opened: {in_order} ended in order, {self.cut} cut, the last one closed by us
sessions       {stats.sessions}
traffic        {stats.arrays} arrays in {stats.chunks} chunks, {stats.bytes} bytes"""
