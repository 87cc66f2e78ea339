"""Fixtures of the npm package of js/: packed as it would be published, under Node."""

import json
import subprocess
from pathlib import Path

import pytest

TREE = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def packed():
    """The folder in which Node finds the packed package; the tests are skipped where there is no Node."""
    done = subprocess.run([TREE / "js/make", "pack"], capture_output=True, text=True)
    if done.returncode == 2:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    return TREE / "build/js"


@pytest.fixture
def run(packed, tmp_path):
    """A function that runs a program of tests/js under Node with arguments that have JSON.

    It returns what the program says with its last line, as JSON. On stderr it must say nothing.
    """
    copies = []

    def run_program(name, *arguments, seconds=100):
        copy = packed / f"{tmp_path.parent.name}-{tmp_path.name}-{name}"  # so that Node finds the package
        copies.append(copy)
        copy.write_text((TREE / "tests/js" / name).read_text())
        done = subprocess.run(
            ["node", "--unhandled-rejections=strict", copy, *map(json.dumps, arguments)],
            capture_output=True,
            text=True,
            timeout=seconds,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return json.loads(done.stdout.strip().split("\n")[-1])

    yield run_program
    for copy in copies:
        copy.unlink(missing_ok=True)
