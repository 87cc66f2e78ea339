"""`goog.appengine.Channel` as its manual of 2011 to 2016 has it, and as pages of that time knew it."""

import time

import pytest
from waiting import until

from gaechannel.server import ChannelService

TOKEN_SECONDS = 60


def test_the_manuals_page_works_word_for_word(site, tab):
    token = site.server.create_channel("me")
    page = tab(site.url("old.html", f"?token={token}")).page
    until(lambda: page.inner_text("#status") == "opened")
    for text in ("first", "<b>é € 😀</b>", '{"a": "b\\n"}'):
        site.server.send_message("me", text)
    until(lambda: page.locator("li").count() == 3)
    assert page.locator("li").all_inner_texts() == ["first", "<b>é € 😀</b>", '{"a": "b\\n"}']
    page.evaluate("socket.close()")
    until(lambda: page.evaluate("told") == ["opened", "closed"])


def test_the_page_is_told_of_an_expired_token_in_the_manuals_words(serve, tab):
    clock = [1e9]
    site = serve(service=ChannelService(clock=lambda: clock[0]))
    token = site.server.create_channel("me", 1)
    clock[0] += TOKEN_SECONDS + 1
    page = tab(site.url("old.html", f"?token={token}")).page
    until(lambda: page.inner_text("#status") == "closed")
    assert page.evaluate("told") == ["error 401 Token+timed+out.", "closed"]


EXPIRED = [["error", 401, "Token+timed+out."], "close"]
INVALID = [["error", 401, "Invalid+token."], "close"]


class TestTokens:
    def test_one_that_expires_while_it_is_listened_with(self, serve, tab):
        clock = [1e9]
        site = serve(service=ChannelService(clock=lambda: clock[0], backchannel_seconds=0.3))
        one = tab(site.url("listen.html"))
        one.listen(site.server.create_channel("me", 1))
        site.server.send_message("me", "before")
        one.wait_for_messages(1)
        clock[0] += TOKEN_SECONDS + 1
        one.wait_for(["open", *EXPIRED])
        assert one.messages() == ["before"]

    def test_one_that_no_server_has_made(self, site, tab):
        one = tab(site.url("listen.html"))
        one.listen("no token at all, é")
        one.wait_for(INVALID)

    @pytest.mark.parametrize("token", ["undefined", "null", "17", "{}", "''"])
    def test_one_that_is_no_string(self, site, tab, token):
        one = tab(site.url("listen.html"))
        # Nothing before the script that opened it has ended.
        assert one.page.evaluate(f"listen({token}), [...told()]") == []
        one.wait_for(INVALID)
        assert not any("/dch/" in request for request in site.requests)

    def test_a_string_object_is_a_string(self, site, tab):
        token = site.server.create_channel("me")
        one = tab(site.url("listen.html"))
        one.page.evaluate(f"listen(new String('{token}'))")
        one.wait_for(["open"])

    def test_a_socket_that_is_closed_before_it_was_refused_has_one_end(self, site, tab):
        one = tab(site.url("listen.html"))
        one.page.evaluate("listen(undefined), sockets[0].socket.close()")
        one.wait_for(["close"])


