"""A benchmark says in one line what it lacks, and on every line with which libcurl it was."""

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from gaechannel._core import libcurl_version

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


# Of C programs without libcurl; and of all benchmarks' tables, which name it in a column.
WITHOUT_LIBCURL = {"instructions", "run"}


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(BENCH.glob("*.py")) if path.stem not in WITHOUT_LIBCURL],
    ids=lambda path: path.stem,
)
def test_figures_are_printed_with_the_libcurl_they_are_of(path):
    """A row and report.say() have it; what is printed otherwise must."""
    for call in ast.walk(ast.parse(path.read_text())):
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "print" and call.args:
            text = ast.unparse(call)
            assert not any(isinstance(part, ast.JoinedStr) for part in ast.walk(call)) or "libcurl" in text


def test_every_row_of_a_table_names_its_libcurl(monkeypatch, capsys):
    spec = importlib.util.spec_from_file_location("report", BENCH / "common" / "report.py")
    report = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "report", report)  # dataclasses look for it there
    spec.loader.exec_module(report)
    rows = [report.row("this", "that", [1.0, 2.0, 3.0]), report.Row("old", "", 1, 1, 1, "s", libcurl="7.1.2")]
    head, _, first, second = report.table(rows).splitlines()
    place = head.index("libcurl")
    assert first[place:].split()[0] == libcurl_version
    assert second[place:].split()[0] == "7.1.2"
    report.say("figures")
    assert libcurl_version in capsys.readouterr().out
