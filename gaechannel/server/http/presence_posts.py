"""Telling the application by POST who is there, as App Engine did.

A POST to its ``/_ah/channel/connected/`` or ``/_ah/channel/disconnected/`` has the form field ``from``.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator

import aiohttp

from gaechannel.server.core.presence import Post

logger: logging.Logger = logging.getLogger("gaechannel.server")

#: Seconds that the application may take to answer one POST.
_POST_SECONDS = 10.0


@contextlib.asynccontextmanager
async def posting_to(base_url: str | None) -> AsyncIterator[Post | None]:
    """What posts to an application.

    Args:
        base_url: the application's, such as ``http://localhost:8080``; None: there is none.
    """
    if base_url is None:
        yield None
        return
    base = base_url.rstrip("/")
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_POST_SECONDS)) as http:

        async def post(what: str, client_id: str) -> None:
            url = f"{base}/_ah/channel/{what}/"
            try:
                async with http.post(url, data={"from": client_id}) as reply:
                    if reply.status >= 400:
                        logger.warning("the application answered %d to POST %s", reply.status, url)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                logger.warning("the application cannot be told: POST %s: %s", url, error)

        yield post
