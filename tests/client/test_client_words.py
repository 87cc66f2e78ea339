"""What a failure is told with, where libcurl's words are of something else."""

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
import waiting
from hostile import TalkServer

from gaechannel import TransportError
from gaechannel.server import LocalServer


@pytest.mark.parametrize("_turn", range(8))  # it depends on who is quicker
def test_a_server_that_is_stopped_refuses_connections_and_resets_none(client_of, _turn):
    with LocalServer() as server, ThreadPoolExecutor(1) as pool:
        client = client_of(server, token=server.create_channel("me"), max_reconnects=0)
        server.send_message("me", "hello")
        assert client.recv(timeout=20) == "hello"
        received = pool.submit(client.recv, timeout=20)
        waiting.until(lambda: server.service.is_connected("me"))
        server.stop()
        with pytest.raises(TransportError) as caught:
            received.result()
    assert caught.value.curl_code == 7
    assert "onnect to server: Connection refused (" in str(caught.value)
    assert "reset" not in str(caught.value)


def test_a_kept_connection_that_is_reset_is_not_what_no_other_could_be_made_for(client_of):
    def stop(_request, peer):
        listener, server.listener = server.listener, socket.create_server(("127.0.0.1", 0))
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        peer.cut()

    with TalkServer(opening=stop) as server:
        with pytest.raises(TransportError) as caught:
            client_of(server, max_reconnects=0).recv(timeout=20)
        assert server.steps() == ["page", "opening"]
        assert server.connections == 1
    assert caught.value.curl_code == 7
    assert "onnect to server: Connection refused (" in str(caught.value)
