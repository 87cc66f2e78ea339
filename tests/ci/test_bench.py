"""A benchmark says in one line what it lacks."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"
# As a folder without the package would have it.
RUN_WITHOUT = """if True:
    import runpy, sys
    sys.modules[sys.argv[1]], sys.argv[:2] = None, []
    sys.path.insert(0, sys.argv[0].rpartition("/")[0])
    runpy.run_path(sys.argv[0], run_name="__main__")
"""


def run_without(module, program):
    command = [sys.executable, "-c", RUN_WITHOUT, module, program]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    return done.stderr.splitlines()


@pytest.mark.parametrize(
    ("program", "module"),
    [("decode", "msgspec"), ("objects", "msgspec"), ("growth", "matplotlib"), ("browser", "playwright")],
)
def test_a_missing_package_is_told_in_one_line_with_what_to_run(program, module):
    path = BENCH / f"{program}.py"
    (line,) = run_without(module, path)
    assert line.startswith(f"{path}: {module}")
    assert line.endswith(" is missing: `make .venv/.bench` installs what the benchmarks need")


def test_what_is_missing_beyond_them_is_told_as_it_is():
    assert run_without("json", BENCH / "decode.py")[0].startswith("Traceback")