class TestSockets:
    @pytest.fixture
    def one(self, site, tab):
        return tab(site.url("listen.html"))

    def test_they_show_their_state_as_those_of_the_time_did(self, site, one):
        states = "sockets[0].socket.readyState"
        number = one.page.evaluate(
            "(token) => { listen(token); return sockets[0].socket.readyState }",
            site.server.create_channel("me"),
        )
        assert number == one.page.evaluate("goog.appengine.Socket.ReadyState.CONNECTING") == 0
        one.wait_for(["open"])
        assert one.page.evaluate(states) == one.page.evaluate("goog.appengine.Socket.ReadyState.OPEN") == 1
        assert one.page.evaluate("sockets[0].socket instanceof goog.appengine.Socket")
        assert one.page.evaluate("sockets[0].socket.send('x')") is False
        one.close()
        assert one.page.evaluate(states) == one.page.evaluate("goog.appengine.Socket.ReadyState.CLOSED") == 3

    def test_this_is_the_socket_in_handlers(self, site, one):
        one.listen(
            site.server.create_channel("me"),
            "{onopen() { sockets[0].told.push(this === sockets[0].socket ? 'socket' : 'other') }}",
        )
        one.wait_for(["socket"])

    def test_a_handler_may_be_set_at_any_time(self, site, one):
        one.listen(site.server.create_channel("me"))
        one.wait_for(["open"])
        site.server.send_message("me", "old")
        one.wait_for_messages(1)
        one.page.evaluate("void (sockets[0].socket.onmessage = ({data}) => sockets[0].told.push(data))")
        site.server.send_message("me", "new")
        one.wait_for(["open", "new"])
        assert one.messages() == ["old"]

    def test_no_handlers_are_needed(self, site, one):
        token = site.server.create_channel("me")
        one.page.evaluate("(token) => { window.socket = new goog.appengine.Channel(token).open() }", token)
        until(lambda: one.page.evaluate("socket.readyState") == 1)
        site.server.send_message("me", "for nobody")
        one.page.evaluate("socket.close()")
        until(lambda: not site.server.service.sessions)

    def test_close_ends_the_session_and_tells_of_it_once(self, site, one):
        one.listen(site.server.create_channel("me"))
        one.wait_for(["open"])
        one.close()
        one.close()
        one.wait_for(["open", "close"])
        until(lambda: not site.server.service.sessions)
        site.server.send_message("me", "late")
        one.close()
        time.sleep(0.05)  # for what must not come
        assert (one.told(), one.messages()) == (["open", "close"], [])

    def test_close_before_it_is_open(self, site, one):
        one.page.evaluate(
            "(token) => { listen(token); sockets[0].socket.close() }", site.server.create_channel("me")
        )
        one.wait_for(["close"])
        until(lambda: not site.server.service.sessions)

    @pytest.mark.parametrize("word", ["open", "message"])
    def test_close_in_a_handler(self, site, one, word):
        closing = f"{{on{word}() {{ sockets[0].told.push('{word}'); this.close(); }}}}"
        one.listen(site.server.create_channel("me"), closing)
        if word == "message":
            one.wait_for(["open"])
        for text in "abc":
            site.server.send_message("me", text)
        one.wait_for(["open", "close"] if word == "open" else ["open", "message", "close"])
        assert one.messages() == []
        until(lambda: not site.server.service.sessions)

    def test_opening_twice_gives_two_sockets_that_hear_the_same(self, site, one):
        one.page.evaluate(
            """(token) => {
                const channel = new goog.appengine.Channel(token);
                window.got = [[], []];
                window.both = got.map((list) => channel.open({
                    onopen: () => list.push("open"),
                    onmessage: ({ data }) => list.push(data),
                    onclose: () => list.push("close"),
                }));
            }""",
            site.server.create_channel("me"),
        )
        until(lambda: one.page.evaluate("got") == [["open"], ["open"]])
        site.server.send_message("me", "both")
        until(lambda: one.page.evaluate("got") == [["open", "both"], ["open", "both"]])
        one.page.evaluate("both[0].close()")
        until(lambda: len(site.server.service.sessions) == 1)
        site.server.send_message("me", "one")
        until(lambda: one.page.evaluate("got") == [["open", "both", "close"], ["open", "both", "one"]])

    def test_handlers_that_throw_lose_nothing_and_are_heard_of(self, site, one):
        throwing = """{
            onopen() { throw Error("in onopen") },
            onmessage({data}) { sockets[0].messages.push(data); throw Error(`in onmessage ${data}`) },
            onclose() { sockets[0].told.push("close"); throw Error("in onclose") },
        }"""
        one.listen(site.server.create_channel("me"), throwing)
        until(
            lambda: (
                len(site.server.service.sessions) == 1
                and one.page.evaluate("sockets[0].socket.readyState") == 1
            )
        )
        for text in "abc":
            site.server.send_message("me", text)
        one.wait_for_messages(3)
        assert one.messages() == ["a", "b", "c"]
        one.close()
        one.wait_for(["close"])
        words = ["onopen", "onmessage a", "onmessage b", "onmessage c", "onclose"]
        until(lambda: len(one.faults) == len(words))
        assert [fault.partition("in ")[2] for fault in one.faults] == words
        one.page.evaluate("faults.length = 0")

    def test_one_that_throws_at_an_error_still_has_its_end(self, one):
        one.listen("no token", "{onerror() { throw Error('in onerror') }}")
        one.wait_for(["close"])
        until(lambda: len(one.faults) == 1)
        one.page.evaluate("faults.length = 0")

    def test_closing_in_onerror_as_scripts_of_the_time_do_ends_it_once(self, one):
        one.listen("no token", "{onerror(error) { sockets[0].told.push(error.code); this.close(); }}")
        one.wait_for([401, "close"])
        time.sleep(0.05)  # for what must not come
        assert one.told() == [401, "close"]


def test_other_scripts_that_have_a_goog_of_their_own_keep_it(site, tab):
    """Closure's `var goog = goog || {}`, before it and after it."""
    page = tab(site.url("beside.html")).page
    assert page.evaluate("[goog.mine, goog.appengine.other, typeof goog.appengine.Channel]") == [
        1,
        2,
        "function",
    ]
    page.evaluate("goog = goog || {}")
    assert page.evaluate("typeof goog.appengine.Channel") == "function"
