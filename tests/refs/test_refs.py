"""Objects and references that are left behind, where what the C core makes comes and goes again and again.

A debug build of CPython counts all references; any build knows the objects that its garbage collector
watches, and the blocks of memory that its own allocator has given out.
"""

import functools
import json
import subprocess
import sys
from pathlib import Path

import pytest
from cycles import CYCLES

NAMES = [cycle.__name__ for cycle in CYCLES]


@functools.cache
def left_by(name):
    script = Path(__file__).with_name("cycles.py")
    done = subprocess.run([sys.executable, script, name], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", NAMES)
def test_no_object_is_left(name):
    assert left_by(name)["objects"] == 0


@pytest.mark.parametrize("name", NAMES)
def test_no_memory_is_left(name):
    assert left_by(name)["blocks"] == 0


COUNTS_REFERENCES = hasattr(sys, "gettotalrefcount")


@pytest.mark.skipif(not COUNTS_REFERENCES, reason="not a debug build of CPython")
@pytest.mark.parametrize("name", NAMES if COUNTS_REFERENCES else ["any"])
def test_no_reference_is_left(name):
    assert left_by(name)["references"] == 0
