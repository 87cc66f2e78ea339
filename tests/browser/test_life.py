"""The script in the life of a page: tabs, going back, being frozen, other origins, policies, memory."""

import time

import pytest
from browsing import many
from waiting import until


def sessions(site):
    return [session for session in site.server.service.sessions if session.connected]


def test_two_tabs_of_one_client_hear_the_same_each_once(site, tab):
    token = site.server.create_channel("me")
    tabs = [tab(site.url("listen.html")) for _ in range(2)]
    for one in tabs:
        one.listen(token)
        one.wait_for(["open"])
    for number in range(100):
        site.server.send_message("me", str(number))
    for one in tabs:
        one.wait_for_messages(100)
        assert one.messages() == [str(number) for number in range(100)]
    tabs[1].page.close()
    until(lambda: sum(session.has_back_channel for session in sessions(site)) == 1)
    site.server.send_message("me", "to the other")
    tabs[0].wait_for_messages(101)


def test_six_channels_of_one_page_are_as_many_as_http_1_lets_through(site, tab):
    """A browser opens six connections to a host: with five channels there is one left for all else."""
    one = tab(site.url("listen.html"))
    for number in range(5):
        one.listen(site.server.create_channel(f"client {number}"))
    for number in range(5):
        one.wait_for(["open"], number)
        site.server.send_message(f"client {number}", "hi")
        one.wait_for_messages(1, number)


class TestLeaving:
    def test_a_page_that_is_left_for_good_ends_its_session(self, site, tab):
        one = tab(site.url("listen.html"))
        one.listen(site.server.create_channel("me"))
        one.wait_for(["open"])
        one.page.goto("about:blank")
        until(lambda: not any(session.has_back_channel for session in sessions(site)))

    def test_a_tab_that_is_closed_ends_it_at_once(self, site, tab, window):
        first = tab(site.url("listen.html"))
        one = tab(site.url("listen.html"))
        one.listen(site.server.create_channel("me"))
        one.wait_for(["open"])
        one.page.close()
        if window.browser.browser_type.name == "firefox":  # which does not always send what outlives the page
            until(lambda: not any(session.has_back_channel for session in sessions(site)))
        else:
            until(lambda: sessions(site) == [])  # the server would take a minute
        assert first.faults == []

    def test_going_back_finds_the_page_as_it_was_or_a_new_one(self, site, tab, window):
        """Chromium keeps pages, which are frozen meanwhile; Firefox keeps none that has a request open."""
        one = tab(site.url("listen.html"))
        one.listen(site.server.create_channel("me"))
        one.wait_for(["open"])
        site.server.send_message("me", "before")
        one.wait_for_messages(1)
        one.page.evaluate("addEventListener('freeze', () => sockets[0].told.push('frozen'), true)")
        one.page.evaluate("void (location.href = 'beside.html')")
        until(lambda: one.has("goog.mine"))
        until(lambda: not any(session.has_back_channel for session in sessions(site)))
        site.server.send_message("me", "meanwhile")
        one.page.evaluate("history.back()")
        until(lambda: one.has("sockets"))
        if window.browser.browser_type.name == "firefox":
            assert one.page.evaluate("sockets.length") == 0
            assert sessions(site) == []
            return
        one.wait_for_messages(2)
        site.server.send_message("me", "afterwards")
        one.wait_for_messages(3)
        assert one.messages() == ["before", "meanwhile", "afterwards"]
        assert one.told() == ["open", "frozen"]


class TestChromium:
    """What the other does not do, or not on demand."""

    @pytest.fixture(params=["chromium"])
    def window(self, request):
        return request.getfixturevalue(request.param)

    def test_a_page_that_is_frozen_and_resumed_misses_nothing(self, site, tab):
        """By events: DevTools freezes no page that Playwright keeps active. Going back has real ones."""
        one = tab(site.url("listen.html"))
        one.listen(site.server.create_channel("me"))
        one.wait_for(["open"])
        one.page.evaluate("document.dispatchEvent(new Event('freeze')), 0")
        until(lambda: not sessions(site)[0].has_back_channel)
        for number in range(10):
            site.server.send_message("me", str(number))
        time.sleep(0.1)  # nothing is asked while it lasts
        assert not sessions(site)[0].has_back_channel
        one.page.evaluate("document.dispatchEvent(new Event('resume')), 0")
        one.wait_for_messages(10)
        assert one.messages() == [str(number) for number in range(10)]
        assert one.told() == ["open"]

    def test_a_browser_that_goes_offline_and_comes_back_goes_on_at_once(self, site, tab, window):
        one = tab(site.url("listen.html"))
        one.listen(site.server.create_channel("me"))
        one.wait_for(["open"])
        window.context.set_offline(True)
        site.server.cut()
        until(lambda: not sessions(site)[0].has_back_channel)
        site.server.send_message("me", "meanwhile")
        window.context.set_offline(False)
        one.wait_for_messages(1)
        assert (one.messages(), one.told()) == (["meanwhile"], ["open"])

    def test_memory_stays_where_it_is_over_many_messages(self, site, tab, window):
        """The page itself keeps nothing of a message here."""
        count = many(10_000)
        counting = "{onmessage() { this.count = (this.count ?? 0) + 1; }}"
        one = tab(site.url("listen.html"))
        one.listen(site.server.create_channel("me"), counting)
        one.wait_for(["open"])
        devtools = window.context.new_cdp_session(one.page)

        def has(count):
            return (one.page.evaluate("sockets[0].socket.count") or 0) >= count

        def held_after(sent):
            """Bytes of the heap that are in use when so many have come in all."""
            for number in range(held["sent"], sent):
                site.server.send_message("me", f"{number} " + "é" * 1000)
                if number % 1000 == 0:
                    until(lambda least=number - 1000: has(least))
            held["sent"] = sent
            until(lambda: has(sent))
            devtools.send("HeapProfiler.collectGarbage")
            return devtools.send("Runtime.getHeapUsage")["usedSize"]

        held = {"sent": 0}
        before = held_after(1000)
        assert held_after(1000 + count) - before < 1 << 20  # of a kB each


def test_a_policy_without_unsafe_words_is_enough(site, tab):
    site.headers["Content-Security-Policy"] = (
        "default-src 'none'; script-src 'self'; connect-src 'self'; require-trusted-types-for 'script'"
    )
    one = tab(site.url("strict.html", f"?token={site.server.create_channel('me')}"))
    until(lambda: one.page.title() == "open")
    site.server.send_message("me", "<b>é 😀</b>")
    until(lambda: one.page.title() == "<b>é 😀</b>")


class TestOrigins:
    @pytest.fixture
    def elsewhere(self, serve):
        """A site of another origin; its pages are of interest alone."""
        return serve()

    def test_a_page_of_another_origin_loads_it_and_listens(self, serve, elsewhere, tab):
        site = serve(allow_origins=[elsewhere.server.url])
        one = tab(elsewhere.url("listen.html", f"?script={site.server.url}"))
        one.listen(site.server.create_channel("me"))
        one.wait_for(["open"])
        site.server.send_message("me", "across é 😀")
        one.wait_for_messages(1)
        assert one.messages() == ["across é 😀"]
        one.listen("no token")
        one.wait_for([["error", 401, "Invalid+token."], "close"], 1)
        one.close()
        one.wait_for(["open", "close"])
        until(lambda: not sessions(site))
        # Across origins a request that is not simple costs one more.
        assert not any(request.startswith("OPTIONS") for request in site.requests)
