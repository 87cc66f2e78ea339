"""`/healthz` and `/readyz`."""

import pytest
from wire_by_hand import Peer

from gaechannel.server import LocalServer


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_server_is_ready_until_it_drains_and_healthy_all_along(method):
    with LocalServer() as server:
        peers = [Peer(server, ""), Peer(server.admin, "")]
        asked = [[peer.request(method, path) for path in ("/healthz", "/readyz")] for peer in peers]
        assert [[one.status for one in pair] for pair in asked] == [[200, 200]] * 2
        server.drain()
        for peer in peers:
            assert peer.request(method, "/healthz").status == 200
            reply = peer.request(method, "/readyz")
            assert (reply.status, reply.headers["Retry-After"]) == (503, "5")
            assert reply.headers["Cache-Control"].startswith("no-cache")
        # It goes on serving meanwhile, and begins anew with the next start.
        assert Peer(server, "/channel").open().status == 200
        server.stop()
        server.start()
        assert Peer(server, "").request(method, "/readyz").status == 200


def test_a_function_is_called_on_the_servers_event_loop():
    with LocalServer() as server:
        assert server.call(lambda: 1 + 1, timeout=30) == 2
        with pytest.raises(ZeroDivisionError):
            server.call(lambda: 1 // 0)
    with pytest.raises(RuntimeError, match="does not run"):
        server.call(lambda: 1)
