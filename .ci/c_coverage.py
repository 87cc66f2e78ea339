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
            if file["file"].startswith("csrc/"):
                for line in file["lines"]:
                    counts[file["file"]][line["line_number"]] += line["count"]

    rows = [
        (name, len(lines), [number for number, count in sorted(lines.items()) if not count])
        for name, lines in sorted(counts.items())
    ]
    total, missed = sum(row[1] for row in rows), sum(len(row[2]) for row in rows)
    for folder in sorted({str(Path(row[0]).parent) for row in rows}):
        print(folder)
        for name, lines, missing in rows:
            if str(Path(name).parent) == folder:
                share = 100 * (lines - len(missing)) / lines
                print(f"  {Path(name).name:22} {lines:5} lines {share:5.1f} %  {ranges(missing)}".rstrip())
    if total:
        print(f"all: {total} lines, {100 * (total - missed) / total:.1f} % run")


main()
