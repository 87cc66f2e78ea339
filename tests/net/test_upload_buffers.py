"""Which upload buffers libcurl is told to have by requests, where it keeps them from one to the next."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from c_programs import COMPILER, needs_compiler
from scripted_server import ScriptedServer, held, opened

pytestmark = needs_compiler

RECEIVE = """
import sys
from gaechannel import BrowserChannel

with BrowserChannel(sys.argv[1]) as channel:
    channel.send({"body": "of the opening"})
    assert channel.recv(20) == "one"
"""


@pytest.mark.skipif(
    sys.platform != "linux", reason="the library that listens to libcurl's calls is preloaded"
)
def test_what_an_opening_went_through_is_given_back_by_the_back_channel_on_its_handle(tmp_path):
    if shutil.which("pkg-config") is None:
        pytest.skip("there is no pkg-config, to find libcurl's headers by")
    ask = ["pkg-config", "--cflags", "libcurl"]
    flags = subprocess.run(ask, check=True, capture_output=True, text=True).stdout.split()
    source, library = Path(__file__).with_name("told_libcurl.c"), tmp_path / "told_libcurl.so"
    subprocess.run([*COMPILER, *flags, "-shared", "-fPIC", source, "-o", library, "-ldl"], check=True)
    preloaded = ":".join([*filter(None, [os.environ.get("LD_PRELOAD")]), str(library)])
    with ScriptedServer() as server:
        server.on("open", opened())
        server.on("back", held([1, "one"]))
        done = subprocess.run(
            [sys.executable, "-c", RECEIVE, server.url],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env=os.environ | {"LD_PRELOAD": preloaded},
        )
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    if "asked" not in lines:
        pytest.skip("this build brings its libcurl within, whose calls nobody hears")
    told = [line.split() for line in lines if line != "asked"]
    # The smallest that libcurl takes, for the opening's body; another size, for which that goes.
    (handle, opening), (same, back) = told[:2]
    assert handle == same
    assert (int(opening), int(back)) == (16 * 1024, 16 * 1024 + 1)
