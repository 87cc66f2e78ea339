"""Pages' script of the Channel API, ``/_ah/channel/jsapi``: built from ``js/``, one file in the package."""

from __future__ import annotations

import hashlib
from importlib import resources

from aiohttp import web

#: Seconds that a browser uses the script without asking again: a page loads it each time, and it changes with
#: releases alone.
_MAX_AGE = 3600


_SCRIPT = resources.files(__package__).joinpath("jsapi.js").read_bytes()
#: The same on each machine that serves the same release.
_ETAG = hashlib.sha256(_SCRIPT).hexdigest()[:16]


async def jsapi(request: web.Request) -> web.StreamResponse:
    """The script, for pages of any origin; 304 to a browser that has it."""
    headers = {
        "Cache-Control": f"public, max-age={_MAX_AGE}",
        "Access-Control-Allow-Origin": "*",  # for `crossorigin` and `integrity` of a script element
        "Cross-Origin-Resource-Policy": "cross-origin",
        "X-Content-Type-Options": "nosniff",
    }
    known = request.if_none_match or ()
    if any(one.value in {_ETAG, "*"} for one in known):
        response = web.Response(status=304, headers=headers)
    else:
        headers["Content-Type"] = "text/javascript; charset=utf-8"
        response = web.Response(body=_SCRIPT, headers=headers)
    response.etag = _ETAG
    return response
