"""`/metrics`: what a Prometheus server reads there."""

import contextlib
import subprocess
import sys

import pytest
from redis_server import RedisServer, skip_without_redis
from waiting import until
from wire_by_hand import Peer, Talk

from gaechannel.server import LocalServer
from gaechannel.server.core.traffic import SAMPLED

parser = pytest.importorskip("prometheus_client.parser")
openmetrics = pytest.importorskip("prometheus_client.openmetrics.parser")


def scraped(server, **headers):
    """The samples of a scrape, by name and labels; and their families' types."""
    reply = Peer(server.metrics, "").request("GET", "/metrics", headers=headers)
    assert reply.status == 200
    open_format = reply.headers["Content-Type"].startswith("application/openmetrics-text")
    assert open_format is bool(headers)
    read = openmetrics if open_format else parser
    families = list(read.text_string_to_metric_families(reply.text))
    samples = {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }
    return samples, {family.name: family.type for family in families}


@pytest.fixture
def server():
    with LocalServer(metrics="127.0.0.1:0") as running:
        yield running


@pytest.mark.parametrize("headers", [{}, {"Accept": "application/openmetrics-text; version=1.0.0"}])
def test_a_scrape_tells_what_was_carried(server, headers):
    before = scraped(server, **headers)[0]
    assert before["gaechannel_sessions", "/talkgadget"] == 0
    talk = Talk(server, server.create_channel("me")).connect()
    for number in range(SAMPLED):
        server.send_message("me", str(number))
    server.send_message("nobody", "two")
    peer = Peer(server, "/channel")
    peer.open({"a": "b"})
    stream = talk.back()
    assert [stream.next()[0] for _ in range(SAMPLED)] == [*range(2, SAMPLED + 2)]
    assert Peer(server, "/channel").request("POST", "/bind", {"VER": 7, "RID": 1}).status == 400
    samples, kinds = scraped(server, **headers)
    for name, expected in {
        ("gaechannel_sessions", "/talkgadget"): 1,
        ("gaechannel_sessions", "/channel"): 1,
        ("gaechannel_sessions", "/webchannel"): 0,
        ("gaechannel_back_channels", "/talkgadget"): 1,
        ("gaechannel_channels",): 1,
        ("gaechannel_messages_total",): SAMPLED + 1,
        ("gaechannel_messages_dropped_total",): 1,
        ("gaechannel_sessions_opened_total", "/channel"): 1,
        ("gaechannel_maps_total", "/channel"): 1,
        ("gaechannel_maps_total", "/talkgadget"): 1,
        ("gaechannel_arrays_queued_total", "/talkgadget"): SAMPLED + 2,
        ("gaechannel_arrays_delivered_total", "/talkgadget"): SAMPLED + 2,
        ("gaechannel_arrays_acknowledged_total", "/talkgadget"): 2,
        ("gaechannel_arrays_resent_total", "/talkgadget"): 0,
        ("gaechannel_delivery_seconds_count", "/talkgadget"): 1,
        ("gaechannel_delivery_seconds_bucket", "+Inf", "/talkgadget"): 1,
        ("gaechannel_request_seconds_count", "/talkgadget"): 2,
        ("gaechannel_request_seconds_count", "/channel"): 1,
        ("gaechannel_refusals_total", "malformed"): 1,
    }.items():
        assert samples[name] == expected, name
    assert samples["gaechannel_queued_bytes", "/talkgadget"] > 0
    assert samples["process_resident_memory_bytes",] > 1e6
    assert kinds["gaechannel_delivery_seconds"] == "histogram"
    assert kinds["gaechannel_sessions"] == "gauge"
    stream.close()


