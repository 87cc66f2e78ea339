"""The talk dialect over HTTP: http.talk_page, and the bind requests as PROTOCOL.md has them."""

import html.parser
import json
import re

import pytest
from waiting import until
from wire_by_hand import CONNECT, Talk, chunks, texts, units

from gaechannel.server import LocalServer
from gaechannel.server.http import talk_page


def page_literals(page):
    """The seven literals, cut out as a careful client does: each is a JSON string on a line of its own."""
    call = page[page.index("new chat.WcsDataClient(") + len("new chat.WcsDataClient(") :]
    return [json.loads(line.strip().rstrip(",")) for line in call.splitlines()[:7]]


def test_the_page_holds_seven_literals_each_on_a_line_of_its_own(shared, name):
    token = shared.create_channel(name)
    reply = Talk(shared, token).get("/d", token=token, xpc='{"cn":"abcdefghij"}')
    assert reply.status == 200
    assert reply.headers.get_content_type() == "text/html"
    url, empty, clid, gsessionid, number, wcx, again = page_literals(reply.text)
    assert url == shared.base_url + "/"
    assert (empty, wcx, again) == ("", "WCX", token)
    assert re.fullmatch("[0-9A-F]{16}", clid)
    assert re.fullmatch(r"[\w-]{22}", gsessionid)
    assert number.isdecimal()


def test_the_page_is_read_by_the_expression_of_2011(shared, name):
    token = shared.create_channel(name)
    page = Talk(shared, token).get("/d", token=token).text
    found = re.search(r"new chat\.WcsDataClient\(([^)]+)", page, re.MULTILINE)
    parts = [part.strip('" \n') for part in found[1].split(",")]
    assert len(parts) == 7
    assert parts[6] == token
    assert parts[2:4] == page_literals(page)[2:4]


def test_the_page_sets_a_cookie_and_nobody_asks_for_it(shared, name):
    token = shared.create_channel(name)
    reply = Talk(shared, token).get("/d", token=token)
    assert "Path=/talkgadget" in reply.headers["Set-Cookie"]
    assert Talk(shared, token).open().status == 200


def test_no_host_name_breaks_out_of_the_script(shared, name):
    token = shared.create_channel(name)
    for host in ("</script><b>", '"x"', "a'b&c"):
        reply = Talk(shared, token).request("GET", "/d", {"token": token}, headers={"Host": host})
        if reply.status == 200:
            seen = []
            parser = html.parser.HTMLParser()
            parser.handle_starttag = lambda tag, attrs, seen=seen: seen.append(tag)
            parser.feed(reply.text)
            assert seen == ["html", "head", "meta", "title", "body", "script"]
            assert len(page_literals(reply.text)) == 7


def test_a_literal_is_safe_in_a_script():
    text = "</script><!--&'\"\\\u2028é\n"
    escaped = talk_page.script_string(text)
    assert json.loads(escaped) == text
    assert escaped.isascii()
    assert not set("<>&'\n") & set(escaped)


@pytest.mark.parametrize("xpc", ["{", "[]", "1", "[" * 5000])
def test_a_malformed_xpc_is_refused(shared, name, xpc):
    token = shared.create_channel(name)
    assert Talk(shared, token).get("/d", token=token, xpc=xpc).status == 400


def test_a_missing_token_is_refused(shared):
    reply = Talk(shared, "x").get("/d")
    assert (reply.status, reply.reason) == (400, "token is missing")


def test_a_forged_token_is_refused_everywhere_in_reason_and_body(shared, talk):
    replies = [talk.get("/d", token="forged"), talk.post({"count": 0}, token="forged", SID="")]
    replies += [talk.send({"a": "b"}, token="forged"), Talk(shared, "forged").terminate()]
    for reply in replies:
        assert (reply.status, reply.reason, reply.text) == (401, "Invalid+token.", "Invalid+token.")
    assert talk.refused(token="forged") == (401, "Invalid+token.", "Invalid+token.")


