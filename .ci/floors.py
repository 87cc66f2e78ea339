"""Draws who uses whom, in csrc/ and in gaechannel/, as floors; fails where that goes in a circle, or up.

A unit is a `.c` file with the header of its name, a header without one, or a Python module. In C, one uses
another by including its header or by naming a symbol that the other defines (the objects' symbol tables); in
Python, by importing it, at the top or inside a function. A unit's floor is one above the highest that it
uses.

Circles that are known and not yet undone stand in `.ci/circles`, a line each. That list may only shrink: a
new circle fails, and so does one that is there no more, or has become smaller, until its line says so.
"""

import argparse
import ast
import re
import subprocess
import sys
import textwrap
from collections import defaultdict
from pathlib import Path

# From the bottom to the top: each may use itself and those before it.
C_STOREYS = ("csrc/wire", "csrc/session", "csrc/net", "csrc/py")
PYTHON_STOREYS = ("gaechannel", "gaechannel/server/core", "gaechannel/server/http", "gaechannel/server")
# The tops may use all.
PYTHON_TOPS = ("gaechannel/cli", "gaechannel/__init__", "gaechannel/__main__", "gaechannel/testing")
# What stands alone: the server uses nothing of the client, but what knows neither of them.
APART = "gaechannel/server/"
SHARED = ("gaechannel/_checks",)
# Where the manual has the drawing from.
DRAWING = "docs/floors.txt"
# What a folder shows of several files: a unit of its own, whatever .c file is called the same.
CONTRACTS = ("csrc/session/session.h", "csrc/net/net.h")


class Failure(Exception):
    """What keeps the floors from being drawn."""


# ---- C ----


def c_unit(root, path):
    """The unit that a C file belongs to: its path without suffix, from the root."""
    name = path.relative_to(root).as_posix()
    return name if name in CONTRACTS else name.rpartition(".")[0]


def included(root, path):
    """The files of csrc/ that a file includes."""
    for name in re.findall(r'^\s*#\s*include\s+"([^"]+)"', path.read_text(), re.MULTILINE):
        for folder in (path.parent, root / "csrc"):
            if (found := (folder / name).resolve()).is_file():
                yield found
                break


def object_of(root, objects, source):
    """The newest object that was made of a source."""
    name = source.relative_to(root).with_suffix(".o")
    found = sorted(root.glob(f"{objects}/{name}"), key=lambda made: made.stat().st_mtime)
    if not found or found[-1].stat().st_mtime < source.stat().st_mtime:
        raise Failure(f"{name} is missing or older than its source: see .ci/floors")
    return found[-1]


def symbols(path):
    """The symbols that an object defines for others, and those that it wants of others."""
    listed = subprocess.run(["nm", "--format=posix", path], check=True, capture_output=True, text=True).stdout
    kinds = [line.split()[:2] for line in listed.splitlines()]
    defined = {name for name, kind in kinds if kind.isupper() and kind not in "UW"}
    return defined, {name for name, kind in kinds if kind == "U"}


def c_uses(root, objects):
    """Each unit of csrc/ with those it uses."""
    uses = defaultdict(set)
    homes, wants = {}, {}
    for path in sorted((root / "csrc").rglob("*.[ch]")):
        unit = c_unit(root, path)
        uses[unit] |= {c_unit(root, found) for found in included(root, path)}
        if path.suffix == ".c":
            defined, wants[unit] = symbols(object_of(root, objects, path))
            homes |= dict.fromkeys(defined, unit)
    for unit, wanted in wants.items():
        uses[unit] |= {homes[name] for name in wanted if name in homes}
    return {unit: used - {unit} for unit, used in uses.items()}


def c_storey(unit):
    """A unit's folder right under csrc/, as a place in C_STOREYS."""
    folder = "/".join(unit.split("/")[:2])
    if folder not in C_STOREYS:
        raise Failure(f"{unit} is in no folder that the guard knows")
    return C_STOREYS.index(folder)


# ---- Python ----


def python_unit(root, path):
    """The unit that a module is: its path without suffix; for a package, the package's `__init__`."""
    return path.relative_to(root).with_suffix("").as_posix()


def module_at(root, parts):
    """The unit that an absolute name means, or None if it is no module of this package."""
    at = root.joinpath(*parts)
    if at.with_suffix(".py").is_file() and parts:
        return python_unit(root, at.with_suffix(".py"))
    return python_unit(root, at / "__init__.py") if (at / "__init__.py").is_file() else None


