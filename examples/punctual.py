"""Hear when live chats of YouTube have news: punctual.py CHAT…, each such as UCxxxx~video.

Google's signaler-pa watches many things over one channel; each event names its watch, and only says
that there is something to fetch. In the environment SIGNALER_KEY is the API key that YouTube's own pages
have, and SIGNALER_URL names another server.
"""

import json
import os
import sys
import time
import urllib.request
from typing import Any
from urllib.parse import urlencode

from gaechannel import ChannelError, ChannelTimeout, WebChannel

URL = os.environ.get("SIGNALER_URL", "https://signaler-pa.youtube.com/punctual")
KEY = os.environ.get("SIGNALER_KEY", "")
HEADERS = {"Origin": "https://www.youtube.com", "Content-Type": "application/json+protobuf"}
# Seconds after which the server wants to hear that its credentials are still in use.
REFRESH = float(os.environ.get("SIGNALER_REFRESH", "240"))


def post(path: str, body: object, **query: str) -> Any:
    """What the server answers to one request beside the channel."""
    url = f"{URL}/v1/{path}?{urlencode({'key': KEY, **query})}"
    with urllib.request.urlopen(
        urllib.request.Request(url, json.dumps(body).encode(), HEADERS), timeout=30
    ) as reply:
        return json.load(reply)


def topic(chat: str) -> list[Any]:
    """What is to be watched, as pblite."""
    return [None, None, None, [9, 5], None, [["youtube_live_chat_web"], [1], [[[f"chat~{chat}"]]]]]


class Watches:
    """Many watches over one channel."""

    def __init__(self, chats: list[str]) -> None:
        self.chats = chats
        self.server = ""
        self.credentials: str | None = None
        self.due = float("inf")

    def begin(self, channel: WebChannel, _session: object) -> None:
        """Choose a server, and ask for all that is watched: before each session opens."""
        self.server, *_ = post("chooseServer", [topic(self.chats[0]), None, None, 0])
        channel.gsessionid = self.server
        watches = [
            [str(number), [*topic(chat), None, None, 1], None, 3] for number, chat in enumerate(self.chats, 1)
        ]
        channel.send([watches])

    def refresh(self) -> None:
        """Say that the session's credentials are still in use."""
        post("refreshCreds", [self.credentials], gsessionid=self.server)
        self.due = time.monotonic() + REFRESH

    def take(self, message: Any) -> None:
        """Print an event; keep what the first message of a session hands out."""
        match message:
            case [_, _, [str(credentials), *_], *_]:
                self.credentials, self.due = credentials, time.monotonic() + REFRESH
            case [[[str(number), [None, None, [str(), *_], *_], *_], *_], *_]:
                pass  # the server asks whether we are there: a keep-alive of the watch `number`
            case [[[str(number), event, *_], *_], *_]:
                print(self.chats[int(number) - 1], json.dumps(event, ensure_ascii=False), flush=True)


def main() -> int:
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    watches = Watches(sys.argv[1:])
    headers = {"Origin": HEADERS["Origin"], "X-WebChannel-Content-Type": HEADERS["Content-Type"]}
    with WebChannel(
        f"{URL}/multi-watch/channel", params={"key": KEY}, headers=headers, on_session=watches.begin
    ) as channel:
        try:
            while True:
                try:
                    # A timeout of any length; infinity would be none.
                    watches.take(channel.recv(timeout=min(max(watches.due - time.monotonic(), 0.0), 3600.0)))
                except ChannelTimeout:
                    if time.monotonic() >= watches.due:
                        watches.refresh()
        except ChannelError as error:
            print(f"the channel has failed: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            return 130


if __name__ == "__main__":
    sys.exit(main())
