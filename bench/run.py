"""Runs all benchmarks, short, and prints two tables: the rows that have a goal, and what is only to be seen.

python bench/run.py [--long] [NAME…]
"""

import argparse
import pathlib
import platform
import subprocess
import sys
import tempfile

from common import report

HERE = pathlib.Path(__file__).parent
# And what makes each of them short.
SHORT = {
    "decode": ["--turns"],
    "objects": ["--short", "--peers", "orjson"],
    "stream": ["--short"],
    "latency": ["--short"],
    "side_effects": ["--short"],
    "channels": ["--short"],
    "opening": ["--short"],
    "neighbours": ["--short"],
    "tls": ["--short"],
    "browser": ["--short"],
    "server": ["--short"],
    "nodes": ["--short", "--only", "compare", "idle"],
}


def run(name: str, short: bool, folder: pathlib.Path) -> list[report.Row]:
    """A benchmark's rows; none, and a word about it, if it fails."""
    rows = folder / f"{name}.json"
    command = [sys.executable, str(HERE / f"{name}.py"), "--rows", str(rows), *(SHORT[name] if short else [])]
    print(f"{name} …", flush=True)
    # pyperf's and the benchmarks' own words are of interest only where they are run alone, or fail.
    done = subprocess.run(command, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0 or not rows.exists():
        print(f"{name} failed:\n{done.stdout[-2000:]}", file=sys.stderr)
        return []
    return report.read_rows(rows)


def main() -> None:
    """Run those that are named, or all there are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=[], metavar="NAME", help=", ".join(SHORT))
    parser.add_argument("--long", action="store_true", help="as long as each runs alone")
    options = parser.parse_args()
    names = options.names or [name for name in SHORT if (HERE / f"{name}.py").exists()]
    with tempfile.TemporaryDirectory() as folder:
        rows = [row for name in names for row in run(name, not options.long, pathlib.Path(folder))]
    print(f"\n{platform.python_implementation()} {platform.python_version()}, {platform.machine()}\n")
    print(report.table([row for row in rows if row.goal is not None]))
    print("\nWithout a goal:\n")
    print(report.table([row for row in rows if row.goal is None]))


if __name__ == "__main__":
    main()
