"""Redirects: followed on the same host, refused where a token would leave it."""

import pytest
from hostile import Server, TalkServer, cut, messages, ok, opening, page, reply, streams

from gaechannel import TransportError

pytestmark = pytest.mark.timeout(30)


def redirect(location, status="302 Found", body=b"moved"):
    return reply(body, status, f"Location: {location}")


@pytest.mark.parametrize(
    "status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"]
)
@pytest.mark.parametrize("step", ["page", "opening", "connect", "back"])
def test_a_redirect_to_the_same_host_is_followed_with_the_same_method_and_body(client_of, take, step, status):
    good = {"page": ok(page()), "opening": ok(opening()), "connect": ok(b"7\n[1,2,3]")}
    good["back"] = streams(messages(1, "a"))

    def answer(request, peer):
        there = request.target.replace("/talkgadget/", "/moved/")
        peer.send(good_or(request, redirect(there, status)))

    def good_or(request, otherwise):
        if not request.target.startswith("/moved/"):
            return otherwise
        if step == "back":
            return ok(messages(1, "a"))
        return good[step]

    with TalkServer(**{**good, step: answer}) as server:
        assert take(client_of(server), 1) == ["a"]
        first, second = server.of(step)[:2]
        assert second.path.startswith("/moved/")
        assert (second.method, second.query, second.body) == (first.method, first.query, first.body)


def test_a_relative_location_is_understood(client_of, take):
    def answer(request, peer):
        moved = request.path != "/talkgadget/d"
        peer.send(ok(page()) if moved else redirect("elsewhere?x=1"))

    with TalkServer(back=streams(messages(1, "a"))) as server:
        talk = server.answer
        server.answer = lambda request, peer: (answer if "/dch/" not in request.path else talk)(request, peer)
        assert take(client_of(server), 1) == ["a"]
        assert server.requests[1].target == "/talkgadget/elsewhere?x=1"


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("file:///etc/passwd", "not http or https"),
        ("FILE:///etc/passwd", "not http or https"),
        ("ftp://127.0.0.1/x", "not http or https"),
        ("gopher://127.0.0.1:1/x", "not http or https"),
        ("dict://127.0.0.1/x", "not http or https"),
        ("javascript:alert(1)", "redirect"),
        ("http://127.0.0.2/talkgadget/d", "another host"),
        ("http://127.0.0.1:1/talkgadget/d", "another host"),
        ("//127.0.0.2/talkgadget/d", "another host"),
        ("http://user@127.0.0.2/", "another host"),
        ("http://[", "redirect"),
        ("http://", "redirect"),
    ],
)
def test_a_redirect_elsewhere_is_refused(client_of, location, words):
    with TalkServer(page=redirect(location)) as server:
        with pytest.raises(TransportError, match=words) as caught:
            next(client_of(server).messages())
        assert len(server.requests) == 1
    assert "root:" not in str(caught.value)


def test_a_refusal_names_the_host_and_nothing_behind_it(client_of):
    location = "https://me:s3cret@login.example:8443/portal?token=s3cret#s3cret"
    told = pytest.raises(TransportError, match=r"another host, .*: https://login\.example:8443 \(")
    with TalkServer(page=redirect(location)) as server, told as caught:
        next(client_of(server).messages())
    assert "s3cret" not in str(caught.value)


def test_another_port_is_another_host(client_of):
    with Server(answer=cut) as other, TalkServer() as server:
        server.answers["page"] = lambda request, peer: peer.send(redirect(other.url + request.target))
        with pytest.raises(TransportError, match="another host"):
            next(client_of(server, headers={"Authorization": "Bearer s3cret"}).messages())
        assert other.connections == 0


def test_a_redirect_in_circles_ends(client_of):
    def around(request, peer):
        peer.send(redirect(request.target))

    with TalkServer(page=around) as server:
        with pytest.raises(TransportError, match="circles"):
            next(client_of(server).messages())
        assert len(server.requests) == 6


@pytest.mark.parametrize("location", ["", "X-Location: /x"])
def test_a_redirect_without_a_location_is_an_error_status(client_of, location):
    with TalkServer(page=reply(b"", "302 Found", location or "Location:")) as server:
        with pytest.raises(TransportError, match="302"):
            next(client_of(server).messages())
        assert len(server.requests) == 1


def test_a_location_without_a_redirect_is_nothing(client_of, take):
    with TalkServer(
        page=ok(page(), "Location: file:///etc/passwd"), back=streams(messages(1, "a"))
    ) as server:
        assert take(client_of(server), 1) == ["a"]
        assert len(server.requests) == 4


def test_a_cookie_of_the_redirect_is_sent_to_where_it_leads(client_of, take):
    def answer(request, peer):
        if "moved" in request.target:
            peer.send(ok(page()))
        else:
            peer.send(
                reply(b"", "302 Found", f"Location: {request.target}&moved=1", "Set-Cookie: way=bread-crumbs")
            )

    with TalkServer(page=answer, back=streams(messages(1, "a"))) as server:
        assert take(client_of(server), 1) == ["a"]
        assert [request.headers.get("cookie") for request in server.requests] == [None] + [
            "way=bread-crumbs"
        ] * 4
