"""`gaechannel demo`: messages arrive from a local server over broken connections."""

from __future__ import annotations

import argparse
import os
import sys
import threading
import webbrowser
from typing import TYPE_CHECKING

from gaechannel.client import Client

from .arguments import add_command, count
from .demo_nodes import demo_nodes
from .serve import server_classes
from .story import Story, numbered_messages

if TYPE_CHECKING:
    from gaechannel.server import LocalServer

    from .arguments import _Commands

_MESSAGES = 40
# Connections are cut from this message on, and in the middle of a back channel: neither before the server has
# answered nor when it is about to end it, which the client would mend without a word.
_CUT_AT = 18
_CUT_WITHIN = (0.2, 0.6)  # seconds of a back channel's
_PROGRAM = """
The program that received them:
  for message in Client(token, base_url="http://…/talkgadget").messages():
      print(message)"""
_PAUSE = 0.1  # seconds between two messages
_BACKCHANNEL = 0.8  # seconds until the server ends a back channel in order


def add_demo(commands: _Commands) -> None:
    parser = add_command(
        commands, "demo", _demo, "watch messages arrive from a local channel server over broken connections"
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--browser",
        action="store_true",
        help="in a page, which is opened where there is a display, until Ctrl-C",
    )
    how.add_argument(
        "--nodes",
        type=count,
        metavar="N",
        help="from N servers behind HAProxy, or nginx, that share a Redis and are killed one after the other;"
        " all of it runs on this machine, and ends with the demonstration",
    )


def _demo(args: argparse.Namespace) -> int:
    local_server = server_classes()
    if args.browser:
        return _demo_in_browser()
    if args.nodes is not None:
        return demo_nodes(args.nodes)
    story = Story()
    with local_server(backchannel_seconds=_BACKCHANNEL) as server:
        story.say("server", f"listens on {server.url}; ends each back channel after {_BACKCHANNEL} s")
        token = server.create_channel("demo")
        story.say("server", f"made the channel 'demo'; its token is {token[:14]}…")
        sent = numbered_messages(_MESSAGES)
        with Client(token, story.logger(), base_url=server.base_url) as client:
            received = story.receive(client, len(sent), lambda stop: _send(server, sent, story, stop))
        stats = client.stats
    print(story.summary(sent, received, stats))
    print(_PROGRAM)
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


def _send(server: LocalServer, messages: list[str], story: Story, stop: threading.Event) -> None:
    soonest, latest = _CUT_WITHIN
    is_cut = False
    for number, message in enumerate(messages, 1):
        server.send_message("demo", message)
        if number >= _CUT_AT and not is_cut and soonest < story.back_channel_seconds < latest:
            story.say("server", "cuts all connections")
            server.cut()
            is_cut = True
        if stop.wait(_PAUSE):
            return
