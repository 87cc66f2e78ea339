"""The files that are published are the same bytes, whenever they are built."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FINISH = Path(__file__).parents[2] / "wheels" / "finish.py"


@pytest.fixture
def finish():
    """Returns a function that runs wheels/finish.py at the time `epoch`."""

    def finish(*arguments, epoch=1_700_000_000):
        environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}
        subprocess.run([sys.executable, FINISH, *arguments], env=environment, check=True)

    return finish


def packed(folder, mode, seconds):
    """An sdist of one file, as an archiver would write it at some time, for somebody, in some order."""
    top = folder / "it-1.0"
    top.mkdir(parents=True)
    for name in ("b", "a"):
        (top / name).write_text(name)
        (top / name).chmod(mode)
        os.utime(top / name, (seconds, seconds))
    path = folder / "it-1.0.tar.gz"
    command = ["tar", "-czf", path, "-C", folder, "--owner", f"u{seconds}:{seconds}", "it-1.0/b", "it-1.0/a"]
    subprocess.run(command, check=True)
    return path


def test_an_sdist_depends_on_nothing_but_its_files(tmp_path, finish):
    one, other = packed(tmp_path / "one", 0o644, 1), packed(tmp_path / "other", 0o664, 2)
    assert one.read_bytes() != other.read_bytes()
    finish("sdist", one)
    finish("sdist", other)
    assert one.read_bytes() == other.read_bytes()
    listing = subprocess.check_output(["tar", "-tvzf", one], text=True)
    assert [line.split()[-1] for line in listing.splitlines()] == ["it-1.0/a", "it-1.0/b"]


def test_the_sdist_of_this_tree_keeps_its_files(sdist, finish, tmp_path):
    copy = tmp_path / sdist.name
    copy.write_bytes(sdist.read_bytes())
    finish("sdist", copy)
    for path in (sdist, copy):
        (tmp_path / path.parent.name).mkdir()
        subprocess.run(["tar", "-xf", path, "-C", tmp_path / path.parent.name], check=True)
    done = subprocess.run(["diff", "-r", tmp_path / sdist.parent.name, tmp_path / copy.parent.name])
    assert done.returncode == 0
