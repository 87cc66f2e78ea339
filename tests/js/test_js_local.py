"""The npm package against this package's own server."""

import json
import subprocess

import pytest

from gaechannel.server import LocalServer

TEXTS = ["", "plain", "é€😀", "\u2028\u2029\0\x7f", "\"\\/'", "x" * 30_000]

TALK = """
import { TalkChannel } from "@gaechannel/client";
const [url, token, count] = process.argv.slice(2);
const channel = new TalkChannel(token, { url });
const got = [];
for await (const text of channel) if (got.push(text) >= count) break;
console.log(JSON.stringify({ got, state: channel.state }));
"""


@pytest.fixture
def run(packed, tmp_path):
    """A function that runs a program under Node, and returns what it prints; on stderr it says nothing."""

    def run_program(text, *arguments):
        path = packed / f"{tmp_path.name}.mjs"  # so that Node finds the package
        path.write_text(text)
        done = subprocess.run(
            ["node", path, *map(str, arguments)], capture_output=True, text=True, timeout=100
        )
        path.unlink()
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    return run_program


def test_messages_of_a_channel_come_and_leaving_the_loop_ends_it(run):
    with LocalServer() as server:
        token = server.create_channel("me")
        for text in TEXTS:
            server.send_message("me", text)
        said = json.loads(run(TALK, server.base_url, token, len(TEXTS)))
        assert said == {"got": TEXTS, "state": "closed"}
