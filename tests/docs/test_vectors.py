"""The published test vectors are this project's own cases; their runners tell right readers from wrong."""

import json
import os
import runpy
import shutil
import subprocess
import sys

import pytest
from rst_blocks import ROOT

VECTORS = ROOT / "docs" / "vectors"
MAKE = runpy.run_path(str(VECTORS / "make.py"))

# How each is run, and what makes its reader count characters where the protocol counts UTF-16 units.
RUNNERS = {
    "run.py": ([sys.executable, "{file}"], 'units -= 2 if self.text[end] > "\\uffff" else 1', "units -= 1"),
    "run.mjs": (
        ["node", "{file}"],
        "this.text.slice(begin, end);",
        "Array.from(this.text.slice(begin)).slice(0, end - begin).join('');",
    ),
    "run.go": (["go", "run", "{file}"], "character > 0xffff", "false"),
    "run.rs": (["{folder}/run"], "character.len_utf16()", "1"),
}


def run(name, folder, source):
    """What the runner with that source says, and its status."""
    file = folder / name
    file.write_text(source, encoding="utf-8")
    if name == "run.rs":
        subprocess.run(["rustc", "-o", "run", name], cwd=folder, check=True, capture_output=True)
    command = [part.format(file=file, folder=folder) for part in RUNNERS[name][0]]
    vectors = VECTORS / f"framing-1.{'tsv' if name == 'run.rs' else 'json'}"
    done = subprocess.run(
        [*command, str(vectors)],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONUTF8": "1", "GO111MODULE": "off", "GOTOOLCHAIN": "local"},
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("name", RUNNERS)
def test_a_runner_passes_a_right_reader_and_fails_a_wrong_one(name, tmp_path):
    tool = {"run.mjs": "node", "run.go": "go", "run.rs": "rustc"}.get(name)
    if tool is not None and shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    source = (VECTORS / name).read_text(encoding="utf-8")
    count = len(json.loads((VECTORS / "framing-1.json").read_text())["cases"])
    assert run(name, tmp_path, source) == (0, f"{count} cases, 0 failures\n")
    _, right, wrong = RUNNERS[name]
    assert source.count(right) == 1
    status, words = run(name, tmp_path, source.replace(right, wrong))
    assert status == 1, words
    assert "lengths in UTF-16 units, in pieces of " in words


def test_what_is_published_is_made_of_the_cases():
    for name, text in MAKE["made"]().items():
        assert (VECTORS / name).read_text(encoding="utf-8") == text, f"run docs/vectors/make.py: {name}"


def test_each_kind_of_fault_is_among_the_vectors():
    cases = json.loads((VECTORS / "framing-1.json").read_text())["cases"]
    assert {case["fault"] for case in cases} == {None, "truncated", "framing", "literal"}
    assert {case["kind"] for case in cases} == {"plain", "tolerated", "fault"}
    assert sum(case["kind"] == "tolerated" for case in cases) == len(MAKE["TOLERATED"])
