"""python run.py framing-1.json: holds a parser of BrowserChannel bodies against the vectors."""

import codecs
import json
import re
import sys
from pathlib import Path


class Parser:
    """Put your own here: feed() yields payloads, raises where the body is none; eof() raises in a chunk."""

    def __init__(self):
        self.decode = codecs.getincrementaldecoder("utf-8-sig")().decode
        self.text = ""

    def feed(self, data):
        self.text += self.decode(data)
        while found := re.match(r"[ \t\r\n]*(\d+)[ \t\r]*\n", self.text):
            units, end = int(found[1]), found.end()
            if units > 1 << 24:
                raise ValueError("a chunk that long is none")
            while units > 0 and end < len(self.text):
                units -= 2 if self.text[end] > "\uffff" else 1
                end += 1
            if units < 0:
                raise ValueError("a length that ends inside a character")
            if units > 0:
                return
            yield self.text[found.end() : end]
            self.text = self.text[end:]
        if not re.fullmatch(r"[ \t\r\n]*\d*[ \t\r]*", self.text):
            raise ValueError("no length")

    def eof(self):
        self.decode(b"", True)
        if self.text.strip(" \t\r\n"):
            raise ValueError("the body ends inside a chunk")


def outcome(body, size):
    """The payloads of a body that comes in pieces of so many bytes, and the fault."""
    parser, payloads = Parser(), []
    try:
        for at in range(0, len(body), size):
            payloads += parser.feed(body[at : at + size])
    except ValueError:
        return payloads, "framing"
    try:
        parser.eof()
    except ValueError:
        return payloads, "truncated"
    return payloads, None


failed = 0
cases = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["cases"]
for case in cases:
    body = bytes.fromhex(case["body"])
    for size in (1, 2, 3, 7, len(body) or 1):
        payloads, fault = outcome(body, size)
        payloads = [one for one in payloads if one.strip(" \t\r\n")]
        wanted = None if case["fault"] == "literal" else case["fault"]
        if fault != wanted or (fault != "framing" and payloads != case["payloads"]):
            failed += 1
            print(f"{case['name']}, in pieces of {size}: {fault} {payloads}")
print(f"{len(cases)} cases, {failed} failures")
sys.exit(failed > 0)
