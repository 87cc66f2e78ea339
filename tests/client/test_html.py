"""What a notebook shows of a channel: how it stands, escaped, and nothing secret."""

import os
import re
import xml.etree.ElementTree as ElementTree

import pytest
from hostile import TalkServer, reply

import gaechannel
from gaechannel import BrowserChannel, ChannelError, Client, aio
from gaechannel.server import LocalServer


def rows_of(html):
    """The table's titles and cells; the markup must be well-formed: nothing may leave its cell."""
    tree = ElementTree.fromstring(f"<div>{html}</div>")
    assert {element.tag for element in tree.iter()} <= {"div", "code", "table", "tr", "th", "td", "span"}
    return {row[0].text: "".join(row[1].itertext()) for row in tree.iter("tr")}


def test_a_channel_shows_its_state_its_counters_and_when_the_last_message_came():
    with LocalServer() as server:
        client = Client(server.create_channel("me"), base_url=server.base_url)
        assert rows_of(client._repr_html_())["state"] == "● new"
        server.send_message("me", "hello")
        assert client.recv(timeout=20) == "hello"
        rows = rows_of(client._repr_html_())
        assert list(rows) == ["state", "messages", "received", "reconnects", "sessions"]
        assert rows["state"] == "● open"
        assert re.fullmatch(r"1, the last \d+ s ago", rows["messages"])
        assert re.fullmatch(r"\d+ bytes, \d+ chunks, \d+ arrays", rows["received"])
        assert (rows["reconnects"], rows["sessions"]) == ("0", "1")
        client.close()
        assert rows_of(client._repr_html_())["state"] == "● closed"


def test_what_a_server_says_is_escaped_and_no_secret_is_shown():
    nasty = reply(b"<script>alert('s3cret-token')</script>" * 20, "403 <img src=x onerror=alert(1)>")
    with TalkServer(page=nasty) as server:
        client = Client("s3cret-token", base_url=server.base_url)
        with pytest.raises(ChannelError):
            client.recv(timeout=20)
    html = client._repr_html_()
    assert "s3cret-token" not in html
    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;" in html
    assert rows_of(html)["last error"].startswith("HTTPStatusError: HTTP status 403")
    assert len(html) < 4000


def test_maps_that_are_not_confirmed_are_counted():
    channel = BrowserChannel("http://127.0.0.1:9")
    assert "unsent maps" not in rows_of(channel._repr_html_())
    channel.send({"key": "value"})
    assert rows_of(channel._repr_html_())["unsent maps"] == "1"


def test_jupyter_is_given_text_and_html_of_every_kind_of_channel():
    for channel in (
        Client("t"),
        aio.Client("t"),
        gaechannel.WebChannel("http://127.0.0.1:9"),
        aio.BrowserChannel("http://127.0.0.1:9"),
        gaechannel.DevClient("t", "http://127.0.0.1:9"),
    ):
        bundle = channel._repr_mimebundle_(include=None, exclude=None)
        assert bundle == {"text/plain": repr(channel), "text/html": channel._repr_html_()}
        assert rows_of(bundle["text/html"])["state"] == "● new"


def test_a_channel_that_was_never_initialized_is_shown_by_its_name_alone():
    html = Client.__new__(Client)._repr_html_()
    assert html == "<code>&lt;Client of another process, or not initialized&gt;</code>"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork()")
def test_a_forked_child_is_shown_its_parent_s_channel_by_name_alone():
    channel = BrowserChannel("http://127.0.0.1:9")
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if "<table" not in channel._repr_html_() else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
