"""Where the C core cannot be loaded, the error says what to do."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import gaechannel


@pytest.fixture
def broken(tmp_path):
    """Returns a function: the last line of a traceback, of a line of Python where the core is no library."""
    package = tmp_path / "gaechannel"
    shutil.copytree(
        Path(gaechannel.__file__).parent, package, ignore=shutil.ignore_patterns("*.so", "__pycache__")
    )
    (package / Path(gaechannel._core.__file__).name).write_bytes(b"\x7fELF, but cut off")

    def broken(line):
        program = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{line}"
        done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True)
        assert done.returncode == 1
        return done.stderr.splitlines()[-1]

    return broken


@pytest.mark.parametrize(
    "line",
    [
        "from gaechannel import Client",
        "import gaechannel; gaechannel.__version__",
        "import gaechannel.aio",
        "import gaechannel.talkparser",
        "from gaechannel import Decoder",
        "from gaechannel.cli import main",
    ],
)
def test_it_says_why_and_what_to_do(broken, line):
    message = broken(line)
    assert message.startswith("ImportError: gaechannel's C core cannot be loaded: ")
    assert "_core" in message
    assert "pip install --force-reinstall gaechannel" in message
    assert "libcurl4" in message


def test_other_imports_that_fail_are_told_as_they_are(tmp_path):
    program = "import sys; sys.modules['logging'] = None\nimport gaechannel.client"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "C core" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("ModuleNotFoundError")