def test_buckets_add_up_to_their_count(server):
    service = server.service
    for seconds in (0.0, 0.003, 0.003, 7.0, 100.0):
        service.traffic.delivery.observe(seconds)
    samples = scraped(server)[0]

    def bucket(bound):
        return samples["gaechannel_delivery_seconds_bucket", bound, "/talkgadget"]

    found = [bucket(bound) for bound in ("0.0005", "0.0025", "0.005", "5.0", "10.0", "60.0", "+Inf")]
    assert found == [1, 1, 3, 3, 4, 4, 5]
    assert samples["gaechannel_delivery_seconds_sum", "/talkgadget"] == pytest.approx(107.006)


def test_two_servers_of_a_process_do_not_meet(server):
    with LocalServer(metrics="127.0.0.1:0") as other:
        other.send_message("nobody", "hi")
        assert scraped(other)[0]["gaechannel_messages_total",] == 1
        assert scraped(server)[0]["gaechannel_messages_total",] == 0


def test_administration_tells_them_to_who_has_its_token_and_the_public_address_to_nobody():
    with LocalServer() as server:
        assert server.metrics is None
        token = {"Authorization": f"Bearer {server.admin_token}"}
        assert b"gaechannel_sessions" in Peer(server.admin, "").request("GET", "/metrics", headers=token).body
        assert Peer(server.admin, "").request("GET", "/metrics").status == 401
        assert Peer(server, "").request("GET", "/metrics", headers=token).status == 404


def test_without_prometheus_client_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    monkeypatch.delitem(sys.modules, "gaechannel.server.http.metrics", raising=False)
    with pytest.raises(ImportError, match=r"install gaechannel\[metrics\]"):
        LocalServer(metrics="127.0.0.1:0")
    with LocalServer() as server:
        token = {"Authorization": f"Bearer {server.admin_token}"}
        reply = Peer(server.admin, "").request("GET", "/metrics", headers=token)
        assert (reply.status, reply.text.strip()) == (
            501,
            "the metrics need prometheus-client: install gaechannel[metrics]",
        )


def test_a_server_that_nobody_asks_loads_nothing_of_it():
    program = """
import sys
from gaechannel.server import LocalServer
with LocalServer():
    print("prometheus_client" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_node_tells_what_it_has_to_do_with_the_store_that_it_shares(tmp_path):
    skip_without_redis()
    redis = RedisServer(tmp_path / "redis").start()
    try:
        with (
            LocalServer(redis=redis.url, metrics="127.0.0.1:0", session_timeout=2.0) as one,
            LocalServer(redis=redis.url) as two,
        ):
            talk = Talk(one, one.create_channel("me")).connect()
            with contextlib.closing(talk.back()):
                until(lambda: scraped(one)[0]["gaechannel_store_leases_total",] >= 2)
                before = scraped(one)[0]
                assert before["gaechannel_store_fences_total",] == 0
                assert before["gaechannel_store_sessions",] == before["gaechannel_store_channels",] == 1
                assert before["gaechannel_back_channels", "/talkgadget"] == 1
                talk.server = two
                with contextlib.closing(talk.back()):
                    until(lambda: scraped(one)[0]["gaechannel_store_fences_total",] == 1)
            redis.kill()
            redis.start()
            until(lambda: scraped(one)[0]["gaechannel_store_relinks_total",] == 1)
            until(lambda: scraped(one)[0]["gaechannel_store_reconnects_total",] >= 1)
            after, kinds = scraped(one)
            assert after["gaechannel_store_retries_total",] >= 1
            assert after["gaechannel_store_scripts_total",] > before["gaechannel_store_scripts_total",]
            assert (
                after["gaechannel_store_seconds_count",] == after["gaechannel_store_seconds_bucket", "+Inf"]
            )
            assert after["gaechannel_store_seconds_sum",] > before["gaechannel_store_seconds_sum",] > 0
            assert after["gaechannel_store_reads_total",] == 0
            assert kinds["gaechannel_store_seconds"] == "histogram"
        with LocalServer(metrics="127.0.0.1:0") as alone:
            assert not any("_store_" in name for name, *_ in scraped(alone)[0])
    finally:
        redis.kill()
