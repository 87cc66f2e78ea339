"""Watch channels in a terminal, with rich: dashboard.py [BASE_URL TOKEN…].

Without arguments it watches ten channels of a server of its own, which sends to them, and cuts their
connections.
"""

import asyncio
import contextlib
import random
import sys
from collections.abc import AsyncIterator

from gaechannel import ChannelError, aio
from gaechannel.server import LocalServer

try:
    from rich.live import Live
    from rich.table import Table
except ImportError:
    sys.exit("dashboard.py draws with rich: pip install rich")

COLOURS = {"new": "dim", "connecting": "yellow", "open": "green", "waiting": "red", "closed": "dim"}


class Watched:
    """A channel, and what was heard of it."""

    def __init__(self, name: str, token: str, base_url: str) -> None:
        self.name = name
        self.last = ""
        self.states: list[str] = []
        self.client = aio.Client(token, base_url=base_url, max_backoff=2.0, on_state=self.changed)

    def changed(self, _client: aio.Client, state: str) -> None:
        self.states = [*self.states, state][-4:]

    async def listen(self) -> None:
        async with self.client as client:
            with contextlib.suppress(ChannelError):  # which the table shows as last_error
                async for message in client:
                    self.last = message

    def row(self) -> list[str]:
        state = self.client.state
        way = " ".join(self.states[:-1])
        stats = self.client.stats
        return [
            self.name,
            f"[dim]{way}[/] [{COLOURS[state]}]{state}[/]",
            str(stats.messages),
            str(stats.reconnects),
            self.last,
            str(self.client.last_error or ""),
        ]


def table(channels: list[Watched]) -> Table:
    shown = Table("channel", "state", "messages", "reconnects", "last message", "last error", expand=True)
    for channel in channels:
        shown.add_row(*channel.row())
    return shown


async def watch(channels: list[Watched]) -> None:
    """Show the channels until they have all ended, or this is cancelled."""
    listening = [asyncio.create_task(channel.listen()) for channel in channels]
    try:
        with Live(table(channels), auto_refresh=False) as live:
            try:
                while not all(task.done() for task in listening):
                    await asyncio.sleep(0.1)
                    live.update(table(channels), refresh=True)
            finally:
                live.update(table(channels))  # what stays in the terminal
    finally:
        for task in listening:
            task.cancel()
        await asyncio.gather(*listening, return_exceptions=True)


@contextlib.asynccontextmanager
async def demonstration() -> AsyncIterator[tuple[str, list[str]]]:
    """A server that does what servers do."""

    async def live_on(server: LocalServer) -> None:
        for number in range(1_000_000):
            server.send_message(f"channel {random.randrange(10)}", f"message {number}")  # noqa: S311
            await asyncio.sleep(0.05)
            if number % 100 == 99:
                await asyncio.to_thread(server.cut)

    with LocalServer(backchannel_seconds=5) as server:
        tokens = [server.create_channel(f"channel {number}") for number in range(10)]
        task = asyncio.create_task(live_on(server))
        yield server.base_url, tokens
        task.cancel()


async def main() -> None:
    async with contextlib.AsyncExitStack() as stack:
        if len(sys.argv) > 2:
            base_url, tokens = sys.argv[1], sys.argv[2:]
        else:
            base_url, tokens = await stack.enter_async_context(demonstration())
        await watch([Watched(f"channel {number}", token, base_url) for number, token in enumerate(tokens)])


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
