"""A Redis Cluster of three on loopback."""

import subprocess

from ports import free_port
from redis_server import RedisServer
from waiting import until


class RedisCluster:
    """Three of Debian's redis-server, each with a third of the slots and no replica."""

    def __init__(self, folder):
        more = ("--cluster-enabled", "yes", "--cluster-node-timeout", "1000")
        # Redis' own choice, its port and 10,000, may be where the system has a connection.
        self.buses = [free_port() for _ in range(3)]
        self.servers = [
            RedisServer(folder / f"redis {bus}", *more, "--cluster-port", str(bus)) for bus in self.buses
        ]

    def start(self):
        for server in self.servers:
            server.start()
        places = [f"127.0.0.1:{one.port}@{bus}" for one, bus in zip(self.servers, self.buses, strict=True)]
        create = ["redis-cli", "--cluster", "create", *places, "--cluster-yes"]
        made = subprocess.run(create, capture_output=True, text=True, timeout=60, check=False)
        assert made.returncode == 0, made.stdout + made.stderr
        until(lambda: all(b"cluster_state:ok" in server.says(b"CLUSTER INFO") for server in self.servers))
        return self

    def serves(self, key):
        """The server of a key's slot, and those that are not."""
        ours = next(
            server for server in self.servers if not server.says(b"EXISTS " + key).startswith(b"-MOVED")
        )
        return ours, [server for server in self.servers if server is not ours]

    def kill(self):
        for server in self.servers:
            server.kill()
