"""The server's own pages, as a person sees them."""

import os
from pathlib import Path

import pytest
from waiting import until

from gaechannel.server import LocalServer

NARROW = {"width": 375, "height": 700}


@pytest.fixture
def server():
    with LocalServer() as running:
        yield running


@pytest.fixture
def page(window):
    """A tab, and what it has complained of."""
    one = window.context.new_page()
    one.complaints = []
    one.on("console", lambda message: one.complaints.append(message.text))
    one.on("pageerror", lambda error: one.complaints.append(str(error)))
    yield one
    one.close()
    assert [text for text in one.complaints if "Content" in text and "Policy" in text] == []


def test_a_channel_is_made_and_its_messages_arrive_in_the_page(server, page, window, tmp_path):
    page.goto(f"{server.admin_url}/")
    assert f"{server.url}/talkgadget" in page.inner_text("main")
    page.fill("#key", "wrong")
    page.click("#ask button")
    page.locator("#wrong", has_text="not the administrative token").wait_for()
    page.fill("#key", server.admin_token)
    page.click("#ask button")
    page.locator("#try").wait_for()
    page.click("#make")
    page.locator("#how", has_text="is listened to").wait_for()
    client = page.inner_text("#client")
    page.fill("#text", "from the page")
    page.click("#send button")
    expected = ["from the page"]
    page.locator(".message", has_text=expected[0]).wait_for()
    for number in range(10):
        if number == 5:
            server.cut()
        expected.append(f"{number}: <b>é 😀</b> \u2028")
        server.send_message(client, expected[-1])
    until(lambda: page.locator(".message").count() == len(expected), 60)
    assert page.locator(".message").all_text_contents() == expected
    # The page looks again by itself.
    page.locator("#sessions td", has_text=client).wait_for()
    assert page.locator("#channels td", has_text=client).count() == 1
    if window.browser.browser_type.name == "chromium":
        page.set_viewport_size({"width": 720, "height": 860})
        folder = Path(os.environ.get("GAECHANNEL_SCREENSHOTS", tmp_path))
        for name, scheme in (("status-dark", "dark"), ("status", "light")):
            page.emulate_media(color_scheme=scheme)
            page.screenshot(path=folder / f"{name}.png")
    server.stop(keep_sessions=False)
    server.start()
    # A new session, by itself.
    server.send_message(client, "after a restart")
    page.locator(".message", has_text="after a restart").wait_for(timeout=60_000)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("public", [True, False], ids=["public", "administration"])
def test_pages_fit_a_phone_and_follow_its_colours(chromium, server, public, scheme):
    context = chromium.browser.new_context(viewport=NARROW, color_scheme=scheme)
    one = context.new_page()
    server.create_channel("a client id that is as long as client ids may be, " * 4)
    one.goto(f"{server.url if public else server.admin_url}/")
    if not public:
        one.fill("#key", server.admin_token)
        one.click("#ask button")
        one.locator("#try").wait_for()
        one.click("#make")
        one.locator("#how", has_text="is listened to").wait_for()
        server.send_message(one.inner_text("#client"), "x" * 2000)
        one.locator(".message").wait_for()
    assert one.evaluate("document.documentElement.scrollWidth") == NARROW["width"]
    colour = one.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = int(colour.removeprefix("rgb(").split(",")[0])
    assert (brightness > 128) is (scheme == "light")
    context.close()
