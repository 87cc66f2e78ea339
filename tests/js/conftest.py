"""Fixtures of the npm package's tests."""

from js_package import packed, run, run_text  # noqa: F401
