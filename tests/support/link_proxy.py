"""The way between a node and its Redis, which may be cut, silent, slow, or lead in one direction alone."""

import asyncio
import contextlib

from thread_server import ThreadServer


def _close(opening):
    """Close a connection that nobody waits for any more."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result()[1].close()


class LinkProxy(ThreadServer):
    """Passes bytes on.

    Attributes:
        cut: whether connections are ended and none are let in.
        silent: whether nothing passes, though all stays open.
        deaf: whether what is asked passes, and no answer.
        deaf_after: bytes; a question with these in it makes the proxy deaf, so that its answer does not pass.
        delay: seconds that each piece waits.
        server_port: where new connections lead.
    """

    def __init__(self, port):
        super().__init__()
        self.cut = self.silent = self.deaf = False
        self.deaf_after = None
        self.delay = 0.0
        self.server_port = port

    def cut_all(self):
        """End all connections that there are."""
        asyncio.run_coroutine_threadsafe(self._end_tasks(), self._loop).result(20)

    async def _handle(self, reader, writer):
        if self.cut:
            return
        with contextlib.suppress(OSError):
            opening = asyncio.create_task(asyncio.open_connection("127.0.0.1", self.server_port))
            try:
                upstream, up = await asyncio.shield(opening)
            except asyncio.CancelledError:
                opening.add_done_callback(_close)
                raise
            ways = [
                asyncio.create_task(self._pass(reader, up, False)),
                asyncio.create_task(self._pass(upstream, writer, True)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                up.close()  # before anything is awaited, where this may be cancelled
                await asyncio.gather(*ways, return_exceptions=True)

    async def _pass(self, reader, writer, answers):
        while piece := await reader.read(1 << 16):
            if self.delay:
                await asyncio.sleep(self.delay)
            while self.silent or (answers and self.deaf):  # noqa: ASYNC110 - another thread says so
                await asyncio.sleep(0.02)
            if not answers and self.deaf_after is not None and self.deaf_after in piece:
                self.deaf = True
            writer.write(piece)
            await writer.drain()
