"""`gaechannel demo --browser`: the page that draws its own channel, and the manual's pictures of it."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from waiting import until


@pytest.fixture
def demo():
    """The demo's address, where there is no display."""
    environment = {name: value for name, value in os.environ.items() if name not in NAMES}
    command = [sys.executable, "-m", "gaechannel", "demo", "--browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        yield re.fullmatch(r"Open (http://127\.0\.0\.1:\d+/demo)\n", process.stdout.readline())[1]
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130


NAMES = {"BROWSER", "DISPLAY", "WAYLAND_DISPLAY"}
PHONE = {"viewport": {"width": 375, "height": 720}, "reduced_motion": "null", "forced_colors": "null"}
DESK = {**PHONE, "viewport": {"width": 720, "height": 430}, "color_scheme": "light"}


def test_it_shows_every_message_once_and_in_order_over_cuts(demo, chromium, firefox, tmp_path):
    looks = {
        "demo-dark": chromium.browser.new_context(**PHONE, color_scheme="dark"),
        "demo": chromium.browser.new_context(**DESK),
        "firefox": firefox.browser.new_context(**PHONE, color_scheme="null"),
    }
    folder = Path(os.environ.get("GAECHANNEL_SCREENSHOTS", tmp_path))
    errors = []
    pages = {name: context.new_page() for name, context in looks.items()}
    for page in pages.values():
        page.on("pageerror", lambda error: errors.append(error))
        page.goto(demo)
    for page in pages.values():
        until(lambda page=page: page.locator("line.caught").count() > 3, seconds=40)
        until(lambda page=page: re.search(r"[1-9]\d* of them cut", page.inner_text("#summary")))
        assert "each once, and in order" in page.inner_text("#summary")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert errors == []
    for name, page in pages.items():
        if name != "firefox":  # which takes Playwright's own style for the occasion for a fault of the page
            page.screenshot(path=folder / f"{name}.png")
    for context in looks.values():
        context.close()
