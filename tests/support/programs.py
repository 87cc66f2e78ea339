"""The programs in examples/, run."""

import os
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path

SECONDS = float(os.environ.get("TEST_SECONDS", "60"))
EXAMPLES = Path(__file__).parents[2] / "examples"


class Program:
    """A program of examples/ that runs; what it prints is read as it comes."""

    def __init__(self, name, *arguments, **environ):
        self.process = subprocess.Popen(
            [sys.executable, str(EXAMPLES / name), *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUTF8": "1", **environ},
        )
        self.lines, self.errors = queue.Queue(), []
        self.readers = [
            threading.Thread(target=lambda: [*map(self.lines.put, self.process.stdout)]),
            threading.Thread(target=lambda: self.errors.extend(self.process.stderr)),
        ]
        for reader in self.readers:
            reader.start()

    def line(self):
        """The next line that it prints."""
        try:
            return self.lines.get(timeout=SECONDS).rstrip("\n")
        except queue.Empty:
            raise AssertionError(f"nothing was printed; on stderr: {''.join(self.errors)}") from None

    def interrupt(self):
        """Press Ctrl-C; the exit status. All that it has printed is among the lines then."""
        self.process.send_signal(signal.SIGINT)
        status = self.process.wait(timeout=60)
        for reader in self.readers:
            reader.join()
        return status

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        for reader in self.readers:
            reader.join()
        with self.process:
            pass
