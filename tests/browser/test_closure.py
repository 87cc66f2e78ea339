"""Closure's own BrowserChannel, as the npm package browserchannel has it, beside the script in one page."""

import subprocess
from pathlib import Path

import pytest
from in_utf8 import in_utf8
from waiting import until

ROOT = Path(__file__).parents[2]
DIST = ROOT / "build" / "interop" / "node_modules" / "browserchannel" / "dist"
TEXTS = [f"{number}: é 😀" for number in range(50)]


@pytest.fixture(scope="module")
def installed():
    done = subprocess.run([ROOT / "tests" / "interop" / "install"], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"tests/interop/install: {done.stdout.strip() or done.stderr.strip()}")


@pytest.mark.parametrize("name", ["bcsocket.js", "bcsocket-uncompressed.js"])
def test_both_go_on_working(installed, site, tab, name):
    """The second one brings all of Closure, and its global `goog`."""
    service = in_utf8(site.server).browserchannel
    service.on_session = lambda session: setattr(session, "on_message", session.send)
    site.others[name] = DIST / name
    # Closure's reads what comes by eval.
    site.headers["Content-Security-Policy"] = "default-src * 'unsafe-inline' 'unsafe-eval'"
    one = tab(site.url("closure.html", f"?beside={name}"))
    one.listen(site.server.create_channel("me"))
    one.page.evaluate(
        """(url) => {
            window.echoed = [];
            window.closure = new BCSocket(url);
            closure.onmessage = ({ data }) => echoed.push(data);
            closure.onopen = () => echoed.push("open");
        }""",
        site.server.url + "/channel",
    )
    one.wait_for(["open"])
    until(lambda: one.page.evaluate("echoed") == ["open"])
    for text in TEXTS:
        site.server.send_message("me", text)
        one.page.evaluate("(text) => void closure.send(text)", text)
    one.wait_for_messages(len(TEXTS))
    until(lambda: one.page.evaluate("echoed.length") == len(TEXTS) + 1)
    assert one.messages() == one.page.evaluate("echoed.slice(1)") == TEXTS
    one.page.evaluate("void closure.close()")
    one.close()
    one.wait_for(["open", "close"])
    until(lambda: not site.server.service.sessions)
