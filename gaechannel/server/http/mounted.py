"""Where an application stands that may be mounted in another one."""

from __future__ import annotations

from aiohttp import web

from .replies import Handler

_ROOT = web.AppKey("root", web.Resource)


def add_root(app: web.Application, handler: Handler) -> None:
    """Have an application answer ``/``, or what that is where it is mounted."""
    root = app[_ROOT] = app.router.add_resource("/")
    for method in ("GET", "HEAD"):
        root.add_route(method, handler)


def prefix_of(app: web.Application) -> str:
    """The path under which an application is mounted, such as ``/live``; empty where it is the whole."""
    return app[_ROOT].canonical.removesuffix("/")
