"""gaechannel.server.core.presence: the application learns who is there."""

import asyncio
import http.server
import logging
import socket
import threading
from urllib.parse import parse_qs

import pytest
from waiting import until
from wire_by_hand import Talk

from gaechannel.server import ChannelService, LocalServer
from gaechannel.server.http import app, presence_posts


class Ear:
    def hear(self, message, literal):
        pass


def test_the_first_listener_connects_a_client_and_the_last_disconnects_it():
    said = []
    service = ChannelService(
        on_connected=lambda name: said.append(("+", name)),
        on_disconnected=lambda name: said.append(("-", name)),
    )
    one, two = Ear(), Ear()
    service.channels.add_listener("me", one)
    service.channels.add_listener("me", two)
    service.channels.remove_listener("me", one)
    assert said == [("+", "me")]
    service.channels.remove_listener("me", two)
    assert said == [("+", "me"), ("-", "me")]


def test_a_callback_that_fails_harms_nobody(caplog):
    service = ChannelService(on_connected=lambda name: 1 / 0)
    service.channels.add_listener("me", Ear())
    assert "on_connected failed" in caplog.text


def test_a_client_that_terminates_is_reported_and_one_that_goes_away_too(clock):
    said = []
    with LocalServer(
        on_connected=lambda name: said.append("+" + name),
        on_disconnected=lambda name: said.append("-" + name),
        monotonic=clock,
    ) as server:
        one = Talk(server, server.create_channel("one")).connect()
        two = Talk(server, server.create_channel("two")).connect()
        stream = two.back()
        assert one.terminate().status == 200
        assert said == ["+one", "+two", "-one"]
        clock.now += 100
        server.service.sweep()
        assert said == ["+one", "+two", "-one"]
        stream.cut()
        until(lambda: not server.service.sessions[0].has_back_channel)
        clock.now += 100
        server.service.sweep()
        assert said == ["+one", "+two", "-one", "-two"]


def test_coroutine_functions_are_awaited_in_order_on_the_servers_loop(caplog):
    said = []

    async def connected(name):
        said.append((name, threading.current_thread().name))
        if name == "bad":
            raise RuntimeError

    async def disconnected(name):
        said.append(("-" + name, threading.current_thread().name))

    service = ChannelService(on_connected=connected, on_disconnected=disconnected)
    service.channels.add_listener("early", Ear())
    with LocalServer(service) as server:
        until(lambda: len(said) == 1)
        ear = Ear()
        server.service.channels.add_listener("bad", ear)
        server.service.channels.remove_listener("bad", ear)
        until(lambda: len(said) == 3)
    assert [name for name, _ in said] == ["early", "bad", "-bad"]
    assert {thread for _, thread in said} == {"gaechannel-server"}
    assert "on_connected failed" in caplog.text


def test_what_ends_with_the_server_is_still_reported():
    said = []

    async def disconnected(name):
        said.append(name)

    with LocalServer(on_disconnected=disconnected) as server:
        Talk(server, server.create_channel("me")).connect()
    assert said == ["me"]


def test_a_callback_that_hangs_does_not_keep_the_server_from_stopping(monkeypatch):
    async def disconnected(name):
        await asyncio.Event().wait()

    monkeypatch.setattr(app, "_PRESENCE_SECONDS", 0.01)
    with LocalServer(on_disconnected=disconnected) as server:
        Talk(server, server.create_channel("me")).connect()
    assert not server.running


@pytest.fixture
def application():
    """An application that remembers what it is told; it answers 500 to a client named bad, and at first to
    one named soon."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            told.append((self.path, form))
            soon = form["from"] == ["soon"] and len(told) < 3
            self.send_response(500 if form["from"] == ["bad"] or soon else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args):
            pass

    told = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", told
        server.shutdown()
        thread.join()


def test_the_application_is_told_by_post_as_app_engine_did(application, caplog):
    url, told = application
    with LocalServer(presence_url=url) as server:
        talk = Talk(server, server.create_channel("mé")).connect()
        talk.terminate()
        until(lambda: len(told) == 2)
        with caplog.at_level(logging.WARNING):
            Talk(server, server.create_channel("bad")).connect()
            until(lambda: "answered 500" in caplog.text)
    assert told[:2] == [
        ("/_ah/channel/connected/", {"from": ["mé"]}),
        ("/_ah/channel/disconnected/", {"from": ["mé"]}),
    ]


def test_a_post_that_fails_is_tried_again_and_those_behind_it_wait(application, monkeypatch):
    url, told = application
    monkeypatch.setattr(presence_posts, "_WAITS", (0.001,) * 5)
    with LocalServer(presence_url=url) as server:
        for name in ("soon", "bad", "last"):
            Talk(server, server.create_channel(name)).connect()
        until(lambda: told and told[-1][1] == {"from": ["last"]})
    assert [form["from"][0] for _, form in told[:10]] == ["soon"] * 3 + ["bad"] * 6 + ["last"]


def test_an_application_that_is_not_there_is_logged(caplog):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with LocalServer(presence_url=f"http://127.0.0.1:{port}") as server:
        Talk(server, server.create_channel("me")).connect()
        until(lambda: "cannot be told" in caplog.text)
