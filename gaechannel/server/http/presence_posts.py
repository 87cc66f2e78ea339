"""Telling the application by POST who is there, as App Engine did.

A POST to its ``/_ah/channel/connected/`` or ``/_ah/channel/disconnected/`` has the form field ``from``. One
that the application does not take, as it is not there or answers 5xx, is tried again; those behind it wait.
"""

from __future__ import annotations

import asyncio
import logging

import aiohttp

from gaechannel.server.core.presence import Post

logger: logging.Logger = logging.getLogger("gaechannel.server")

#: Seconds that the application may take to answer one POST.
_POST_SECONDS = 10.0
#: Seconds before each further try; after the last the notice is dropped.
_WAITS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
#: Statuses besides 5xx that may pass.
_PASSING = {408, 425, 429}


class Posting:
    """What posts to an application, in an ``async with`` block.

    Args:
        base_url: the application's, such as ``http://localhost:8080``; None: there is none.
    """

    def __init__(self, base_url: str | None) -> None:
        self._base = None if base_url is None else base_url.rstrip("/")

    async def __aenter__(self) -> Post | None:
        if self._base is None:
            return None
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_POST_SECONDS))
        return self._post

    async def __aexit__(self, *error: object) -> None:
        if self._base is not None:
            await self._http.close()

    async def _post_once(self, url: str, client_id: str) -> str | None:
        """What went wrong in a way that may pass; None: nothing did."""
        try:
            async with self._http.post(url, data={"from": client_id}) as reply:
                if reply.status >= 500 or reply.status in _PASSING:
                    return f"it answered {reply.status}"
                if reply.status >= 400:
                    logger.warning("the application answered %d to POST %s", reply.status, url)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return str(error) or type(error).__name__
        return None

    async def _post(self, what: str, client_id: str) -> None:
        url = f"{self._base}/_ah/channel/{what}/"
        for wait in (*_WAITS, None):
            words = await self._post_once(url, client_id)
            if words is None:
                return
            if wait is None:
                logger.warning("the application is not told any more: POST %s: %s", url, words)
                return
            if wait == _WAITS[0]:
                logger.warning("the application cannot be told now: POST %s: %s", url, words)
            await asyncio.sleep(wait)
