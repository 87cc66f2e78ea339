"""The sdist: all that is needed to build, test, fuzz, measure and document, and nothing that builds leave."""

import pytest


def test_sdist_holds_every_source_of_the_tree(tree, unpacked):
    for folder in (
        "csrc",
        "gaechannel",
        "tests",
        "fuzz",
        "bench",
        "docs",
        "wheels",
        ".ci",
        ".github",
        "js/src",
        "js/test",
    ):
        for path in (tree / folder).rglob("*"):
            if path.is_file():
                assert (unpacked / path.relative_to(tree)).is_file(), path


@pytest.mark.parametrize(
    "name", ["LICENSE", "COPYING", "CHANGELOG.rst", "README.rst", "Makefile", "pyproject.toml", "setup.py"]
)
def test_sdist_holds(unpacked, name):
    assert (unpacked / name).stat().st_size > 0


def test_sdist_holds_nothing_built(unpacked):
    built = {".so", ".o", ".pyc", ".gcda", ".gcno"}
    assert [path for path in unpacked.rglob("*") if path.suffix in built] == []
