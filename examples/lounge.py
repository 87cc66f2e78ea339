"""Control a screen over YouTube's Lounge dialect, against a stand-in for YouTube in the same file: lounge.py.

The dialect is BrowserChannel with fields of its own: the pairing goes in the form of the opening request, the
token in every query, and a map's ``_sc`` is the name of a command. With YouTube itself, URL is
``https://www.youtube.com/api/lounge/bc`` and the token what its pairing gave.
"""

import json

from gaechannel import BrowserChannel
from gaechannel.server import BrowserChannelService, LocalServer, Session

PAIRING = {
    "app": "web",
    "mdx-version": "3",
    "name": "Kitchen 😀",
    "id": "remote-1",
    "device": "REMOTE_CONTROL",
    "capabilities": "que,dsdtr,atp",
    "ui": "false",
    "theme": "cl",
}


def screen(session: Session) -> None:
    """The stand-in: a screen that does as it is told, and says so."""
    device = {"app": session.form["app"], "name": session.form["name"], "type": "REMOTE_CONTROL"}
    session.send(["S", "gsession-1"])
    session.send(["loungeStatus", {"devices": json.dumps([device])}])

    def obey(command: dict[str, str]) -> None:
        if command["_sc"] == "setPlaylist":
            session.send(["nowPlaying", {"videoId": command["videoId"], "state": "3"}])
            session.send(["onStateChange", {"state": "1", "currentTime": "0"}])
        elif command["_sc"] == "setVolume":
            session.send(["onVolumeChanged", {"volume": command["volume"], "muted": "false"}])

    session.on_map = obey


def main() -> None:
    service = BrowserChannelService(screen)
    with LocalServer(mounts={"/api/lounge/bc": service}) as server:
        url = f"{server.url}/api/lounge/bc"
        params = {"device": "REMOTE_CONTROL", "app": "web", "name": "Kitchen 😀", "loungeIdToken": "t0ken"}
        with BrowserChannel(url, params=params, open_form={**PAIRING, "loungeIdToken": "t0ken"}) as channel:
            for event, *arguments in channel:
                print(event, *arguments, flush=True)
                if event == "loungeStatus":
                    channel.send({"_sc": "setPlaylist", "videoId": "dQw4w9WgXcQ", "currentTime": 0})
                    channel.send({"_sc": "setVolume", "volume": 40})
                elif event == "onVolumeChanged":
                    break


if __name__ == "__main__":
    main()
