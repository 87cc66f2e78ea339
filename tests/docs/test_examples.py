"""Every code block in the documents does what they say."""

import json
import re
import shlex
import tomllib

import pytest
from rst_blocks import ROOT, Runner, blocks_of, needed_by

from gaechannel.cli.main import _parser

# What is shown, not run: grammar, output, settings, and commands about the whole working copy (seen to last).
NOT_RUN = {"none", "text", "sh", "c", "http", "javascript", "html", "nginx", "apache"}
NOT_RUN |= {"json", "toml", "ini", "yaml"}  # settings

FILES = [
    file
    for file in [ROOT / "README.rst", *sorted((ROOT / "docs").rglob("*.rst"))]
    if "_build" not in file.parts
]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_code_blocks_do_what_the_text_says(file, tmp_path, capsys):
    for module in needed_by(file):
        pytest.importorskip(module, reason=f"{module} is not installed: .ci/setup manual")
    blocks = blocks_of(file)
    assert {block.language for block in blocks} <= NOT_RUN | {"python", "pycon", "console", "hidden"}
    with Runner(tmp_path) as runner:
        for block in blocks:
            try:
                runner.run(block)
            except BaseException as error:
                error.add_note(f"in the code block at {block}")
                raise


def test_what_is_shown_and_not_run_is_understood(capsys):
    parser = _parser()
    options = vars(parser.parse_args(["serve"]))
    commands = 0
    for block in (block for file in FILES for block in blocks_of(file)):
        if block.language == "json":
            json.loads(block.code)
        elif block.language == "toml":
            assert {name.replace("-", "_") for name in tomllib.loads(block.code)} <= set(options), block
        elif block.language in ("sh", "none"):
            for line in re.findall(
                r"(?:^|[|;&(])[ $]*(gaechannel [a-z][^|;&<>#\n]*)", block.code, re.MULTILINE
            ):
                words = shlex.split(line.replace(" URL", " http://host").replace("…", "x"))
                try:
                    parser.parse_args(words[1:])
                except SystemExit:
                    pytest.fail(f"{block}: {line}: {capsys.readouterr().err}")
                commands += 1
    assert commands > 10


def test_make_commands_in_the_documents_exist():
    lines = re.findall(r"^([a-z0-9 ]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    targets = {target for line in lines for target in line.split()}
    named = set()
    for file in FILES:
        text = file.read_text(encoding="utf-8")
        named |= set(re.findall(r"``make ([a-z0-9]+)", text))
        for block in blocks_of(file):
            if block.language == "sh":
                named |= set(re.findall(r"^(?:\$ )?make ([a-z0-9]+)", block.code, re.MULTILINE))
    assert {"demo", "test"} <= named <= targets
