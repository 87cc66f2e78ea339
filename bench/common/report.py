"""What a benchmark has measured, as rows that bench/run.py gathers into one table."""

import argparse
import dataclasses
import json
import os
import pathlib
import statistics
from collections.abc import Sequence
from typing import TextIO

from gaechannel._core import libcurl_version


@dataclasses.dataclass
class Row:
    """One comparison."""

    # What was measured, and against what.
    what: str
    against: str
    # The value in the middle, and the ones that leave a quarter of all below and above them.
    value: float
    low: float
    high: float
    unit: str
    # What docs/performance.rst has as the goal: "3 ×" at least, or at most; None: no goal, only to be seen.
    goal: float | None = None
    at_most: bool = False
    # That of the process that measured: much depends on it.
    libcurl: str = libcurl_version

    @property
    def reached(self) -> bool | None:
        """Whether the goal is reached; None where there is none."""
        if self.goal is None:
            return None
        shown = float(_short(self.value))  # not another verdict than the number that is printed
        return shown <= self.goal if self.at_most else shown >= self.goal

    def cells(self) -> tuple[str, ...]:
        """The row of the table."""
        goal = "" if self.goal is None else f"{'≤' if self.at_most else '≥'} {self.goal:g} {self.unit}"
        verdict = {None: "", True: "reached", False: "NOT REACHED"}[self.reached]
        spread = f"{_short(self.low)} … {_short(self.high)}"
        return (
            self.what,
            self.against,
            f"{_short(self.value)} {self.unit}",
            spread,
            self.libcurl,
            goal,
            verdict,
        )


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def row(what: str, against: str, values: Sequence[float], unit: str = "×", **goal: object) -> Row:
    """A row from many values of the same."""
    ordered = sorted(values)
    low, high = ordered[0], ordered[-1]
    if len(ordered) >= 4:
        low, _, high = statistics.quantiles(ordered, n=4)
    return Row(what, against, statistics.median(ordered), low, high, unit, **goal)  # type: ignore[arg-type]


def table(rows: Sequence[Row]) -> str:
    """The rows in columns."""
    cells = [("what", "against", "measured", "spread", "libcurl", "goal", ""), *(row.cells() for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(7)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def arguments(description: str | None) -> argparse.ArgumentParser:
    """A parser of what every benchmark takes."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--short", action="store_true", help="fewer and shorter runs")
    parser.add_argument("--rows", type=pathlib.Path, help="write the rows to this file, as JSON")
    return parser


def libcurl_is(*least: int) -> bool:
    """Whether this process has such a libcurl or a newer one: 8, 7."""
    return tuple(int(part) for part in libcurl_version.split(".")[: len(least)]) >= least


def say(text: str, file: TextIO | None = None) -> None:
    """Print a line of figures that are no row, with the libcurl that they were measured with."""
    print(f"{text}  libcurl {libcurl_version}", file=file, flush=True)


def finish(rows: Sequence[Row], options: argparse.Namespace) -> None:
    """Print the rows, and write them where they are wanted."""
    print(table(rows), flush=True)
    if options.rows:
        write_rows(rows, options.rows)


def write_rows(rows: Sequence[Row], path: str | pathlib.Path) -> None:
    """For bench/run.py."""
    pathlib.Path(path).write_text(json.dumps([dataclasses.asdict(row) for row in rows]))


def read_rows(path: pathlib.Path) -> list[Row]:
    """The rows that a benchmark has written."""
    return [Row(**fields) for fields in json.loads(path.read_text())]


def clean_environment() -> None:
    """No proxy may come between a benchmark and 127.0.0.1."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        os.environ.pop(name, None)
        os.environ.pop(name.upper(), None)
