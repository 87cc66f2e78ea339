"""Fixtures of the npm package of js/: packed as it would be published, under Node.

GAECHANNEL_NODE names another runtime in its place, such as Bun.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

TREE = Path(__file__).parents[2]

NODE = os.environ.get("GAECHANNEL_NODE", "node")


@pytest.fixture(scope="session")
def packed():
    """The folder in which Node finds the packed package; the tests are skipped where there is no Node."""
    done = subprocess.run([TREE / "js/make", "pack"], capture_output=True, text=True)
    if done.returncode == 2:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    return TREE / "build/js"


@pytest.fixture
def run_text(packed, tmp_path):
    """A function that runs a program's text under Node, with arguments that have JSON.

    It returns what the program says. On stderr it must say nothing.
    """
    copies = []

    def run_program(name, text, *arguments, seconds=100):
        copy = packed / f"{tmp_path.parent.name}-{tmp_path.name}-{name}"  # so that Node finds the package
        copies.append(copy)
        copy.write_text(text, encoding="utf-8")
        done = subprocess.run(
            [NODE, "--unhandled-rejections=strict", copy, *map(json.dumps, arguments)],
            capture_output=True,
            encoding="utf-8",
            timeout=seconds,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    yield run_program
    for copy in copies:
        copy.unlink(missing_ok=True)


@pytest.fixture
def run(run_text):
    """A function that runs a program of tests/js; it returns what that says with its last line, as JSON."""

    def run_program(name, *arguments, seconds=100):
        text = (TREE / "tests/js" / name).read_text(encoding="utf-8")
        return json.loads(run_text(name, text, *arguments, seconds=seconds).strip().split("\n")[-1])

    return run_program