def test_an_expired_token_is_refused_everywhere_in_reason_and_body(clock):
    with LocalServer(clock=clock) as server:
        talk = Talk(server, server.create_channel("me", 1)).connect()
        clock.now += 60
        for reply in (
            talk.get("/d", token=talk.params["token"]),
            talk.post({"count": 0}, SID=""),
            talk.send(),
        ):
            assert (reply.status, reply.reason, reply.text) == (401, "Token+timed+out.", "Token+timed+out.")
        assert talk.refused()[0] == 401
        # A new token of the same client id goes on with the session.
        talk.params["token"] = server.create_channel("me")
        assert talk.send().status == 200


def test_another_clients_token_does_not_open_a_session(shared, talk, name):
    talk.params["token"] = shared.create_channel(name + " other")
    assert talk.refused()[:2] == (400, "Unknown SID")
    assert talk.terminate().status == 400


def test_a_session_is_replaced_by_its_own_client_alone(shared, talk, name):
    other = Talk(shared, shared.create_channel(name + " other"))
    assert other.open(OSID=talk.sid, OAID=0).status == 200
    assert talk.send().status == 200
    again = Talk(shared, shared.create_channel(name))
    assert again.open(OSID=talk.sid, OAID=0).status == 200
    assert "Unknown SID" in talk.send().text


@pytest.mark.parametrize("clid", ["", "x" * 257])
def test_an_opening_without_a_good_clid_is_refused(shared, name, clid):
    reply = Talk(shared, shared.create_channel(name)).open(clid=clid)
    assert (reply.status, reply.reason) == (400, "clid is missing or too long")


def test_the_opening_reply_is_a_chunk_with_a_hole(shared, name):
    talk = Talk(shared, shared.create_channel(name))
    reply = talk.open()
    payload = f'[[0,["c","{talk.sid}",,8]]\n,[1,["noop"]]\n]\n'
    assert reply.text == f"{len(payload)}\n{payload}"
    assert reply.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert "no-cache" in reply.headers["Cache-Control"]


def test_a_message_comes_with_the_clid_over_an_open_back_channel(shared, talk, name):
    stream = talk.back()
    assert stream.headers["Transfer-Encoding"] == "chunked"
    shared.send_message(name, "hello")
    assert stream.next() == [2, ["c", ["CLID", ["ae", "hello"]]]]
    shared.send_message(talk.params["token"], "again")
    assert stream.next() == [3, ["c", ["CLID", ["ae", "again"]]]]
    stream.cut()


@pytest.mark.parametrize(
    "text", ["é", "😀", "a\u2028b", "\ud800", 'q"\\\n\x00', "", "x" * 32767, "😀é€" * 3000]
)
def test_any_text_arrives_and_its_length_is_right(shared, talk, name, text):
    shared.send_message(name, text)
    stream = talk.back()
    assert texts([stream.next()]) == [text]
    stream.cut()
    assert units(text) >= len(text)


def test_no_message_comes_before_connect_add_client(shared, name):
    talk = Talk(shared, shared.create_channel(name))
    talk.open()
    stream = talk.back()
    shared.send_message(name, "held")
    assert talk.send({"m": '["something"]'}).status == 200
    assert not shared.service.is_connected(name)
    assert talk.send(CONNECT).status == 200
    assert texts([stream.next()]) == ["held"]
    stream.cut()


def test_connect_add_client_may_come_with_the_opening(shared, name):
    shared.create_channel(name)
    shared.send_message(name, "held")
    talk = Talk(shared, shared.create_channel(name))
    assert texts(talk.open(CONNECT).arrays[1:]) == ["held"]


def test_all_sessions_of_a_client_id_get_its_messages(shared, talk, name):
    other = Talk(shared, shared.create_channel(name)).connect()
    shared.send_message(name, "hi")
    for peer in (talk, other):
        assert texts(peer.back(CI=1).rest()) == ["hi"]


def test_messages_are_not_lost_over_cuts_of_the_connection(shared, talk, name):
    got, aid = [], 0
    for number in range(200):
        shared.send_message(name, f"é{number}")
        if number % 20 == 19:
            stream = talk.back(aid)
            for _ in range(10):
                aid, data = stream.next()
                got += texts([(aid, data)])
            stream.cut()
    stream = talk.back(aid)
    while len(got) < 200:
        got += texts([stream.next()])
    stream.cut()
    assert got == [f"é{number}" for number in range(200)]


