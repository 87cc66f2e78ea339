"""An nghttpx before a server: HTTP/2 over TLS."""

import contextlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import time

from ports import free_port

nghttpx = shutil.which("nghttpx", path=os.environ.get("PATH", "") + ":/usr/sbin")


def other_end(descriptor):
    """The address that a descriptor of this process is connected to, or None."""
    try:
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            return None  # CPython's socket.fromfd() would leave its copy open
        with socket.fromfd(descriptor, socket.AF_INET, socket.SOCK_STREAM) as copy:
            return copy.getpeername()
    except OSError:  # closed by now, or not connected
        return None


class Proxy:
    """An nghttpx, in a process of its own."""

    def __init__(self, folder, backend, streams=100):
        self.port = free_port()
        self.folder = folder
        self.command = [
            nghttpx,
            "--conf=/dev/null",
            f"--frontend=127.0.0.1,{self.port}",
            f"--backend=127.0.0.1,{backend}",
            "--workers=1",
            "--no-ocsp",
            "--log-level=FATAL",
            "--accesslog-file=/dev/null",
            "--errorlog-file=/dev/null",
            f"--frontend-http2-max-concurrent-streams={streams}",
            str(folder / "key.pem"),
            str(folder / "cert.pem"),
        ]

    @property
    def url(self):
        return f"https://127.0.0.1:{self.port}"

    def start(self):
        # A session of its own: it has a worker process, which is to go with it.
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        end = time.monotonic() + 30
        while time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return self
            assert self.process.poll() is None, "nghttpx has ended"
            time.sleep(0.01)
        raise AssertionError("nghttpx does not listen")

    def kill(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(20)
        # Its worker may go a little later, and keep the port until then.
        end = time.monotonic() + 10
        with contextlib.suppress(OSError):
            while time.monotonic() < end:
                socket.create_connection(("127.0.0.1", self.port)).close()
                time.sleep(0.01)

    __enter__ = start

    def __exit__(self, *exc_info):
        self.kill()

    def connections(self):
        """How many connections this process has to it.

        /proc/net/tcp names a socket twice, or not at all, where others come and go while it is read.
        """
        others = [other_end(int(name)) for name in os.listdir("/proc/self/fd")]
        return others.count(("127.0.0.1", self.port))
