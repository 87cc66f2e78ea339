"""`gaechannel demo`: messages arrive from a local server over broken connections."""

from __future__ import annotations

import argparse
import logging
import os
import re
import sys
import threading
import time
import webbrowser
from typing import TYPE_CHECKING

from gaechannel.client import Client, Stats

from .arguments import add_command
from .serve import server_classes

if TYPE_CHECKING:
    from gaechannel.server import LocalServer

    from .arguments import _Commands

_MESSAGES = 40
_CUT_AT = 18
_PAUSE = 0.1  # seconds between two messages
_BACKCHANNEL = 0.8  # seconds until the server ends a back channel in order
_TEXTS = ("plain text", "naïve café, 10 €", "😀 is two UTF-16 units", '{"a": "JSON \\"document\\""}')


def add_demo(commands: _Commands) -> None:
    parser = add_command(
        commands, "demo", _demo, "watch messages arrive from a local channel server over broken connections"
    )
    parser.add_argument(
        "--browser",
        action="store_true",
        help="in a page, which is opened where there is a display, until Ctrl-C",
    )


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
    local_server = server_classes()
    if args.browser:
        return _demo_in_browser()
    story = _Story()
    logger = logging.Logger("Channel", logging.DEBUG)  # noqa: LOG001 - nobody else's
    logger.addHandler(story)
    with local_server(backchannel_seconds=_BACKCHANNEL) as server:
        story.say("server", f"listens on {server.url}; ends each back channel after {_BACKCHANNEL} s")
        token = server.create_channel("demo")
        story.say("server", f"made the channel 'demo'; its token is {token[:14]}…")
        sent = [f"{i:2}: {_TEXTS[(i - 1) % len(_TEXTS)]}" for i in range(1, _MESSAGES + 1)]
        stop = threading.Event()
        sender = threading.Thread(target=_send, args=(server, sent, story, stop))
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
    print(_summary(sent, received, stats, story))
    return 0 if received == sent else 1


def _demo_in_browser() -> int:
    from gaechannel.server.demo import DemoServer

    with DemoServer() as server:
        url = f"{server.url}/demo"
        opened = _has_display() and webbrowser.open(url)
        print(f"{'Opened' if opened else 'Open'} {url}\nCtrl-C ends it.", flush=True)
        server.misbehave()
    return 0


def _has_display() -> bool:
    """Whether a browser would have a window: on a terminal alone, one of text would take that."""
    names = ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")
    return sys.platform in {"darwin", "win32"} or any(os.environ.get(name) for name in names)


def _send(server: LocalServer, messages: list[str], story: _Story, stop: threading.Event) -> None:
    for number, message in enumerate(messages, 1):
        server.send_message("demo", message)
        if number == _CUT_AT:
            story.say("server", "cuts all connections")
            server.cut()
        if stop.wait(_PAUSE):
            return


def _summary(sent: list[str], received: list[str], stats: Stats, story: _Story) -> str:
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
