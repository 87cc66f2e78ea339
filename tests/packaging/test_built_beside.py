"""What is built takes the place of what was built beside it for another CPython, in place and in wheels."""

import importlib.machinery
import shutil
import subprocess
import sys
import sysconfig

import pytest

# As of a tree that two CPythons share: one for any, and one that is for itself alone, as without the GIL.
NAMES = ["_core.abi3.so", "_core" + importlib.machinery.EXTENSION_SUFFIXES[0]]
MADE = NAMES[bool(sysconfig.get_config_var("Py_GIL_DISABLED"))]


@pytest.mark.parametrize("command", [["build"], ["build_ext", "--inplace"]], ids=["in a wheel", "in place"])
def test_what_was_built_before_is_gone(command, tree, tmp_path):
    copy, lib = tmp_path / "copy", tmp_path / "lib"
    shutil.copytree(tree, copy)
    folders = [lib / "gaechannel", copy / "gaechannel"]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        for name in NAMES:
            # Newer than its sources, so that nothing is compiled.
            (folder / name).write_bytes(b"built before")
    where = ["--build-base", tmp_path, "--build-lib", lib] if command == ["build"] else ["--build-lib", lib]
    done = subprocess.run(
        [sys.executable, "setup.py", "-q", *command, *where], cwd=copy, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    looked_at = folders[command != ["build"]]
    assert [built.name for built in looked_at.glob("_core*.so")] == [MADE]
