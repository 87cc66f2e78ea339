"""Draws which locks the C core's threads wait for while they hold others; fails where that goes in a circle.

What lock_trace.c has noted is read here, and its addresses are made places in the code. Only who waits can
hang: a lock that is tried, and left where another thread has it, is drawn apart. Where the waits make no
circle, threads cannot wait for each other, in whatever order they run; and nobody may wait for a lock of a
kind that he has.
"""

import argparse
import itertools
import subprocess
import sys
from collections import defaultdict
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

GIL = "the GIL"
LOOP = "the lock of a loop"
# CPython's locks, by the file that takes them; those of pthread are the loops'.
CPYTHONS = {"iterators/merge.c": "the turn of a merge()", "decoder.c": "the lock of a decoder"}
# Where the manual has the drawing from.
DRAWING = "docs/locks.txt"


class Failure(Exception):
    """What keeps the locks from being drawn."""


def places(library, addresses):
    """For each address, (function, file of csrc/py/) of the call."""
    # What a call returns to stands after it, and may be of another line.
    asked = [hex(int(address, 16) - 1) for address in addresses]
    told = subprocess.run(
        ["addr2line", "-f", "-e", library, *asked], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return {
        address: (function, file.partition(":")[0].rpartition("csrc/py/")[2])
        for address, function, file in zip(addresses, told[::2], told[1::2], strict=True)
    }


def waits_noted(folder, library):
    """{"waits": {(held, taken): {where}}, "tries": …}, by kinds of locks, of all processes."""
    steps = {tuple(line.split()) for file in folder.iterdir() for line in file.read_text().splitlines()}
    found = places(library, sorted({end[1:] for *ends, _ in steps for end in ends if end[0] != "G"}))

    def kind(end):
        whose, address = end[0], end[1:]
        if whose != "p":
            return GIL if whose == "G" else LOOP
        function, file = found[address]
        if file not in CPYTHONS:
            raise Failure(f"{function}() in csrc/py/{file} takes a lock that .ci/locks.py has no name for")
        return CPYTHONS[file]

    noted = {"waits": defaultdict(set), "tries": defaultdict(set)}
    for held, taken, how in steps:
        where = found[taken[1:]] if taken[0] != "G" else found[held[1:]]
        noted[how][kind(held), kind(taken)].add("{}() in {}".format(*where))
    return noted


def draw(noted):
    """The drawing: a line for each pair of kinds."""
    for how, verb in ("waits", "waits for"), ("tries", "only tries"):
        for held, taken in sorted(noted[how]):
            yield f"who has {held:<23}{verb:<12}{taken}"


def faults_of(noted):
    """A line for each circle of waits."""
    waits = noted["waits"]
    uses = defaultdict(set)
    for held, taken in waits:
        if held == taken:
            yield f"{held} is waited for while another is held: {', '.join(sorted(waits[held, taken]))}"
        else:
            uses[held].add(taken)
    try:
        TopologicalSorter(uses).prepare()
    except CycleError as error:
        yield "threads can wait for each other: " + ", ".join(
            f"who holds {held} waits for {taken} ({', '.join(sorted(waits[held, taken]))})"
            for taken, held in itertools.pairwise(error.args[1])
        )


def main():
    parser = argparse.ArgumentParser(description="Draw the order of the C core's locks; fail on circles.")
    parser.add_argument(
        "--steps", type=Path, default="build/floors/steps", help="the folder of what was noted"
    )
    parser.add_argument("--library", type=Path, help="the extension module (that in build/floors/lib)")
    parser.add_argument("--write", action="store_true", help=f"put the drawing into {DRAWING}")
    given = parser.parse_args()
    library = given.library or next(Path("build/floors/lib/gaechannel").glob("_core*.so"))
    try:
        noted = waits_noted(given.steps, library)
    except Failure as failure:
        sys.exit(f"locks: {failure}")
    drawn = list(draw(noted))
    print("\n".join(drawn))
    faults = list(faults_of(noted))
    if given.write:
        Path(DRAWING).write_text("\n".join(drawn) + "\n")
    # Not each run meets all that is only tried.
    elif unknown := set(drawn) - set(Path(DRAWING).read_text().splitlines()):
        faults.append(f"{DRAWING} does not know that {'; '.join(sorted(unknown))}: .ci/floors --write")
    for fault in faults:
        print(f"locks: {fault}", file=sys.stderr)
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
