"""While libcurl waits, reads, and what it has read is parsed, other threads run."""

import sys
import sysconfig
from pathlib import Path

import pytest
from c_programs import library_to_preload, needs_compiler, words_with

pytestmark = [
    needs_compiler,
    pytest.mark.skipif(sys.platform != "linux", reason="what is preloaded is asked first on Linux alone"),
    pytest.mark.skipif(bool(sysconfig.get_config_var("Py_GIL_DISABLED")), reason="this CPython has no GIL"),
]

# Run with what counts and how messages are taken; prints how often libcurl was called, and with the GIL.
PROGRAM = """
import asyncio, ctypes, sys
import gaechannel
from gaechannel import aio
from gaechannel.server import LocalServer

library = ctypes.CDLL(sys.argv[1])
library.times_looked.restype = library.times_held.restype = ctypes.c_long

async def main(server):
    module = aio if "aio" in sys.argv[2] else gaechannel
    channel = module.Client(server.create_channel("me"), base_url=server.base_url)
    messages = module.merge([channel]) if "merge" in sys.argv[2] else channel.messages()
    for number in range(100):
        server.send_message("me", "x" * 30_000)
        await anext(messages) if "aio" in sys.argv[2] else next(messages)
    await channel.close() if "aio" in sys.argv[2] else channel.close()

with LocalServer() as server:
    asyncio.run(main(server))
print(library.times_looked(), library.times_held())
"""


@pytest.fixture(scope="module")
def counter(tmp_path_factory):
    """A library that counts, when it is preloaded."""
    source = Path(__file__).with_name("held_gil.c")
    return library_to_preload(source, tmp_path_factory.mktemp("gil"), "libcurl")


@pytest.mark.parametrize("way", ["sync", "sync merge", "aio", "aio merge"])
def test_libcurl_is_never_called_for_the_network_with_the_gil(counter, way):
    looked, held = map(int, words_with(counter, PROGRAM, way))
    if looked == 0:
        pytest.skip("this build brings its libcurl within, whose calls nobody hears")
    assert looked >= 100
    assert held == 0
