"""The pages for people, as they are answered; how they look is for a browser's tests."""

import json
import re

import pytest
from wire_by_hand import Peer, Talk

from gaechannel.server import BrowserChannelService, LocalServer


@pytest.fixture
def token(shared):
    return {"Authorization": f"Bearer {shared.admin_token}"}


def test_the_public_page_says_where_clients_go_and_nothing_of_who_is_there(shared, name):
    shared.create_channel(name)
    reply = Peer(shared, "").request("GET", "/")
    assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
    for path in ("talkgadget", "channel", "webchannel"):
        assert f"<code>{shared.url}/{path}</code>" in reply.text
    assert name not in reply.text
    assert "script" not in reply.text
    assert Peer(shared, "").request("GET", "/page.js").status == 404


@pytest.mark.parametrize("public", [True, False])
def test_a_page_needs_nothing_that_its_policy_forbids(shared, public):
    peer = Peer(shared if public else shared.admin, "")
    page = peer.request("GET", "/")
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    for policy in ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"):
        assert policy in page.headers["Content-Security-Policy"]
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script[^>]*>[^<]", page.text)
    asked = set(re.findall(r'(?:src|href)="([^":]+)"', page.text))
    assert asked == ({"page.css"} if public else {"page.css", "page.js", "_ah/channel/jsapi"})
    for name in asked:
        reply = peer.request("GET", f"/{name}")
        kind = "text/css" if name.endswith("css") else "text/javascript"
        assert (reply.status, reply.headers["Content-Type"]) == (200, f"{kind}; charset=utf-8")
        assert reply.body


def test_the_administrative_page_names_the_public_address(shared):
    page = Peer(shared.admin, "").request("GET", "/").text
    assert f"<code>{shared.url}/talkgadget</code>" in page
    assert shared.admin_token not in page


def test_what_is_open_is_told_to_who_has_the_token(shared, talk, name, token):
    shared.send_message(name, "waits")
    shared.create_channel(f"{name} alone")
    shared.send_message(f"{name} alone", "waits, too")
    assert Peer(shared.admin, "").request("GET", "/admin/state").status == 401
    assert Peer(shared, "").request("GET", "/admin/state", headers=token).status == 404
    reply = Peer(shared.admin, "").request("GET", "/admin/state", headers=token)
    state = json.loads(reply.text)
    channels = {one.pop("client_id"): one for one in state["channels"]}
    assert channels[name] == {"listeners": 1, "held": 0}
    assert channels[f"{name} alone"] == {"listeners": 0, "held": 1}
    (session,) = [one for one in state["sessions"] if one["client_id"] == name]
    assert session.pop("outstanding") > 0
    assert talk.sid.startswith(session.pop("name").rstrip("…"))
    assert session == {"path": "/talkgadget", "client_id": name, "back_channel": False}
    assert talk.sid not in reply.text
    assert state["complete"]


def test_no_more_is_told_than_a_page_can_show():
    service = BrowserChannelService()
    with LocalServer(mounts={"/channel": service}) as server:
        for number in range(201):
            server.create_channel(f"client {number}")
        Peer(server, "/channel").open()
        Talk(server, server.create_channel("client 0")).connect()
        token = {"Authorization": f"Bearer {server.admin_token}"}
        reply = Peer(server.admin, "").request("GET", "/admin/state", headers=token)
        state = json.loads(reply.text)
        assert (state["channel_count"], state["session_count"], state["complete"]) == (201, 2, False)
        assert (len(state["channels"]), len(state["sessions"])) == (200, 2)
        assert [one["path"] for one in state["sessions"]] == ["/talkgadget", "/channel"]


def test_paths_of_ones_own_are_shown_as_text():
    with LocalServer(mounts={"/<b>": BrowserChannelService()}) as server:
        for place in (server, server.admin):
            assert "/&lt;b&gt;</code>" in Peer(place, "").request("GET", "/").text
