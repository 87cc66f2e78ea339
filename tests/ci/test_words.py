"""What .ci/lib makes of a command's arguments, so that they reach another one through make."""

import subprocess
import sys
from pathlib import Path

import pytest

LIBRARY = Path(__file__).resolve().parents[2] / ".ci/lib"

# As the Makefile hands ARGS on to pytest.
RECIPE = "show:\n\t@{python} -c 'import sys; print(sys.argv[1:])' $(ARGS)\n"


@pytest.mark.parametrize(
    "arguments",
    [[], ["-q"], ["-k", "a or b"], ["-k", "it's", "x[1-$2]", "$HOME", "# no comment"], ["a\\b", "", 'c"d']],
)
def test_arguments_are_the_same_behind_make(arguments, tmp_path):
    (tmp_path / "Makefile").write_text(RECIPE.format(python=sys.executable))
    script = 'source "$1"; make -s --no-print-directory -C "$2" show ARGS="$(words_for_make "${@:3}")"'
    command = ["bash", "-c", script, "bash", LIBRARY, tmp_path, *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == (str(arguments), "")
