"""The npm package of js/, packed as it would be published, under Node."""

import subprocess
from pathlib import Path

import pytest

JS = Path(__file__).parents[2] / "js"


@pytest.fixture(scope="session")
def packed():
    """The folder in which Node finds the packed package; the tests are skipped where there is no Node."""
    done = subprocess.run([JS / "make", "pack"], capture_output=True, text=True)
    if done.returncode == 2:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    return JS.parent / "build/js"
