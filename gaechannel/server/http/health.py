"""``/healthz`` and ``/readyz``: whether the process is alive, and whether it wants more clients."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from .replies import text_reply


class Health:
    """What load balancers and service managers ask.

    Args:
        is_cut_off: whether clients had better go elsewhere for now.

    Attributes:
        stopping: set once the server is to end: then it is alive still, and not ready any more.
    """

    def __init__(self, is_cut_off: Callable[[], bool] = lambda: False) -> None:
        self._is_cut_off = is_cut_off
        self.stopping: bool = False

    def add_to(self, app: web.Application) -> None:
        """Have an application answer both."""
        app.router.add_get("/healthz", self.healthz)
        app.router.add_get("/readyz", self.readyz)

    async def healthz(self, _request: web.Request) -> web.StreamResponse:
        """200 as long as the event loop goes round."""
        return text_reply("ok\n")

    async def readyz(self, _request: web.Request) -> web.StreamResponse:
        """200, and 503 once the server is to end, or while it does not reach what it shares with others."""
        if self.stopping:
            return text_reply("stopping\n", 503, headers={"Retry-After": "5"})
        if self._is_cut_off():
            return text_reply("cut off\n", 503, headers={"Retry-After": "5"})
        return text_reply("ready\n")
