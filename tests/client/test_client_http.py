"""HTTP itself: connections, cookies, headers, versions, chunked encoding, proxies."""

import errno
import os
import socket
import subprocess
import sys
import threading

import pytest
from hostile import (
    CLID,
    GSESSIONID,
    Server,
    TalkServer,
    chunk,
    frame,
    hang_up,
    head,
    message,
    messages,
    ok,
    opening,
    page,
    reply,
    streams,
)
from ports import free_port

from gaechannel import ChannelError, TransportError, __version__, _core

pytestmark = pytest.mark.timeout(30)

STEPS = ["page", "opening", "connect", "back"]


def chunked(*pieces, end=b"0\r\n\r\n"):
    body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return head("200 OK", "Transfer-Encoding: chunked") + body + end


def in_bytes(body):
    return [body[at : at + 1] for at in range(len(body))]


# ---- What the requests look like ----


def test_the_four_requests_say_what_the_protocol_says(client_of, take):
    with TalkServer(back=streams(messages(1, "a"))) as server:
        client = client_of(server, token="tok+en/ü=")
        assert take(client, 1) == ["a"]
        first, second, third, fourth = server.requests
    assert [request.method for request in server.requests] == ["GET", "POST", "POST", "GET"]
    assert first.path == "/talkgadget/d"
    assert set(first.query) == {"token", "xpc"}
    common = {
        "token": "tok+en/ü=",
        "gsessionid": GSESSIONID,
        "clid": CLID,
        "prop": "data",
        "VER": "8",
        "t": "1",
    }
    wanted = [
        {"RID": "1", "CVER": "1"},
        {"RID": "2", "CVER": "1", "SID": "SID1", "AID": "0"},
        {"RID": "rpc", "SID": "SID1", "AID": "0", "CI": "0", "TYPE": "xmlhttp"},
    ]
    for request, own in zip((second, third, fourth), wanted, strict=True):
        assert request.path == "/talkgadget/dch/bind"
        query = request.query
        zx = query.pop("zx")
        assert zx.isalpha()
        assert len(zx) == 12
        assert query == {**common, **own}
        # Nothing twice.
        assert all(len(values) == 1 for values in request.fields.values())
    assert first.query["token"] == "tok+en/ü="
    assert second.body == b"count=0"
    assert third.form == {
        "count": "1",
        "ofs": "0",
        "req0_m": '["connect-add-client"]',
        "req0_c": CLID,
        "req0__sc": "c",
    }
    assert third.headers["content-type"] == "application/x-www-form-urlencoded"
    assert all("expect" not in request.headers for request in server.requests)
    assert all(request.headers["user-agent"] == f"gaechannel/{__version__}" for request in server.requests)
    assert len({request.query.get("zx") for request in server.requests[1:]}) == 3


def test_one_connection_carries_all(client_of, take):
    with TalkServer(back=[ok(messages(n, "x")) for n in range(1, 21)]) as server:
        take(client_of(server), 20)
        assert server.connections == 1


def test_cookies_are_sent_back_to_where_they_came_from(client_of, take):
    with TalkServer(
        page=ok(
            page(), "Set-Cookie: S=talkgadget=abc; Path=/talkgadget; HttpOnly", "Set-Cookie: T=1; Path=/other"
        ),
        opening=ok(opening(), "Set-Cookie: U=2"),
        back=streams(messages(1, "a")),
    ) as server:
        take(client_of(server), 1)
        sent = [request.headers.get("cookie", "") for request in server.requests]
        assert sent[:2] == ["", "S=talkgadget=abc"]
        assert {*sent[2].split("; ")} == {*sent[3].split("; ")} == {"S=talkgadget=abc", "U=2"}


def ended_when(event, number, *headers):
    """A back channel that brings a message and, later, ends in order."""

    def answer(_request, peer):
        peer.start(*headers)
        peer.send(messages(number, "x"))
        peer.wait(event)
        peer.close()

    return answer


