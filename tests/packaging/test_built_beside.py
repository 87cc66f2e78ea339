"""What is built takes the place of what was built beside it for another CPython, in place and in wheels."""

import importlib.machinery
import os
import shutil
import subprocess
import sys

import pytest

# It compiles all of csrc/.
pytestmark = pytest.mark.timeout(600)

# As of a tree that two CPythons share: one for any, and one that is for itself alone, as without the GIL.
NAMES = ["_core.abi3.so", "_core" + importlib.machinery.EXTENSION_SUFFIXES[0]]


def build(tree, *arguments):
    # Not optimized, which takes a fifth of the time.
    environment = os.environ | {"CFLAGS": "-O0", "GAECHANNEL_FILEWISE": "1"}
    command = [sys.executable, "setup.py", "-q", *arguments]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("wheel", [False, True], ids=["in place", "in a wheel"])
def test_what_was_built_before_is_gone(wheel, tree, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(tree, copy)
    folder = (tmp_path / "lib" if wheel else copy) / "gaechannel"
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        # What is newer than its sources is not compiled again.
        (folder / name).write_bytes(b"built before")
        os.utime(folder / name, (0, 0))
    where = ["build", "--build-lib", tmp_path / "lib"] if wheel else ["build_ext", "--inplace"]
    build(copy, *where)
    (built,) = folder.glob("_core*.so")
    assert built.name in NAMES
    assert built.read_bytes() != b"built before"
