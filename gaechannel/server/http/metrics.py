"""What is served at ``/metrics``: a server's numbers in Prometheus' text formats, by prometheus-client.

Nothing is counted here: the numbers are read when somebody asks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import accumulate

from aiohttp import web
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from gaechannel.server.core.service import ChannelService
from gaechannel.server.core.sessions import SessionService
from gaechannel.server.core.store_traffic import StoreTraffic
from gaechannel.server.core.traffic import BOUNDS, SAMPLED, Histogram

from .app import TALK_PATH

#: The counters of :class:`Traffic` by the names under which they are told.
_COUNTERS = {
    "sessions_opened": ("Sessions that were opened.", "sessions"),
    "maps": ("Maps that came from clients, each once.", "maps"),
    "arrays_queued": ("Arrays that were queued for clients.", "queued"),
    "arrays_delivered": ("Arrays that were handed to the network, each once.", "delivered"),
    "arrays_resent": ("Arrays that were handed to the network again.", "resent"),
    "arrays_acknowledged": ("Arrays that clients have acknowledged.", "acknowledged"),
}
_HISTOGRAMS = {
    "delivery_seconds": (
        f"Seconds from queuing to the network, of one array in {SAMPLED}; its client's absence included.",
        "delivery",
    ),
    "request_seconds": ("Seconds that a request with maps, or an opening one, took.", "requests"),
}


#: The counters of :class:`StoreTraffic`, which nodes have that share a Redis.
_STORE_COUNTERS = {
    "scripts": "Scripts that the store ran for this node.",
    "retries": "Scripts that it was asked for again, since it was away.",
    "reconnects": "Times that it came back after it had been away.",
    "relinks": "Times that the channel was lost, and came back, by which it tells this node of arrays.",
    "fences": "Back channels that ended since their sessions had gone to another node, or ended.",
    "reads": "Sessions that were read again: told of late, in part, or not at all.",
    "leases": "Renewals of sessions' leases.",
}


#: And what stands there.
_STORE_GAUGES = {
    "sessions": "Sessions of all nodes, as of some seconds ago.",
    "channels": "Channels of all nodes, as of some seconds ago.",
}


class _ServerCollector(Collector):
    """A server's numbers as Prometheus' families.

    Args:
        service: the channels, at ``/talkgadget``.
        mounts: the other services, by path.
    """

    def __init__(self, service: ChannelService, mounts: Mapping[str, SessionService]) -> None:
        self._service = service
        self._paths: dict[str, SessionService] = {TALK_PATH: service, **mounts}
        self._counters = service.counters

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily]:
        """The families, as they are now."""
        yield self._gauge("sessions", "Open sessions.", {p: len(s) for p, s in self._paths.items()})
        yield self._gauge(
            "back_channels",
            "Open back channels.",
            {path: service.traffic.back_channels for path, service in self._paths.items()},
        )
        yield self._gauge(
            "queued_bytes",
            "Bytes that sessions hold: what is not acknowledged, and what their opening requests said.",
            {path: service.queued for path, service in self._paths.items()},
        )
        yield GaugeMetricFamily(
            "gaechannel_channels",
            "Channels that were created.",
            len(self._service.channels),
        )
        traffic = self._service.traffic
        yield CounterMetricFamily(
            "gaechannel_messages",
            "Messages that the application gave to client ids.",
            self._service.channels.sent + traffic.dropped,
        )
        yield CounterMetricFamily(
            "gaechannel_messages_dropped", "Those of them that no channel was there for.", traffic.dropped
        )
        for name, (text, attribute) in _COUNTERS.items():
            family = CounterMetricFamily(f"gaechannel_{name}", text, labels=["path"])
            for path, service in self._paths.items():
                family.add_metric([path], getattr(service.traffic, attribute))
            yield family
        for name, (text, attribute) in _HISTOGRAMS.items():
            yield self._histogram(name, text, attribute)
        yield CounterMetricFamily(
            "gaechannel_connections_accepted", "Connections that were accepted.", self._counters.accepted
        )
        yield _causes("refusals", "Requests that were answered with an error.", self._counters.refused)
        yield _causes("connections_cut", "Connections that were cut.", self._counters.cut)
        if self._service.store_traffic is not None:
            yield from self._of_store(self._service.store_traffic)

    def _of_store(
        self, store: StoreTraffic
    ) -> Iterator[CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily]:
        """What a node has to do with the store that it shares."""
        yield HistogramMetricFamily(
            "gaechannel_store_seconds",
            "Seconds until the store answers; several scripts may be asked at once.",
            buckets=_buckets(store.answers),
            sum_value=store.answers.total,
        )
        for name, text in _STORE_COUNTERS.items():
            yield CounterMetricFamily(f"gaechannel_store_{name}", text, getattr(store, name))
        for name, text in _STORE_GAUGES.items():
            yield GaugeMetricFamily(f"gaechannel_store_{name}", text, getattr(store, name))

    def _gauge(self, name: str, text: str, values: Mapping[str, float]) -> GaugeMetricFamily:
        family = GaugeMetricFamily(f"gaechannel_{name}", text, labels=["path"])
        for path, value in values.items():
            family.add_metric([path], value)
        return family

    def _histogram(self, name: str, text: str, attribute: str) -> HistogramMetricFamily:
        family = HistogramMetricFamily(f"gaechannel_{name}", text, labels=["path"])
        for path, service in self._paths.items():
            histogram: Histogram = getattr(service.traffic, attribute)
            family.add_metric([path], _buckets(histogram), histogram.total)
        return family


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    """How many times were not longer than each bound."""
    return list(zip([*map(str, BOUNDS), "+Inf"], accumulate(histogram.counts), strict=True))


def _causes(name: str, text: str, counted: Mapping[str, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(f"gaechannel_{name}", text, labels=["cause"])
    for cause, count in sorted(dict(counted).items()):
        family.add_metric([cause], count)
    return family


class Metrics:
    """A server's numbers, and its process's CPU time, memory and descriptors.

    The registry is its own, so that several servers of a process do not meet.

    Args:
        service: the channels.
        mounts: the other services, by path.
    """

    def __init__(self, service: ChannelService, mounts: Mapping[str, SessionService]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_ServerCollector(service, mounts))
        ProcessCollector(registry=self._registry)

    def reply(self, request: web.Request) -> web.Response:
        """The numbers, in the format that the request prefers."""
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(
            body=encode(self._registry), headers={"Content-Type": content_type, "Cache-Control": "no-store"}
        )
