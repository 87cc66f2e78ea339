"""`gaechannel demo`: what a newcomer sees first."""

import re
import signal

from rst_blocks import ROOT, blocks_of


def test_every_message_arrives_once_and_in_order_over_ended_and_cut_back_channels(run):
    status, out, err = run("demo")
    assert (status, err) == (0, "")
    numbers = [
        int(line.split("message", 1)[1].split(":")[0]) for line in out.splitlines() if " s  message " in line
    ]
    assert numbers == list(range(1, 41))
    assert "listens on http://127.0.0.1:" in out
    assert "ended back channel 1 in order" in out
    assert "cuts all connections" in out
    assert "Connection lost" in out
    assert "reconnecting in" in out
    assert "40 of 40 received, every one once, and in order" in out
    assert "1 cut" in out
    assert_shown(out)


def assert_shown(out):
    """What the README shows is what comes, numbers apart; … stands for anything, further lines or none."""
    (shown,) = [block.code for block in blocks_of(ROOT / "README.rst") if "40 of 40" in block.code]
    said = iter(out.splitlines())
    for line in (line.strip() for line in shown.splitlines()):
        if line in ("", "…"):
            continue
        parts = [
            re.sub(r"\d+", r"\\d+", re.sub(r"(\\ )+", r"\\s+", re.escape(one))) for one in line.split("…")
        ]
        wanted = re.compile(r"\s*" + ".*".join(parts))
        assert any(wanted.fullmatch(one) for one in said), line


def test_ctrl_c_ends_it_at_once(start):
    process = start("demo")
    while "message" not in process.stdout.readline():
        pass
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "")


def test_ends_quietly_when_its_reader_goes(start):
    process = start("demo")
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=30) == 0
    assert process.stderr.read() == ""
