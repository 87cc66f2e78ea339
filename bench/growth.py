"""Growth: the cost of a message against the number of messages, their size, and the number of channels.

    python bench/growth.py [--short] [--out docs]

Writes growth-messages.svg, growth-size.svg and growth-channels.svg, and prints what they show.
"""

import gc
import logging
import pathlib
import threading
import time

import matplotlib as mpl

from common import bodies, report
from common.serving import serving
from gaechannel import Client, TalkDecoder

mpl.use("Agg")
import matplotlib.pyplot as plt

PIECE = 64 * 1024


def best_of(passes: int, body: bytes) -> float:
    """The seconds of the quickest pass over a body in pieces, as a socket gives them; nothing is kept."""
    best = float("inf")
    gc.disable()
    for _ in range(passes):
        decoder = TalkDecoder()
        started = time.perf_counter()
        for at in range(0, len(body), PIECE):
            decoder.feed(body[at : at + PIECE])
        best = min(best, time.perf_counter() - started)
    gc.enable()
    return best


def by_messages(short: bool) -> dict[int, float]:
    """ns a message of 100 B, for so many in a body."""
    block = bodies.body("ASCII", 100, 1000)
    most = 6 if short else 7
    return {10**n: best_of(3, block * 10 ** (n - 3)) / 10**n * 1e9 for n in range(3, most + 1)}


def by_size(short: bool) -> dict[int, float]:
    """ns a byte, for messages of so many bytes."""
    found = {}
    for size in [10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000]:
        count = max((2_000_000 if short else 20_000_000) // size, 1)
        body = bodies.body("ASCII", size, min(count, 100_000))
        found[size] = best_of(5, body) / len(body) * 1e9
    return found


def by_channels(short: bool) -> dict[int, float]:
    """µs a message of 100 B, over so many channels at once, each in a thread of its own."""
    logger = logging.getLogger("bench")
    logger.setLevel(logging.ERROR)
    found = {}
    for channels in [1, 3, 10, 30, 100]:
        count = (200_000 if short else 1_000_000) // channels

        def drain(port: int, number: int) -> None:
            with Client("token", logger, base_url=f"http://127.0.0.1:{port}") as client:
                for _, _message in zip(range(number), client.messages(), strict=False):
                    pass

        with serving(bodies.body("ASCII", 100, count + 1)) as port:
            threads = [threading.Thread(target=drain, args=(port, count)) for _ in range(channels)]
            started = time.perf_counter()
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            found[channels] = (time.perf_counter() - started) / (count * channels) * 1e6
    return found


def plot(found: dict[int, float], path: pathlib.Path, across: str, up: str) -> None:
    """A line, logarithmic across, from zero up."""
    figure, axes = plt.subplots(figsize=(5, 2.6), layout="constrained")
    axes.semilogx(list(found), list(found.values()), "o-")
    axes.set_ylim(bottom=0)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.grid(alpha=0.3)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
    print(f"{path.name}: " + ", ".join(f"{x:,}: {y:.3g}" for x, y in found.items()) + f" ({up})")


def main() -> None:
    """Measure and plot."""
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "gaechannel", "font.size": 8})
    parser = report.arguments(__doc__)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("docs"), help="where the plots go")
    options = parser.parse_args()
    report.clean_environment()
    options.out.mkdir(exist_ok=True)
    plot(
        by_messages(options.short), options.out / "growth-messages.svg", "messages in a body", "ns a message"
    )
    plot(by_size(options.short), options.out / "growth-size.svg", "bytes of a message", "ns a byte")
    plot(by_channels(options.short), options.out / "growth-channels.svg", "channels", "µs a message")
    if options.rows:
        report.write_rows([], options.rows)


if __name__ == "__main__":
    main()
