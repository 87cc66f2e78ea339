"""Cookies that the caller gives, beside those that the server sets."""

import asyncio

import pytest
from hostile import TalkServer, messages, ok, opening, page, reply, streams

from gaechannel import HTTPStatusError, aio


def sent_by(server):
    """The Cookie header of each request; of two in one request only one would be there."""
    return [request.headers.get("cookie", "") for request in server.requests]


@pytest.fixture
def renewing():
    """A server that renews one of the caller's cookies, and sets one of its own."""
    with TalkServer(
        page=ok(page(), "Set-Cookie: route=7; Path=/"),
        opening=ok(opening(), "Set-Cookie: SID = new ; Path=/; HttpOnly"),
        back=streams(messages(1, "a")),
    ) as server:
        yield server


EXPECTED = [{"SID=old", "H=1"}, {"SID=old", "H=1", "route=7"}, {"SID=new", "H=1", "route=7"}]


@pytest.mark.parametrize(
    "headers",
    [{"Cookie": "SID=old; H=1"}, [("cookie", "SID=old"), ("COOKIE", "H=1;")], {"Cookie": "SID=old;H=1"}],
)
def test_one_header_has_all_cookies_and_the_servers_value_wins(client_of, take, renewing, headers):
    take(client_of(renewing, headers=headers), 1)
    sent = [{cookie.strip() for cookie in cookies.split(";")} for cookies in sent_by(renewing)]
    assert sent[:3] == EXPECTED


def test_asynchronous_clients_do_the_same(renewing):
    async def listen():
        headers = {"Cookie": "SID=old; H=1"}
        async with aio.Client("t", base_url=renewing.base_url, headers=headers) as client:
            return await anext(client.messages())

    assert asyncio.run(listen()) == "a"
    assert [set(cookies.split("; ")) for cookies in sent_by(renewing)[:3]] == EXPECTED


def test_a_cookie_that_the_server_takes_back_is_not_sent_again(client_of, take):
    gone = "Set-Cookie: SID=; Path=/; Max-Age=0"
    with TalkServer(page=ok(page(), gone), back=streams(messages(1, "a"))) as server:
        take(client_of(server, headers={"Cookie": "SID=old"}), 1)
        assert sent_by(server)[:2] == ["SID=old", ""]


def test_a_cookie_whose_name_only_begins_alike_stays(client_of, take):
    with TalkServer(page=ok(page(), "Set-Cookie: SI=2"), back=streams(messages(1, "a"))) as server:
        take(client_of(server, headers={"Cookie": "SID=old; SI=1; ISI=3"}), 1)
        assert set(sent_by(server)[1].split("; ")) == {"SID=old", "ISI=3", "SI=2"}


def test_a_cookie_of_the_callers_is_secret(client_of, log):
    def refuse(request, peer):
        peer.send(reply(f"I know {request.headers['cookie']}".encode(), "403 No"))

    with TalkServer(page=refuse) as server, pytest.raises(HTTPStatusError) as caught:
        next(client_of(server, headers={"Cookie": "name=s3cret-value; H=another-secret"}).messages())
    assert "I know ***" in str(caught.value)
    for secret in ("s3cret-value", "another-secret"):
        assert secret not in str(caught.value) + "".join(log.texts)
