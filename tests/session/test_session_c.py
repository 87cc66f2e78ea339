"""session's C code, tested in C without a network: builds the programs beside this file, runs their cases."""

import subprocess
from pathlib import Path

import pytest
from c_programs import COMPILER, CSRC, FAILING, FLAGS, cases_beside, needs_compiler

HERE = Path(__file__).parent
FUZZ = HERE.parents[1] / "fuzz"
#: Whose memory runs out.
FAIL = ("test_session_memory", "fuzz_session")
SOURCES = [*sorted((CSRC / "session").glob("*.c")), *sorted((CSRC / "wire").rglob("*.c"))]

FLAGS = [*FLAGS, "-D_GNU_SOURCE=1", f"-I{CSRC / 'session'}"]
C_CASES = cases_beside(__file__)

pytestmark = needs_compiler


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
            flags = FAILING if name in FAIL else []
            library = folder / ("failing" if flags else "plain")
            if not library.exists():
                folder.mkdir(exist_ok=True)
                compile_in(library, *flags, "-c", *SOURCES)
            built[name] = library / name
            source = FUZZ / f"{name}.c" if name == "fuzz_session" else HERE / f"{name}.c"
            compile_in(library, *flags, "-DFUZZ_STANDALONE", source, *library.glob("*.o"), "-o", built[name])
        return built[name]

    return build


@pytest.mark.parametrize(("name", "case"), C_CASES, ids=[f"{name}-{case}" for name, case in C_CASES])
def test_in_c(program, name, case):
    result = subprocess.run([program(name), case], capture_output=True, check=False)
    assert result.returncode == 0, result.stderr.decode(errors="replace")


def test_what_the_fuzzer_has_found_holds(program):
    corpus = sorted(FUZZ.glob("corpus_session/*"))
    output = subprocess.run([program("fuzz_session"), *corpus], capture_output=True, check=True).stdout
    assert output.decode() == f"{len(corpus)} inputs, all hold\n"


@pytest.mark.parametrize("name", sorted({name for name, _ in C_CASES}))
def test_no_case_in_c_is_left_out(program, name):
    output = subprocess.run([program(name), "--list"], capture_output=True, check=True).stdout
    assert output.decode().split() == [case for owner, case in C_CASES if owner == name]
