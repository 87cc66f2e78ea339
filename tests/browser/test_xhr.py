"""Where `fetch` does not stream, XMLHttpRequest carries the script's requests."""

TEXTS = ["plain", "é€😀" * 1000, "\u2028\0\x7f"]


def test_messages_come_over_cut_connections(site, tab):
    one = tab(site.url("listen.html"))
    one.page.evaluate("delete Response.prototype.body")
    one.listen(site.server.create_channel("me"))
    for number in range(1, 4):
        for text in TEXTS:
            site.server.send_message("me", text)
        one.wait_for_messages(number * len(TEXTS))
        site.server.cut()
    assert one.messages() == 3 * TEXTS
    assert one.told() == ["open"]
    kinds = one.page.evaluate("performance.getEntriesByType('resource').map((one) => one.initiatorType)")
    assert "xmlhttprequest" in kinds
    assert "fetch" not in kinds


def test_a_refused_token_is_told_in_its_words(site, tab):
    one = tab(site.url("listen.html"))
    one.page.evaluate("delete Response.prototype.body")
    one.listen("no token")
    one.wait_for([["error", 401, "Invalid+token."], "close"])


def test_closing_ends_the_request(site, tab):
    one = tab(site.url("listen.html"))
    one.page.evaluate("delete Response.prototype.body")
    one.listen(site.server.create_channel("me"))
    one.wait_for(["open"])
    one.page.evaluate("sockets[0].socket.close()")
    one.wait_for(["open", "close"])
