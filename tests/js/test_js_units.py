"""Unit tests of the npm package: each file of js/test under Node's own runner."""

import os
import subprocess
from pathlib import Path

import pytest

TESTS = sorted((Path(__file__).parents[2] / "js/test").glob("*.test.mjs"))


@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.name)
def test_units(packed, file):
    done = subprocess.run(
        ["node", "--test", "--test-reporter=spec", file],
        capture_output=True,
        text=True,
        env={**os.environ, "GAECHANNEL_PACKED": str(packed / "node_modules/@gaechannel/client/dist")},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tests 0" not in done.stdout
