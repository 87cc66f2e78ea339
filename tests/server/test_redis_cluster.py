"""Nodes that share a Redis Cluster."""

import asyncio
import shutil

import pytest
from raw_client import Listener, Sender, check
from redis_cluster import RedisCluster
from redis_server import skip_without_redis
from serving import Process
from waiting import until

skip_without_redis()
if shutil.which("redis-cli") is None:
    pytest.skip("redis-cli is not installed: .ci/packages test does", allow_module_level=True)


@pytest.mark.timeout(120)
def test_nodes_find_who_serves_their_slot_and_outlast_its_death(tmp_path):
    cluster = RedisCluster(tmp_path)
    nodes = []
    try:
        cluster.start()
        ours, others = cluster.serves(b"{gaechannel}")
        nodes = [Process("--redis", other.url, words=tmp_path / f"node {other.port}") for other in others]
        for node, process in [(node, node.begin()) for node in nodes]:
            node.is_up(process)
        asyncio.run(exchange(nodes, ours, others))
    finally:
        for node in nodes:
            node.kill()
        cluster.kill()


async def exchange(nodes, ours, others):
    """What is sent to one node comes by the other, while those of the Cluster are killed."""
    sender = Sender(nodes[0].admin_port, "client", 1)
    listener = await Listener(nodes[1].port, await sender.create(), 2).connect()
    listening = asyncio.create_task(listener.run())

    async def send(count):
        goal = sender.count + count
        while sender.count < goal:
            await sender.send()

    await send(200)
    for one in (ours, others[0]):
        one.kill()
        sending = asyncio.create_task(send(100))
        await asyncio.sleep(1.5)
        await asyncio.to_thread(one.start)
        await sending
    await send(100)
    while (last := sender.count - 1) in sender.unsure:
        await sender.send()
    # One that was not answered may come late, after the last.
    waiting = asyncio.create_task(asyncio.to_thread(until, lambda: last in listener.got[-1000:], 60))
    await asyncio.wait([waiting, listening], return_when=asyncio.FIRST_COMPLETED)
    listening.cancel()
    await waiting
    sender.close()
    check(sender, listener.got)