@pytest.mark.parametrize(
    "cookies",
    [
        ["route=7; Path=/"],
        ["route=7; Path=/talkgadget; HttpOnly"],
        ["route=7"],
        ["odd=1; Path=TRUE", "route=7"],
        ["empty=; Path=/", "route=7; Path="],
        ["route=7; Path=/", *(f"c{number}=1; Path=/" for number in range(48))],
        ["route=7; Path=/", *(f"c{number}=1; Path=/" for number in range(49))],
        ["route=7; Path=/", *("same=1; Path=/" for _ in range(70))],
    ],
)
def test_cookies_outlive_back_channels_that_wait(client_of, cookies):
    events = [threading.Event() for _ in range(3)]
    backs = [ended_when(event, number) for number, event in enumerate(events[1:], 2)]
    headers = [f"Set-Cookie: {cookie}" for cookie in cookies]
    with (
        TalkServer(back=[ended_when(events[0], 1, *headers), *backs, streams(messages(4, "x"))]) as server,
        client_of(server) as client,
    ):
        arriving = client.messages()
        for event in events:
            assert next(arriving) == "x"
            # It waits, with cookies laid down. The next request has them.
            event.set()
        assert next(arriving) == "x"
        sent = [{*request.headers.get("cookie", "").split("; ")} for request in server.of("back")]
    assert sent[0] == {""}
    assert "route=7" in sent[1]
    assert sent[1] == sent[2] == sent[3]


def test_two_clients_share_no_cookies(client_of, take):
    with TalkServer(page=ok(page(), "Set-Cookie: S=1"), back=streams(messages(1, "a"))) as server:
        take(client_of(server), 1)
        take(client_of(server), 1)
        assert "cookie" not in server.of("page")[1].headers


def test_headers_and_user_agent_are_sent(client_of, take):
    with TalkServer(back=streams(messages(1, "a"))) as server:
        headers = [("Authorization", "Bearer abc"), ("X-Empty", ""), ("X-Two", "1"), ("Accept", "text/x")]
        take(client_of(server, headers=headers, user_agent="me/1"), 1)
        for request in server.requests:
            assert request.headers["authorization"] == "Bearer abc"
            assert request.headers["x-empty"] == ""
            assert request.headers["x-two"] == "1"
            assert request.headers["accept"] == "text/x"
            assert request.headers["user-agent"] == "me/1"


def test_headers_besides_leave_the_package_its_name(client_of, take):
    with TalkServer(back=streams(messages(1, "a"))) as server:
        take(client_of(server, headers={"X-Two": "1"}), 1)
        assert {request.headers["user-agent"] for request in server.requests} == {f"gaechannel/{__version__}"}


def test_a_header_says_what_the_client_is_called(client_of, take):
    with TalkServer(back=streams(messages(1, "a"))) as server:
        take(client_of(server, headers={"user-agent": "me/1"}), 1)
        assert {request.headers["user-agent"] for request in server.requests} == {"me/1"}


# ---- What comes back ----


@pytest.mark.parametrize("pieces", [in_bytes, lambda body: [body], lambda body: [body[:5], body[5:]]])
def test_chunked_bodies_are_read_however_they_are_cut(client_of, take, pieces):
    with TalkServer(
        page=chunked(*pieces(page())),
        opening=chunked(*pieces(opening())),
        connect=chunked(*pieces(frame("[1,0,0]"))),
        back=[chunked(*pieces(messages(1, "é😀"))), chunked(*pieces(messages(2, "b")))],
    ) as server:
        assert take(client_of(server), 2) == ["é😀", "b"]


def test_trailers_are_nothing(client_of, take):
    end = b"0\r\nX-Trailer: 1\r\nLocation: /x\r\nSet-Cookie: a=b\r\n\r\n"
    with TalkServer(back=[chunked(messages(1, "a"), end=end), streams(messages(2, "b"))]) as server:
        assert take(client_of(server), 2) == ["a", "b"]


