"""The script that the server has for pages, against its source."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "gaechannel" / "server" / "http" / "jsapi.js"


def test_it_is_what_the_source_builds():
    done = subprocess.run([ROOT / "js" / "make", "script", "-"], capture_output=True)
    if done.returncode == 2:
        pytest.skip(done.stderr.decode().strip())
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == SCRIPT.read_bytes(), "after a change in js/src: js/make script"


def test_it_is_small():
    assert len(SCRIPT.read_bytes()) < 8000
