"""Reads sanitizer reports: .ci/leaks.py DIRECTORY. Prints those that are about us; fails if there are any.

A leak is ours when a frame of gaechannel._core is on the stack that allocated it. Every other report, such as
a use after free, is printed whoever caused it: CPython alone causes none.
"""

import re
import sys
from pathlib import Path

LEAK = re.compile(r"^(?:Direct|Indirect) leak of .*?(?=\n\n)", re.MULTILINE | re.DOTALL)
OURS = re.compile(r"/_core\.[^/\s]*so\b|\bcsrc/")

# From 3.12 on CPython keeps interned names for ever, the ones that it interns for us too.
INTERNED = re.compile(r" in (?:PyDict_SetItemString|PyObject_SetAttrString|PyUnicode_Intern\w+) ")

# What tracemalloc notes down of an object is its own to free.
TRACED = re.compile(r"^ +#[12] .*_tracemalloc\.c", re.MULTILINE)


# What looks for leaks reads the memory of threads that may just be ending.
LOST = "LeakSanitizer has encountered a fatal error"


def findings(report):
    if LOST in report and "ERROR: " not in report:
        return []
    if "ERROR: LeakSanitizer" in report:
        leaks = [leak for leak in LEAK.findall(report) if OURS.search(leak)]
        return [leak for leak in leaks if not INTERNED.search(leak) and not TRACED.search(leak)]
    return [report]


def main(directory):
    found = {finding for path in Path(directory).iterdir() for finding in findings(path.read_text())}
    print(*sorted(found), sep="\n\n", end="\n" if found else "")
    print(f"sanitizers: {len(found)} findings in our code")
    return 1 if found else 0


sys.exit(main(sys.argv[1]))