@pytest.mark.parametrize(
    "end",
    [b"zz\r\nnot hexadecimal\r\n", b"-1\r\n", b"fffffffffffffffffffff\r\n", b"5\r\nab", b"2\r\nabc\r\n", b""],
)
def test_broken_chunked_encoding_breaks_the_back_channel_only(client_of, take, end):
    def broken(_request, peer):
        peer.send(chunked(messages(1, "a"), end=end))
        peer.close()

    with TalkServer(back=[broken, streams(messages(2, "b"))]) as server:
        assert take(client_of(server), 2) == ["a", "b"]
        assert [request.query["AID"] for request in server.of("back")] == ["0", "1"]


def test_a_body_shorter_than_its_length_breaks_the_back_channel_only(client_of, take):
    def short(_request, peer):
        peer.send(head("200 OK", length=10_000) + messages(1, "a"))
        peer.close()

    with TalkServer(back=[short, streams(messages(2, "b"))]) as server:
        assert take(client_of(server), 2) == ["a", "b"]


def test_what_comes_behind_the_body_is_not_read(client_of, take):
    body = messages(1, "a")
    with TalkServer(
        back=[head("200 OK", length=len(body)) + body + b"junk", streams(messages(2, "b"))]
    ) as server:
        assert take(client_of(server), 2) == ["a", "b"]


def test_interim_responses_are_passed_over(client_of, take):
    interim = (
        b"HTTP/1.1 100 Continue\r\n\r\n" + b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\nLocation: /y\r\n\r\n"
    )
    with TalkServer(
        page=interim + ok(page()),
        opening=interim + ok(opening()),
        connect=interim + ok(frame("[1,0,0]")),
        back=[
            interim + ok(messages(1, "a")),
            interim + reply(b"", "400 Unknown SID"),
            interim + ok(messages(1, "b")),
        ],
    ) as server:
        assert take(client_of(server), 2) == ["a", "b"]


def test_http_1_0_is_enough(client_of, take):
    def old(body):
        def answer(_request, peer):
            peer.send(head("200 OK", version="1.0") + body)
            peer.close()

        return answer

    with TalkServer(
        page=old(page()),
        opening=old(opening()),
        connect=old(frame("[1,0,0]")),
        back=[old(messages(1, "a")), old(messages(2, "b"))],
    ) as server:
        assert take(client_of(server), 2) == ["a", "b"]
        assert server.connections == 5


@pytest.mark.parametrize(
    "nonsense", [b"hello\r\n\r\n", b"\x16\x03\x01\x02", b"HTTP/9.9 200 OK\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n"]
)
def test_what_is_no_http_is_a_transport_error_and_later_only_a_break(client_of, take, nonsense):
    def babble(_request, peer):
        peer.send(nonsense)
        peer.close()

    with TalkServer(page=babble) as server, pytest.raises(TransportError):
        next(client_of(server).messages())
    # On a connection in use, too.
    with TalkServer(back=[ok(messages(1, "a")), babble, streams(messages(2, "b"))]) as server:
        assert take(client_of(server), 2) == ["a", "b"]


def test_a_response_without_an_end_of_its_head_is_a_break(client_of, take):
    def half(_request, peer):
        peer.send(b"HTTP/1.1 200 OK\r\nX: y\r\n")
        peer.close()

    with TalkServer(back=[ok(messages(1, "a")), half, streams(messages(2, "b"))]) as server:
        assert take(client_of(server), 2) == ["a", "b"]


@pytest.mark.parametrize("step", STEPS)
def test_a_huge_header_is_refused_or_passed_over(client_of, step):
    good = {"page": page(), "opening": opening(), "connect": frame("[1,0,0]"), "back": messages(1, "a")}
    with (
        TalkServer(
            **{"back": streams(messages(1, "a")), step: ok(good[step], "X-Huge: " + "x" * 1_000_000)}
        ) as server,
        pytest.raises(TransportError),
    ):
        next(client_of(server).messages())
    with TalkServer(
        **{"back": streams(messages(1, "a")), step: ok(good[step], *["X-Many: " + "x" * 1000] * 200)}
    ) as server:
        assert next(client_of(server).messages()) == "a"


