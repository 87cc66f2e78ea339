"""Programs of the tests that are in C: how they are compiled, and the names of their cases.

CC names the compiler. With GAECHANNEL_SANITIZE=1 in the environment, AddressSanitizer and
UndefinedBehaviorSanitizer watch; with GAECHANNEL_COVERAGE=1, lines are counted; with GAECHANNEL_WERROR=1, the
compiler's warnings are errors.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CSRC = Path(__file__).parents[2] / "csrc"
#: Where check.h and failing.h are.
_SHARED = Path(__file__).parents[1] / "wire"

COMPILER = shlex.split(os.environ.get("CC", "cc"))
FLAGS = ["-std=c11", "-O1", "-g", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", f"-I{CSRC}", f"-I{_SHARED}"]
if os.environ.get("GAECHANNEL_WERROR") == "1":
    FLAGS += ["-Werror"]
if os.environ.get("GAECHANNEL_SANITIZE") == "1":
    FLAGS += ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
if os.environ.get("GAECHANNEL_COVERAGE") == "1":
    FLAGS += ["--coverage", "-O0"]

#: What is compiled with these takes its memory from failing.h.
FAILING = [f"-D{name}=failing_{name}" for name in ("malloc", "calloc", "realloc", "strdup", "strndup")]

needs_compiler = pytest.mark.skipif(shutil.which(COMPILER[0]) is None, reason="no C compiler")


def library_to_preload(source, folder, *packages):
    """What the source becomes as a library, in the folder; it may include the headers of packages that
    pkg-config knows."""
    flags = ["-std=c11", "-O1", "-Wall", "-Wextra", "-shared", "-fPIC"]
    if packages:
        if shutil.which("pkg-config") is None:
            pytest.skip(f"there is no pkg-config, to find the headers of {' '.join(packages)} by")
        ask = ["pkg-config", "--cflags", *packages]
        flags += subprocess.run(ask, check=True, capture_output=True, text=True).stdout.split()
    library = folder / f"{source.stem}.so"
    subprocess.run([*COMPILER, *flags, source, "-o", library, "-ldl"], check=True)
    return library


def preloading(library):
    """The LD_PRELOAD that adds the library to what is preloaded already, as a sanitizer is."""
    return ":".join([*filter(None, [os.environ.get("LD_PRELOAD")]), str(library)])


def words_with(library, program, *arguments):
    """What a Python program prints, by words, with the library preloaded, whose path it is given first."""
    done = subprocess.run(
        [sys.executable, "-c", program, library, *arguments],
        env={**os.environ, "LD_PRELOAD": preloading(library)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def case_names(source):
    """The names that the program's `--list` will print; pytest wants them before anything is built."""
    return re.findall(r"^ +CASE\((\w+)\),$", source.read_text(), re.MULTILINE)


def cases_beside(file):
    """(program, case) of all programs test_*.c in a test's folder."""
    sources = sorted(Path(file).parent.glob("test_*.c"))
    return [(source.stem, name) for source in sources for name in case_names(source)]
