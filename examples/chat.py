"""Print what is said in Google Chat: chat.py COOKIES [URL].

COOKIES is a file of a browser that is logged in, as its extensions export it (Netscape's format); what
servers set is written back to it. Messages are pblite: lists in which a field's number is its place, from 1.
"""

import http.cookiejar
import sys
import urllib.request
from typing import Any

from gaechannel import ChannelError, WebChannel

# A StreamEventsRequest whose ping (field 2) says that somebody sits in front: active, focused, interactive.
PING = [None, [1, None, 1, None, 1, True]]
# An event's type (its field 3) that says that a message was posted.
MESSAGE_POSTED = 6


def field(message: Any, *numbers: int) -> Any:
    """A field of a field … of a pblite message; None where it is not there."""
    for number in numbers:
        if not isinstance(message, list):
            return None
        # High numbers stand in an object at the end.
        *_, last = message or [None]
        others = last if isinstance(last, dict) else {}
        places = message[:-1] if isinstance(last, dict) else message
        message = places[number - 1] if number <= len(places) else others.get(str(number))
    return message


def listen(url: str, jar: http.cookiejar.CookieJar) -> None:
    """Print each message that is posted."""
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))

    def register(channel: WebChannel, _session: object) -> None:
        """Before each session: fetch the cookie that the channel wants, and say that we are there."""
        with opener.open(f"{url}/register?ignore_compass_cookie=1", timeout=30):
            pass
        channel.send([])
        channel.send(PING)

    with WebChannel(
        url,
        bind_path="/events",
        message_key="data",
        on_session=register,
        headers={"Referer": "https://chat.google.com/"},
        cookies=jar,
    ) as channel:
        for response in channel:
            event = field(response, 1)
            bodies = [field(event, 4), *(field(event, 8) or [])]
            for body in bodies:
                if field(body, 12) == MESSAGE_POSTED or field(event, 3) == MESSAGE_POSTED:
                    message = field(body, 6, 1)
                    author = field(message, 2, 2) or field(message, 2, 1, 1)
                    print(f"{author}: {field(message, 10)}", flush=True)


def main() -> int:
    if len(sys.argv) not in (2, 3) or sys.argv[1].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    jar = http.cookiejar.MozillaCookieJar(sys.argv[1])
    try:
        jar.load(ignore_discard=True, ignore_expires=True)
    except OSError as error:
        print(f"no cookies can be read: {error}", file=sys.stderr)
        return 1
    for cookie in jar:
        cookie.expires = cookie.expires or None  # browsers write 0 where it ends with the browser
    url = sys.argv[2] if len(sys.argv) == 3 else "https://chat.google.com/u/0/webchannel"
    try:
        listen(url, jar)
    except ChannelError as error:
        print(f"the channel has failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        jar.save(ignore_discard=True, ignore_expires=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
