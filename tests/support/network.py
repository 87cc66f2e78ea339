"""A network between a client and a server on this machine: slow, or one that loses whatever is sent."""

import asyncio
import contextlib
import threading
import weakref


class Network:
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
        self.port = 0
        self.down = False
        self.connections = 0
        self._server_port = port
        self._rate = bytes_per_second
        self._dead = set()
        self._alive = set()
        self._tasks = set()
        self._writers = weakref.WeakSet()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def lose(self):
        self.down = True
        self._loop.call_soon_threadsafe(self._lose)

    def heal(self):
        self.down = False

    def _lose(self):
        self._dead |= self._alive

    def __enter__(self):
        self._thread.start()
        assert self._ready.wait(20)
        return self

    def __exit__(self, *error):
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    async def _serve(self):
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=1 << 16, backlog=1000)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stopping.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        # A transport whose peer reads no more would be left to the garbage collector.
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.sleep(0)

    def _accept(self, reader, writer):
        self._writers.add(writer)
        task = asyncio.create_task(self._carry(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: writer.close())

    async def _carry(self, reader, writer):
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
