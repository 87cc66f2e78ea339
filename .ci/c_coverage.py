"""Adds up gcov's JSON (a document a line on stdin) and prints a table of C files with their missed lines."""

import json
import sys
from collections import defaultdict
from pathlib import Path


def ranges(numbers):
    """1, 2, 3, 7 → "1-3, 7"."""
    runs = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in runs)


def main():
    # A header's inline functions are counted once in each file that includes it.
    counts = defaultdict(lambda: defaultdict(int))
    for document in sys.stdin:
        for file in json.loads(document)["files"]:
            # Tests that compile C programs of their own name the sources by their full path.
            name = file["file"].removeprefix(f"{Path.cwd()}/")
            if name.startswith("csrc/"):
                for line in file["lines"]:
                    counts[name][line["line_number"]] += line["count"]

    report(counts)


def share(lines):
    missed = [number for number, count in sorted(lines) if not count]
    return f"{len(lines):5} lines {100 * (len(lines) - len(missed)) / len(lines):5.1f} %", missed


def report(counts):
    every = []
    for folder in sorted({str(Path(name).parent) for name in counts}):
        files = {
            name: list(lines.items()) for name, lines in counts.items() if str(Path(name).parent) == folder
        }
        inside = [line for lines in files.values() for line in lines]
        every += inside
        print(f"{folder:24} {share(inside)[0]}")
        for name in sorted(files):
            summary, missed = share(files[name])
            print(f"  {Path(name).name:22} {summary}  {ranges(missed)}".rstrip())
    if every:
        print(f"{'all':24} {share(every)[0]}")


main()
