"""What libcurl is told, whichever it is: which buffers requests have, and to look at connections."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from c_programs import library_to_preload, needs_compiler, preloading
from scripted_server import Request, ScriptedServer, held, opened

pytestmark = [
    needs_compiler,
    pytest.mark.skipif(
        sys.platform != "linux", reason="the library that listens to libcurl's calls is preloaded"
    ),
]

RECEIVE = """
import contextlib, sys
from gaechannel import BrowserChannel, merge

with contextlib.ExitStack() as closing:
    channels = [closing.enter_context(BrowserChannel(sys.argv[1])) for _ in range(int(sys.argv[2]))]
    channels[0].send({"body": "of the opening"})
    waiting = set(channels)
    for channel, message in merge(channels, timeout=20):
        if message == "last":
            waiting.discard(channel)
        if not waiting:
            break
"""


@pytest.fixture
def listener(tmp_path):
    """The library to preload."""
    return library_to_preload(Path(__file__).with_name("told_libcurl.c"), tmp_path, "libcurl")


@pytest.fixture
def told(listener):
    """Receive by so many channels, with a libcurl that says it is of a version; the lines it was told."""

    def told(version, channels=1, opening=()):
        with ScriptedServer() as server:
            server.on("open", opened(*opening))
            server.on("back", held([len(opening) + 1, "last"]))
            done = subprocess.run(
                [sys.executable, "-c", RECEIVE, server.url, str(channels)],
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
                env=os.environ | {"LD_PRELOAD": preloading(listener), "TOLD_VERSION": version},
            )
        assert done.returncode == 0, done.stderr
        lines = done.stderr.splitlines()
        if "asked" not in lines:
            pytest.skip("this build brings its libcurl within, whose calls nobody hears")
        return [line.split() for line in lines]

    return told


def behind_openings(buffer, lines):
    """The sizes of the buffers that `sends`, or `receives`: for each handle that has opened a session, of the
    request that does so, and of the back channel that comes on it next.

    Each handle is one from where it was made, whatever had its address before.
    """
    handles = []  # what each has asked for, with which buffer
    at = {}  # the last of them that had the address
    size = {}
    for what, address, *value in (line for line in lines if len(line) > 1):
        if what == "makes":
            at[address] = []
            handles.append(at[address])
        elif what == buffer:
            size[address] = int(*value)
        elif what == "asks":
            at[address].append((Request(None, "", *value, {}, b"").kind, size[address]))
    openings = [asked for asked in handles if "open" in dict(asked)]
    assert all([kind for kind, _ in asked] == ["open", "back"] for asked in openings), handles
    return [tuple(has for _, has in asked) for asked in openings]


def test_what_an_opening_went_through_is_given_back_by_the_back_channel_on_its_handle(told):
    # The smallest that libcurl takes, for the opening's body; another size, for which that goes.
    assert behind_openings("sends", told("080e00")) == [(16 * 1024, 16 * 1024 + 1)]


def test_what_an_opening_has_brought_gives_no_large_buffer_to_the_back_channel_on_its_handle(told):
    much = [[number, "x" * 100_000] for number in range(1, 5)]
    sizes = behind_openings("receives", told("075801", channels=9, opening=much))
    assert [back for _, back in sizes] == [1024] * 9


@pytest.mark.parametrize(("version", "looks"), [("081400", False), ("081500", True), ("081600", False)])
def test_a_libcurl_that_leaves_connections_open_is_made_to_look_at_them(told, version, looks):
    """8.21 alone: what 8.20 and 8.22 do without being told would take a system call more for each request."""
    assert (["wakes"] in told(version, channels=9)) == looks
