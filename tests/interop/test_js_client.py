"""The npm package of js/ against the npm package browserchannel's server (node-browserchannel 2.1.0)."""

import pytest
from chaos_proxy import ChaosProxy


@pytest.fixture
def server(node):
    server = node("node_server.js")
    server.port = server.next("listening")["port"]
    return server


def test_10000_messages_go_and_come_back_in_order(server, run):
    said = run("exchange.mjs", f"http://127.0.0.1:{server.port}/channel", 10_000, {})
    assert (said["got"], said["wrong"]) == (10_000, 0)
    assert [server.next("message")["message"]["n"] for _ in range(10_000)] == list(range(10_000))
    # It knows no terminate by POST.
    assert server.next("close") == {"event": "close", "id": said["sid"], "reason": "Disconnected"}


def test_requests_that_are_cut_and_dropped_lose_and_repeat_nothing(server, run):
    options = {"maxBackoff": 20, "timeout": 1000, "requestTimeout": 1000}
    fates = {"drop the request": 60, "cut the answer": 120, "delay the answer": 80, "never answer": 5}
    with ChaosProxy(server.port, seed=3, fates=fates) as proxy:
        said = run("exchange.mjs", f"{proxy.url}/channel", 500, options)
        assert sum(count for fate, count in proxy.fates.items() if fate != "pass") > 0
    assert (said["got"], said["wrong"]) == (500, 0)
    assert [server.next("message")["message"]["n"] for _ in range(500)] == list(range(500))
