"""Builds what is published, once for all tests here: the sdist from the tree, the wheel from that sdist."""

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

BACKEND = "import sys, setuptools.build_meta as backend; print(getattr(backend, sys.argv[1])(sys.argv[2]))"


def build(hook, source, target):
    """Call one of PEP 517's hooks, as pip and build do, in the folder `source`. Returns the file made."""
    done = subprocess.run(
        [sys.executable, "-c", BACKEND, hook, str(target)], cwd=source, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return target / done.stdout.splitlines()[-1]


@pytest.fixture(scope="session")
def tree(tmp_path_factory):
    """A copy of what git would have in a clean clone of this tree, uncommitted work included.

    Where there is no git, as in an unpacked sdist, it is the whole tree but for what builds leave.
    """
    copy = tmp_path_factory.mktemp("tree") / "gaechannel"
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listing.returncode == 0:
        files = [name for name in listing.stdout.splitlines() if (ROOT / name).is_file()]
        for name in files:
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    else:
        leftovers = shutil.ignore_patterns(
            ".venv", "build", "dist", "*.egg-info", "*.so", "__pycache__", ".*_cache"
        )
        shutil.copytree(ROOT, copy, ignore=leftovers)
    return copy


@pytest.fixture(scope="session")
def sdist(tree, tmp_path_factory):
    """The path of the sdist."""
    return build("build_sdist", tree, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="session")
def unpacked(sdist, tmp_path_factory):
    """The folder that the sdist unpacks to."""
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (top,) = folder.iterdir()
    return top


@pytest.fixture(scope="session")
def wheel(unpacked, tmp_path_factory):
    """The path of the wheel, built from nothing but the sdist."""
    return build("build_wheel", unpacked, tmp_path_factory.mktemp("wheel"))
