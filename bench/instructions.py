"""Instruction counts of the C code's decode cases: they repeat, where times do not.

    python bench/instructions.py           compare with bench/instructions.json; fail where one has grown 5 %
    python bench/instructions.py --write   take what is counted now as what will be compared with
    python bench/instructions.py --narrow  count what runs on a processor without AVX2 (with --write, too)

Counted by valgrind for a small C program (common/decode_driver.c), so that the interpreter has no part in it.
They depend on the compiler, so each has counts of its own; for one not in the file, only what must hold
of any is looked at: that no case costs many instructions a byte.
"""

import argparse
import json
import os
import pathlib
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

from common import bodies, building

HERE = pathlib.Path(__file__).parent
COUNTS = HERE / "instructions.json"
FLAGS = ["-std=c11", "-O3", "-D_GNU_SOURCE"]
BODY_BYTES = 100_000
TOLERANCE = 0.05
# Instructions a byte of a body of 32 kB messages, with any compiler that optimizes.
MOST_A_BYTE = {"ASCII": 2.5, "ASCII with escapes": 14.0, "non-ASCII": 20.0, "\\u escapes": 18.0}


def compiler(narrow: bool) -> str:
    """What the counts depend on: the compiler, its major version, the processor and the flags."""
    command = shlex.split(os.environ.get("CC") or "cc")
    words = subprocess.check_output([*command, "--version"], text=True).splitlines()[0]
    version = subprocess.check_output([*command, "-dumpversion"], text=True).split(".")[0].strip()
    name = "clang" if "clang" in words else "gcc"
    # What the code chooses by, at run time.
    cpu = pathlib.Path("/proc/cpuinfo")
    has_avx2 = cpu.exists() and "avx2" in cpu.read_text().split()
    wide = ", AVX2" if has_avx2 and not narrow else ""
    return f"{name} {version}, {platform.machine()}{wide}, {' '.join(FLAGS)}"


def build(folder: pathlib.Path, narrow: bool) -> pathlib.Path:
    """The program, with the extension module's flags."""
    command = shlex.split(os.environ.get("CC") or "cc")
    csrc = building.ROOT / "csrc"
    sources = [HERE / "common" / "decode_driver.c", *sorted(csrc.glob("wire/**/*.c"))]
    program = folder / "decode_driver"
    defines = ["-DWIRE_NO_WIDE"] if narrow else []
    subprocess.run([*command, *FLAGS, *defines, f"-I{csrc}", *sources, "-o", program], check=True)
    return program


def collected(program: pathlib.Path, body: pathlib.Path, passes: int) -> int:
    """All instructions of a run."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", str(program), str(body)]
    done = subprocess.run([*command, str(passes)], check=True, text=True, capture_output=True)
    found = re.search(r"Collected\s*:\s*(\d+)", done.stderr)
    assert found, done.stderr
    return int(found[1])


def count(program: pathlib.Path, folder: pathlib.Path) -> dict[str, float]:
    """For each case, the instructions a message: of three passes less those of one."""
    counts = {}
    for kind in bodies.KINDS + bodies.MORE_KINDS:
        for name, size in bodies.SIZES.items():
            number = bodies.count_for(size, BODY_BYTES)
            body = folder / "body"
            body.write_bytes(bodies.body(kind, size, number))
            counted = collected(program, body, 3) - collected(program, body, 1)
            counts[f"{kind}, {name}"] = round(counted / 2 / number, 1)
    return counts


def compare(now: dict[str, float], before: dict[str, float]) -> list[str]:
    """What has grown too much, in words."""
    return [
        f"{case}: {now[case]} instructions a message, {now[case] / before[case] - 1:+.1%}"
        for case in now
        if case in before and now[case] > before[case] * (1 + TOLERANCE)
    ]


def check_any(now: dict[str, float]) -> list[str]:
    """What must hold with every compiler."""
    words = []
    for kind, most in MOST_A_BYTE.items():
        a_byte = now[f"{kind}, 32 kB"] / bodies.SIZES["32 kB"]
        if a_byte > most:
            words.append(f"{kind}: {a_byte:.1f} instructions a byte, more than {most}")
    return words


def main() -> int:
    """Count, and compare or write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write bench/instructions.json")
    parser.add_argument("--narrow", action="store_true", help="what runs where there is no AVX2")
    options = parser.parse_args()
    if shutil.which("valgrind") is None:
        print("bench/instructions.py: valgrind is not installed", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        now = count(build(folder, options.narrow), folder)
    known = json.loads(COUNTS.read_text()) if COUNTS.exists() else {}
    key = compiler(options.narrow)
    for case, instructions in now.items():
        before = known.get(key, {}).get(case)
        change = f"{instructions / before - 1:+7.1%}" if before else ""
        print(f"{case:28} {instructions:12,.1f} instructions a message {change}")
    if options.write:
        known[key] = now
        COUNTS.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
        return 0
    if key not in known:
        print(f"no counts of {key} to compare with: looked only at what must hold of any")
    grown = compare(now, known.get(key, {})) + check_any(now)
    for words in grown:
        print(f"GROWN: {words}", file=sys.stderr)
    return 1 if grown else 0


if __name__ == "__main__":
    sys.exit(main())
