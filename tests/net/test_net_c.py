"""net's C code, tested in C: its parts by hand, and a whole channel that runs out of memory."""

import functools
import gzip
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from c_programs import COMPILER, CSRC, FAILING, FLAGS, cases_beside, needs_compiler
from hostile import TalkServer, frame, head, messages, opening, page

HERE = Path(__file__).parent
CHANNEL = HERE / "channel_memory.c"
ALL_BUT_PYTHON = [
    file for folder in ("net", "session", "wire") for file in sorted((CSRC / folder).rglob("*.c"))
]

FLAGS = [*FLAGS, "-D_GNU_SOURCE=1", '-DGAECHANNEL_VERSION="0"', f"-I{CSRC / 'session'}", *FAILING]
CASES = cases_beside(__file__)

pytestmark = needs_compiler


@pytest.fixture(scope="session")
def build(tmp_path_factory):
    """Builds a program; returns its path."""

    def build(program, *more):
        folder = tmp_path_factory.mktemp(program.stem)
        built = folder / program.stem
        subprocess.run([*COMPILER, *FLAGS, program, *more, "-o", built, "-lz"], check=True, cwd=folder)
        return built

    return build


@pytest.fixture(scope="session")
def program(build):
    """Gives the path of a program beside this file, which tests the file of csrc/net of its name."""

    @functools.cache
    def program(name):
        return build(HERE / f"{name}.c", CSRC / "net" / f"{name.removeprefix('test_')}.c")

    return program


@pytest.mark.parametrize(("name", "case"), CASES, ids=[f"{name}-{case}" for name, case in CASES])
def test_in_c(program, name, case):
    result = subprocess.run([program(name), case], capture_output=True, check=False)
    assert result.returncode == 0, result.stderr.decode(errors="replace")


@pytest.mark.parametrize("name", sorted({name for name, _ in CASES}))
def test_no_case_in_c_is_left_out(program, name):
    output = subprocess.run([program(name), "--list"], capture_output=True, check=True).stdout
    assert output.decode().split() == [case for owner, case in CASES if owner == name]


# ---- A channel that runs out of memory ----


@pytest.fixture(scope="session")
def channel(build):
    """The program, linked as the package is."""
    ask = ["pkg-config", "--cflags", "--libs", "libcurl"]
    if shutil.which("pkg-config") is None or subprocess.run(ask, capture_output=True).returncode:
        ask = ["curl-config", "--cflags", "--libs"]
    flags = subprocess.run(ask, check=True, capture_output=True, text=True).stdout
    return build(CHANNEL, *ALL_BUT_PYTHON, *shlex.split(flags))


@pytest.fixture
def talk():
    """A server that redirects, sets cookies, and compresses a member a message."""

    def reply(body, *headers, status="200 OK"):
        return lambda _request, peer: peer.send(head(status, *headers, length=len(body)) + body)

    def first(request, peer):
        if "again" in request.query:
            packed = gzip.compress(page())
            reply(packed, "Content-Encoding: gzip", "Set-Cookie: theirs=3; Path=/")(request, peer)
        else:
            reply(b"", f"Location: {request.target}&again=1", status="302 Found")(request, peer)

    both = gzip.compress(messages(1, "a")) + gzip.compress(messages(2, "b"))
    with TalkServer(
        page=first,
        opening=reply(opening()),
        connect=reply(frame("[1,2,3]")),
        back=reply(both, "Content-Encoding: gzip", "Set-Cookie: more=4; Path=/"),
    ) as server:
        yield server


@pytest.mark.timeout(570)
@pytest.mark.parametrize("how", ["once", "for-good"])
def test_a_channel_outlives_want_of_memory(channel, talk, how):
    result = subprocess.run([channel, how, talk.base_url], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    # Of libcurl's own there are hundreds.
    assert int(result.stdout) > 100
    assert {"page", "opening", "connect", "back"} <= set(talk.steps())
    # A request goes out with all that belongs to it, or not at all.
    whole = {"user-agent": "a test", "accept-encoding": "gzip, deflate", "one": "1", "two": "2"}
    for request in talk.requests:
        assert {name: request.headers.get(name) for name in whole} == whole
        assert "mine=1" in request.headers["cookie"]
