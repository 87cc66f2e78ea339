"""Control a screen over YouTube's Lounge: lounge.py FILE pair CODE; lounge.py FILE [COMMAND [NAME=VALUE…]].

CODE is what the screen shows as its TV code. FILE keeps the screen's id and this remote's: the next run is
the same remote to the same screen. A command is one such as `play`, `pause`, `setVolume volume=40` or
`setPlaylist videoId=…`. What the screen says is printed until Ctrl-C. LOUNGE_URL in the environment names
another server than YouTube's.
"""

import json
import os
import pathlib
import sys
import urllib.request
import uuid
from typing import Any
from urllib.parse import urlencode

from gaechannel import BrowserChannel, ChannelError

URL = os.environ.get("LOUNGE_URL", "https://www.youtube.com/api/lounge")
NAME = "gaechannel 😀"
LEFT_BY_USER = {"ui": "", "clientDisconnectReason": "MDX_SESSION_DISCONNECT_REASON_DISCONNECTED_BY_USER"}


def post(path: str, **form: str) -> dict[str, Any]:
    """What the pairing service answers."""
    request = urllib.request.Request(f"{URL}/pairing/{path}", urlencode(form).encode())
    with urllib.request.urlopen(request, timeout=30) as reply:
        answer: dict[str, Any] = json.load(reply)
    return answer


class Remote:
    """A remote control, and the screen that it belongs to."""

    def __init__(self, screen_id: str, remote_id: str, command: dict[str, str]) -> None:
        self.screen_id = screen_id
        self.remote_id = remote_id
        self.command = command

    def open(self, channel: BrowserChannel, session: Any) -> None:
        """Say who we are, before each session opens: with a fresh token, since they end after days."""
        token = post("get_lounge_token_batch", screen_ids=self.screen_id)["screens"][0]["loungeToken"]
        who = {"device": "REMOTE_CONTROL", "name": NAME, "loungeIdToken": token}
        channel.params = {**who, "app": "youtube-desktop", "v": "2"}
        channel.open_form = {
            **who,
            "app": "web",
            "id": self.remote_id,
            "mdx-version": "3",
            "capabilities": "que,dsdtr,atp,vsp",
            "ui": "false",
            "theme": "cl",
        }
        if session.number == 1 and self.command:
            channel.send(self.command)

    def run(self) -> None:
        """Print what the screen says, until Ctrl-C."""
        with BrowserChannel(f"{URL}/bc", on_session=self.open) as channel:
            try:
                for event, *arguments in channel:
                    print(event, *(json.dumps(one, ensure_ascii=False) for one in arguments), flush=True)
            finally:
                channel.close(form=LEFT_BY_USER)


def main() -> int:
    match sys.argv[1:]:
        case [file, "pair", code]:
            screen = post("get_screen", pairing_code=code.replace("-", "").replace(" ", ""))["screen"]
            ids = {"screen_id": screen["screenId"], "remote_id": str(uuid.uuid4())}
            pathlib.Path(file).write_text(json.dumps(ids))
            print("paired with", screen["name"])
        case [file, *command] if not file.startswith("-") and all(
            "=" in argument for argument in command[1:]
        ):
            fields = dict(argument.split("=", 1) for argument in command[1:])
            try:
                ids = json.loads(pathlib.Path(file).read_text())
            except OSError as error:
                print(f"{error}: `lounge.py FILE pair CODE` writes it", file=sys.stderr)
                return 1
            try:
                Remote(**ids, command={"_sc": command[0], **fields} if command else {}).run()
            except ChannelError as error:
                print(f"the channel has failed: {error}", file=sys.stderr)
                return 1
            except KeyboardInterrupt:
                return 130
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
