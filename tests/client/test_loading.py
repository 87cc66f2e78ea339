"""Where the C core cannot be loaded, the error says what to do."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import gaechannel


@pytest.fixture
def run_broken(tmp_path):
    """Returns a function that runs a line of Python where the core is no library, or not there, and returns
    what is said of it."""
    package = tmp_path / "gaechannel"
    shutil.copytree(
        Path(gaechannel.__file__).parent, package, ignore=shutil.ignore_patterns("*.so", "__pycache__")
    )
    core = package / Path(gaechannel._core.__file__).name

    def run_broken(line, there=True):
        if there:
            core.write_bytes(b"\x7fELF, but cut off")
        program = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{line}"
        done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True)
        assert done.returncode == 1
        return done.stderr.splitlines()

    return run_broken


LINES = [
    "from gaechannel import Client",
    "import gaechannel; gaechannel.__version__",
    "import gaechannel.aio",
    "import gaechannel.talkparser",
    "from gaechannel import Decoder",
    "from gaechannel import WebChannel",
]


def frames_of(said):
    """A single traceback's, without what else CPython draws."""
    assert sum(line.startswith("Traceback") for line in said) == 1
    return [line for line in said if line.startswith("  File ")]


@pytest.mark.parametrize("line", LINES)
def test_it_says_why_and_what_to_do(run_broken, line):
    said = run_broken(line)
    assert len(frames_of(said)) <= 4
    message = said[-1]
    assert message.startswith("ImportError: gaechannel's C core cannot be loaded: ")
    assert "_core" in message
    assert "pip install --force-reinstall gaechannel" in message
    assert "libcurl4" in message


@pytest.mark.parametrize("line", LINES)
def test_a_core_that_is_not_there_is_told_from_one_that_does_not_load(run_broken, line, tmp_path):
    said = run_broken(line, there=False)
    assert len(frames_of(said)) <= 4
    version = ".".join(map(str, sys.version_info[:2])) + sys.abiflags
    assert said[-1].startswith(
        f"ImportError: gaechannel's C core is not in {tmp_path}/gaechannel, or was built for another Python"
        f" than {version}: build it by `pip install -e .`"
    )


# What a free-threaded CPython 3.13 does with a core by the stable ABI, which it finds by its name.
BY_THE_STABLE_ABI = """
from importlib.machinery import ExtensionFileLoader as loader
def create_module(self, spec, create=loader.create_module):
    if spec.name != "gaechannel._core":
        return create(self, spec)
    raise SystemError("init function of _core returned uninitialized object")
loader.create_module = create_module
"""


@pytest.mark.parametrize("line", LINES)
def test_a_core_by_the_stable_abi_without_the_gil_is_another_pythons(run_broken, line):
    said = run_broken(BY_THE_STABLE_ABI + line)
    assert len(frames_of(said)) <= 4
    assert "or was built for another Python than" in said[-1]


@pytest.mark.parametrize("arguments", [["doctor"], ["--version"], ["listen", "token"]], ids=" ".join)
def test_the_command_says_it_in_one_line(run_broken, arguments):
    (message,) = run_broken(f"from gaechannel.cli import main; sys.exit(main({arguments!r}))")
    assert message.startswith("gaechannel: gaechannel's C core cannot be loaded: ")
    assert "pip install --force-reinstall gaechannel" in message


def test_other_imports_that_fail_are_told_as_they_are(tmp_path):
    program = "import sys; sys.modules['logging'] = None\nimport gaechannel.client"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "C core" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("ModuleNotFoundError")
