"""A channel, sync or asyncio's, under one face: a test says once what must hold for both."""

import asyncio
import itertools

import gaechannel
from gaechannel import aio

# How long a step may take, in seconds: longer means that it hangs.
PATIENCE = 60


class Sync:
    """A synchronous channel."""

    def __init__(self, kind, *args, **options):
        self.channel = getattr(gaechannel, kind)(*args, **options)

    def __getattr__(self, name):
        return getattr(self.channel, name)

    def take(self, count):
        """The next messages."""
        return list(itertools.islice(self.channel, count))

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.channel.close()


class Asyncio:
    """asyncio's channel; whatever is asked of it runs its event loop until it is answered."""

    def __init__(self, kind, *args, **options):
        self.runner = asyncio.Runner()
        self.channel = getattr(aio, kind)(*args, **options)

    def __getattr__(self, name):
        found = getattr(self.channel, name)
        if not asyncio.iscoroutinefunction(found):
            return found
        return lambda *args: self.run(found(*args))

    def run(self, coroutine):
        async def limited():
            async with asyncio.timeout(PATIENCE):
                return await coroutine

        return self.runner.run(limited())

    def take(self, count):
        """The next messages."""

        async def taken():
            messages = self.channel.messages()
            return [await anext(messages) for _ in range(count)]

        return self.run(taken())

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.run(self.channel.close())
        self.runner.close()
