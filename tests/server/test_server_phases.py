"""gaechannel.server.http.phases: the two test phases."""

import time

import pytest
from wire_by_hand import Peer

from gaechannel.server import LocalServer


@pytest.mark.parametrize(
    ("base", "path"), [("/talkgadget", "/dch/test"), ("/channel", "/test"), ("/webchannel", "/test")]
)
def test_both_phases_are_answered(shared, base, path):
    peer = Peer(shared, base)
    first = peer.get(path, VER=8, MODE="init", zx="x", t=1)
    assert (first.status, first.text) == (200, "[null,null]")
    assert first.headers["X-Accept"] == ("application/json" if base == "/channel" else None)
    second = peer.get(path, VER=8, TYPE="xmlhttp")
    assert (second.status, second.text) == (200, "111112")


def test_a_host_prefix_is_told():
    with LocalServer(host_prefix="b") as server:
        assert Peer(server, "/channel").get("/test", VER=8, MODE="init").text == '["b",null]'


def test_the_second_piece_comes_later():
    with LocalServer(test_delay=0.2) as server:
        peer = Peer(server, "/channel")
        connection = peer.connection()
        began = time.monotonic()
        connection.request("GET", peer.url("/test", {"VER": 8, "TYPE": "xmlhttp"}))
        response = connection.getresponse()
        assert response.read(5) == b"11111"
        assert response.read() == b"2"
        assert time.monotonic() - began >= 0.2
        connection.close()


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"VER": "7", "MODE": "init"}, "VER is not 8"),
        ({"VER": "8", "MODE": "other"}, "MODE is unknown"),
        ({"VER": "8"}, "TYPE is unknown"),
        ({"VER": "8", "TYPE": "html"}, "TYPE is unknown"),
    ],
)
def test_other_phases_are_refused(shared, query, words):
    reply = Peer(shared, "/channel").get("/test", **query)
    assert (reply.status, reply.reason) == (400, words)
