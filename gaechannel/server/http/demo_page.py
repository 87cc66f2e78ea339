"""The page of the demo: its drawing, its token, and nothing in line."""

from __future__ import annotations

import html
from collections.abc import Callable

from aiohttp import web

from .pages import read, reply
from .replies import Handler


class DemoPage:
    """The handlers of ``/demo`` and of its files.

    Args:
        token: makes a token for each page.
    """

    def __init__(self, token: Callable[[], str]) -> None:
        self._token = token
        self._page = read("demo.html")

    def add_to(self, app: web.Application) -> None:
        """Have an application answer them."""
        app.router.add_get("/demo", self.page)
        for name in ("demo.css", "demo.js"):
            app.router.add_get(f"/{name}", self._file(name))

    async def page(self, _request: web.Request) -> web.StreamResponse:
        """The page."""
        return reply(self._page.format(token=html.escape(self._token())), "html")

    @staticmethod
    def _file(name: str) -> Handler:
        text = read(name)

        async def file(_request: web.Request) -> web.StreamResponse:
            return reply(text, name.rpartition(".")[2])

        return file
