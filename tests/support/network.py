"""A network between a client and a server on this machine: slow, or one that loses whatever is sent."""

import asyncio
import contextlib

from thread_server import ThreadServer


class Network(ThreadServer):
    """Passes bytes on to a server, or loses them; a connection is never closed for that.

    Args:
        port: the server's port.
        bytes_per_second: how fast the client's bytes are passed on; None: at once.

    Attributes:
        port: its own.
        down: whether all is lost: what is sent, and new connections, which nobody answers. Connections that
            were open while it was so are dead for ever, as behind a router that has forgotten them.
        connections: how many were made, not counting those that nobody answered.
    """

    def __init__(self, port, bytes_per_second=None):
        super().__init__()
        self.down = False
        self.connections = 0
        self._server_port = port
        self._rate = bytes_per_second
        self._dead = set()
        self._alive = set()

    def lose(self):
        self.down = True
        self._loop.call_soon_threadsafe(self._lose)

    def heal(self):
        self.down = False

    def _lose(self):
        self._dead |= self._alive

    async def _handle(self, reader, writer):
        connection = object()
        if self.down:
            self._dead.add(connection)
        else:
            self.connections += 1
        self._alive.add(connection)
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._server_port)
        try:
            up = asyncio.create_task(self._pass(connection, reader, server_writer, self._rate))
            down = asyncio.create_task(self._pass(connection, server_reader, writer, None))
            await asyncio.wait([up, down], return_when=asyncio.FIRST_COMPLETED)
            if connection in self._dead:
                await up  # until the client has closed it
            up.cancel()
            down.cancel()
            await asyncio.gather(up, down, return_exceptions=True)
        finally:
            self._alive.discard(connection)
            self._dead.discard(connection)
            server_writer.close()

    async def _pass(self, connection, reader, writer, rate):
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 14):
                if connection in self._dead:
                    continue
                writer.write(data)
                await writer.drain()
                if rate is not None:
                    await asyncio.sleep(len(data) / rate)
