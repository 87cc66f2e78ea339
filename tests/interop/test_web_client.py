"""Google's own WebChannel client (@firebase/webchannel-wrapper) against the local server."""

import json

import pytest
from in_utf8 import in_utf8
from waiting import until

from gaechannel.server import WEBCHANNEL, LocalServer

# As Firestore's SDK opens it.
OPTIONS = {
    "httpSessionIdParam": "gsessionid",
    "initMessageHeaders": {"Authorization": "Bearer t0ken", "X-Goog-Api-Client": "é"},
    "messageUrlParams": {"database": "projects/p/databases/(default)"},
    "sendRawJson": True,
    "supportsCrossDomainXhr": True,
    "internalChannelParams": {"forwardChannelRequestTimeoutMs": 600000},
}


@pytest.fixture
def server():
    with LocalServer(backchannel_bytes=10_000, keepalive=1.0) as server:
        server.sessions, server.ends = [], []

        def on_session(session):
            server.sessions.append(session)
            session.on_message = session.send
            session.on_close = server.ends.append

        server.webchannel.on_session = on_session
        yield in_utf8(server)


@pytest.fixture
def connect(server, node):
    def connect(**options):
        return node("web_client.js", server.url + "/webchannel", json.dumps({**OPTIONS, **options}))

    return connect


VARIANTS = [
    pytest.param({}, id="streaming"),
    pytest.param({"forceLongPolling": True}, id="long polling"),
    pytest.param({"forceLongPolling": True, "longPollingTimeout": 500}, id="long polling bounded"),
    pytest.param({"encodeInitMessageHeaders": True}, id="headers in the body"),
    pytest.param({"detectBufferingProxy": True}, id="detecting proxies"),
    pytest.param({"useFetchStreams": True}, id="fetch streams"),
    pytest.param(
        {"useFetchStreams": True, "fastHandshake": True, "encodeInitMessageHeaders": True},
        id="fast handshake over fetch streams",
    ),
    pytest.param({"fastHandshake": True, "encodeInitMessageHeaders": True}, id="fast handshake"),
]


@pytest.mark.parametrize("options", VARIANTS)
def test_both_directions(connect, server, options):
    client = connect(**options)
    client.do("send", data={"addTarget": {"é": "😀"}})
    client.next("open")
    assert client.next("message")["data"] == [{"addTarget": {"é": "😀"}}]
    for text in ("", "é€😀" * 1000, "a&b=c+d%20", "\u2028\x7f"):
        client.do("send", data={"t": text})
        assert client.next("message")["data"] == [{"t": text}]
    (session,) = server.sessions
    session.send({"late": True})
    assert client.next("message")["data"] == [{"late": True}]
    assert session.params["database"] == "projects/p/databases/(default)"


def test_it_reads_ascii_as_well(connect, server):
    server.webchannel.dialect = WEBCHANNEL
    client = connect()
    for text in ("é€😀" * 1000, "\u2028\x7f"):
        client.do("send", data={"t": text})
        assert client.next("message")["data"] == [{"t": text}]


@pytest.mark.parametrize("options", VARIANTS[:1] + VARIANTS[-1:])
def test_2000_go_each_way_in_order(connect, options):
    client = connect(**options)
    client.do("count", count=2000)
    got = [client.next("message")["data"][0] for _ in range(2000)]
    assert got == [{"n": number, "t": "é😀"} for number in range(2000)]


def test_initial_headers_in_the_body_reach_the_session(connect, server):
    client = connect(encodeInitMessageHeaders=True)
    client.do("send", data={})
    client.next("open")
    headers = server.sessions[0].headers
    assert headers["authorization"] == "Bearer t0ken"


def test_an_error_object_is_a_message_to_it(connect, server):
    client = connect()
    client.do("send", data={})
    client.next("message")
    server.sessions[0].send({"error": {"code": 403, "message": "no", "status": "PERMISSION_DENIED"}})
    event = client.next("message")
    assert event["data"] == [{"error": {"code": 403, "message": "no", "status": "PERMISSION_DENIED"}}]


def test_the_servers_close_is_its_close(connect, server):
    client = connect()
    client.do("send", data=1)
    client.next("message")
    server.sessions[0].close()
    client.next("close")


def test_the_servers_stop_is_its_error(connect, server):
    client = connect()
    client.do("send", data=1)
    client.next("message")
    server.sessions[0].stop()
    client.next("error")


def test_its_close_ends_the_session(connect, server):
    client = connect()
    client.do("send", data=1)
    client.next("message")
    client.do("close")
    client.next("close")
    until(lambda: server.ends == ["terminated"])
