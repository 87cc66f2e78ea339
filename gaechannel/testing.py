"""A plugin for pytest: the fixture ``channel_server``, a channel server for a test.

pytest finds it where this package is installed. It imports nothing else until a test asks for the fixture.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from gaechannel.server import LocalServer


@pytest.fixture
def channel_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalServer]:
    """A running :class:`gaechannel.server.LocalServer`, strict with clients, for one test.

    ``GAECHANNEL_BASE_URL``, ``GAECHANNEL_ADMIN`` and ``GAECHANNEL_ADMIN_TOKEN`` name it meanwhile, and no
    proxy stands in the way. It needs ``gaechannel[server]``.
    """
    from gaechannel.server import LocalServer

    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with LocalServer(strict=True, test_delay=0.01) as server:
        monkeypatch.setenv("GAECHANNEL_BASE_URL", server.base_url)
        if server.admin_url is not None:
            monkeypatch.setenv("GAECHANNEL_ADMIN", server.admin_url)
            monkeypatch.setenv("GAECHANNEL_ADMIN_TOKEN", server.admin_token)
        yield server
