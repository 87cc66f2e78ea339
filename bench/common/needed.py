"""Where a package is missing that a benchmark needs, one line that says what to run."""

import sys
import tomllib
from pathlib import Path
from types import TracebackType


def _of_benchmarks(module: str) -> bool:
    """Whether a module comes with the extra `bench`."""
    project = Path(__file__).parents[2] / "pyproject.toml"
    extras = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    return any(requirement.split()[0] == module for requirement in extras["bench"])


def _explain(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if isinstance(error, ModuleNotFoundError) and error.name and _of_benchmarks(error.name.split(".")[0]):
        words = (
            f"{sys.argv[0]}: {error.name} is missing: `make .venv/.bench` installs what the benchmarks need"
        )
        print(words, file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


def explain_missing() -> None:
    """From now on a program that ends because of such a package says so in one line."""
    sys.excepthook = _explain
