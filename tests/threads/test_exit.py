"""Programs that end while daemon threads are in the C core: none hangs or crashes."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from c_programs import library_to_preload, needs_compiler, preloading

from gaechannel.server import LocalServer

# Threads that are not waited for take and look, and what goes as the interpreter ends closes the channels.
PROGRAM = """
import atexit, ctypes, faulthandler, random, sys, threading, time, types
faulthandler.dump_traceback_later(20, exit=True)

# The last that is done before the end: who asks for the GIL meanwhile still does so when it is too late.
atexit.register(ctypes.PyDLL(None).usleep, 20_000)

from gaechannel import Client, merge

way, base_url, *tokens = sys.argv[1:]
channels = [Client(token, base_url=base_url) for token in tokens]
taken = threading.Event()

def take(messages):
    for _ in messages:
        taken.set()

def look():
    while True:
        for channel in channels:
            channel.stats

class Closer:
    def __init__(self, channel):
        self.channel = channel

    def __del__(self):
        self.channel.close()

# Out of the sight of the threads' functions, which nobody ever frees.
sys.modules["closers"] = types.ModuleType("closers")
sys.modules["closers"].closers = [*map(Closer, channels)]
taking = [merge(channels)] if way == "merge" else [channel.messages() for channel in channels]
for messages in taking:
    threading.Thread(target=take, args=[messages], daemon=True).start()
taken.wait()
sys.setswitchinterval(1e-5)
for _ in range(4):
    threading.Thread(target=look, daemon=True).start()
time.sleep(random.random() * 0.1)
"""

NAMES = ["a", "b"]


@pytest.fixture(scope="module")
def server():
    """Sends to all channels, all the time."""
    over = threading.Event()

    def send():
        while not over.wait(0.001):
            for name in NAMES:
                server.send_message(name, "x" * 30000)

    with LocalServer(hold=10) as server:
        sender = threading.Thread(target=send)
        sender.start()
        yield server
        over.set()
        sender.join()


def run(server, way, **environment):
    tokens = [server.create_channel(name) for name in NAMES]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, way, server.base_url, *tokens],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("way", ["merge", "messages"])
def test_a_program_ends_beside_daemon_threads(server, way):
    for _ in range(25):
        run(server, way)


@needs_compiler
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="preloads a library")
def test_no_thread_keeps_a_lock_that_asks_for_the_gil_when_the_interpreter_ends(server, tmp_path):
    library = library_to_preload(Path(__file__).with_name("slow_libcurl.c"), tmp_path, "libcurl")
    for _ in range(5):
        run(server, "merge", LD_PRELOAD=preloading(library))
