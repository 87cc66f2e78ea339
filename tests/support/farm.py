"""Three nodes behind HAProxy that share a Redis, each in a process of its own, and what may befall them."""

import asyncio
import random
import signal
import time
from collections import Counter

from haproxy import Haproxy
from link_proxy import LinkProxy
from raw_client import Listener, Sender, check
from redis_server import RedisServer
from serving import Process
from waiting import until

#: Seconds without being heard of after which a session has ended.
LEASE = 8.0


class Farm:
    """All of them; the first node's way to Redis leads by a proxy.

    Args:
        folder: theirs.
        seed: what is drawn by lot is drawn from it.
        away: seconds that Redis is away for the first time; later it is a little longer than a lease.
    """

    def __init__(self, folder, seed, away):
        self.chance = random.Random(seed)
        self.away = away
        self.met = Counter()
        self.redis = RedisServer(folder / "redis").start()
        self.link = LinkProxy(self.redis.port)
        self.link.__enter__()
        urls = [f"redis://127.0.0.1:{self.link.port}", self.redis.url, self.redis.url]
        self.words = [folder / f"node {number}" for number in range(3)]
        self.nodes = [
            Process("--redis", url, "--session-timeout", str(LEASE), words=words)
            for url, words in zip(urls, self.words, strict=True)
        ]
        for node, process in [(node, node.begin()) for node in self.nodes]:
            node.is_up(process)
        self.haproxy = Haproxy(folder, self.nodes)
        self._stopped = None
        self.enough = False
        self.senders = []
        self.begun = time.monotonic()

    def end(self):
        for node in self.nodes:
            node.kill()
        self.haproxy.end()
        self.link.__exit__()
        self.redis.kill()

    # What may befall the nodes, each in a thread.

    def _running(self):
        """A node that nobody has stopped."""
        return self.chance.choice([node for node in self.nodes if node is not self._stopped])

    def a_node_is_killed(self):
        node = self._running()
        node.end(node.processes[-1], signal.SIGKILL)
        node.start()

    def all_nodes_are_killed(self):
        nodes = [node for node in self.nodes if node is not self._stopped]
        for node in nodes:
            node.end(node.processes[-1], signal.SIGKILL)
        for node, process in [(node, node.begin()) for node in nodes]:
            node.is_up(process)

    def a_node_stands_still_for_a_moment(self):
        process = self._running().processes[-1]
        process.send_signal(signal.SIGSTOP)
        time.sleep(self.chance.uniform(0, 0.5))
        process.send_signal(signal.SIGCONT)

    def a_node_is_stopped_at_work_and_killed(self):
        node = self._running()
        node.processes[-1].send_signal(signal.SIGSTOP)
        time.sleep(self.chance.uniform(0, 0.3))
        node.end(node.processes[-1], signal.SIGKILL)
        node.start()

    def redis_is_killed(self):
        self.redis.kill()
        time.sleep(self.chance.uniform(0, 0.5))
        self.redis.start()

    def redis_is_away(self):
        self.redis.kill()
        time.sleep(self.away)
        self.away = LEASE + 0.5
        self.redis.start()

    def redis_is_full(self):
        assert self.redis.says(b"CONFIG SET maxmemory 1mb") == b"+OK\r\n"
        time.sleep(0.5)
        assert self.redis.says(b"CONFIG SET maxmemory 0") == b"+OK\r\n"

    def redis_pauses(self):
        assert self.redis.says(b"CLIENT PAUSE 500 ALL") == b"+OK\r\n"
        time.sleep(0.6)

    def redis_stands_still(self):
        self.redis.process.send_signal(signal.SIGSTOP)
        time.sleep(self.chance.uniform(0, 1.5))
        self.redis.process.send_signal(signal.SIGCONT)

    def the_way_to_redis_is_slow(self):
        self.link.delay = 0.1
        time.sleep(0.6)
        self.link.delay = 0.0

    def the_way_to_redis_is_cut(self):
        self.link.cut = True
        self.link.cut_all()
        time.sleep(self.chance.uniform(0, 2))
        self.link.cut = False

    def the_way_to_redis_is_silent(self):
        self.link.silent = True
        time.sleep(self.chance.uniform(0, 2))
        if self.chance.random() < 0.5:
            self.link.cut_all()
        self.link.silent = False

    def what_redis_has_done_is_not_answered(self):
        """The node does not know what was done, and asks again, or is killed and cannot."""
        self.link.deaf = True
        time.sleep(self.chance.uniform(0, 0.5))
        killed = self.chance.random() < 0.5 and self._stopped is not self.nodes[0]
        if killed:
            self.nodes[0].end(self.nodes[0].processes[-1], signal.SIGKILL)
        self.link.cut_all()
        self.link.deaf = False
        if killed:
            self.nodes[0].start()

    def one_node_follows_the_other(self):
        for node in self.nodes:
            if node is not self._stopped:
                node.end(node.processes[-1], signal.SIGTERM)
                node.start()

    FAULTS = (
        a_node_is_killed,
        all_nodes_are_killed,
        a_node_stands_still_for_a_moment,
        a_node_is_stopped_at_work_and_killed,
        redis_is_killed,
        redis_is_away,
        redis_is_full,
        redis_pauses,
        redis_stands_still,
        the_way_to_redis_is_slow,
        the_way_to_redis_is_cut,
        the_way_to_redis_is_silent,
        what_redis_has_done_is_not_answered,
        one_node_follows_the_other,
    )

    async def a_node_is_stopped_past_its_lease(self):
        """Meanwhile all else goes on."""
        self._stopped = self._running()
        process = self._stopped.processes[-1]
        process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(LEASE + 1)
        process.send_signal(signal.SIGCONT)
        self._stopped = None

    async def faults(self):
        """One fault after the other, each as often as the others, until it is enough."""
        while not self.enough:
            stopped = asyncio.create_task(self.a_node_is_stopped_past_its_lease())
            self._meets("a_node_is_stopped_past_its_lease")
            for fault in self.chance.sample(self.FAULTS, len(self.FAULTS)):
                self._meets(fault.__name__)
                await asyncio.to_thread(fault, self)
                await asyncio.sleep(self.chance.uniform(0, 0.4))
                if self.enough:
                    break
            await stopped

    def _meets(self, fault):
        self.met[fault] += 1
        sent = sum(sender.count for sender in self.senders)
        print(f"{time.monotonic() - self.begun:8.2f} s {sent:9} sent: {fault.replace('_', ' ')}", flush=True)

    # Senders and listeners meanwhile.

    async def exchange(self, messages, rate):
        """Send so many messages, and so many a second, while each fault is met at least once.

        Every second client has two sessions.
        """
        try:
            await self._exchange(messages, rate)
        finally:
            for sender in self.senders:
                sender.close()

    async def _exchange(self, messages, rate):
        senders = self.senders = [
            Sender(self.haproxy.admin_port, f"client {number}", self.chance.random()) for number in range(8)
        ]
        listeners = {}
        for number, sender in enumerate(senders):
            token = await sender.create()
            listeners[sender] = [
                await Listener(self.haproxy.port, token, self.chance.random()).connect()
                for _ in range(1 + number % 2)
            ]
        async with asyncio.TaskGroup() as group:
            listening = [group.create_task(one.run()) for some in listeners.values() for one in some]
            faults = group.create_task(self.faults())
            every_kind = len(self.FAULTS) + 1

            async def send(sender):
                begin = time.monotonic()
                while sum(one.count for one in senders) < messages or len(self.met) < every_kind:
                    await sender.send()
                    ahead = begin + sender.count * len(senders) / rate - time.monotonic()
                    if ahead > 0:
                        await asyncio.sleep(ahead)
                    else:  # what was not taken in time is not made up for
                        begin -= ahead

            async with asyncio.TaskGroup() as sending:
                for sender in senders:
                    sending.create_task(send(sender))
            self.enough = True
            await faults
            # What tells that all have come. One that is not answered may come late, after the last.
            for sender in senders:
                while (last := sender.count - 1) in sender.unsure or sender.count == 0:
                    await sender.send()
                for one in listeners[sender]:
                    await asyncio.to_thread(until, lambda: last in one.got[-1000:], 60)  # noqa: B023
            for task in listening:
                task.cancel()
        for sender, some in listeners.items():
            for one in some:
                check(sender, one.got)
        opened = sum(one.opened for some in listeners.values() for one in some)
        twice = sum(one.twice for some in listeners.values() for one in some)
        print(
            f"{sum(one.count for one in senders)} messages sent, {sum(len(one.unsure) for one in senders)} of"
            f" them not answered, {sum(one.again for one in senders)} requests sent again,"
            f" {sum(len(one.got) for some in listeners.values() for one in some)} delivered once and in order"
            f" to {len(listening)} sessions by {opened} back channels, {twice} beside another; met:"
        )
        for name, count in sorted(self.met.items()):
            print(f"{count:6} {name.replace('_', ' ')}")
