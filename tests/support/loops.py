"""How an event loop that a test's server runs in ends: with no connection left to the garbage collector."""

import asyncio


async def end_connections(listening=()):
    """Accept no more, and cut all that the running loop still has a transport for.

    Closing a server is not enough: a transport whose peer reads no more waits for it for ever, and CPython
    3.11 forgets a connection that is being accepted while its listener is closed.

    Args:
        listening: the listeners' sockets, where they are still open.
    """
    loop = asyncio.get_running_loop()
    for each in listening:
        loop.remove_reader(each.fileno())
    for _ in range(4):  # to be accepted, to be aborted, and to be closed takes a turn each
        await asyncio.sleep(0)
        for transport in list(loop._transports.values()):
            transport.abort()
    await asyncio.sleep(0)
