"""Fixtures of the command line's tests: the real command in processes of its own."""

import os
import subprocess
import sys
import time

import pytest

from gaechannel.server import LocalServer


@pytest.fixture
def environ():
    """What the commands' environment has beyond this process's; a test may add to it."""
    return {}


@pytest.fixture
def start(environ):
    """start(*arguments, **Popen's) runs the command; whatever still runs after the test is killed."""
    processes = []

    def start_command(*arguments, python=(), **options):
        command = [sys.executable, *python, "-m", "gaechannel", *arguments]
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        env = {**os.environ, "PYTHONUTF8": "1", **environ}
        process = subprocess.Popen(command, **{**pipes, "text": True, "env": env, **options})
        processes.append(process)
        return process

    yield start_command
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def run(start):
    """run(*arguments, stdin="") runs the command to its end; returns (exit status, stdout, stderr)."""

    def run_command(*arguments, stdin="", timeout=30, **options):
        process = start(*arguments, **options)
        out, err = process.communicate(stdin, timeout=timeout)
        return process.returncode, out, err

    return run_command


@pytest.fixture
def serve(start):
    """serve(*arguments) starts the command; returns the process and where it serves, once it listens."""

    def start_server(*arguments):
        process = start("serve", "--port", "0", *arguments)
        line = process.stdout.readline()
        assert line.startswith("Serving on "), process.stderr.read()
        return process, line.split()[2].rstrip(",")

    return start_server


@pytest.fixture
def server(environ):
    """A server in this process; the commands find it by their environment."""
    with LocalServer() as local_server:
        environ["GAECHANNEL_BASE_URL"] = local_server.base_url
        environ["GAECHANNEL_ADMIN"] = local_server.admin_url
        environ["GAECHANNEL_ADMIN_TOKEN"] = local_server.admin_token
        yield local_server


@pytest.fixture
def wait_until():
    """wait_until(condition) returns when it is true, and fails after 30 seconds."""

    def wait(condition):
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline, "it has not come true in 30 seconds"
            time.sleep(0.005)

    return wait
