"""Payloads made to cost time or memory: what they cost grows with their size, and no faster.

All run in one process, which the system ends where a limit is passed: of CPU time, by far more than all of
them take, and far less than one of them would if its cost were quadratic.
"""

import os
import subprocess
import sys

import pytest

pytest.importorskip("resource", reason="this system has no limits for a process")

# A sanitizer keeps what was freed, and all takes several times as long.
SANITIZED = os.environ.get("GAECHANNEL_SANITIZE") == "1"
CPU_SECONDS = 1000 if SANITIZED else 100

PROGRAM = r"""
import json, resource, sys
from pathlib import Path
from gaechannel import Decoder, TalkDecoder, TalkMessageCorrupted
from gaechannel.talkparser import parse

resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[1]),) * 2)
MILLION = 10**6
CORRUPT = object()

def same(value):
    return json.dumps(value), value

PAYLOADS = {
    "a key of 1 MB": lambda: same({"k" * MILLION: 1}),
    "a key of 1 MB past ASCII": lambda: same({"次" * (MILLION // 3): 1}),
    "keys that never come again": lambda: same({f"{n}": 0 for n in range(MILLION)}),
    "objects of keys that never come again": lambda: same([{f"{n}": 0} for n in range(MILLION // 4)]),
    "one key again and again": lambda: ('{"a":0' + ',"a":1' * MILLION + "}", {"a": 1}),
    "arrays within arrays": lambda: ("[" * MILLION + "]" * MILLION, CORRUPT),
    "objects within objects": lambda: ('{"a":' * MILLION + "1" + "}" * MILLION, CORRUPT),
    "as deep as may be": lambda: same([json.loads("[" * 120 + "]" * 120)] * 1000),
    "an integer of a million digits": lambda: ("9" * MILLION, CORRUPT),
    "integers as long as may be": lambda: ("[" + ",".join(["7" * 4300] * 200) + "]", [int("7" * 4300)] * 200),
    "a fraction of a million digits": lambda: ("0." + "9" * MILLION, 1.0),
    "a tiny number": lambda: ("0." + "0" * MILLION + "1", 0.0),
    "as large an exponent": lambda: ("1" * MILLION + "e-" + str(MILLION), 0.1111111111111111),
    "an exponent of a million digits": lambda: ("1e" + "9" * MILLION, float("inf")),
    "a negative exponent of a million digits": lambda: ("-1e-" + "9" * MILLION, -0.0),
    "floats between two": lambda: ("[" + ",".join(["2.2250738585072011e-308"] * 10**5) + "]",
                                    [2.2250738585072011e-308] * 10**5),
    "holes": lambda: ("[" + "," * MILLION + "]", [None] * MILLION),
    "escaped quotes": lambda: same('"' * MILLION),
    "backslashes": lambda: same("\\" * MILLION),
    "surrogates alone": lambda: same("\ud83d" * (MILLION // 6)),
    "NULs": lambda: ('"' + "\0" * MILLION + '"', "\0" * MILLION),
    "white space": lambda: (" \n" * MILLION + "1", 1),
    "words that JSON has not": lambda: ("NaN", CORRUPT),
    "a mark where none belongs": lambda: ("\ufeff1", CORRUPT),
}

# Whole chunks, of many arrays.
COUNT = MILLION // 8
PAIRS = [(number, [number]) for number in range(1, COUNT + 1)]

def arrays(between=",", data="[{0}]"):
    return "[" + between.join(f"[{number},{data.format(number)}]" for number, _ in PAIRS)

CHUNKS = {
    "white space behind many arrays": lambda: (arrays() + "]" + " " * MILLION, PAIRS),
    "white space before the last bracket": lambda: (arrays() + " \n" * MILLION + "]", PAIRS),
    "white space between many arrays": lambda: (arrays(" " * 8 + "," + " " * 8) + "]", PAIRS),
    "line ends behind many arrays": lambda: (arrays() + "]" + "\r\n" * MILLION, PAIRS),
    "many arrays without an end": lambda: (arrays(), CORRUPT),
    "many arrays and white space without an end": lambda: (arrays() + " " * MILLION, CORRUPT),
    "many arrays and something behind them": lambda: (arrays() + "]" + " " * MILLION + "1", CORRUPT),
    "many messages of another kind": lambda: (
        arrays(data='["c",["x",["ae",{0}]]]') + "]" + " " * MILLION,
        [(number, ["c", ["x", ["ae", number]]]) for number, _ in PAIRS],
    ),
    "many messages of a talk client": lambda: (
        arrays(data='["c",["x",["ae","{0}"]]]') + "]" + " " * MILLION,
        [(number, ["c", ["x", ["ae", str(number)]]]) for number, _ in PAIRS],
    ),
    "many words alone": lambda: (
        arrays(data='["noop"]') + "]" + " " * MILLION, [(number, ["noop"]) for number, _ in PAIRS]
    ),
}

def chunk_of(payload):
    return b"%d\n%b" % (len(payload.encode("utf-16-le")) // 2, payload.encode())

def chunk(data):
    return chunk_of(f"[[1,{data}]]")

def peak():
    status = Path("/proc/self/status")
    if not status.exists() or sys.argv[2] == "rough":
        return 0
    line, = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024

def forget_peak():
    clear = Path("/proc/self/clear_refs")
    if clear.exists():
        clear.write_text("5")

def outcome(call):
    try:
        return call()
    except (TalkMessageCorrupted, ValueError):
        return CORRUPT

def in_pieces(body):
    decoder = Decoder()
    return [pair for at in range(0, len(body), 4096) for pair in decoder.feed(body[at : at + 4096])]

for name, make in CHUNKS.items():
    payload, want = make()
    body = chunk_of(payload)
    as_bytes = want
    if want is not CORRUPT:
        as_bytes = [(at, json.dumps(data).replace(" ", "").encode()) for at, data in want]
    for how, call, expected in [
        ("whole", lambda: Decoder().feed(body), want),
        ("in pieces", lambda: in_pieces(body), want),
        ("raw", lambda: Decoder(raw=True).feed(body), as_bytes),
        ("for a talk client", lambda: TalkDecoder("clid").feed(body), CORRUPT if want is CORRUPT else []),
    ]:
        assert outcome(call) == expected, (name, how)

for name, make in PAYLOADS.items():
    text, want = make()
    body = chunk(text)
    decoded = want if want is CORRUPT else [(1, want)]
    for how, call, expected in [
        ("whole", lambda: Decoder().feed(body), decoded),
        ("in pieces", lambda: in_pieces(body), decoded),
        ("raw", lambda: Decoder(raw=True).feed(body), [(1, text.encode().strip())]),
        ("for a talk client", lambda: TalkDecoder("clid").feed(body), CORRUPT if want is CORRUPT else []),
        ("parse", lambda: parse(text), want),
    ]:
        forget_peak()
        before = peak()
        found = outcome(call)
        used = peak() - before
        if how == "raw" and found != CORRUPT:
            found = [(number, data.strip()) for number, data in found]
        assert repr(found) == repr(expected), (name, how)
        # An object of one key takes 25 bytes of text, and 250 of memory.
        assert used < 32 * len(body) + (16 << 20), (name, how, used, len(body))
        found = None
print("done")
"""


@pytest.mark.timeout(10 * CPU_SECONDS)  # where others have the processor, too
def test_no_payload_costs_more_than_its_size():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(CPU_SECONDS), "rough" if SANITIZED else "exact"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "done\n"
