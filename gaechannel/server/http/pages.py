"""Pages for people: what this server is, and, at its administration, what is open in it."""

from __future__ import annotations

import functools
import html
from collections.abc import Callable, Iterable, Mapping
from importlib import resources
from importlib.metadata import PackageNotFoundError, version

from aiohttp import web

from .mounted import add_root
from .replies import HEADERS

#: Nothing comes from elsewhere, nothing stands in line, and no page of somebody's shows this one.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:;"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_TYPES = {"css": "text/css", "html": "text/html", "js": "text/javascript"}


def read(name: str) -> str:
    return (resources.files(__package__) / "page" / name).read_text(encoding="utf-8")


@functools.cache
def _version() -> str:
    try:
        return version("gaechannel")
    except PackageNotFoundError:  # a source tree that was never installed
        return "unknown"


class Pages:
    """The handlers of a page and of the files that it needs.

    Args:
        page: the page's file, ``public.html`` or ``admin.html``.
        files: scripts and styles beside it.
        paths: where two-way services stand, and what their dialects are called.
        address: what the page shows clients as the server's, given the request for it.
    """

    def __init__(
        self,
        page: str,
        files: Iterable[str],
        paths: Mapping[str, str],
        address: Callable[[web.Request], str],
    ) -> None:
        self._page = read(page)
        self._files = {name: read(name) for name in files}
        self._paths = paths
        self._address = address

    def add_to(self, app: web.Application) -> None:
        """Have an application answer them, at ``/``."""
        add_root(app, self.page)
        for name in self._files:
            app.router.add_get(f"/{name}", self.file)

    async def page(self, request: web.Request) -> web.StreamResponse:
        """The page."""
        public = html.escape(self._address(request))
        mounts = "\n".join(
            f"<dt>{html.escape(name)}</dt><dd><code>{public}{html.escape(path)}</code></dd>"
            for path, name in self._paths.items()
        )
        text = self._page.format(version=html.escape(_version()), public=public, mounts=mounts)
        return reply(text, "html")

    async def file(self, request: web.Request) -> web.StreamResponse:
        """A script or a style."""
        name = request.path.rpartition("/")[2]
        return reply(self._files[name], name.rpartition(".")[2])


def reply(text: str, kind: str) -> web.Response:
    headers = {
        **HEADERS,
        "Content-Security-Policy": _POLICY,
        "Referrer-Policy": "no-referrer",
        "Content-Type": f"{_TYPES[kind]}; charset=utf-8",
    }
    return web.Response(body=text.encode("utf-8"), headers=headers)