def test_reasons_that_are_no_text_are_shown_as_bytes(client_of):
    answer = b"HTTP/1.1 403 \xff\xfe \x1b[31m\r\nContent-Length: 3\r\n\r\n\x00\xffx"
    with TalkServer(page=answer) as server, pytest.raises(TransportError) as caught:
        next(client_of(server).messages())
    assert caught.value.code == 403
    str(caught.value).encode("ascii")
    assert "\x1b" not in str(caught.value)
    assert "\x00" not in str(caught.value)


# ---- How connections fail ----


def test_a_port_that_nobody_listens_on_is_a_transport_error(client_of):
    client = client_of(f"http://127.0.0.1:{free_port()}/talkgadget")
    with pytest.raises(TransportError) as caught:
        next(client.messages())
    assert caught.value.curl_code == 7
    assert not hasattr(caught.value, "code")


def test_a_name_that_does_not_exist_is_a_transport_error(client_of):
    with pytest.raises(TransportError) as caught:
        next(client_of("http://no-such-host.invalid/talkgadget").messages())
    assert caught.value.curl_code == 6


def test_the_default_address_says_that_the_service_has_ended(client_of, monkeypatch):
    monkeypatch.delenv("GAECHANNEL_BASE_URL", raising=False)
    from gaechannel import Client

    client = Client("token", proxy=f"http://127.0.0.1:{free_port()}")
    assert client.base_url == "https://talkgadget.google.com/talkgadget"
    with pytest.raises(TransportError, match="2017") as caught:
        next(client.messages())
    assert "base_url=" in str(caught.value)
    assert "GAECHANNEL_BASE_URL" in str(caught.value)
    # Any other address has not.
    with pytest.raises(TransportError) as caught:
        next(client_of(f"http://127.0.0.1:{free_port()}").messages())
    assert "2017" not in str(caught.value)


def test_a_proxy_that_cannot_be_reached_is_named(client_of, monkeypatch):
    port = free_port()
    with pytest.raises(
        TransportError, match=rf"through the proxy http://\*\*\*@127.0.0.1:{port}\)"
    ) as caught:
        next(client_of("http://talk.invalid/x", proxy=f"http://me:s3cret@127.0.0.1:{port}").messages())
    assert "s3cret" not in str(caught.value)
    with pytest.raises(TransportError, match=r"proxy http://no-such-host\.invalid:3128\)"):
        next(client_of("http://talk.invalid/x", proxy="http://no-such-host.invalid:3128").messages())
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
    with pytest.raises(
        TransportError, match=rf"through the proxy http://127.0.0.1:{port}, the environment's http_proxy\)"
    ):
        next(client_of("http://talk.invalid/x").messages())
    with pytest.raises(TransportError) as caught:
        next(client_of("http://talk.invalid/x", proxy="").messages())
    assert "proxy" not in str(caught.value)


def test_the_environments_proxy_is_used(client_of, monkeypatch):
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{free_port()}")
    from gaechannel import Client

    with pytest.raises(TransportError, match="2017"):
        next(Client("token").messages())


def test_a_proxy_carries_the_requests(client_of, take):
    def answer(request, peer):
        assert request.target.startswith("http://talk.invalid/talkgadget/")
        talk.answer(request, peer)

    talk = TalkServer(back=streams(messages(1, "a")))
    with Server(answer) as proxy:
        client = client_of("http://talk.invalid/talkgadget", proxy=proxy.url)
        assert take(client, 1) == ["a"]
        assert proxy.requests[0].headers["host"] == "talk.invalid"


def test_a_proxy_that_refuses_is_a_transport_error(client_of):
    with Server(lambda request, peer: peer.send(reply(b"", "403 No"))) as proxy:
        client = client_of("https://talk.invalid/talkgadget", proxy=proxy.url)
        with pytest.raises(TransportError) as caught:
            next(client.messages())
        assert proxy.requests[0].method == "CONNECT"
    assert caught.value.curl_code != 0


