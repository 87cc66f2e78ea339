"""gaechannel.server.local: a server in a thread, and one in the foreground."""

import asyncio
import gc
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
from tls import contexts
from waiting import until
from wire_by_hand import Talk, texts

from gaechannel.server import (
    BrowserChannelService,
    ChannelService,
    LocalServer,
    StoreError,
    default_mounts,
    run_server,
    serve,
)


@pytest.fixture
def server_threads():
    """Returns the servers' threads that this test has started."""
    before = threading.enumerate()
    return lambda: [
        one for one in threading.enumerate() if one.name == "gaechannel-server" and one not in before
    ]


def test_a_server_has_urls_and_a_free_port_and_listens_on_loopback(server_threads):
    server = LocalServer()
    assert server.port == 0
    assert "stopped" in repr(server)
    with server as same:
        assert same is server
        assert server.running
        assert "running" in repr(server)
        assert server.port > 0
        assert server.url == f"http://127.0.0.1:{server.port}"
        assert server.base_url == server.url + "/talkgadget"
        assert server.start() is server
        assert len(server_threads()) == 1
    assert not server.running
    assert server_threads() == []


def test_nothing_is_left_of_a_server_that_has_stopped():
    """Tests make hundreds of servers, and what their applications hold is theirs to let go."""
    service = ChannelService()
    with LocalServer(service) as server:
        talk = Talk(server, server.create_channel("me"))
        talk.connect()
    left = weakref.ref(service)
    del service, server, talk
    until(lambda: gc.collect() >= 0 and left() is None)  # not while another thread collects


def test_a_mount_that_is_not_there_is_said_to_be_missing_and_why():
    server = LocalServer(mounts={"/foo": BrowserChannelService()})
    with pytest.raises(
        LookupError, match=r"^this server has no service at /channel, only at /foo: mounts= takes"
    ):
        _ = server.browserchannel
    with pytest.raises(
        LookupError, match=r"^this server has no service at /webchannel, nor at any other path: "
    ):
        _ = LocalServer(mounts={}).webchannel
    mounts = default_mounts()
    server = LocalServer(mounts={**mounts, "/foo": BrowserChannelService()})
    assert (server.browserchannel, server.webchannel) == (mounts["/channel"], mounts["/webchannel"])


def test_no_two_servers_have_the_same_administrative_token():
    assert LocalServer().admin_token != LocalServer().admin_token
    assert LocalServer(admin_token="mine").admin_token == "mine"


def test_a_port_in_use_raises_in_the_callers_thread():
    with LocalServer() as server:
        other = LocalServer(port=server.port)
        with pytest.raises(OSError, match="in use"):
            other.start()
        assert not other.running
        other.stop()
    with other:
        assert other.port == server.port


def test_what_fails_at_the_start_raises_in_the_callers_thread(server_threads):
    with pytest.raises(ValueError, match="empty"):
        LocalServer(admin_token="").start()
    assert server_threads() == []


def test_a_service_and_its_options_exclude_each_other():
    with pytest.raises(TypeError, match="service"):
        LocalServer(ChannelService(), keepalive=1.0)


def test_the_limits_hold_for_all_dialects():
    server = LocalServer(keepalive=1.5, hold=3)
    assert server.service.limits == server.browserchannel.limits == server.webchannel.limits
    assert server.webchannel.limits.keepalive == 1.5


def test_stop_is_fast_and_ends_open_back_channels_in_order():
    with LocalServer() as server:
        streams = [Talk(server, server.create_channel("me")).connect().back() for _ in range(20)]
        server.send_message("me", "last")
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < 10
        assert [texts(stream.rest()) for stream in streams] == [["last"]] * 20


def test_stop_does_not_wait_for_a_slow_test_phase():
    with LocalServer(test_delay=60) as server:
        talk = Talk(server, server.create_channel("me"))
        connection = talk.connection()
        connection.request("GET", talk.url("/dch/test", {"VER": 8, "TYPE": "xmlhttp"}))
        response = connection.getresponse()
        assert response.read(5) == b"11111"
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < 20
        response.close()
        connection.close()


def test_a_server_that_starts_again_has_port_tokens_sessions_and_messages():
    with LocalServer() as server:
        talk = Talk(server, server.create_channel("me")).connect()
        port = server.port
        server.stop()
        server.stop()
        server.send_message("me", "meanwhile")
        server.start()
        assert server.port == port
        assert texts(talk.back(CI=1).rest()) == ["meanwhile"]


@pytest.mark.parametrize("end", [LocalServer.stop, LocalServer.kill])
@pytest.mark.parametrize("running", [True, False])
def test_a_server_that_starts_anew_knows_no_session_and_the_old_tokens(end, running):
    with LocalServer() as server:
        token = server.create_channel("me")
        talk = Talk(server, token).connect()
        if not running:
            server.stop()
        end(server, keep_sessions=False)
        server.start()
        assert talk.refused()[:2] == (400, "Unknown SID")
        Talk(server, token).connect()


def test_a_killed_server_cuts_its_connections_and_loses_nothing():
    with LocalServer() as server:
        talk = Talk(server, server.create_channel("me")).connect()
        stream = talk.back()
        server.send_message("me", "one")
        assert texts([stream.next()]) == ["one"]
        server.kill()
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            stream.response.read1()
        stream.cut()
        server.start()
        assert texts(talk.back(CI=1).rest()) == ["one"]


