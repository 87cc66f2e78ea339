"""Real browsers without a window, and what their pages are served by."""

import contextlib
import shutil

import pytest
from browsing import Site, Tab
from nginx import started

from gaechannel.server import LocalServer, local

#: Names of the programs, and how Playwright starts them: a Firefox that is not of its own making by BiDi.
BROWSERS = {
    "chromium": (
        ("chromium", "chromium-browser", "google-chrome"),
        {"args": ["--no-sandbox"], "ignore_default_args": ["--disable-back-forward-cache"]},
    ),
    "firefox": (("firefox-esr", "firefox"), {"channel": "moz-firefox"}),
}


@pytest.fixture(scope="package")
def launch():
    """Starts browsers. For this folder: while Playwright runs, an event loop seems to run in its thread."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not there: .ci/setup test")
    with contextlib.ExitStack() as stack:

        def start(name):
            programs, options = BROWSERS[name]
            program = next(filter(None, map(shutil.which, programs)), None)
            if program is None:
                pytest.skip(f"{name} is not there: .ci/packages browsers")
            if not started:
                started.append(stack.enter_context(sync_api.sync_playwright()))
            launched = getattr(started[0], name).launch(executable_path=program, **options)
            stack.callback(launched.close)
            return launched

        started = []
        yield start


class Window:
    """A browser's window, which all tests share: opening one, and its tabs, takes longer than most tests."""

    def __init__(self, browser):
        self.browser = browser
        # Firefox knows no emulation of media yet, with which Playwright would begin.
        plain = {"color_scheme": "null", "reduced_motion": "null", "forced_colors": "null"}
        self.context = browser.new_context(**plain)
        self.first = self.context.new_page()
        #: One whose clock a test may put forward.
        self.clocked = browser.new_context(**plain).new_page()
        self.clocked.clock.install()


@pytest.fixture(scope="package")
def chromium(launch):
    return Window(launch("chromium"))


@pytest.fixture(scope="package")
def firefox(launch):
    return Window(launch("firefox"))


@pytest.fixture(params=BROWSERS)
def window(request):
    """Each of them."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def serve(monkeypatch):
    """Starts servers that have the pages, with options of `LocalServer`; the value of a call is the site."""
    running = []
    make_app = local.make_app

    def start(**options):
        server = LocalServer(**options)
        site = Site(server)
        with monkeypatch.context() as patch:
            patch.setattr(local, "make_app", lambda *args, **more: site.add_to(make_app(*args, **more)))
            server.start()
        running.append(server)
        return site

    yield start
    for server in running:
        server.stop(keep_sessions=False)


@pytest.fixture
def site(serve):
    return serve()


@pytest.fixture
def tab(window):
    """Opens pages, each in a tab; at the end none has an uncaught error that was not taken."""
    tabs = []

    def open_tab(url, *, clock=False):
        page = window.clocked if clock else window.context.new_page() if tabs else window.first
        page.goto(url)
        tabs.append(Tab(page))
        return tabs[-1]

    yield open_tab
    faults = [one.faults for one in tabs if not one.page.is_closed()]
    for one in tabs:
        if one.page in {window.first, window.clocked}:
            one.page.goto("about:blank")
        else:
            one.page.close()
    assert not any(faults)


@pytest.fixture
def nginx(tmp_path):
    with started(tmp_path) as start:
        yield start
