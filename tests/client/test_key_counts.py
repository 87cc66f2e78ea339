"""The key cache's C code, counted in C: no keys make it slower than others by more than a factor."""

import subprocess
import sysconfig
from pathlib import Path

import pytest
from c_programs import COMPILER, CSRC, FLAGS, case_names, needs_compiler

SOURCE = Path(__file__).with_suffix(".c")
HEADERS = Path(sysconfig.get_path("include"))

pytestmark = [
    needs_compiler,
    pytest.mark.skipif(not (HEADERS / "Python.h").exists(), reason="no Python.h"),
    pytest.mark.skipif(
        bool(sysconfig.get_config_var("Py_GIL_DISABLED")), reason="this CPython has no stable ABI"
    ),
]


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    program = tmp_path_factory.mktemp("keys") / "test_key_counts"
    flags = [*FLAGS, "-D_GNU_SOURCE", "-DPy_LIMITED_API=0x030B0000", "-isystem", str(HEADERS)]
    subprocess.run([*COMPILER, *flags, SOURCE, CSRC / "wire" / "literal_head.c", "-o", program], check=True)
    return program


@pytest.mark.parametrize("case", case_names(SOURCE))
def test_in_c(program, case):
    result = subprocess.run([program, case], capture_output=True, check=False)
    assert result.returncode == 0, result.stderr.decode(errors="replace")
