"""The page at ``/metrics``: needs prometheus-client, and says so where that is not there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from aiohttp import web

from gaechannel.server.core.service import ChannelService
from gaechannel.server.core.sessions import SessionService

from .health import Health
from .replies import text_reply

if TYPE_CHECKING:
    from .metrics import Metrics


def load_metrics() -> type[Metrics]:
    """What tells the numbers.

    Raises:
        ImportError: prometheus-client is not installed.
    """
    try:
        from .metrics import Metrics
    except ImportError as error:
        raise ImportError("the metrics need prometheus-client: install gaechannel[metrics]") from error
    return Metrics


class MetricsPage:
    """The handler of ``/metrics``. What it needs is loaded when it is asked first: it takes its time.

    Args:
        service: the channels.
        mounts: the other services, by path.
    """

    def __init__(self, service: ChannelService, mounts: Mapping[str, SessionService]) -> None:
        self._service = service
        self._mounts = mounts
        self._metrics: Metrics | None = None

    async def get(self, request: web.Request) -> web.StreamResponse:
        """The numbers."""
        if self._metrics is None:
            try:
                self._metrics = load_metrics()(self._service, self._mounts)
            except ImportError as error:
                return text_reply(f"{error}\n", 501)
        return self._metrics.reply(request)


def make_metrics_app(
    service: ChannelService, mounts: Mapping[str, SessionService], health: Health
) -> web.Application:
    """An aiohttp application that tells the server's numbers to whoever asks, and how it stands."""
    app = web.Application()
    app.router.add_get("/metrics", MetricsPage(service, mounts).get)
    health.add_to(app)
    return app
