#!/usr/bin/env python3
"""Write fuzz/corpus/: one small input for each case of tests/wire/cases.json, and some for the fast paths.

An input is what fuzz_wire.c reads: a byte with the number of cuts, the cuts, the body.
"""

import json
import re
from pathlib import Path

HERE = Path(__file__).parent


def framed(payload):
    return b"%d\n%s" % (len(payload.encode("utf-16-le")) // 2, payload.encode())


def talk(text):
    return framed(f'[[2,["c",["9D6CBAE40D6C4500",["ae","{text}"]]]\n]\n]\n')


# Long enough for what takes 16, 32 or 64 bytes at a time.
LONG = {
    "long ascii": talk("0123456789" * 12),
    "long cyrillic": talk("Привет, мир! " * 8),
    "long cjk": talk("日本語" * 20),
    "long emoji": talk("😀x" * 30),
    "long mixed": talk("The café said Zoë. " * 7),
    "json in a string": talk(r"{\"tick\": 1, \"name\": \"a\\\\b\"}" * 5),
    "unicode escapes": talk(r"\u0441\ud83d\ude00\x41" * 6),
    "lone surrogates": talk(r"\ud83d \ude00" * 8),
    "backslashes": talk(r"\\" * 40),
    "single quotes": framed(r"[[3,['c',['9D6C',['ae','it\'s \q \0']]]]]"),
    "deep": framed("[[1," + "[" * 60 + "]" * 60 + "]]"),
    "object": framed('[[1,{"a":[1,2.5e3,-0],\'b\':{"c":null}}]]'),
}


def main():
    corpus = HERE / "corpus"
    corpus.mkdir(exist_ok=True)
    cases = json.loads((HERE.parent / "tests" / "wire" / "cases.json").read_text())
    bodies = {case["name"]: case["body"].encode("latin-1") for case in cases} | LONG
    for number, (name, body) in enumerate(bodies.items()):
        cuts = bytes([number % 7, number % 3, number % 41])
        path = corpus / re.sub(r"\W+", "-", name.lower())
        path.write_bytes(bytes([len(cuts)]) + cuts + body)
    print(len(bodies), "inputs in", corpus.name)


if __name__ == "__main__":
    main()
