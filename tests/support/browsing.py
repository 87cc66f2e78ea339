"""Pages of tests/browser, by whom they are served, and what a test does with them in a browser."""

import contextlib
import os
from pathlib import Path

from aiohttp import web
from hostile import TalkServer, ok, page, reply
from waiting import until

try:
    from playwright.sync_api import Error
except ImportError:  # the tests that would need it are skipped
    Error = Exception

import gaechannel.server.http

PAGES = Path(__file__).parents[1] / "browser" / "pages"
SCRIPT = Path(gaechannel.server.http.__file__).with_name("jsapi.js")


def many(count):
    """How many messages: as many as are asked for, few in CI."""
    return int(os.environ.get("GAECHANNEL_BROWSER", count))


class Site:
    """Pages beside a server's channels, on the server's own address.

    Attributes:
        server: the server.
        requests: what was asked of it: method and path with query, oldest first.
        headers: what the pages' responses say beyond their content.
        others: files that stand elsewhere, by the names of their pages.
    """

    def __init__(self, server):
        self.server = server
        self.requests = []
        self.others = {}
        # Pages of the time have their scripts in line.
        self.headers = {"Content-Security-Policy": "default-src * 'unsafe-inline'"}

    def url(self, name, query=""):
        return f"{self.server.url}/pages/{name}{query}"

    def add_to(self, app):
        """Have an application serve the pages, too."""
        app.router.add_get("/pages/{name}", self.page)
        app.middlewares.append(self.note)
        return app

    @web.middleware
    async def note(self, request, handler):
        self.requests.append(f"{request.method} {request.path_qs}")
        return await handler(request)

    async def page(self, request):
        name = request.match_info["name"]
        file = self.others.get(name, PAGES / name)
        kind = "text/javascript" if file.suffix == ".js" else "text/html"
        # The script's host, where it is another one.
        text = file.read_text(encoding="utf-8").replace("SCRIPT", request.query.get("script", ""))
        text = text.replace("BESIDE", request.query.get("beside", ""))
        return web.Response(text=text, content_type=kind, charset="utf-8", headers=self.headers)


class HostileSite(TalkServer):
    """A `TalkServer` on whose address the pages stand, and the script."""

    def __init__(self, **answers):
        # The script is its own server's, and reads what that writes: no literals in single quotes.
        super().__init__(**{"page": ok(page().replace(b"'", b'"')), **answers})
        talk = self.answer
        self.answer = lambda request, peer: (talk if "/talkgadget/" in request.path else self.file)(
            request, peer
        )

    def asked(self):
        """The talk dialect's requests."""
        return [request for request in list(self.requests) if "/talkgadget/" in request.path]

    def of(self, step):
        return [request for request in self.asked() if request.step == step]

    @property
    def listening(self):
        return f"{self.url}/pages/listen.html"

    def file(self, request, peer):
        name = request.path.rpartition("/")[2]
        file = SCRIPT if name == "jsapi" else PAGES / name
        if not file.is_file():
            peer.send(reply(b"", "404 Not Found"))
            return
        kind = "text/javascript" if file.suffix == ".js" else "text/html"
        text = file.read_bytes().replace(b"SCRIPT", b"")
        peer.send(ok(text, f"Content-Type: {kind}; charset=utf-8"))


class Tab:
    """A page that has `listen.js`.

    Args:
        page: Playwright's.
    """

    def __init__(self, page):
        self.page = page

    def listen(self, token, more="{}"):
        """Open a socket; `more` is a handler's members in JavaScript. The value is its number."""
        return self.page.evaluate(f"(token) => listen(token, {more})", token)

    def has(self, name):
        """Whether the page has something of that name; none has while it changes."""
        with contextlib.suppress(Error):
            return self.page.evaluate(f"typeof {name} != 'undefined'")
        return False

    def told(self, number=0):
        return self.page.evaluate("(number) => told(number)", number)

    def messages(self, number=0):
        return self.page.evaluate("(number) => sockets[number].messages", number)

    def wait_for(self, told, number=0):
        """Wait until this was told, and nothing else."""
        until(lambda: len(self.told(number)) >= len(told))
        assert self.told(number) == told

    def wait_for_messages(self, count, number=0, seconds=60):
        counting = "(number) => sockets[number].messages.length"
        until(lambda: self.page.evaluate(counting, number) >= count, seconds)

    def hasten(self, condition):
        """Wait until a condition holds, with the page's waiting, and only that, made short."""
        return until(lambda: condition() or self.page.clock.fast_forward(1000))

    def close(self, number=0):
        self.page.evaluate("(number) => sockets[number].socket.close()", number)

    @property
    def faults(self):
        """Uncaught errors and rejections."""
        return self.page.evaluate("typeof faults == 'object' ? faults : []")
