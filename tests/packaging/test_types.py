"""What type checkers make of programs that use the package; where its options are named, all are."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PROGRAM = """\
import asyncio
from collections.abc import AsyncIterator, Iterator

import gae_channel
import gaechannel
from gaechannel import BrowserChannel, ChannelOptions, Client, aio, errors, merge

from gaechannel import Cleint  # wrong
from gaechannel import aoi  # wrong
from gae_channel import Cleint as Kleint  # wrong

text: str = next(Client("token").messages())
for text in Client("token"):
    number: int = text  # wrong
for message in gae_channel.Client("token"):
    wrong: bytes = message  # wrong
Client("token", timeout=5.0, verify="ca.pem", cert=("a", "b"), headers=[("Name", "value")])
Client("token", timout=5.0)  # wrong
Client("token", timeout="5")  # wrong
Client("token", buffered="yes")  # wrong
BrowserChannel("http://host/", params={"a": "b"}, replaces=("sid", 5), max_backoff=1.5)
BrowserChannel("http://host/", base_url="http://host/")  # wrong
gaechannel.Cleint("token")  # wrong
gaechannel.WebChannel("http://host/").sned({})  # wrong
options: ChannelOptions = {"timeout": 5.0, "http2": False}
options = {"tiemout": 5.0}  # wrong
aio.Client("token", **options)


async def token() -> str:
    return "token"


async def main() -> None:
    async with aio.Client(token, **options) as client:
        async for text in client:
            number: int = text  # wrong
        async for batch in client.batches():
            texts: list[str] = batch
    for text in client:  # wrong
        pass
    Client(token)  # wrong
    channel = aio.BrowserChannel("http://host/")
    sent: int = await channel.send({"x": 1})
    sent = channel.send({"x": 1})  # wrong
    try:
        await channel.flush(timeout=5)
    except errors.MapsRefused as error:
        maps: list[int] = error.maps  # wrong


for client, message in merge([Client("token")]):
    client.initialise()  # wrong
asyncio.run(main())
"""
WRONG = {number for number, line in enumerate(PROGRAM.splitlines(), 1) if line.endswith("# wrong")}


def checker(name):
    """Where the type checker is, which CI has by the extra `lint`."""
    found = shutil.which(name, path=Path(sys.executable).parent)
    if found is None:
        pytest.skip(f"{name} is not installed: .ci/setup lint")
    return found


def environment():
    """Where the package is found as the tree has it, with its py.typed."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "MYPYPATH": ""}


@pytest.fixture
def program(tmp_path):
    """A program with what is right and what is wrong, somewhere outside the tree."""
    file = tmp_path / "program.py"
    file.write_text(PROGRAM)
    return file


def test_mypy_finds_what_is_wrong_and_nothing_else(program):
    command = [checker("mypy"), "--strict", "--cache-dir", ".cache", program.name]
    done = subprocess.run(command, cwd=program.parent, capture_output=True, text=True, env=environment())
    found = {int(line) for line in re.findall(r"^program\.py:(\d+): error:", done.stdout, re.MULTILINE)}
    assert found == WRONG, done.stdout + done.stderr


def test_pyright_finds_what_is_wrong_and_nothing_else(program):
    command = [checker("pyright"), "--outputjson", "--pythonpath", sys.executable, program.name]
    done = subprocess.run(command, cwd=program.parent, capture_output=True, text=True, env=environment())
    diagnostics = json.loads(done.stdout)["generalDiagnostics"]
    found = {one["range"]["start"]["line"] + 1 for one in diagnostics if one["severity"] == "error"}
    assert found == WRONG, json.dumps(diagnostics, indent=1)


def test_mypy_finds_nothing_wrong_in_the_examples(tmp_path):
    files = [str(file) for file in sorted((ROOT / "examples").glob("*.py"))]
    command = [checker("mypy"), "--strict", "--ignore-missing-imports", "--cache-dir", str(tmp_path), *files]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment())
    assert done.returncode == 0, done.stdout + done.stderr


# ---- The options, wherever they are named ----


def named_in_the_core():
    """The arguments of _core.Channel, by the C code's table."""
    table = (ROOT / "csrc" / "py" / "channel_type" / "options.c").read_text()
    return set(re.findall(r'^    (?:OPTION|REQUIRED)\("(\w+)"', table, re.MULTILINE))


def keywords(file, class_name):
    """The names of the keyword arguments that a class's __init__ has, by its source."""
    (init,) = [
        function
        for node in ast.walk(ast.parse((ROOT / "gaechannel" / file).read_text()))
        if isinstance(node, ast.ClassDef) and node.name == class_name
        for function in node.body
        if isinstance(function, ast.FunctionDef) and function.name == "__init__"
    ]
    return {argument.arg for argument in [*init.args.args, *init.args.kwonlyargs]} - {"self"}


#: What the core has under another name, or is told without being asked by a caller.
INTERNAL = {"dialect", "url_is_retired", "token_source", "secrets", "privates", "is_async", "unwraps"}
#: Of these each is made of the argument beside it.
PARTS = {
    "ca_file": "verify",
    "ca_path": "verify",
    "key": "cert",
    "keeps_session": "new_sessions",
    "sends_once": "resend_unconfirmed",
}


def test_the_stub_names_the_options_of_the_core():
    assert keywords("_core.pyi", "Channel") == named_in_the_core()


def test_what_the_core_can_do_stands_in_a_signature():
    public = {
        name
        for file, class_name in [
            ("client.py", "Client"),
            ("two_way.py", "BrowserChannel"),
            ("two_way.py", "WebChannel"),
            ("dev.py", "DevClient"),
        ]
        for name in keywords(file, class_name)
    }
    of_the_core = {PARTS.get(name, name) for name in named_in_the_core() - INTERNAL}
    assert len(of_the_core) > 20
    assert of_the_core - public == set()
