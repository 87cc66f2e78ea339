"""Nothing is published under another version's tag, without a word in the changelog, or without addresses."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

URLS = """
[project.urls]
Repository = "https://example.org/r"
Documentation = "https://example.org/d"
Changelog = "https://example.org/c"
Issues = "https://example.org/i"

[build-system]"""


@pytest.fixture
def tree(tmp_path):
    """A copy of what is looked at, version 1.2.3, with all that a release is to have."""
    (tmp_path / "wheels").mkdir()
    for name in ("wheels/ready.py", "pyproject.toml", "CHANGELOG.rst"):
        shutil.copy(ROOT / name, tmp_path / name)
    project = (tmp_path / "pyproject.toml").read_text()
    project = re.sub(r'(?m)^version = "[^"]*"', 'version = "1.2.3"', project)
    project = re.sub(r"(?ms)^\[project\.urls\]$.*?(?=^\[)", "", project)
    (tmp_path / "pyproject.toml").write_text(project.replace("[build-system]", URLS.lstrip(), 1))
    changelog = (tmp_path / "CHANGELOG.rst").read_text()
    changelog = re.sub(r"\n\n.+\n-+\n", "\n\n1.2.3 (2026-12-01)\n------------------\n", changelog, count=1)
    (tmp_path / "CHANGELOG.rst").write_text(changelog)
    return tmp_path


@pytest.fixture
def ready(tree):
    """Returns a function: what there is to say against a tag."""

    def ready(tag="v1.2.3"):
        command = [sys.executable, tree / "wheels" / "ready.py", tag]
        done = subprocess.run(command, capture_output=True, text=True)
        lines = done.stderr.splitlines()
        assert done.returncode == (1 if lines else 0)
        return [line.removeprefix("gaechannel: not ready: ") for line in lines]

    return ready


def change(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_what_is_complete_is_ready(ready):
    assert ready() == []


@pytest.mark.parametrize("tag", ["v1.2.4", "1.2.3", "v1.2.3.post1"])
def test_another_versions_tag(ready, tag):
    assert ready(tag) == [f"the tag is {tag}, and pyproject.toml says 1.2.3"]


@pytest.mark.parametrize(
    "heading", ["1.2.2 (2026-12-01)", "1.2.3", "1.2.3 (unreleased)", "1x2.3 (2026-12-01)"]
)
def test_a_changelog_that_does_not_tell_of_it(ready, tree, heading):
    change(tree / "CHANGELOG.rst", "1.2.3 (2026-12-01)", heading)
    assert ready() == [f'CHANGELOG.rst begins with "{heading}", not with 1.2.3 and its date']


def test_addresses_that_are_missing_or_no_addresses_are_named(ready, tree):
    change(tree / "pyproject.toml", 'Changelog = "https://example.org/c"\n', "")
    change(tree / "pyproject.toml", '"https://example.org/i"', '"the issues"')
    assert ready() == ["pyproject.toml has no address under [project.urls] for Changelog, Issues"]


def test_a_release_asks_before_it_builds():
    workflow = (ROOT / ".github" / "workflows" / "release.yml").read_text()
    assert workflow.index('wheels/ready.py "$GITHUB_REF_NAME"') < workflow.index("make wheels")
