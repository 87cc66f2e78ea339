"""HAProxy before nodes, by the file of deploy/ with addresses of this machine."""

import os
import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from ports import free_port
from waiting import until

CONFIGURATION = Path(__file__).parents[2] / "deploy" / "nodes" / "haproxy.cfg"


def program():
    """HAProxy; only root has its directory on PATH."""
    return shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def skip_without_haproxy():
    """Skip a test, or a file of them, where HAProxy is not installed."""
    if program() is None:
        pytest.skip("haproxy is not installed: .ci/packages peers does", allow_module_level=True)


class Haproxy:
    """HAProxy before some nodes.

    Attributes:
        port: where clients come in.
        admin_port: where the application does.
    """

    def __init__(self, folder, nodes):
        self.port, self.admin_port = free_port(), free_port()
        self.file = folder / "haproxy.cfg"
        text = CONFIGURATION.read_text(encoding="utf-8")
        for pattern, new in {
            r"bind :8080": f"bind 127.0.0.1:{self.port}",
            r"bind :8081": f"bind 127.0.0.1:{self.admin_port}",
            **{rf"node{number}:8080": f"127.0.0.1:{node.port}" for number, node in enumerate(nodes, 1)},
            **{rf"node{number}:8081": f"127.0.0.1:{node.admin_port}" for number, node in enumerate(nodes, 1)},
            r" resolvers names init-addr \S+": "",
            r"inter 1s": "inter 200ms",  # no test is to wait long until a node is missed
        }.items():
            text, count = re.subn(pattern, new, text)
            assert count, pattern
        self.file.write_text(text, encoding="utf-8")
        self.process = subprocess.Popen([program(), "-q", "-db", "-f", self.file])
        until(self.is_there)

    def is_there(self):
        """Whether HAProxy listens."""
        assert self.process.poll() is None
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", self.port)) == 0

    def end(self):
        self.process.kill()
        self.process.wait()
