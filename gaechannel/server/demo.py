"""The server of ``gaechannel demo --browser``: a page that draws what its channel goes through."""

from __future__ import annotations

import json
import threading
import time

from aiohttp import web

from .http.demo_page import DemoPage
from .local import LocalServer

#: The one client, of whom each tab of the browser is a listener.
_CLIENT = "demo"
#: Seconds between two messages, and two cuts; for how long the server serves, and is gone.
_MESSAGE = 0.2
_CUT = 3.5
_GONE = 11.0
_GONE_FOR = 1.5


class DemoServer(LocalServer):
    """A :class:`LocalServer` with a page at ``/demo``; its back channels end in order after some seconds."""

    def __init__(self, *, port: int = 0) -> None:
        super().__init__(port=port, backchannel_seconds=2.5)
        self._page = DemoPage(lambda: self.create_channel(_CLIENT))

    def _add_to(self, app: web.Application) -> None:
        self._page.add_to(app)

    def misbehave(self, stop: threading.Event | None = None) -> None:
        """Send messages, cut connections, and be gone for a while, until told to stop; None: for ever."""
        began = time.monotonic()
        cut, gone = began + _CUT, began + _GONE
        number = 0
        stop = threading.Event() if stop is None else stop
        while not stop.wait(_MESSAGE):
            now = time.monotonic()
            number += 1
            # By the clock that a page has.
            self.send_message(_CLIENT, json.dumps({"number": number, "sent": time.time_ns() // 1_000_000}))
            if now >= gone and self.running:
                self.kill()
                gone = now + _GONE_FOR
            elif now >= gone:
                self.start()
                cut, gone = now + _CUT, now + _GONE
            elif now >= cut:
                self.cut()
                cut = now + _CUT
