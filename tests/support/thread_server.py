"""A server on loopback in an event loop and a thread of its own, each connection in a task."""

import asyncio
import threading

from loops import end_connections


class ThreadServer:
    """What a test's proxies and servers share; a subclass says in ``_handle`` what a connection is to meet.

    Attributes:
        port: its own, once it has been entered.
    """

    def __init__(self):
        self.port = 0
        self._tasks = set()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

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
        await self._end_tasks()
        await end_connections(server.sockets)
        server.close()

    async def _end_tasks(self):
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _accept(self, reader, writer):
        # Even if the task is cancelled before it has begun.
        self._start(self._handle(reader, writer)).add_done_callback(lambda _: writer.close())

    def _start(self, work):
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
