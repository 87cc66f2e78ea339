"""Where the C core cannot be loaded, the error says what to do."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import gaechannel


@pytest.fixture
def run_broken(tmp_path):
    """Returns a function that runs a line of Python where the core is no library: what is said of it."""
    package = tmp_path / "gaechannel"
    shutil.copytree(
        Path(gaechannel.__file__).parent, package, ignore=shutil.ignore_patterns("*.so", "__pycache__")
    )
    (package / Path(gaechannel._core.__file__).name).write_bytes(b"\x7fELF, but cut off")

    def run_broken(line):
        program = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{line}"
        done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True)
        assert done.returncode == 1
        return done.stderr.splitlines()

    return run_broken


@pytest.mark.parametrize(
    "line",
    [
        "from gaechannel import Client",
        "import gaechannel; gaechannel.__version__",
        "import gaechannel.aio",
        "import gaechannel.talkparser",
        "from gaechannel import Decoder",
    ],
)
def test_it_says_why_and_what_to_do(run_broken, line):
    message = run_broken(line)[-1]
    assert message.startswith("ImportError: gaechannel's C core cannot be loaded: ")
    assert "_core" in message
    assert "pip install --force-reinstall gaechannel" in message
    assert "libcurl4" in message


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
