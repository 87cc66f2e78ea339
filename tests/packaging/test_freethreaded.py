"""The sdist on a CPython without the GIL, which has no stable ABI: built there, and used by several threads.

GAECHANNEL_FREETHREADED names such an interpreter; else one on PATH is taken. It needs setuptools.
"""

import json
import os
import shutil
import subprocess

import pytest

# It compiles all of csrc/.
pytestmark = pytest.mark.timeout(900)

NAMES = ["python3.14t", "python3.13t"]

PROGRAM = """
import json, sys, threading, warnings
warnings.simplefilter("error")
from gaechannel import Client, Decoder, _core

payload = b'12\\n[[5,["ab"]]]'
met = threading.Barrier(4)
results = []

def decode():
    decoder = Decoder()
    met.wait()
    results.extend(message for _ in range(2000) for message in decoder.feed(payload))

threads = [threading.Thread(target=decode) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps([sys._is_gil_enabled(), _core.__file__, len(results), results.count((5, ["ab"]))]))
"""


@pytest.fixture(scope="module")
def interpreter():
    named = os.environ.get("GAECHANNEL_FREETHREADED")
    found = named or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f"no free-threaded CPython: none of {', '.join(NAMES)}, nor GAECHANNEL_FREETHREADED")
    return found


@pytest.fixture(scope="module")
def installed(interpreter, wheel_for, tmp_path_factory):
    """The folder that the wheel which such an interpreter makes of the sdist is unpacked in, and its name."""
    site = tmp_path_factory.mktemp("freethreaded")
    wheel = wheel_for(interpreter)
    shutil.unpack_archive(wheel, site, "zip")
    return site, wheel.name


def test_its_wheel_is_for_that_interpreter_alone(installed):
    _, name = installed
    _, _, python, abi, _ = name.removesuffix(".whl").split("-")
    assert abi == f"{python}t"


def test_importing_it_leaves_the_gil_off_and_threads_decode(interpreter, installed):
    site, _ = installed
    environment = os.environ | {"PYTHONPATH": str(site), "PYTHONSAFEPATH": "1"}
    environment.pop("PYTHON_GIL", None)
    done = subprocess.run(
        [interpreter, "-c", PROGRAM], env=environment, cwd=site, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    gil, core, count, right = json.loads(done.stdout)
    assert not gil
    assert core.startswith(str(site))
    assert (count, right) == (8000, 8000)
