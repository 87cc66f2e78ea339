"""A wheel, which brings its libcurl, beside this tree's build, against the system's.

    python bench/wheel.py WHEEL [--short] [--channels 1000]

Each in turns, in processes of its own, which have done nothing before. "against" is what the same took with
the system's libcurl.

import      processor time of a new interpreter, less that of an empty one
decode      texts and objects like those of living services, by decoders alone (bench/beside.py)
idle        memory of a WebChannel without a word, in asyncio; processor time to open it (bench/tls.py)
stream      texts of 100 B and 1 kB as fast as a server writes them (bench/beside.py)
latency     of a message, from the server's write to Python holding the message
"""

import argparse
import json
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import zipfile

import beside
import tls

from common import report
from common.serving import serving
from gaechannel.server import raise_file_limit

TREE = pathlib.Path(__file__).resolve().parents[1]


def milliseconds(folder: pathlib.Path, statement: str) -> float:
    """Processor time of an interpreter that does nothing but a statement."""
    code = f"import sys; sys.path[:0] = [{str(folder)!r}]\n{statement}"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1e3


def importing(folder: pathlib.Path) -> dict[str, tuple[float, str]]:
    """Of what most programs import."""
    statement = "from gaechannel import Client"
    more = [milliseconds(folder, statement) - milliseconds(folder, "") for _ in range(9)]
    return {statement: (statistics.median(more), "ms")}


def idle(folder: pathlib.Path, channels: int) -> dict[str, tuple[float, str]]:
    """Memory and opening, by each of bench/tls.py's lines."""
    found = {}
    with (
        serving(tls.HELLO, paced=b"IT", period_ns=1, count=0) as port,
        tls.encrypting(port) as (url, authority),
    ):
        for line, (encrypted, http2) in tls.LINES.items():
            place = (url, authority) if encrypted else (f"http://127.0.0.1:{port}", "")
            asked = json.dumps(["idle", "aio", *place, http2, channels])
            result = beside.in_tree(folder, tls.__file__, "--child", asked)
            over = "without TLS" if line == "none" else line
            found[f"idle channel, {over}"] = result["bytes"] / 1024, "KiB"
            found[f"opening one, {over}"] = result["cpu"] * 1e6, "µs of CPU"
    return found


def reading(folder: pathlib.Path, part: str) -> dict[str, tuple[float, str]]:
    """One of bench/beside.py's parts."""
    found = beside.in_tree(folder, beside.__file__, "--measure", part, str(folder))
    if part == "decode":
        return {what: (seconds * 1e3, "ms") for what, seconds in found.items()}
    if part == "latency":
        return {what: (nanoseconds / 1e3, "µs") for what, nanoseconds in found.items()}
    sent = beside.STREAM_BYTES / 1e6
    return {what: (sent / seconds, "MB/s") for what, seconds in found.items() if "32 kB" not in what}


def measure(folder: pathlib.Path, channels: int) -> dict[str, tuple[float, str]]:
    """All of it, once."""
    found = {**importing(folder), **reading(folder, "decode"), **idle(folder, channels)}
    return {**found, **reading(folder, "stream"), **reading(folder, "latency")}


def version(folder: pathlib.Path) -> str:
    """The libcurl that a build runs with."""
    program = "import gaechannel._core as core, json; print(json.dumps([['', core.libcurl_version]]))"
    return str(beside.in_tree(folder, "-P", "-c", program)[""])


def compare(wheel: pathlib.Path, options: argparse.Namespace) -> list[report.Row]:
    """Both, in turns."""
    found: dict[str, tuple[list[float], list[float], str]] = {}
    for _ in range(1 if options.short else 3):
        ours, systems = measure(wheel, options.channels), measure(TREE, options.channels)
        for what, (value, unit) in ours.items():
            lists = found.setdefault(what, ([], [], unit))
            lists[0].append(value)
            lists[1].append(systems[what][0])
    rows = []
    libcurls = version(wheel), version(TREE)
    for what, (values, others, unit) in found.items():
        against = f"{statistics.median(others):.3g} {unit} with {libcurls[1]}"
        rows.append(report.row(what, against, values, unit, libcurl=libcurls[0]))
    return rows


def main() -> None:
    """Compare."""
    parser = report.arguments(__doc__)
    parser.add_argument("wheel", type=pathlib.Path, metavar="WHEEL")
    parser.add_argument("--channels", type=int, help="how many (default: 1000; --short: 300)")
    options = parser.parse_args()
    report.clean_environment()
    options.channels = options.channels or (300 if options.short else 1000)
    raise_file_limit(8 * options.channels + 1000)
    with tempfile.TemporaryDirectory() as folder:
        zipfile.ZipFile(options.wheel).extractall(folder)
        report.finish(compare(pathlib.Path(folder), options), options)


if __name__ == "__main__":
    main()
