"""Strings and lists are written in place by a CPython that is known, and made by the stable ABI by others."""

import os
import subprocess
import sys
import sysconfig

import pytest

from gaechannel import _core

FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
DOES_WITHOUT = os.environ.get("GAECHANNEL_STABLE_ABI", "0") not in ("", "0")


def by_the_stable_abi(*command):
    environment = os.environ | {"GAECHANNEL_STABLE_ABI": "1"}
    done = subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_cpythons_that_are_known_have_it():
    """A newer one must be looked at first: csrc/py/making.c's LAST_KNOWN."""
    known = sys.version_info < (3, 15) and not DOES_WITHOUT
    assert _core.writes_in_place == (known or FREE_THREADED)


@pytest.mark.skipif(FREE_THREADED, reason="free-threaded builds have no stable ABI")
def test_the_environment_does_without():
    assert by_the_stable_abi("-c", "from gaechannel import _core; print(_core.writes_in_place)") == "False\n"


@pytest.mark.skipif(FREE_THREADED, reason="free-threaded builds have no stable ABI")
def test_the_objects_are_the_same(request):
    """All that is asked of them, of whichever width, and where memory runs out."""
    tests = request.path.with_name("test_objects.py")
    by_the_stable_abi("-m", "pytest", "-q", "-p", "no:cacheprovider", tests)
