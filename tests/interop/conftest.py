"""Other people's clients and servers, in processes of their own."""

import json
import os
import queue
import shutil
import subprocess
import threading
from pathlib import Path

import pytest
from js_package import NODE, packed, run, run_text  # noqa: F401

HERE = Path(__file__).parent
MODULES = HERE.parents[1] / "build" / "interop" / "node_modules"


class NodePeer:
    """A script of this folder under Node."""

    def __init__(self, script, *arguments):
        self.process = subprocess.Popen(
            [shutil.which(NODE), HERE / script, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "NODE_PATH": str(MODULES)},
        )
        self.events = queue.SimpleQueue()
        self.seen = []
        self.words = ""
        self.threads = [threading.Thread(target=self.listen), threading.Thread(target=self.read_words)]
        for thread in self.threads:
            thread.start()

    def listen(self):
        for line in self.process.stdout:
            if line.endswith("\n"):  # not cut short by kill()
                self.events.put(json.loads(line))
        self.events.put(None)

    def read_words(self):
        self.words = self.process.stderr.read()

    def do(self, command, **more):
        self.process.stdin.write(json.dumps({"do": command, **more}) + "\n")
        self.process.stdin.flush()

    def next(self, *kinds, seconds=20):
        """The next event of these kinds; others are kept in `seen`."""
        while True:
            try:
                event = self.events.get(timeout=seconds)
            except queue.Empty:
                raise AssertionError(f"no {kinds} came, but {self.seen[-20:]}") from None
            if event is None:
                self.threads[1].join()
                raise AssertionError(f"the peer has ended: {self.words}")
            if event["event"] in kinds:
                return event
            self.seen.append(event)

    def kill(self):
        """End it at once, its connections with it."""
        self.process.kill()
        self.process.wait()
        for thread in self.threads:
            thread.join()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()


@pytest.fixture(scope="session")
def installed():
    """The npm packages; the tests are skipped where they cannot be had."""
    done = subprocess.run([HERE / "install"], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"tests/interop/install: {done.stdout.strip() or done.stderr.strip()}")


@pytest.fixture
def node(installed):
    """Starts scripts under Node, and ends them with the test."""
    peers = []

    def start(script, *arguments):
        peers.append(NodePeer(script, *arguments))
        return peers[-1]

    yield start
    for peer in peers:
        if peer.process.poll() is None or not peer.process.stdin.closed:
            peer.kill()