def test_connecting_takes_no_longer_than_its_timeout(client_of):
    # A listener whose queue is full accepts no more.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        held = []
        for _ in range(4):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
            held.append(one)
        client = client_of(f"http://127.0.0.1:{port}", connect_timeout=0.3, timeout=20)
        with pytest.raises(TransportError) as caught:
            next(client.messages())
        for one in held:
            one.close()
    assert isinstance(caught.value, TimeoutError)


def test_a_network_that_breaks_again_and_again_loses_nothing(client_of, take):
    class Broken(Exception):
        pass

    body = chunk(message(1, "a"), message(2, "b"))
    answers = []
    for number in range(3, 13):
        answers += [hang_up, ok(messages(number, f"m{number}"))]
    with TalkServer(back=[ok(body), *answers]) as server:
        assert take(client_of(server), 12) == ["a", "b", *[f"m{n}" for n in range(3, 13)]]


def test_the_page_may_hold_anything_before_and_behind_the_call(client_of):
    odd = (
        b"<p>new chat.WcsDataClien(1)"
        + b"new " * 1000
        + page(clid="X),(Y", gsessionid="it\\'s, \\u00e9")
        + b"<br>" * 9
    )
    with TalkServer(page=ok(odd)) as server:
        client = client_of(server)
        client.initialize()
        assert (client.clid, client.gsessionid) == ("X),(Y", "it's, é")


@pytest.mark.parametrize(
    "call",
    [
        b"new chat.WcsDataClient(",
        b"new chat.WcsDataClient()",
        b"new chat.WcsDataClient('a','b')",
        b"new chat.WcsDataClient('a','b','','d')",
        b"new chat.WcsDataClient('a','b',7,'d')",
        b"new chat.WcsDataClient('a','b','c',d)",
        b"new chat.WcsDataClient('a','b','c",
        b"new chat.WcsDataClient['a','b','c','d']",
        b"New chat.WcsDataClient('a','b','c','d')",
        b"new chat.WcsDataClient('a','b','c','\\u12'",
        b"",
    ],
)
def test_a_page_without_the_call_raises(client_of, call):
    with TalkServer(page=ok(b"<html>" + call)) as server:
        client = client_of(server)
        with pytest.raises(ChannelError, match="WcsDataClient"):
            client.initialize()
        assert not client.is_initialized()


def test_threads_do_not_leak_from_a_client(client_of, take):
    before = threading.active_count()
    with TalkServer(back=streams(messages(1, "a"))) as server:
        client = client_of(server)
        take(client, 1)
        client.close()
    assert threading.active_count() == before


def test_who_names_a_host_beyond_ascii_is_told_what_libcurl_takes(client_of):
    with pytest.raises(TransportError, match="Could not resolve host") as caught:
        next(client_of("http://münchen.invalid/talkgadget", auto_reconnect=False).messages())
    takes_it = "IDN" in _core._libcurl_details()["features"]
    assert ("takes only the xn-- form" in str(caught.value)) != takes_it
    with pytest.raises(TransportError) as caught:
        next(client_of("http://xn--mnchen-3ya.invalid/talkgadget", auto_reconnect=False).messages())
    assert "form" not in str(caught.value)


FULL = """
import os, resource, sys
import gaechannel
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
client = gaechannel.Client("token", base_url=sys.argv[1])
try:
    client.initialize()
except gaechannel.TransportError as error:
    print(error)
others = []
try:
    while True:
        others.append(os.open(os.devnull, os.O_RDONLY))
except OSError:
    pass
try:
    client.initialize()
except gaechannel.TransportError as error:
    print(error)
"""


def test_who_could_not_connect_is_told_why():
    url = f"http://127.0.0.1:{free_port()}/talkgadget"
    done = subprocess.run(
        [sys.executable, "-c", FULL, url], capture_output=True, text=True, check=True, timeout=60
    )
    nobody_there, too_many_files = done.stdout.splitlines()
    assert nobody_there.startswith("Failed to connect to 127.0.0.1"), nobody_there
    assert f": {os.strerror(errno.ECONNREFUSED)} (" in nobody_there
    assert f": {os.strerror(errno.EMFILE)} (" in too_many_files
