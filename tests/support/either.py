"""A channel, sync or asyncio's, under one face: a test says once what must hold for both."""

import asyncio
import inspect
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

    def batches(self, count, max_size=None):
        """The next batches, of one iterator."""
        return list(itertools.islice(self.channel.batches(max_size), count))

    def merged(self, count, timeout=None):
        """What so many questions to a merge() of this channel alone brought: messages and exceptions."""
        merged = gaechannel.merge([self.channel], timeout)
        found = []
        for _ in range(count):
            try:
                found.append(next(merged)[1])
            except gaechannel.ChannelError as error:
                found.append(error.with_traceback(None))
        return found

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
        if not inspect.iscoroutinefunction(found):
            return found
        return lambda *args, **options: self.run(found(*args, **options))

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

    def batches(self, count, max_size=None):
        """The next batches, of one iterator."""

        async def taken():
            batches = self.channel.batches(max_size)
            return [await anext(batches) for _ in range(count)]

        return self.run(taken())

    def merged(self, count, timeout=None):
        """What so many questions to a merge() of this channel alone brought: messages and exceptions."""

        async def taken():
            merged = aio.merge([self.channel], timeout)
            found = []
            for _ in range(count):
                try:
                    found.append((await anext(merged))[1])
                except gaechannel.ChannelError as error:
                    found.append(error.with_traceback(None))
            return found

        return self.run(taken())

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.run(self.channel.close())
        self.runner.close()
