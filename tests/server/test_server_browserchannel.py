"""The browserchannel dialect over HTTP, and sessions handed to a Python function."""

import json
import threading

import pytest
from waiting import until
from wire_by_hand import Peer

from gaechannel.server import BrowserChannelService, LocalServer, SessionEnded


class Double:
    """A server's side that a test writes: remembers the session, its maps, messages and end."""

    def __init__(self, session):
        self.session = session
        self.maps, self.messages, self.ends = [], [], []
        session.on_map = self.maps.append
        session.on_message = self.messages.append
        session.on_close = self.ends.append


@pytest.fixture
def doubles():
    return []


@pytest.fixture
def server(doubles):
    with LocalServer() as server:
        server.browserchannel.on_session = lambda session: doubles.append(Double(session))
        yield server


@pytest.fixture
def peer(server):
    peer = Peer(server, "/channel")
    assert peer.open().status == 200
    return peer


def test_the_opening_reply_holds_version_and_keep_alive(peer):
    again = Peer(peer.server, "/channel")
    (array,) = again.open().arrays
    assert array == [0, ["c", again.sid, "", 8, 14, 25000]]
    assert again.sid != peer.sid


def test_a_session_that_nobody_handles_is_served(shared):
    peer = Peer(shared, "/channel")
    assert peer.open({"a": "b"}).status == 200
    assert peer.send({"a": "b"}).value == [0, 0, 0]


def test_the_handler_sees_query_form_and_maps_of_the_opening(server, doubles):
    peer = Peer(server, "/channel", device="REMOTE_CONTROL", loungeIdToken="t")
    reply = peer.request(
        "POST",
        "/bind",
        {**peer.params, "RID": 1},
        {"app": "remote", "count": 1, "ofs": 0, "req0__sc": "getNowPlaying"},
    )
    assert reply.status == 200
    (double,) = doubles
    assert double.session.params["loungeIdToken"] == "t"
    assert double.session.form == {"app": "remote"}
    assert double.maps == [{"_sc": "getNowPlaying"}]


def test_arrays_queued_by_the_handler_come_with_the_opening_reply(server):
    def on_session(session):
        session.send(["S", "gsession"])
        session.on_message = session.send

    server.browserchannel.on_session = on_session
    peer = Peer(server, "/channel")
    reply = peer.open({"JSON": '{"x":"😀"}'})
    assert reply.arrays[1:] == [[1, ["S", "gsession"]], [2, {"x": "😀"}]]
    assert peer.refused(2, CI=1, TO=0)[0] == 200


def test_maps_arrive_once_however_often_they_are_sent(peer, doubles):
    (double,) = doubles
    peer.send({"a": "1"}, {"b": "é&="}, ofs=0)
    peer.send({"a": "1"}, {"b": "é&="}, {"c": "3"}, ofs=0)
    peer.send({"c": "3"}, ofs=2)
    assert double.maps == [{"a": "1"}, {"b": "é&="}, {"c": "3"}]


def test_maps_of_requests_that_overtake_each_other_arrive_once_all_the_same(peer, doubles):
    (double,) = doubles
    for first, maps in ((1, "bc"), (4, "e"), (0, "ab"), (2, "cd"), (0, "abcdef")):
        peer.send(*({one: one} for one in maps), ofs=first)
    assert [*map("".join, double.maps)] == ["b", "c", "e", "a", "d", "f"]


def test_messages_of_node_browserchannel_are_decoded(peer, doubles):
    (double,) = doubles
    peer.send({"JSON": '{"a":[1,"é"]}'}, {"_S": "text"}, {"k": "v"})
    assert double.messages == [{"a": [1, "é"]}, "text"]
    assert len(double.maps) == 3


def test_json_bodies_hold_messages(peer, doubles):
    (double,) = doubles
    json_type = {"Content-Type": "application/json"}
    body = json.dumps({"ofs": 0, "data": [{"a": 1}, "é", None]})
    for _ in range(2):
        assert peer.post(body, json_type, AID=0).value == [0, 0, 0]
    assert double.messages == [{"a": 1}, "é", None]
    assert peer.post("null", json_type, AID=0).status == 200
    assert peer.post("[", json_type, AID=0).status == 400


def test_the_reply_to_maps_is_obeyable(peer, doubles):
    (double,) = doubles
    assert peer.send({"a": "1"}).text == "8\n[0,0,0]\n"
    double.session.send("é")
    stream = peer.back()
    assert stream.next() == [1, "é"]
    assert peer.send({"a": "2"}).value == [1, 1, len('[1,"\\u00e9"]')]
    assert peer.send({"a": "3"}, aid=1).value == [1, 1, 0]
    stream.cut()


def test_a_new_session_replaces_an_old_one(server, peer, doubles):
    other = Peer(server, "/channel")
    assert other.open(OSID=peer.sid, OAID=0).status == 200
    assert doubles[0].ends == ["replaced"]
    assert peer.refused()[:2] == (400, "Unknown SID")
    third = Peer(server, "/channel")
    assert third.open(OSID="unknown", OAID=0).status == 200


def test_stop_reaches_the_client_after_what_was_sent(peer, doubles):
    (double,) = doubles
    stream = peer.back()
    double.session.send("last")
    double.session.stop()
    assert stream.rest() == [[1, "last"], [2, ["stop"]]]
    until(lambda: double.ends == ["stopped"])
    assert peer.back(1).rest() == [[2, ["stop"]]]
    assert peer.refused(2)[:2] == (400, "Unknown SID")
    assert peer.send({"a": "b"}, aid=2).status == 400
    with pytest.raises(SessionEnded):
        double.session.send("more")


def test_close_ends_the_back_channel(peer, doubles):
    (double,) = doubles
    stream = peer.back()
    double.session.close()
    assert stream.next() is None
    assert double.ends == ["closed"]
    assert peer.refused()[:2] == (400, "Unknown SID")


def test_terminate_is_told_to_the_handler(peer, doubles):
    assert peer.terminate("GET").status == 200
    assert doubles[0].ends == ["terminated"]


def test_terminate_may_stand_in_the_form(peer, doubles):
    assert peer.post({"ui": "", "TYPE": "terminate"}).status == 200
    assert doubles[0].ends == ["terminated"]


def test_sending_from_many_threads_keeps_each_threads_order(peer, doubles):
    (double,) = doubles
    stream = peer.back()
    threads = [
        threading.Thread(target=lambda name=name: [double.session.send([name, n]) for n in range(500)])
        for name in "abcd"
    ]
    for thread in threads:
        thread.start()
    arrays = [stream.next() for _ in range(2000)]
    for thread in threads:
        thread.join()
    stream.cut()
    assert [identity for identity, _ in arrays] == list(range(1, 2001))
    for name in "abcd":
        assert [data[1] for _, data in arrays if data[0] == name] == list(range(500))


def test_a_lounge_stand_in_may_stand_at_any_path(clock):
    lounge = BrowserChannelService(lambda session: session.send(["S", "g"]), monotonic=clock)
    with LocalServer(mounts={"/api/lounge/bc/": lounge}) as server:
        peer = Peer(server, "/api/lounge/bc")
        assert peer.open().arrays[1:] == [[1, ["S", "g"]]]
        assert peer.get("/test", VER=8, MODE="init").status == 200
        clock.now += 1000
        lounge.sweep()
        assert peer.refused()[:2] == (400, "Unknown SID")
