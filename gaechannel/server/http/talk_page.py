"""The page with which the talk dialect begins: ``GET {base}/d``."""

from __future__ import annotations

import json
import re
import secrets

from aiohttp import web

from gaechannel.server.core.errors import bad_request
from gaechannel.server.core.service import ChannelService

from .forwarded import Proxies
from .replies import HEADERS

#: What must not stand raw inside a script element, whatever a browser makes of it.
_UNSAFE = re.compile("[<>&'\u2028\u2029]")

#: It is read, and not run, and nobody may frame it; its address has a token in it.
_HEADERS = {
    **HEADERS,
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}

_PAGE = """<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>channel</title></head><body><script type="text/javascript">
  var a = new chat.WcsDataClient({url},
          "",
          {clid},
          {gsessionid},
          {unknown},
          "WCX",
          {token}
          );
</script></body></html>
"""


def script_string(text: str) -> str:
    """A string literal that is safe inside a script element, in ASCII."""
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text))


class TokenPage:
    """The handler of ``/d``.

    Args:
        service: checks the tokens.
        proxies: whose word counts for the address that clients ask.
    """

    def __init__(self, service: ChannelService, proxies: Proxies) -> None:
        self._service = service
        self._proxies = proxies

    async def get(self, request: web.Request) -> web.StreamResponse:
        """The page: a script that calls ``new chat.WcsDataClient(`` with seven string literals.

        They are the URL, "", clid, gsessionid, a number, "WCX" and the token, each on a line of its own.
        """
        token = request.query.get("token")
        self._service.read_token(token)
        try:
            xpc = json.loads(request.query.get("xpc", "{}"))
        except (ValueError, RecursionError):
            xpc = None
        if not isinstance(xpc, dict):
            raise bad_request("xpc is not a JSON object")
        base = request.path.removesuffix("/d")
        page = _PAGE.format(
            url=script_string(f"{self._proxies.origin(request)}{base}/"),
            clid=script_string(secrets.token_hex(8).upper()),
            gsessionid=script_string(secrets.token_urlsafe(16)),
            unknown=script_string(str(secrets.randbelow(10**9))),
            token=script_string(token or ""),
        )
        response = web.Response(text=page, content_type="text/html", charset="utf-8", headers=_HEADERS)
        # The real one set cookies and wanted them back; this one only lets a client show that it keeps them.
        response.set_cookie("S", f"talkgadget={secrets.token_urlsafe(8)}", path=base, httponly=True)
        return response
