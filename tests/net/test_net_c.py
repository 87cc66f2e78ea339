"""What of net's C code needs no network, tested in C: builds the program beside this file and runs its cases.

With GAECHANNEL_SANITIZE=1, GAECHANNEL_COVERAGE=1 and GAECHANNEL_WERROR=1 in the environment as in tests/wire.
"""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CSRC = HERE.parents[1] / "csrc"
PROGRAM = HERE / "test_content_coding.c"
SOURCE = CSRC / "net" / "content_coding.c"

COMPILER = shlex.split(os.environ.get("CC", "cc"))
FLAGS = ["-std=c11", "-D_GNU_SOURCE=1", "-O1", "-g", "-Wall", "-Wextra", "-Wconversion", "-Wshadow"]
FLAGS += [f"-I{CSRC}", f"-I{HERE.parent / 'wire'}"]
# All allocations go through the program's own functions.
FLAGS += [f"-D{name}=failing_{name}" for name in ("malloc", "calloc")]
if os.environ.get("GAECHANNEL_WERROR") == "1":
    FLAGS += ["-Werror"]
if os.environ.get("GAECHANNEL_SANITIZE") == "1":
    FLAGS += ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
if os.environ.get("GAECHANNEL_COVERAGE") == "1":
    FLAGS += ["--coverage", "-O0"]

# The names that the program's `--list` will print; pytest wants them before anything is built.
CASES = re.findall(r"^ +CASE\((\w+)\),$", PROGRAM.read_text(), re.MULTILINE)

pytestmark = pytest.mark.skipif(shutil.which(COMPILER[0]) is None, reason="no C compiler")


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    folder = tmp_path_factory.getbasetemp() / "net_c"
    folder.mkdir(exist_ok=True)
    built = folder / PROGRAM.stem
    subprocess.run([*COMPILER, *FLAGS, PROGRAM, SOURCE, "-o", built, "-lz"], check=True, cwd=folder)
    return built


@pytest.mark.parametrize("case", CASES)
def test_in_c(program, case):
    result = subprocess.run([program, case], capture_output=True, check=False)
    assert result.returncode == 0, result.stderr.decode(errors="replace")


def test_no_case_in_c_is_left_out(program):
    output = subprocess.run([program, "--list"], capture_output=True, check=True).stdout
    assert output.decode().split() == CASES
