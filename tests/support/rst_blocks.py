"""The code blocks of a reStructuredText file, and how to run them.

A file's ``python`` and ``pycon`` blocks are run one after the other with the same names, as a notebook's
cells are, with ``await`` at top level. A comment that begins with ``.. hidden-code`` holds what a test must
do between them. Of ``console`` blocks the commands after ``$`` are run by a shell, and what they print must
be what stands below them; ``…`` stands for anything. Other blocks are not run.
"""

import ast
import asyncio
import doctest
import inspect
import logging
import os
import re
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from gaechannel import ChannelClosed
from gaechannel.server import LocalServer

ROOT = Path(__file__).resolve().parents[2]

# Where `gaechannel serve` listens: in the documents it stands for the test's own server.
DOCUMENTED_URL = "http://127.0.0.1:8080"

_DIRECTIVE = re.compile(r"^( *)\.\. (?:code-block:: *(\S*)|(hidden-code))\s*$")


@dataclass
class Block:
    """A code block."""

    file: Path
    #: The line that its code begins at, from 1.
    line: int
    #: ``python``, ``pycon``, ``console`` …; ``hidden`` for hidden code, which is Python.
    language: str
    code: str
    #: Whether it is what channels have logged.
    logged: bool = False

    def __str__(self):
        return f"{self.file.relative_to(ROOT)}:{self.line}"


def needed_by(file):
    """The modules that a file's blocks need beyond those of the tests: its first line says so."""
    found = re.match(r"\.\. needs: (.*)", file.read_text(encoding="utf-8"))
    return found[1].split() if found else []


def blocks_of(file):
    """All code blocks of the file, in their order."""
    lines = file.read_text(encoding="utf-8").splitlines()
    found = []
    number = 0
    while number < len(lines):
        directive = _DIRECTIVE.match(lines[number])
        number += 1
        if directive is None:
            continue
        indent = len(directive[1])
        body = []
        first = None
        logged = False
        while number < len(lines):
            line = lines[number]
            if line.strip() and len(line) - len(line.lstrip()) <= indent:
                break
            logged |= first is None and line.strip() == ":class: logged"
            if line.strip() and not (first is None and line.strip().startswith(":")):
                first = number + 1 if first is None else first
            body.append("" if first is None else line)
            number += 1
        code = textwrap.dedent("\n".join(body)).strip("\n")
        language = "hidden" if directive[3] else directive[2]
        found.append(Block(file, first or number, language, code + "\n", logged))
    return found


class _Log(logging.Handler):
    """Keeps what channels log."""

    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        self.lines.append(record.getMessage())


class Runner:
    """Runs a file's blocks, with a server of its own.

    The names that hidden code has: ``server``; ``stops(client_id)``, after which the next block is to end
    with the server stopping that client's sessions; ``later(seconds, function)``.
    """

    def __init__(self, folder):
        self.folder = folder
        self.server = LocalServer(test_delay=0.01)
        self.names = {"server": self.server, "stops": self.stops, "later": self.later, "__name__": "example"}
        self._stops = False
        self._threads = []
        self._log = _Log()

    def __enter__(self):
        logger = logging.getLogger("Channel")
        self._level_before = logger.level
        logger.setLevel(logging.NOTSET)  # a document may say how to silence it
        logger.addHandler(self._log)
        self.server.start()
        self._asyncio = asyncio.Runner().__enter__()
        self._environ = dict(os.environ)
        self._folder_before = os.getcwd()
        os.environ["GAECHANNEL_BASE_URL"] = self.server.base_url
        os.environ["GAECHANNEL_ADMIN"] = self.server.admin_url
        os.environ["GAECHANNEL_ADMIN_TOKEN"] = self.server.admin_token
        os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        os.chdir(self.folder)
        return self

    def __exit__(self, *_):
        logger = logging.getLogger("Channel")
        logger.removeHandler(self._log)
        logger.setLevel(self._level_before)
        os.chdir(self._folder_before)
        os.environ.clear()
        os.environ.update(self._environ)
        self._asyncio.close()
        for thread in self._threads:
            thread.join()
        self.server.stop(keep_sessions=False)
        # Libraries keep functions in caches of their own, and with those all that stands beside them.
        self.names.clear()

    def later(self, seconds, function):
        """Call the function in a thread, in so many seconds."""
        thread = threading.Timer(seconds, function)
        thread.start()
        self._threads.append(thread)

    def stops(self, *client_ids):
        """Have the server stop the clients' sessions once they listen, after what was sent until then."""
        self._stops = True

        def stop():
            waiting = set(client_ids)
            deadline = time.monotonic() + 20
            while waiting and time.monotonic() < deadline:
                for session in self.server.service.sessions:
                    if session.client_id in waiting and session.connected:
                        waiting.remove(session.client_id)
                        session.stop()
                time.sleep(0.02)

        self.later(0.05, stop)

    def run(self, block):
        """Run one block.

        Raises:
            AssertionError: it has not done what the document says.
        """
        code = block.code.replace(DOCUMENTED_URL, self.server.url)
        if block.language == "console":
            self._run_console(block, code)
        elif block.language == "pycon":
            self._run_pycon(block, code)
        elif block.language in ("python", "hidden"):
            self._run_python(block, code)
        elif block.logged:
            self._look_at_log(block, code)

    def _look_at_log(self, block, code):
        lines, self._log.lines = self._log.lines, []
        left = iter(lines)
        for wanted in code.splitlines():
            pattern = ".*".join(re.escape(piece) for piece in wanted.strip().split("…"))
            assert any(re.fullmatch(pattern, line) for line in left), f"{block}: {wanted}\nlogged: {lines}"

    def _run_python(self, block, code):
        stops, self._stops = self._stops, False
        # Line numbers as in the file.
        compiled = compile(
            "\n" * (block.line - 1) + code,
            str(block.file),
            "exec",
            flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
            dont_inherit=True,
        )
        try:
            if compiled.co_flags & inspect.CO_COROUTINE:
                self._asyncio.run(eval(compiled, self.names))
            else:
                exec(compiled, self.names)
        except ChannelClosed:
            if not stops:
                raise

    def _run_pycon(self, block, code):
        test = doctest.DocTestParser().get_doctest(
            code.replace("…", "..."), self.names, str(block), str(block.file), block.line - 1
        )
        output = []
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
        runner.run(test, out=output.append, clear_globs=False)
        self.names.update(test.globs)
        assert not output, "".join(output)

    def _run_console(self, block, code):
        for part in re.split(r"^\$ ", code, flags=re.MULTILINE)[1:]:
            command, _, expected = part.partition("\n")
            done = subprocess.run(
                ["bash", "-c", command],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                cwd=self.folder,
                check=False,
                timeout=60,
            )
            printed = done.stdout
            wanted = ".*".join(re.escape(piece) for piece in expected.strip().split("…"))
            assert re.fullmatch(wanted, printed.strip(), re.DOTALL), (
                f"{block}: {command}\nprinted:\n{printed}"
            )
