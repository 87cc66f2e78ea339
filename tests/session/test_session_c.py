"""session's C code, tested in C without a network: builds the programs beside this file and runs their cases.

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
SOURCES = [*sorted((CSRC / "session").glob("*.c")), *sorted((CSRC / "wire").rglob("*.c"))]

COMPILER = shlex.split(os.environ.get("CC", "cc"))
FLAGS = ["-std=c11", "-D_GNU_SOURCE=1", "-O1", "-g", "-Wall", "-Wextra", "-Wconversion", "-Wshadow"]
FLAGS += [f"-I{CSRC}", f"-I{CSRC / 'session'}", f"-I{HERE.parent / 'wire'}"]
if os.environ.get("GAECHANNEL_WERROR") == "1":
    FLAGS += ["-Werror"]
if os.environ.get("GAECHANNEL_SANITIZE") == "1":
    FLAGS += ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
if os.environ.get("GAECHANNEL_COVERAGE") == "1":
    FLAGS += ["--coverage", "-O0"]

# For the program that makes allocations fail, all of them go through its own functions.
FAILING = [f"-D{name}=failing_{name}" for name in ("malloc", "calloc", "realloc")]

pytestmark = pytest.mark.skipif(shutil.which(COMPILER[0]) is None, reason="no C compiler")


def case_names(source):
    """The names that the program's `--list` will print; pytest wants them before anything is built."""
    return re.findall(r"^ +CASE\((\w+)\),$", source.read_text(), re.MULTILINE)


C_CASES = [(source.stem, name) for source in sorted(HERE.glob("test_*.c")) for name in case_names(source)]


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    """Gives the path of a program, which is built when it is first asked for."""
    built = {}

    def compile_in(folder, *arguments):
        folder.mkdir(exist_ok=True)
        subprocess.run([*COMPILER, *FLAGS, *map(str, arguments)], check=True, cwd=folder)

    def build(name):
        if name not in built:
            folder = tmp_path_factory.getbasetemp() / "session_c"
            flags = FAILING if name == "test_session_memory" else []
            library = folder / ("failing" if flags else "plain")
            if not library.exists():
                folder.mkdir(exist_ok=True)
                compile_in(library, *flags, "-c", *SOURCES)
            built[name] = library / name
            compile_in(library, *flags, HERE / f"{name}.c", *library.glob("*.o"), "-o", built[name])
        return built[name]

    return build


@pytest.mark.parametrize(("name", "case"), C_CASES, ids=[f"{name}-{case}" for name, case in C_CASES])
def test_in_c(program, name, case):
    result = subprocess.run([program(name), case], capture_output=True, check=False)
    assert result.returncode == 0, result.stderr.decode(errors="replace")


@pytest.mark.parametrize("name", sorted({name for name, _ in C_CASES}))
def test_no_case_in_c_is_left_out(program, name):
    output = subprocess.run([program(name), "--list"], capture_output=True, check=True).stdout
    assert output.decode().split() == [case for owner, case in C_CASES if owner == name]