def test_cut_cuts_all_connections_and_goes_on_serving():
    with LocalServer() as server:
        talk = Talk(server, server.create_channel("me")).connect()
        stream = talk.back()
        until(lambda: len(server.service.sessions) == 1)
        assert server.cut() >= 1
        stream.cut()
        server.send_message("me", "hi")
        assert texts(talk.back(CI=1).rest()) == ["hi"]
    assert server.cut() == 0


def test_it_works_beside_a_running_event_loop():
    async def notebook_cell():
        with LocalServer() as server:
            return server.create_channel("me")

    assert asyncio.run(notebook_cell())


def test_https_is_served_with_a_context():
    context, client = contexts()
    with LocalServer(ssl_context=context) as server:
        assert server.base_url.startswith("https://127.0.0.1:")
        raw = socket.create_connection(("127.0.0.1", server.port), timeout=20)
        with client.wrap_socket(raw, server_hostname="127.0.0.1") as tls:
            tls.sendall(b"GET /talkgadget/d HTTP/1.1\r\nHost: x\r\n\r\n")
            assert tls.recv(100).startswith(b"HTTP/1.1 400 token is missing")


def test_ipv6_is_served():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 on this machine")
    with LocalServer(host="::1") as server:
        assert server.url == f"http://[::1]:{server.port}"
        Talk(server, server.create_channel("me")).connect()


def test_a_service_of_ones_own_is_served_by_one_server_after_another():
    service = ChannelService(key=b"k" * 16)
    with LocalServer(service) as server:
        token = server.create_channel("me")
    with LocalServer(service) as server:
        Talk(server, token).connect()
        assert service.is_connected("me")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_serves_in_the_foreground_until_a_signal(number):
    asked = []

    def on_ready(server):
        def ask():
            asked.append(Talk(server, server.create_channel("me")).open().status)
            os.kill(os.getpid(), number)

        assert server.admin_token == "secret"
        thread = threading.Thread(target=ask)
        thread.start()
        threads.append(thread)

    threads = []
    before = signal.getsignal(number)
    serve("127.0.0.1", 0, "secret", on_ready=on_ready)
    threads[0].join()
    assert asked == [200]
    assert signal.getsignal(number) is before


def test_serve_raises_where_the_port_is_taken():
    assert run_server is serve
    with LocalServer() as server, pytest.raises(OSError, match="in use"):
        serve(port=server.port)


def test_serve_in_a_process_of_its_own_exits_in_order():
    code = "from gaechannel.server import serve; serve(port=0, on_ready=lambda s: print(s.port, flush=True))"
    with subprocess.Popen(
        [sys.executable, "-X", "dev", "-c", code], stdout=-1, stderr=-1, text=True
    ) as process:
        assert int(process.stdout.readline()) > 0
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
    # A machine that is busy with something else is slow, which asyncio says in development mode.
    said = [line for line in err.splitlines() if not re.match(r"Executing <.* took .* seconds$", line)]
    assert (process.returncode, out, said) == (0, "", [])


@pytest.mark.parametrize("end", [LocalServer.stop, LocalServer.kill])
def test_with_a_state_a_new_server_goes_on_where_another_ended(tmp_path, end):
    with LocalServer(state=tmp_path / "state") as server:
        talk = Talk(server, server.create_channel("me")).connect()
        stream = talk.back()
        server.send_message("me", "seen")
        assert texts([stream.next()]) == ["seen"]
        server.send_message("me", "perhaps")
        end(server)
        stream.cut()
        with pytest.raises(TypeError, match="service"):
            LocalServer(server.service, state=tmp_path / "state")
    with LocalServer(state=tmp_path / "state", port=server.port) as server:
        server.send_message("me", "later")
        assert texts(talk.back(AID=2, CI=1).rest()) == ["perhaps", "later"]


def test_who_connects_between_two_servers_on_a_socket_that_is_handed_over_is_served_by_the_next(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor() as pool:
        options = {"state": tmp_path / "state", "sockets": {"public": [listening]}}
        with LocalServer(**options) as server:
            talk = Talk(server, server.create_channel("me")).connect()
            server.send_message("me", "kept")
        asking = pool.submit(lambda: texts(talk.back(CI=1).rest()))
        with LocalServer(**options):
            assert asking.result(20) == ["kept"]


def test_with_a_state_sessions_can_be_forgotten_all_the_same(tmp_path):
    with LocalServer(state=tmp_path / "state") as server:
        talk = Talk(server, server.create_channel("me")).connect()
        server.kill(keep_sessions=False)
        server.start()
        assert talk.refused()[:2] == (400, "Unknown SID")
        server.stop(keep_sessions=False)
        server.start()
        assert len(server.service) == 0


def test_a_state_that_cannot_be_used_raises_in_the_callers_thread(tmp_path, server_threads):
    (tmp_path / "state").write_text("something else " * 100)
    with pytest.raises(StoreError, match="state"):
        LocalServer(state=tmp_path / "state").start()
    assert server_threads() == []


def test_an_argument_that_it_does_not_know_is_refused_in_its_own_name():
    with pytest.raises(TypeError, match=r"LocalServer\(\) got an unexpected keyword argument 'prt'"):
        LocalServer(prt=1)
