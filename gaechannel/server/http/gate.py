"""Who may ask: hosts, origins, queries; and what every answer says, errors of the path included.

A page of another site may have a browser ask this server, with what the browser knows: it says so in
``Origin``, and gets nothing unless its origin is allowed. A page whose host's name has been made to mean this
machine (DNS rebinding) is of the same origin for the browser, but its ``Host`` is a name that nobody gave to
this server.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit

from aiohttp import web, web_app

from gaechannel.server.core.counters import Counters
from gaechannel.server.core.errors import Refusal, too_many_fields

from .mounted import prefix_of
from .replies import Handler, text_reply

#: Fields of a query. Real ones have twenty.
_MAX_PARAMS = 200
#: Headers of answers that a page's script may read beyond those that it always may.
_EXPOSED = "Retry-After, X-Accept, X-HTTP-Initial-Response, X-HTTP-Session-Id"
#: Seconds for which a browser may remember the answer to its preflight.
_PREFLIGHT_SECONDS = "7200"
_HEADER_NAMES = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~, -]{0,1000}")
_PORTS = {"http": 80, "https": 443}


async def _let_go(_app: web.Application) -> None:
    """Have aiohttp forget what it has made of middlewares, with the applications that have ended."""
    made = getattr(web_app, "_cached_build_middleware", None)
    if made is not None:
        made.cache_clear()


class Gate:
    """A middleware that lets requests in.

    Args:
        counters: counts whom it does not.
        allow_origins: origins whose pages may ask, such as ``https://example.org``; ``*`` for every one, but
            without cookies. The server's own may.
        host_names: names that a request's ``Host`` may have beside addresses and names without a dot, such as
            ``localhost``; None: any.
        paths: where something is, for who asks elsewhere.
        for_all: paths of what pages of every origin may load, such as a script.

    Raises:
        ValueError: an origin or a name is none.
    """

    def __init__(
        self,
        counters: Counters,
        *,
        allow_origins: Iterable[str] = (),
        host_names: Iterable[str] | None = None,
        paths: Iterable[str] = (),
        for_all: Iterable[str] = (),
    ) -> None:
        self._counters = counters
        origins = [allow_origins] if isinstance(allow_origins, str) else list(allow_origins)
        self._any_origin = "*" in origins
        self._origins = {_checked_origin(one) for one in origins if one != "*"}
        names = [host_names] if isinstance(host_names, str) else host_names
        self._names = None if names is None else {_checked_name(one) for one in names}
        self._for_all = frozenset(for_all)
        self._paths = tuple(paths)

    def watch(self, app: web.Application) -> None:
        """Stand before an application."""
        app.middlewares.append(self.pass_on)
        app.on_cleanup.append(_let_go)
        app.on_response_prepare.append(self._complete)

    @web.middleware
    async def pass_on(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The middleware."""
        try:
            self._check(request)
            if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
                return self._preflight(request)
            return await handler(request)
        except Refusal as refusal:
            self._counters.refuse(refusal.cause)
            return text_reply(refusal.body, refusal.status, refusal.text, refusal.headers)
        except web.HTTPMethodNotAllowed as error:
            return self._other_method(request, error.allowed_methods)
        except web.HTTPNotFound:
            self._counters.refuse("path")
            prefix = prefix_of(request.app)
            paths = ", ".join(prefix + path for path in self._paths)
            return text_reply(f"There is nothing here. This server has: {paths}\n", 404)

    def _check(self, request: web.Request) -> None:
        if request.rel_url.raw_query_string.count("&") >= _MAX_PARAMS:
            raise too_many_fields(_MAX_PARAMS)
        host = request.headers.get("Host", "")
        if self._names is not None and not self._is_ours(host):
            raise Refusal(
                421, "This host name is not served here", cause="host", body=_how("host-name", "host_names")
            )
        origin = request.headers.get("Origin")
        if origin is None or self._any_origin or origin in self._origins or _is_same(origin, host):
            return
        if request.path.removeprefix(prefix_of(request.app)) in self._for_all:
            return
        raise Refusal(
            403, "This origin is not allowed", cause="origin", body=_how("allow-origin", "allow_origins")
        )

    async def _complete(self, request: web.Request, response: web.StreamResponse) -> None:
        """What every answer says."""
        headers = response.headers
        headers.setdefault("X-Content-Type-Options", "nosniff")
        headers["Vary"] = "Origin"
        origin = request.headers.get("Origin")
        if origin is None:
            return
        if origin in self._origins:
            headers["Access-Control-Allow-Origin"] = origin
            headers["Access-Control-Allow-Credentials"] = "true"
        elif self._any_origin:
            headers["Access-Control-Allow-Origin"] = "*"
        else:
            return
        headers["Access-Control-Expose-Headers"] = _EXPOSED

    def _is_ours(self, host: str) -> bool:
        """Whether a ``Host`` is an address, a name that no DNS of a stranger can have, or a name given."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        name = name.rstrip(".")
        if "." not in name and ":" not in name:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name.endswith(".localhost") or name in (self._names or ())
        return True

    def _preflight(self, request: web.Request) -> web.Response:
        asked = request.headers.get("Access-Control-Request-Headers", "")
        headers = {
            "Access-Control-Allow-Methods": "GET, POST, HEAD, OPTIONS",
            "Access-Control-Allow-Headers": asked if _HEADER_NAMES.fullmatch(asked) else "Content-Type",
            "Access-Control-Max-Age": _PREFLIGHT_SECONDS,
        }
        if request.headers.get("Access-Control-Request-Private-Network") == "true":
            headers["Access-Control-Allow-Private-Network"] = "true"
        return web.Response(status=204, headers=headers)

    def _other_method(self, request: web.Request, allowed: set[str]) -> web.Response:
        """HEAD of what has a GET with consequences, OPTIONS, or a method that there is not."""
        allow = {"Allow": ", ".join(sorted({*allowed, "OPTIONS", *(["HEAD"] if "GET" in allowed else [])}))}
        if request.method == "OPTIONS":
            return web.Response(status=204, headers=allow)
        if request.method == "HEAD" and "GET" in allowed:
            return text_reply(b"", headers=allow)
        self._counters.refuse("path")
        return text_reply(f"Here are only the methods {allow['Allow']}\n", 405, headers=allow)


def _how(option: str, argument: str) -> str:
    return f"Whoever runs this server may allow it: --{option}, or {argument}=\n"


def _is_same(origin: str, host: str) -> bool:
    """Whether an origin is the server's own, by whichever scheme it was reached through a proxy."""
    try:
        theirs, ours = urlsplit(origin), urlsplit(f"{origin.partition(':')[0]}://{host}")
        return bool(ours.hostname) and _place(theirs) == _place(ours)
    except ValueError:
        return False


def _place(url: SplitResult) -> tuple[str | None, int | None]:
    return url.hostname, url.port or _PORTS.get(url.scheme)


def _checked_origin(text: str) -> str:
    parts = urlsplit(text)
    if text != "null" and (
        not parts.scheme or not parts.netloc or text != f"{parts.scheme}://{parts.netloc}"
    ):
        raise ValueError(f"{text!r} is no origin, such as https://example.org, or *")
    return text


def _checked_name(text: str) -> str:
    if not text or not re.fullmatch(r"[A-Za-z0-9._-]+", text):
        raise ValueError(f"{text!r} is no host name, such as example.org")
    return text.lower().rstrip(".")
