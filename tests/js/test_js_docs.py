"""The code of the manual's page on JavaScript, which is one program."""

import re
from pathlib import Path

from gaechannel.server import LocalServer

PAGE = Path(__file__).parents[2] / "docs/reference-js.rst"


def blocks():
    found = re.findall(r"\.\. code-block:: javascript\n\n((?:   .*\n|\n)+)", PAGE.read_text(encoding="utf-8"))
    return "\n".join(re.sub("(?m)^   ", "", block) for block in found)


def test_the_manuals_code_runs(run_text):
    begin = "const [server, token] = process.argv.slice(2).map((one) => JSON.parse(one));\n"
    with LocalServer() as server:
        server.browserchannel.on_session = answer
        token = server.create_channel("me")
        for text in ["hi", "é😀", "bye"]:
            server.send_message("me", text)
        said = run_text("manual.mjs", begin + blocks(), server.url, token)
    assert said == "hi\né😀\nbye\n{ 'you said': { hello: 'é' } }\n"


def answer(session):
    session.on_message = lambda message: session.send({"you said": message})
