"""A channel server in a process of its own: what it makes and drops is not counted here."""

import json
import subprocess
import sys

import pytest

SERVER = """
import json, sys
from gaechannel.server import LocalServer

with LocalServer() as server:
    print(json.dumps([server.url, server.base_url]), flush=True)
    for line in sys.stdin:
        method, *arguments = json.loads(line)
        print(json.dumps(getattr(server, method)(*arguments)), flush=True)
"""


class RemoteServer:
    """Does in the other process what LocalServer's methods of the same names do."""

    def __init__(self, process):
        self._process = process
        self.url, self.base_url = json.loads(process.stdout.readline())

    def create_channel(self, name):
        return self._ask("create_channel", name)

    def send_message(self, name, text):
        self._ask("send_message", name, text)

    def _ask(self, *call):
        print(json.dumps(call), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())


@pytest.fixture(scope="module")
def server():
    command = [sys.executable, "-c", SERVER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield RemoteServer(process)
        process.stdin.close()