def test_messages_are_not_lost_over_back_channels_that_end_all_the_time(name):
    with LocalServer(backchannel_seconds=0.02, backchannel_bytes=2000) as server:
        talk = Talk(server, server.create_channel(name)).connect()
        got, aid, ends = [], 0, 0
        for number in range(1000):
            server.send_message(name, str(number))
        while len(got) < 1000:
            arrays = talk.back(aid).rest()
            got += texts(arrays)
            aid = arrays[-1][0] if arrays else aid
            ends += 1
        assert got == [str(number) for number in range(1000)]
        assert ends > 10
        assert talk.back(aid).rest() == []


def test_a_client_that_says_aid_1_from_the_start_loses_nothing(shared, name):
    """As those of 2011: array 1 is a filler, and what is sent while its back channel is cut comes again."""
    talk = Talk(shared, shared.create_channel(name))
    talk.open()
    assert talk.send(CONNECT, aid=1).status == 200
    shared.send_message(name, "first")
    stream = talk.back(aid=1)
    assert texts([stream.next()]) == ["first"]
    stream.cut()
    shared.send_message(name, "second")
    stream = talk.back(aid=1)
    assert texts([stream.next(), stream.next()]) == ["first", "second"]
    stream.cut()


def test_each_chunk_holds_one_array_in_ascii(shared, talk, name):
    for text in ("é", "😀", "\u2028"):
        shared.send_message(name, text)
    reply = talk.request("GET", "/dch/bind", {**talk.params, "RID": "rpc", "CI": 1, "AID": 1})
    assert reply.body.isascii()
    assert [len(chunk) for chunk in chunks(reply.text)] == [1, 1, 1]
    assert texts(reply.arrays) == ["é", "😀", "\u2028"]


def test_clid_and_gsessionid_stand_on_the_4th_and_5th_line_of_the_script(shared, name):
    """Where clients in Go look, which cut the page at its last `javascript`."""
    page = Talk(shared, "").get("/d", token=shared.create_channel(name)).text
    lines = page[page.rindex("javascript") :].split("\n")
    literals = page_literals(page)
    assert [line.strip('", ') for line in lines[3:5]] == literals[2:4]


def test_the_word_before_a_text_is_taken_for_the_newest_session(shared, talk, name):
    """The module of 2011 keeps it for its SID: the sessions of one page go on, others stay out of reach."""
    shared.send_message(name, "first")
    talk.params["SID"] = "ae"
    assert texts(talk.back(CI=1).rest()) == ["first"]
    shared.send_message(name, "second")
    assert texts(talk.back(aid=2, CI=1).rest()) == ["second"]
    assert talk.refused(clid="another")[:2] == (400, "Unknown SID")
    assert talk.refused(token=shared.create_channel(name + " other"))[:2] == (400, "Unknown SID")


def test_keep_alives_come(name):
    with LocalServer(keepalive=0.02) as server:
        talk = Talk(server, server.create_channel(name)).connect()
        stream = talk.back()
        assert [stream.next() for _ in range(3)] == [[number, ["noop"]] for number in (2, 3, 4)]
        stream.cut()


def test_a_cut_connection_is_noticed(shared, talk, name):
    stream = talk.back()
    (session,) = [one for one in shared.service.sessions if one.sid == talk.sid]
    assert session.has_back_channel
    stream.cut()
    until(lambda: not session.has_back_channel)


def test_terminate_ends_the_session_and_its_back_channel(shared, talk, name):
    for method in ("POST", "GET"):
        peer = Talk(shared, shared.create_channel(name)).connect()
        stream = peer.back()
        reply = peer.terminate(method)
        assert (reply.status, reply.body) == (200, b"")
        assert stream.next() is None
        assert peer.refused()[:2] == (400, "Unknown SID")
        assert peer.terminate(method).status == 400
