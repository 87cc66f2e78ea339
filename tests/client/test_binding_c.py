"""C code of the binding's, compiled with the functions of CPython's that it calls: finding keys takes the
same whatever they are, and no CPython is written into that is not known."""

import functools
import subprocess
import sysconfig
from pathlib import Path

import pytest
from c_programs import COMPILER, CSRC, FLAGS, cases_beside, needs_compiler

HEADERS = Path(sysconfig.get_path("include"))

pytestmark = [
    needs_compiler,
    pytest.mark.skipif(not (HEADERS / "Python.h").exists(), reason="no Python.h"),
    pytest.mark.skipif(
        bool(sysconfig.get_config_var("Py_GIL_DISABLED")), reason="this CPython has no stable ABI"
    ),
]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("binding")

    @functools.cache
    def compiled(name):
        source = Path(__file__).with_name(f"{name}.c")
        flags = [*FLAGS, "-D_GNU_SOURCE", "-DPy_LIMITED_API=0x030B0000", "-isystem", str(HEADERS)]
        command = [*COMPILER, *flags, source, CSRC / "wire" / "literal_head.c", "-o", folder / name]
        subprocess.run(command, check=True)
        return folder / name

    return compiled


@pytest.mark.parametrize(("program", "case"), cases_beside(__file__))
def test_in_c(compiled, program, case):
    result = subprocess.run([compiled(program), case], capture_output=True, check=False)
    assert result.returncode == 0, result.stderr.decode(errors="replace")
