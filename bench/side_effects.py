"""Side effects: what a channel costs the program around it.

    python bench/side_effects.py [--short]

- how much a second Python thread still does while a channel waits, and while it streams at full speed
- how long `import gaechannel` takes, beside `import json`
- what one channel, a chunk of 16 MB and a slow consumer take of memory
"""

import logging
import pathlib
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable

from common import bodies, report
from common.serving import serving
from gaechannel import Client, Decoder

PAGE_BYTES = resource.getpagesize()


def client(port: int, **options: object) -> Client:
    """A client that logs nothing."""
    logger = logging.getLogger("bench")
    logger.setLevel(logging.ERROR)
    return Client("token", logger, base_url=f"http://127.0.0.1:{port}", **options)  # type: ignore[arg-type]


# ---- Another thread ----


def turns_a_second(seconds: float) -> float:
    """How often a loop of plain Python comes round in a second, in the best of many short windows.

    Other programs disturb most of them, but not all.
    """
    best = 0.0
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        count = 0
        started = now = time.perf_counter()
        while now - started < 0.02:
            for _ in range(1000):
                count += 1
            now = time.perf_counter()
        best = max(best, count / (now - started))
    return best


def drain(messages: object) -> None:
    """Take messages until there are no more."""
    for _ in messages:  # type: ignore[attr-defined]
        pass


def share_beside(port: int, seconds: float) -> float:
    """A thread's work while another waits for, or takes, a channel's messages, to its work alone."""
    with client(port) as channel:
        reader = threading.Thread(target=drain, args=(channel.messages(),), daemon=True)
        alone = turns_a_second(seconds)
        reader.start()
        time.sleep(0.2)  # connecting is not waiting
        beside = turns_a_second(seconds)
    reader.join(5)
    return beside / alone


def other_thread(short: bool) -> list[report.Row]:
    """While it waits, and while it streams."""
    seconds, rounds = (0.5, 5) if short else (2.0, 9)
    count = bodies.count_for(1000, 300_000_000)
    rows = []
    with serving(b"", paced=b"x", count=0) as port:
        shares = [100 * share_beside(port, seconds) for _ in range(rounds)]
        rows.append(report.row("another thread, while waiting", "alone", shares, "%", goal=98.0))
    with serving(bodies.body("ASCII", 1000, count)) as port:
        shares = [100 * share_beside(port, min(seconds, 0.2)) for _ in range(rounds)]
        rows.append(report.row("another thread, at full speed", "alone", shares, "%"))
    return rows


# ---- Importing ----


def import_ms(statement: str) -> float:
    """A new interpreter's time with that statement, in ms."""
    path = str(pathlib.Path(__file__).resolve().parents[1])
    code = f"import sys; sys.path[:0] = [{path!r}]\n{statement}"
    started = time.perf_counter()
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)
    return (time.perf_counter() - started) * 1000


def importing(short: bool) -> list[report.Row]:
    """In turns, since the machine's mood changes."""
    statements = ["import json", "import gaechannel", "from gaechannel import Client"]
    found: dict[str, list[float]] = {statement: [] for statement in statements}
    for _ in range(10 if short else 40):
        for statement in statements:
            found[statement].append(import_ms(statement))
    json_ms = found.pop("import json")
    rows = []
    for statement in statements[1:]:
        more = [a - b for a, b in zip(found[statement], json_ms, strict=True)]
        goal = {"goal": 15.0} if statement == "import gaechannel" else {}
        rows.append(report.row(statement, "import json", more, "ms more", at_most=True, **goal))
    return rows


# ---- Memory ----


def resident_bytes() -> int:
    """This process's, now."""
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES


def peak_bytes() -> int:
    """This process's highest since the last call, where the kernel lets it be told again."""
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    pathlib.Path("/proc/self/clear_refs").write_text("5")
    return peak


def one_channel() -> float:
    """A synchronous channel that waits, in KiB; the mean of many."""
    count = 20
    with serving(b"", paced=b"x", count=0) as port:
        channels = [client(port) for _ in range(count + 1)]

        def wait(channel: Client) -> None:
            drain(channel.messages())

        def open_one(channel: Client) -> None:
            threading.Thread(target=wait, args=(channel,), daemon=True).start()
            while not channel.sid:
                time.sleep(0.01)

        open_one(channels[0])
        time.sleep(0.2)
        before = resident_bytes()
        for channel in channels[1:]:
            open_one(channel)
        time.sleep(0.2)
        grown = resident_bytes() - before
        for channel in channels:
            channel.close()
    return grown / count / 1024


def large_chunk() -> float:
    """The peak over what was there before, decoding a chunk of 16 MB, as a multiple of the chunk."""
    # In one piece from the beginning: what was freed before would be used again, and not be seen.
    length = 15_999_000
    head, tail = bodies.frame(bodies.payload(1, '"…"')).split("…".encode())
    head = b"%d%s" % (length + int(head[: head.index(b"\n")]) - 1, head[head.index(b"\n") :])
    body = bytearray(b"x") * (len(head) + length + len(tail))
    body[: len(head)], body[-len(tail) :] = head, tail
    peak_bytes()
    before = resident_bytes()
    assert len(Decoder().feed(body)) == 1
    return (peak_bytes() - before) / len(body)


def slow_consumer() -> float:
    """What a channel holds whose messages are not taken, in MiB; its queue_limit is 1 MiB."""
    count = bodies.count_for(1000, 100_000_000)
    with serving(bodies.body("ASCII", 1000, count)) as port, client(port) as channel:
        before = resident_bytes()
        messages = channel.messages()
        for _ in range(20):
            next(messages)
            time.sleep(0.02)
        return (resident_bytes() - before) / 1024**2


def memory() -> list[report.Row]:
    """Each measured in a process of its own, as what was freed before would be used again."""
    rows = []
    measures: list[tuple[str, str, Callable[[], float], str]] = [
        ("memory of a waiting channel and its thread", "", one_channel, "KiB"),
        ("memory of a 16 MB chunk, at its peak", "the chunk", large_chunk, "×"),
        ("memory of a slow consumer", "queue_limit 1 MiB", slow_consumer, "MiB"),
    ]
    for what, against, measure, unit in measures:
        code = f"import side_effects; print(side_effects.{measure.__name__}())"
        values = [
            float(subprocess.check_output([sys.executable, "-c", code], cwd=pathlib.Path(__file__).parent))
            for _ in range(3)
        ]
        rows.append(report.row(what, against, values, unit))
    return rows


def main() -> None:
    """Measure all."""
    parser = report.arguments(__doc__)
    options = parser.parse_args()
    report.clean_environment()
    rows = other_thread(options.short) + importing(options.short)
    if sys.platform == "linux":
        rows += memory()
    report.finish(rows, options)


if __name__ == "__main__":
    main()
