"""A redis-server of Debian's, on loopback."""

import contextlib
import shutil
import socket
import subprocess

import pytest
from ports import free_port
from waiting import until


def skip_without_redis():
    """Skip a test, or a file of them, where Redis or redis-py is not installed."""
    pytest.importorskip("redis", reason="redis-py is not installed: pip install gaechannel[redis]")
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed: .ci/packages test does", allow_module_level=True)


class RedisServer:
    """A redis-server of the test's own, which loses nothing that it has answered, unless told otherwise."""

    def __init__(self, folder, *arguments):
        self.folder = folder
        folder.mkdir()
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self.arguments = arguments
        self.process = None

    def start(self):
        command = ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder)]
        command += ["--save", "", "--appendonly", "yes", "--appendfsync", "always", *self.arguments]
        words = self.folder / "words"
        with words.open("wb") as file:
            self.process = subprocess.Popen(command, stdout=file)

        def answers():
            assert self.process.poll() is None, words.read_text(errors="replace")
            return self.says(b"PING").startswith((b"+PONG", b"-NOAUTH"))

        until(answers)
        return self

    def says(self, command):
        """What Redis answers to a command in a line, b"" where it is not there."""
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 5) as raw:
            raw.sendall(command + b"\r\n")
            return raw.recv(4096)
        return b""

    def kill(self):
        if self.process is None:  # it has not been started: another of a test's has not come up
            return
        self.process.kill()
        self.process.wait()
