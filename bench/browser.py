"""The script in a page, beside a bare WebSocket of the same server in the same page.

    python bench/browser.py [--short]

Chromium, by Playwright, and one event loop of aiohttp, which has both; they take turns. A WebSocket's echo of
1 kB messages is compared with as many messages of the same size on a channel: messages a second, and what the
page's thread works for each. Then the first message after `open()`, which is sent as soon as the server has
the client, with three fetches, one after the other.
"""

import common  # noqa: F401 - first: says what to run where one of the others is missing

# isort: split
import json
import shutil
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import WSMsgType, web
from playwright.sync_api import CDPSession, Page, sync_playwright

from common import report
from gaechannel.server import LocalServer

TEXT = "x" * 1000
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

PAGE = """<!DOCTYPE html><meta charset="utf-8"><script src="_ah/channel/jsapi"></script>"""

ECHO = """([count, text, port]) => new Promise((resolve) => {
    const socket = new WebSocket(`ws://${location.hostname}:${port}/`);
    let left = count;
    let began;
    socket.onopen = () => {
        began = performance.now();
        for (let i = 0; i < count; i++) socket.send(text);
    };
    socket.onmessage = () => {
        if (--left) return;
        resolve(performance.now() - began);
        socket.close();
    };
})"""

CHANNEL = """([count, token]) => new Promise((resolve) => {
    let left = count;
    let began;
    const socket = new goog.appengine.Channel(token).open({
        onopen() {
            began = performance.now();
            fetch(`send?count=${count}`, { method: "POST" });
        },
        onmessage() {
            if (--left) return;
            resolve(performance.now() - began);
            socket.close();
        },
    });
})"""

FIRST = """(token) => new Promise((resolve) => {
    const began = performance.now();
    const socket = new goog.appengine.Channel(token).open({
        onmessage() {
            resolve(performance.now() - began);
            socket.close();
        },
    });
})"""

FETCHES = """async () => {
    const began = performance.now();
    for (let i = 0; i < 3; i++) await (await fetch("small", { cache: "no-store" })).text();
    return performance.now() - began;
}"""


class BenchServer(LocalServer):
    """A server that has the other ways, too, in the same event loop.

    Attributes:
        echo_port: that of the WebSocket, which is aiohttp's alone.
    """

    echo_port = 0

    def _add_to(self, app: web.Application) -> None:
        app.router.add_get("/page", self._page)
        app.router.add_get("/small", self._small)
        app.router.add_post("/send", self._send)
        app.cleanup_ctx.append(self._serve_echo)

    async def _serve_echo(self, _app: web.Application) -> AsyncIterator[None]:
        echoing = web.Application()
        echoing.router.add_get("/", self._echo)
        runner = web.AppRunner(echoing)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.echo_port = runner.addresses[0][1]
        yield
        await runner.cleanup()

    async def _page(self, _request: web.Request) -> web.Response:
        headers = {"Content-Security-Policy": "default-src 'self'; connect-src 'self' ws:"}
        return web.Response(text=PAGE, content_type="text/html", headers=headers)

    async def _small(self, _request: web.Request) -> web.Response:
        return web.Response(text="small")

    async def _echo(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        async for message in socket:
            if message.type == WSMsgType.TEXT:
                await socket.send_str(message.data)
        return socket

    async def _send(self, request: web.Request) -> web.Response:
        for _ in range(int(request.query["count"])):
            self.service.send_message("bench", TEXT)
        return web.Response()


class Measured:
    """A page, and what its thread has worked.

    Args:
        page: the page.
        devtools: its own.
    """

    def __init__(self, page: Page, devtools: CDPSession) -> None:
        self._page = page
        self._devtools = devtools
        devtools.send("Performance.enable")

    def _worked(self) -> float:
        metrics = self._devtools.send("Performance.getMetrics")["metrics"]
        return float({one["name"]: one["value"] for one in metrics}["TaskDuration"])

    def run(self, program: str, arguments: object) -> tuple[float, float]:
        """Seconds that it took, and those that the page's thread worked."""
        before = self._worked()
        milliseconds = float(self._page.evaluate(program, arguments))
        return milliseconds / 1000, self._worked() - before


def measure(page: Measured, server: BenchServer, count: int, turns: int) -> list[report.Row]:
    """In turns."""
    speed, work, first = [], [], []
    for _ in range(turns):
        echo_seconds, echo_work = page.run(ECHO, [count, TEXT, server.echo_port])
        seconds, worked = page.run(CHANNEL, [count, server.create_channel("bench")])
        speed.append(echo_seconds / seconds)
        work.append(worked / echo_work)
    for _ in range(turns * 5):
        fetches, _ = page.run(FETCHES, None)
        waiting, _ = page.run(FIRST, server.create_channel("first"))
        first.append(waiting / fetches)
    return [
        report.row("page: 1 kB messages a second", "WebSocket's echo", speed, goal=0.9),
        report.row("page: its thread's work a message", "WebSocket's echo", work, goal=1.5, at_most=True),
        report.row("page: first message", "three fetches", first, goal=1.2, at_most=True),
    ]


def main() -> None:
    """Measure."""
    options = report.arguments(__doc__).parse_args()
    report.clean_environment()
    if BROWSER is None:
        print("bench/browser.py: there is no Chromium: .ci/packages browsers")
        return
    count, turns = (2_000, 5) if options.short else (20_000, 11)
    with BenchServer() as server, sync_playwright() as playwright:
        greet(server)
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{server.url}/page")
        measured = Measured(page, context.new_cdp_session(page))
        measure(measured, server, count // 10, 1)
        rows = measure(measured, server, count, turns)
        browser.close()
    report.finish(rows, options)


def greet(server: BenchServer) -> None:
    """Have a message sent to the client `first` as soon as it is there."""
    channels = server.service.channels
    add = channels.add_listener

    def add_listener(client_id: str, listener: Any, **more: Any) -> None:
        add(client_id, listener, **more)
        if client_id == "first":
            server.service.send_message("first", json.dumps({"hello": client_id}))

    channels.add_listener = add_listener  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
