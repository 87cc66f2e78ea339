"""WebChannels that have received all there is, before the first of it is taken."""

import asyncio
import json
import logging
from collections.abc import Iterable

from gaechannel import WebChannel, aio

# What is received at once must all be held.
ALL = 1 << 30


def quiet_logger() -> logging.Logger:
    """A logger that says nothing of what is as it should be."""
    logger = logging.getLogger("bench")
    logger.setLevel(logging.ERROR)
    return logger


def messages_in(chunks: Iterable[str | bytes]) -> int:
    """How many there are."""
    return sum(len(json.loads(chunk)) for chunk in chunks)


async def full_channel(port: int, count: int) -> aio.WebChannel:
    """A channel that has received so many messages, the first of which was taken."""
    channel = aio.WebChannel(f"http://127.0.0.1:{port}/webchannel", logger=quiet_logger(), queue_limit=ALL)
    await anext(channel.messages())
    # There is no event for "received and not taken".
    while channel.stats.messages < count:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    return channel


def full_sync_channel(port: int, count: int) -> WebChannel:
    """The same in a thread. What is sent makes it read, where there is nobody else who could."""
    channel = WebChannel(f"http://127.0.0.1:{port}/webchannel", logger=quiet_logger(), queue_limit=ALL)
    next(channel.messages())
    while channel.stats.messages < count:
        channel.send({"a": "map"})
        channel.flush(1)
    return channel
