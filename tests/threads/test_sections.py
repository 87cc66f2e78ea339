"""How many sections of a channel's lock a message takes, as the manual has it (docs/design.rst)."""

import sys
import sysconfig
from pathlib import Path

import pytest
from c_programs import library_to_preload, needs_compiler, words_with

pytestmark = [
    needs_compiler,
    pytest.mark.skipif(sys.platform != "linux", reason="what is preloaded is asked first on Linux alone"),
    pytest.mark.skipif(
        bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        reason="the manual's numbers are of CPythons with a GIL",
    ),
]

# Run with what counts and how the messages are taken; prints what one took that was there, and one that was
# waited for: it is sent once the main thread waits. The fewest: others may have come while more were sent, or
# waited for longer than one slice.
PROGRAM = """
import asyncio, ctypes, sys, threading, time
import gaechannel
from gaechannel import aio
from gaechannel.server import LocalServer

library = ctypes.CDLL(sys.argv[1])
sections = library.sections
sections.restype = ctypes.c_long

def channels(server):
    module = aio if "aio" in sys.argv[2] else gaechannel
    channel = module.Client(server.create_channel("me"), base_url=server.base_url)
    return module.merge([channel]) if "merge" in sys.argv[2] else channel.messages()

async def taken(messages):
    before = sections()
    await anext(messages) if "aio" in sys.argv[2] else next(messages)
    return sections() - before

def send_to_who_waits(server, text):
    while not library.waits():
        time.sleep(0.001)
    server.send_message("me", text)

async def main(server):
    messages = channels(server)
    server.send_message("me", "first")
    await taken(messages)
    waited = []
    for number in range(20):
        later = threading.Thread(target=send_to_who_waits, args=(server, str(number)))
        later.start()
        waited.append(await taken(messages))
        later.join()
    for number in range(100):
        server.send_message("me", str(number))
    there = [await taken(messages) for _ in range(100)]
    print(min(there), min(waited))

with LocalServer() as server:
    asyncio.run(main(server))
"""


@pytest.fixture(scope="module")
def counter(tmp_path_factory):
    """A library that counts the sections, when it is preloaded."""
    source = Path(__file__).with_name("count_sections.c")
    return library_to_preload(source, tmp_path_factory.mktemp("sections"))


@pytest.mark.parametrize(
    ("way", "waited"),
    [
        ("sync", 4),
        ("sync merge", 8),
        # Two before the wait, which find nothing, and five from the socket on.
        ("aio", 7),
        ("aio merge", 7),
    ],
)
def test_a_message_takes_no_more_sections_than_the_manual_says(counter, way, waited):
    assert words_with(counter, PROGRAM, way) == ["1", str(waited)]
