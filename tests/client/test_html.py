"""What a notebook shows of a channel: how it stands, escaped, and nothing secret."""

import asyncio
import os
import re
import xml.etree.ElementTree as ElementTree

import pytest
from hostile import TalkServer, chunk, message, reply, streams

import gaechannel
from gaechannel import BrowserChannel, ChannelError, Client, aio
from gaechannel.server import LocalServer


def rows_of(html):
    """The table's titles and cells; the markup must be well-formed: nothing may leave its cell."""
    tree = ElementTree.fromstring(f"<div>{html}</div>")
    assert {element.tag for element in tree.iter()} <= {
        "div",
        "code",
        "table",
        "tr",
        "th",
        "td",
        "span",
        "br",
    }
    return {row[0].text: "".join(row[1].itertext()) for row in tree.iter("tr")}


def test_a_channel_shows_its_state_its_counters_and_when_the_last_message_came():
    with LocalServer() as server:
        client = Client(server.create_channel("me"), base_url=server.base_url)
        assert rows_of(client._repr_html_())["state"] == "● new"
        server.send_message("me", "hello")
        assert client.recv(timeout=20) == "hello"
        rows = rows_of(client._repr_html_())
        assert list(rows) == ["state", "messages", "received", "reconnects", "sessions", "last messages"]
        assert rows["state"] == "● open"
        assert re.fullmatch(r"1, the last \d+ s ago", rows["messages"])
        assert re.fullmatch(r"\d+ bytes, \d+ chunks, \d+ arrays", rows["received"])
        assert (rows["reconnects"], rows["sessions"]) == ("0", "1")
        assert rows["last messages"] == "2: hello"
        client.close()
        rows = rows_of(client._repr_html_())
        assert (rows["state"], rows["last messages"]) == ("● closed", "2: hello")


# What arrays hold, as JSON, and how each is shown.
HOSTILE = {
    "markup": ('"</td><script>alert(1)</script>"', '"</td><script>alert(1)</script>"'),
    "attributes": ('"\' onmouseover=alert(1) &lt;"', '"\' onmouseover=alert(1) &lt;"'),
    "half a pair": (r'["\ud83d"]', r'["\ud83d"]'),
    "turned around": ('["\u202egnp.exe"]', '[" gnp.exe"]'),
    "lines": ("[1,\n2]", "[1, 2]"),
    "nested": ("[" * 100 + "]" * 100, "[" * 68 + "…"),
    "huge": ('["' + "x" * 3_000_000 + '"]', '["' + "x" * 66 + "…"),
    "cut inside a character": ('["' + "é" * 50 + '"]', '["' + "é" * 33 + "…"),
    "cut inside another": ('["a' + "é" * 50 + '"]', '["a' + "é" * 32 + "\N{REPLACEMENT CHARACTER}…"),
}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("how", ["sync", "raw", "aio"])
def test_a_message_is_shown_as_text_and_cut_whatever_it_is(kind, how):
    sent, shown = HOSTILE[kind]
    with LocalServer() as server:
        server.browserchannel.on_session = lambda session: session.send_raw(sent)
        url = f"{server.url}/channel"
        if how == "aio":

            async def receive():
                async with aio.BrowserChannel(url) as channel:
                    await channel.recv(timeout=20)
                    return channel._repr_html_()

            html = asyncio.run(receive())
        else:
            with BrowserChannel(url, raw=how == "raw") as channel:
                channel.recv(timeout=20)
                html = channel._repr_html_()
    assert rows_of(html)["last messages"] == f"1: {shown}"
    assert "<script" not in html
    assert len(html) < 4000


def test_half_a_pair_of_the_talk_dialect_is_shown_as_a_question_mark():
    half = message(1, "").replace('""', r'"a\ud83d b"')
    with TalkServer(back=streams(chunk(half))) as server, Client("t", base_url=server.base_url) as client:
        assert client.recv(timeout=20) == "a\ud83d b"
        assert rows_of(client._repr_html_())["last messages"] == "1: a\ufffd\ufffd\ufffd b"


def test_the_last_four_messages_are_shown_and_no_token_in_them():
    with LocalServer() as server:
        token = server.create_channel("me")
        with Client(token, base_url=server.base_url) as client:
            for number in range(5):
                server.send_message("me", f"{number}")
            server.send_message("me", f"token {token}")
            server.send_message("me", "x" * 50 + token)
            for _ in range(7):
                client.recv(timeout=20)
            bundle = client._repr_mimebundle_()
            table = bundle["text/html"].partition("last messages")[2]
            assert re.findall(r"\d+: ([^<]*)<", table) == ["3", "4", "token ***…", "x" * 50 + "***…"]
            assert token[:10] not in str(bundle)


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
