"""Builds what is published, once for all tests here: the sdist from the tree, the wheel from that sdist.

GAECHANNEL_WHEEL names a wheel that is tested instead of that one.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

BACKEND = "import sys, setuptools.build_meta as backend; print(getattr(backend, sys.argv[1])(sys.argv[2]))"


def build(hook, source, target, python=sys.executable):
    """Call one of PEP 517's hooks, as pip and build do, in the folder `source`. Returns the file made."""
    done = subprocess.run(
        [python, "-c", BACKEND, hook, str(target)], cwd=source, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return target / done.stdout.splitlines()[-1]


def tracked_files():
    """The names of the files that a commit of all work would hold, or None where this is not a git work tree.

    That is so in an unpacked sdist, wherever that was unpacked, or without git.
    """
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    try:
        listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    except FileNotFoundError:
        return None
    names = listing.stdout.splitlines()
    return [name for name in names if (ROOT / name).is_file()] if "setup.py" in names else None


@pytest.fixture(scope="session")
def tree(tmp_path_factory):
    """A copy of this tree as a clean clone would be, uncommitted work included."""
    copy = tmp_path_factory.mktemp("tree") / "gaechannel"
    files = tracked_files()
    if files is None:
        leftovers = ["build", "dist", "node_modules", "__pycache__", "*.egg-info", "*.so"]
        hidden = [".git", ".venv", ".*_cache", ".cache", ".hypothesis", ".coverage*"]
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*leftovers, *hidden))
    else:
        for name in files:
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    return copy


@pytest.fixture(scope="session")
def sdist(tree, tmp_path_factory):
    """The path of the sdist."""
    return build("build_sdist", tree, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="session")
def unpacked(sdist, tmp_path_factory):
    """The folder that the sdist unpacks to."""
    folder = tmp_path_factory.mktemp("unpacked")
    subprocess.run(["tar", "-xf", sdist, "-C", folder], check=True)
    (top,) = folder.iterdir()
    return top


@pytest.fixture(scope="session")
def wheel_for(unpacked, tmp_path_factory):
    """Builds the sdist's wheel for another Python: of its path, the wheel's path."""
    return lambda python: build("build_wheel", unpacked, tmp_path_factory.mktemp("wheel"), python)


@pytest.fixture(scope="session")
def wheel(request, tmp_path_factory):
    """The path of the wheel: the one that is named, or else one that is built from nothing but the sdist."""
    if named := os.environ.get("GAECHANNEL_WHEEL"):
        return Path(named).resolve(strict=True)
    unpacked = request.getfixturevalue("unpacked")
    return build("build_wheel", unpacked, tmp_path_factory.mktemp("wheel"))
