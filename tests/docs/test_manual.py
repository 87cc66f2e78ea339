"""The manual builds without a warning and without a network, and its drawings are what their texts say."""

import re
import subprocess
import sys

import pytest
from rst_blocks import ROOT

sys.path.insert(0, str(ROOT / "docs" / "exchanges"))
import draw

DRAWINGS = sorted((ROOT / "docs" / "exchanges").glob("*.txt"))


def test_the_manual_builds_without_a_warning(tmp_path):
    pytest.importorskip("furo", reason="the manual's theme is not installed: .ci/setup docs")
    pytest.importorskip("sphinx_copybutton", reason="sphinx-copybutton is not installed: .ci/setup docs")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "-n", "-b", "html", str(ROOT / "docs"), str(tmp_path)],
        capture_output=True,
        text=True,
        # Nothing is fetched: neither names of others nor anything else.
        env={"PATH": "", "https_proxy": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "python.org/3/library/ssl.html#ssl.SSLContext" in (tmp_path / "reference-server.html").read_text()


@pytest.mark.parametrize("file", DRAWINGS, ids=lambda file: file.stem)
def test_a_drawing_is_what_its_text_says(file):
    assert file.with_suffix(".svg").read_text(encoding="utf-8") == draw.draw(file)


@pytest.mark.parametrize("file", DRAWINGS, ids=lambda file: file.stem)
def test_lengths_in_a_drawing_count_utf_16_units(file):
    _, steps = draw.parse(file.read_text(encoding="utf-8"))
    for kind, _, _, words in steps:
        if (found := re.search(r"(\d+)⏎ (.*)", words)) and kind == "way":
            assert int(found[1]) == len(found[2].encode("utf-16-le")) // 2, words


def test_a_line_that_is_no_step_is_named():
    with pytest.raises(ValueError, match="not a step: a says b"):
        draw.parse("# title\nparties: a | b\na says b\n")


@pytest.mark.parametrize("name", ["README.rst", "SECURITY.rst", "CONTRIBUTING.rst", "RELEASING.rst"])
def test_files_that_are_named_are_there(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    named = set(re.findall(r"``((?:docs|examples|bench|fuzz|tests|\.ci|\.github)/[\w./-]+)``", text))
    named |= set(re.findall(r"<([\w./-]+\.rst)>", text)) | set(re.findall(r"image:: (\S+)", text))
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_readme_is_short():
    assert len((ROOT / "README.rst").read_text(encoding="utf-8").splitlines()) < 250


def test_the_manual_names_nobody_s_machine():
    for file in [*ROOT.glob("*.rst"), *(ROOT / "docs").rglob("*.rst"), *(ROOT / "examples").iterdir()]:
        if "_build" not in file.parts and file.is_file():
            assert re.findall(r"/work/|/root/|/home/", file.read_text(encoding="utf-8")) == [], file
