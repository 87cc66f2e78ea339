"""A build for one CPython alone: the same objects, by what the stable ABI has not; no other one beside it."""

import importlib.machinery
import json
import os
import shutil
import subprocess
import sys
import sysconfig

import pytest
from abi3info import FUNCTIONS
from abi3info.models import Symbol
from elftools.elf.elffile import ELFFile

# It compiles all of csrc/.
pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        reason="free-threaded builds are for one CPython anyway",
    ),
]

# What is made otherwise: empty, of one, of many, and as wide as a kind of text may be.
VALUES = [
    *["", "a", "ab", "a" * 31, "a" * 32, "a" * 600],
    *["é", "ÿ" * 40, "Ā", "次のフェリー", "\uffff", "次" * 300, "\U00010000", "🚢 次 é", "🚢" * 300],
    *[[], [None], [None] * 40, [[], [[]]], list(range(300)), {"k": ["v"]}, {"": 1, "a": 2, "ключ": 3}],
]

PROGRAM = """
import json, sys
from gaechannel import Decoder, Framer, _core
values = json.load(sys.stdin)
found = []
for text in [json.dumps(values), json.dumps(values, ensure_ascii=False), json.dumps(values, indent=1)]:
    payload = "[[5," + text + "]]"
    units = len(payload.encode("utf-16-le")) // 2
    ((_, read),) = Decoder().feed(f"{units}\\n{payload}".encode())
    found.append(read == values and repr(read) == repr(values))
print(json.dumps([_core.__file__, found]))
"""


@pytest.fixture(scope="module")
def built(tree, tmp_path_factory):
    """A copy of the tree in which it was built in place, where there was a build for any CPython."""
    copy = tmp_path_factory.mktemp("one") / "gaechannel"
    shutil.copytree(tree, copy)
    # Not optimized, which takes a fifth of the time.
    environment = os.environ | {"CFLAGS": "-O0", "GAECHANNEL_FILEWISE": "1"}
    environment |= {"GAECHANNEL_ONE_CPYTHON": "1"}
    (copy / "gaechannel" / "_core.abi3.so").write_bytes(b"built before")
    run_setup(copy, environment, "build_ext", "--inplace")
    return copy


def run_setup(tree, environment, *arguments):
    command = [sys.executable, "setup.py", "-q", *arguments]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_takes_the_place_of_what_was_built_before(built):
    suffix = importlib.machinery.EXTENSION_SUFFIXES[0]
    assert [path.name for path in built.glob("gaechannel/_core*.so")] == [f"_core{suffix}"]


def test_a_wheel_holds_what_was_asked_for_alone(built, tmp_path):
    """As of a copy in which pip has built before, by the other API."""
    # What is newer than its sources is not compiled again.
    library = tmp_path / "lib" / "gaechannel"
    library.mkdir(parents=True)
    names = ["_core.abi3.so", "_core" + importlib.machinery.EXTENSION_SUFFIXES[0]]
    for name, one_cpython in zip(names, ["0", "1"], strict=True):
        for other in names:
            (library / other).write_bytes(b"built before")
        environment = os.environ | {"GAECHANNEL_ONE_CPYTHON": one_cpython}
        run_setup(built, environment, "build", "--build-base", tmp_path, "--build-lib", tmp_path / "lib")
        assert [path.name for path in library.glob("_core*.so")] == [name]


def test_it_uses_what_the_stable_abi_has_not(built):
    if sys.platform == "darwin":
        pytest.skip("no ELF")
    (core,) = built.glob("gaechannel/_core*.so")
    with core.open("rb") as file:
        names = {symbol.name for symbol in ELFFile(file).get_section_by_name(".dynsym").iter_symbols()}
    assert {name for name in names if name.startswith("Py") and Symbol(name) not in FUNCTIONS} >= {
        "PyUnicode_New"
    }


def test_it_makes_the_same_objects(built):
    environment = os.environ | {"PYTHONPATH": str(built), "PYTHONSAFEPATH": "1", "PYTHONUTF8": "1"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        input=json.dumps(VALUES),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    core, found = json.loads(done.stdout)
    assert core.startswith(str(built))
    assert found == [True, True, True]


# What the test above cannot tell: of what kind a text is, and what is left where memory runs out. That
# cannot be told under sanitizers either, whose allocator does not count.
TESTS = [
    "test_strings_are_of_the_narrowest_kind_that_holds_them",
    "test_memory_that_runs_out_anywhere_is_a_memory_error_and_nothing_leaks",
]


def test_it_passes_the_tests_of_making_objects(built):
    environment = os.environ | {"PYTHONPATH": str(built), "PYTHONSAFEPATH": "1"}
    tests = [f"tests/client/test_objects.py::{name}" for name in TESTS]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(command, cwd=built, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


TAG = """
import setuptools
from distutils.core import run_setup
command = run_setup("setup.py", stop_after="init").get_command_obj("bdist_wheel")
command.ensure_finalized()
print(*command.get_tag()[:2])
"""


def test_a_wheel_of_it_is_for_no_other_cpython(built):
    environment = os.environ | {"GAECHANNEL_ONE_CPYTHON": "1"}
    done = subprocess.run(
        [sys.executable, "-c", TAG], cwd=built, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    cpython = f"cp{sys.version_info.major}{sys.version_info.minor}"
    assert done.stdout.split() == [cpython, cpython]
