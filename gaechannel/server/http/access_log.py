"""One record for each request, without what is secret in its URL."""

from __future__ import annotations

import logging
from urllib.parse import quote

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

from .forwarded import Proxies

#: Parameters whose values give nothing away; of all others ``***`` is shown. SIDs and tokens are secrets.
_SHOWN = frozenset({"AID", "CI", "CVER", "MODE", "RID", "TO", "TYPE", "VER", "command", "t"})
_LONGEST = 64
_LONGEST_NAME = 16
_LONGEST_PATH = 256


def redacted_path(request: web.BaseRequest) -> str:
    """A request's path and query, with ``***`` for the values of all but the known parameters."""
    path = quote(request.path[:_LONGEST_PATH], safe="/~@!$&'()*+,;=:")
    shown = []
    for name, value in request.query.items():
        known = name in _SHOWN and len(value) <= _LONGEST
        # A long name that is not known may be a secret that somebody has put in the wrong place.
        said = quote(name, safe="") if len(name) <= _LONGEST_NAME else "***"
        shown.append(f"{said}={quote(value, safe='') if known else '***'}")
    return f"{path}?{'&'.join(shown[:32])}" if shown else path


class _AccessLog(AbstractAccessLogger):
    """Logs each request when it has ended, a back channel's as well: who, what, status, bytes, seconds.

    A record's attribute ``fields`` has them by name, for formatters that write fields.
    """

    #: Whose word counts for a client's address.
    proxies: Proxies = Proxies()

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Log one request; ``time`` is how long it took, in seconds."""
        fields = {
            "client": self.proxies.client(request),
            "method": request.method,
            "path": redacted_path(request),
            "status": response.status,
            "bytes": response.body_length,
            "seconds": round(time, 4),
        }
        self.logger.info("%s %s %s %d %d %.4f", *fields.values(), extra={"fields": fields})

    @property
    def enabled(self) -> bool:
        """Whether somebody wants to know."""
        return self.logger.isEnabledFor(logging.INFO)


def access_log_class(proxies: Proxies) -> type[AbstractAccessLogger]:
    """The class of which aiohttp makes a connection's access log.

    Args:
        proxies: whose word counts for a client's address.
    """
    return type("_AccessLog", (_AccessLog,), {"proxies": proxies})
