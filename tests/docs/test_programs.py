"""The programs in examples/ do what they say."""

import importlib.util
import os
import re
import subprocess
import sys

import pytest
from rst_blocks import ROOT

from gaechannel.server import LocalServer

EXAMPLES = ROOT / "examples"
HAS_MATPLOTLIB = importlib.util.find_spec("matplotlib") is not None


def start(name, *arguments):
    return subprocess.Popen(
        [sys.executable, str(EXAMPLES / name), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUTF8": "1"},
    )


def test_listen_prints_messages_until_the_session_is_stopped(tmp_path):
    with LocalServer() as server:
        token_file = tmp_path / "token"
        token_file.write_text(server.create_channel("me") + "\n")
        server.send_message("me", "hello 😀")
        with start("listen.py", str(token_file), server.base_url) as process:
            assert process.stdout.readline() == "hello 😀\n"
            server.service.sessions[0].stop()
            _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "the channel has failed: the server has stopped the session" in errors
    assert "messages=1" in errors


def test_decode_prints_each_array_once_over_several_back_channels():
    with LocalServer(backchannel_seconds=0.1, keepalive=0.05) as server:
        sessions = []
        server.browserchannel.on_session = lambda session: (sessions.append(session), session.send("first"))
        with start("decode.py", f"{server.url}/channel") as process:
            lines = [process.stdout.readline()]
            for number in range(20):
                sessions[0].send(["😀", number])
                while not lines[-1].endswith(f"['😀', {number}]\n"):
                    lines.append(process.stdout.readline())
                    assert lines[-1]
            sessions[0].stop()
            out, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")
    lines += out.splitlines(keepends=True)
    ids = [int(line.split()[0]) for line in lines]
    assert ids == list(range(1, len(ids) + 1))
    assert lines[0] == "1 first\n"
    assert lines[-1].endswith(" ['stop']\n")


def test_local_server_mends_a_cut_connection():
    with start("local_server.py") as process:
        out, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    lines = out.splitlines()
    for message in ("hello", "still there?", "good-bye"):
        assert lines.count(f"received {message}") == 1
    assert lines[-1].startswith("3 messages, 1 ")


@pytest.mark.parametrize(
    "name", ["chat.py", "decode.py", "firestore_listen.py", "listen.py", "lounge.py", "punctual.py"]
)
def test_wrong_arguments_print_what_is_wanted(name):
    with start(name) as process:
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert name in errors


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("chat.py", "no cookies can be read: "),
        ("listen.py", "no token can be read: "),
        ("lounge.py", "pair CODE` writes it"),
    ],
)
def test_a_file_that_is_missing_is_one_line(name, words, tmp_path):
    file = str(tmp_path / "nowhere")
    with (
        LocalServer() as server,
        start(name, file, *([] if name == "lounge.py" else [server.base_url])) as it,
    ):
        out, errors = it.communicate(timeout=30)
    assert (it.returncode, out) == (1, "")
    assert words in errors
    assert file in errors
    assert errors.count("\n") == 1


def test_the_dashboard_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "rich.py").write_text("raise ImportError")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with start("dashboard.py") as process:
        out, errors = process.communicate(timeout=30)
    assert (process.returncode, out, errors) == (1, "", "dashboard.py draws with rich: pip install rich\n")


# What makes it short: it goes on until enough has come. No back channel ends but where the network is cut.
HURRIED = {
    "LocalServer(backchannel_seconds=2.0)": "LocalServer()",
    "while time.perf_counter() - began < SECONDS:": "while len(came) <= 10 or not reconnected:",
    "CUTS = (1.0, 2.2, 3.4)": "CUTS = (0.2,)",
}


@pytest.fixture(scope="module")
def notebook(tmp_path_factory):
    """The notebook, run from top to bottom in a hurry; without the plot where there is no matplotlib."""
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    notebook = nbformat.read(EXAMPLES / "channel.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert not any(cell.get("outputs") for cell in notebook.cells), "outputs are not kept in the repository"
    for words, instead in HURRIED.items():
        (cell,) = (one for one in notebook.cells if words in one.source)
        cell.source = cell.source.replace(words, instead)
    if not HAS_MATPLOTLIB:
        notebook.cells = [cell for cell in notebook.cells if "pyplot" not in cell.source]
    nbclient.NotebookClient(
        notebook,
        timeout=60,
        kernel_name="python3",
        resources={"metadata": {"path": tmp_path_factory.mktemp("notebook")}},
    ).execute()
    return notebook


def outputs_of(notebook):
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def test_the_notebook_says_what_it_has_received(notebook):
    outputs = outputs_of(notebook)
    printed = "".join(one.get("text", "") for one in outputs if one.output_type == "stream")
    assert printed.startswith("hello from this notebook 😀\nand another\nafter the cut\n")
    found = re.search(r"(\d+) messages, each once and in order; (\d+) reconnects", printed)
    assert int(found[1]) > 10
    assert int(found[2]) >= 1
    assert "Error" not in printed


def test_the_notebook_s_table_lives(notebook):
    tables = [one.data["text/html"] for one in outputs_of(notebook) if "text/html" in one.get("data", {})]
    assert len(tables) == 4
    new, after_cut, live, closed = tables
    assert "</span> new" in new
    assert "last error" in after_cut
    assert int(re.search(r"messages</th><td[^>]*>(\d+),", live)[1]) > 3
    assert "</span> closed" in closed


@pytest.mark.skipif(not HAS_MATPLOTLIB, reason="matplotlib is not installed: .ci/setup manual")
def test_the_notebook_draws_latency(notebook):
    assert sum("image/png" in one.get("data", {}) for one in outputs_of(notebook)) == 1


@pytest.mark.parametrize("name", ["chat", "decode", "firestore_listen", "listen", "lounge", "punctual"])
def test_a_program_that_is_asked_for_help_says_what_it_is(name):
    with start(f"{name}.py", "--help") as process:
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert errors.strip() == (EXAMPLES / f"{name}.py").read_text().split('"""')[1].strip()
