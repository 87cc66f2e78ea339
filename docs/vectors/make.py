"""Writes the test vectors of framing, for projects in any language: python docs/vectors/make.py.

They are the cases that this project's own readers are held to, with what a framer alone makes of them. A
version that is published is not changed: other cases are another version.
"""

import json
from pathlib import Path

from gaechannel import Framer, TalkMessageCorrupted

HERE = Path(__file__).parent
CASES = HERE.parents[1] / "tests" / "wire" / "cases.json"
VERSION = 1

ABOUT = (
    "Response bodies of Google's BrowserChannel protocol, and what a correct reader makes of each, "
    "however the body is cut. body: its bytes, in hexadecimal. payloads: the chunks' texts, without "
    "those that are nothing but white space. arrays: what the payloads hold; a hole is null; null "
    "where a payload is no literal. fault: null; truncated (the body ends inside a chunk; the "
    "payloads are those that were complete); framing (it is no run of chunks); literal (a payload is "
    "none, which a framer need not know). kind: plain; tolerated (some servers send it); fault."
)
#: What a strict reader may refuse; servers that send it are few.
TOLERATED = ("CR, spaces and blank lines around the length", "empty chunks", "byte order mark")


def framed(body):
    """The payloads of a body, and its fault."""
    framer = Framer()
    payloads = []
    try:
        payloads = [payload.decode() for payload in framer.feed(body)]
        framer.eof()
    except TalkMessageCorrupted:
        return payloads, "framing"
    return payloads, None


def vector(case):
    """A case as it is published."""
    body = case["body"].encode("latin-1")
    payloads, fault = framed(body)
    if case["error"] == "truncated":
        fault = "truncated"
    elif case["error"] == "corrupt" and fault is None:
        fault = "literal"
    kind = "fault" if fault else "tolerated" if case["name"] in TOLERATED else "plain"
    arrays = case["arrays"] if fault != "literal" else None
    return {
        "name": case["name"],
        "kind": kind,
        "body": body.hex(),
        "payloads": payloads,
        "arrays": arrays,
        "fault": fault,
    }


def as_json(vectors):
    """The file for who reads JSON: a case a line."""
    cases = ",\n".join("  " + json.dumps(one) for one in vectors)
    head = f' "version": {VERSION},\n "about": {json.dumps(ABOUT)}'
    return f'{{\n{head},\n "cases": [\n{cases}\n ]\n}}\n'


def as_lines(vectors):
    """The same for who does not, with what a framer makes alone: name, fault or -, body, payloads."""
    lines = []
    for one in vectors:
        payloads = ",".join(payload.encode().hex() for payload in one["payloads"])
        lines.append("\t".join([one["name"], one["fault"] or "-", one["body"], payloads]))
    return "\n".join(lines) + "\n"


def made():
    """The files' names and texts."""
    vectors = [vector(case) for case in json.loads(CASES.read_text(encoding="utf-8"))]
    return {f"framing-{VERSION}.json": as_json(vectors), f"framing-{VERSION}.tsv": as_lines(vectors)}


if __name__ == "__main__":
    for name, text in made().items():
        (HERE / name).write_text(text, encoding="utf-8")
