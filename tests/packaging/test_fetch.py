"""wheels/fetch takes the sources of the wheels' libcurl only as they were when somebody looked at them."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# As cargo does it: a folder a crate, with the sum of what the registry has of it.
CARGO = """#!/bin/sh
for folder; do :; done
while read -r sum name version; do
    mkdir -p "$folder/$name-$version"
    echo '{"files":{},"package":"'$sum'"}' >"$folder/$name-$version/.cargo-checksum.json"
done <"$REGISTRY"
"""


@pytest.fixture
def registry(tmp_path):
    """What the registry has, a line a crate, as wheels/checksums lists it."""
    path = tmp_path / "registry"
    shutil.copy(ROOT / "wheels" / "checksums", path)
    return path


@pytest.fixture
def fetch(tmp_path, registry):
    """Returns a function that runs wheels/fetch in a copy of its folder, with a cargo of `registry`."""
    for folder in (".ci", "wheels"):
        shutil.copytree(ROOT / folder, tmp_path / "tree" / folder)
    cargo = tmp_path / "bin" / "cargo"
    cargo.parent.mkdir()
    cargo.write_text(CARGO)
    cargo.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{cargo.parent}:{os.environ['PATH']}",
        "REGISTRY": str(registry),
        "GAECHANNEL_CACHE": str(tmp_path / "cache"),
        "SOURCE_DATE_EPOCH": "1",
    }

    def fetch(*more):
        command = [tmp_path / "tree" / "wheels" / "fetch", tmp_path / "sources", *more]
        return subprocess.run(command, env=environment, capture_output=True, text=True)

    return fetch


def test_sources_that_are_what_they_were_are_taken(fetch, tmp_path):
    done = fetch()
    assert (done.returncode, done.stderr) == (0, "")
    assert {path.name for path in (tmp_path / "sources").iterdir()} == {
        "aws-lc-sys",
        "curl-sys",
        "libnghttp2-sys",
        "libz-sys",
    }


def test_sources_of_another_sum_are_refused_until_they_are_recorded(fetch, registry, tmp_path):
    lines = registry.read_text().splitlines()
    lines[0] = "0" * 64 + lines[0][64:]
    registry.write_text("\n".join(lines) + "\n")
    done = fetch()
    assert done.returncode == 1
    assert "not what wheels/checksums says" in done.stderr
    assert f"> {lines[0]}" in done.stderr
    shutil.rmtree(tmp_path / "sources")
    assert fetch("record").returncode == 0
    assert (tmp_path / "tree" / "wheels" / "checksums").read_text() == registry.read_text()
    shutil.rmtree(tmp_path / "sources")
    assert fetch().returncode == 0