def imported(root, path):
    """The units that a module imports."""
    package = path.relative_to(root).parent.parts
    for node in ast.walk(ast.parse(path.read_text(), path)):
        if isinstance(node, ast.Import):
            names = [tuple(alias.name.split(".")) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            base += tuple((node.module or "").split(".")) if node.module else ()
            # `from package import module` uses the module alone.
            names = [
                (*base, alias.name) if module_at(root, (*base, alias.name)) or is_core(base, alias) else base
                for alias in node.names
            ]
        else:
            continue
        for name in names:
            if name[:1] == ("gaechannel",) and (unit := module_at(root, name)) is not None:
                yield unit


def is_core(base, alias):
    """Whether it is the C module that is imported."""
    return base == ("gaechannel",) and alias.name == "_core"


def python_uses(root):
    """Each module of gaechannel/ with those it uses."""
    return {
        (unit := python_unit(root, path)): set(imported(root, path)) - {unit}
        for path in sorted((root / "gaechannel").rglob("*.py"))
    }


def python_storey(unit):
    """A module's folder as a place in PYTHON_STOREYS, or above them all."""
    if any(unit == top or unit.startswith(f"{top}/") for top in PYTHON_TOPS):
        return len(PYTHON_STOREYS)
    folder = unit.rpartition("/")[0]
    return PYTHON_STOREYS.index(folder) if folder in PYTHON_STOREYS else len(PYTHON_STOREYS)


# ---- Circles and floors ----


def circles(uses):
    """The sets of units that use each other, directly or through others (Tarjan's strong components)."""
    found, numbers, lowest, path = [], {}, {}, []

    def visit(unit):
        numbers[unit] = lowest[unit] = len(numbers)
        path.append(unit)
        for used in sorted(uses[unit]):
            if used not in numbers:
                visit(used)
            if used in path:
                lowest[unit] = min(lowest[unit], lowest[used])
        if lowest[unit] == numbers[unit]:
            first = path.index(unit)
            found.append(frozenset(path[first:]))
            del path[first:]

    for unit in sorted(uses):
        if unit not in numbers:
            visit(unit)
    return {circle for circle in found if len(circle) > 1}


def floors(uses, going_round):
    """Each unit's floor; those of a circle stand on one."""
    together = {unit: circle for circle in going_round for unit in circle}
    floor = {}

    def of(unit):
        if unit not in floor:
            with_it = together.get(unit, frozenset({unit}))
            below = {used for member in with_it for used in uses[member]} - with_it
            height = 1 + max((of(used) for used in below), default=0)
            floor.update(dict.fromkeys(with_it, height))
        return floor[unit]

    return {unit: of(unit) for unit in sorted(uses)}


def upwards(uses, storey):
    """What goes from a folder to one above it."""
    for unit in sorted(uses):
        for used in sorted(uses[unit]):
            if storey(used) > storey(unit):
                yield f"upward: {unit} uses {used}"


def across(uses):
    """What the server uses of the rest of the package, and what is both's and uses that."""
    for unit in SHARED:
        for used in sorted(uses.get(unit, ())):
            yield f"what client and server share is to stand alone: {unit} uses {used}"
    for unit in sorted(uses):
        for used in sorted(uses[unit]):
            if unit.startswith(APART) and not used.startswith(APART) and used not in SHARED:
                yield f"the server is to stand alone: {unit} uses {used}"


def compare(found, listed):
    """What is to be said of circles that are not listed as they are."""
    for circle in sorted(map(sorted, found - listed)):
        known = [old for old in listed if set(circle) <= old]
        word = "a listed circle has become smaller; its line is to be" if known else "a new circle:"
        yield f"{word} {' '.join(circle)}"
    for circle in sorted(map(sorted, listed - found)):
        yield f"listed, but no circle any more: {' '.join(circle)}"


def draw(house, uses, storey, folders):
    """The floors of each folder, from the top, as lines of text."""
    for place, folder in reversed([*enumerate(folders), (len(folders), house)]):
        inside = {unit for unit in uses if storey(unit) == place}
        within = {unit: uses[unit] & inside for unit in inside}
        by_floor = defaultdict(list)
        for unit, floor in floors(within, circles(within)).items():
            by_floor[floor].append(unit.removeprefix(f"{folder}/"))
        if inside:
            yield folder if place < len(folders) else f"{folder}: the tops"
        for floor in sorted(by_floor, reverse=True):
            shown = " ".join(by_floor[floor])
            yield from textwrap.wrap(shown, 96, initial_indent=f"{floor:4}  ", subsequent_indent=" " * 6)
        if inside:
            yield ""


def keep(path, drawing, writes):
    """Print the drawing; write it, or find that the one that is shown in the manual is another."""
    print(drawing)
    if writes:
        path.write_text(drawing)
    elif path.exists() and path.read_text() != drawing:
        yield f"{DRAWING} is not what the code says any more: .ci/floors --write"


def main():
    parser = argparse.ArgumentParser(description="Draw the floors of csrc/ and gaechannel/; fail on circles.")
    parser.add_argument("--root", type=Path, default=Path.cwd(), help="the project's directory")
    parser.add_argument("--objects", default="build/floors/temp*", help="where the objects are, from there")
    parser.add_argument("--write", action="store_true", help=f"put the drawing into {DRAWING}")
    given = parser.parse_args()
    root = given.root.resolve()
    listed = {
        frozenset(line.split())
        for line in (root / ".ci/circles").read_text().splitlines()
        if line.strip() and not line.startswith("#")
    }
    faults, found, drawn = [], set(), []
    try:
        houses = [
            ("csrc", c_uses(root, given.objects), c_storey, C_STOREYS),
            ("gaechannel", python_uses(root), python_storey, PYTHON_STOREYS),
        ]
        for house, uses, storey, names in houses:
            drawn += draw(house, uses, storey, names)
            faults += [*upwards(uses, storey), *across(uses)]
            found |= circles(uses)
    except Failure as failure:
        sys.exit(f"floors: {failure}")
    faults += compare(found, listed)
    faults += keep(root / DRAWING, "\n".join(drawn), given.write)
    for fault in faults:
        print(f"floors: {fault}", file=sys.stderr)
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
