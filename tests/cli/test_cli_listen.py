"""`gaechannel listen`: messages on standard output, whoever reads it, and however it ends."""

import json
import signal
import socket
import subprocess

import pytest


@pytest.fixture
def token(server):
    return server.create_channel("me")


def test_prints_a_message_a_line_and_stops_after_count(run, server, token):
    for text in ("one", "zwei €", "drei 😀", "four"):
        server.send_message("me", text)
    assert run("listen", token, "--count", "3") == (0, "one\nzwei €\ndrei 😀\n", "")


def test_a_message_stays_one_line(run, server, token):
    server.send_message("me", "a\nb\r\tc\\n\x1b[2J\x00\x85\u2028")
    status, out, err = run("listen", token, "--count", "1")
    assert (status, err) == (0, "")
    assert out == "a\\nb\\r\tc\\n\\x1b[2J\\x00\\x85\\u2028\n"


def test_json_is_one_object_a_line_and_loses_nothing(run, server, token):
    texts = ["plain", 'a\nb\r\tc\\n"\x1b\x00\x7f\x85\u2028', "😀 €"]
    for text in texts:
        server.send_message("me", text)
    status, out, err = run("listen", token, "--json", "--count", "3")
    assert (status, err) == (0, "")
    assert [json.loads(line) for line in out.splitlines()] == [
        {"channel": 1, "message": text} for text in texts
    ]
    assert "😀 €" in out


def test_json_is_ascii_where_the_encoding_is_not_utf_8(run, server, token, environ):
    environ.update(PYTHONUTF8="0", PYTHONIOENCODING="latin-1")
    server.send_message("me", "é 😀")
    status, out, _ = run("listen", token, "--json", "--count", "1", encoding="latin-1")
    assert status == 0
    assert json.loads(out) == {"channel": 1, "message": "é 😀"}


def test_what_the_encoding_lacks_is_escaped(run, server, token, environ):
    environ.update(PYTHONUTF8="0", PYTHONIOENCODING="ascii")
    server.send_message("me", "é")
    assert run("listen", token, "--count", "1") == (0, "\\xe9\n", "")


def test_lines_come_out_as_messages_come_in(start, server, token):
    process = start("listen", token)
    for text in ("first", "second"):
        server.send_message("me", text)
        assert process.stdout.readline() == f"{text}\n"


def test_takes_several_tokens(run, server):
    tokens = [server.create_channel(name) for name in ("a", "b")]
    server.send_message("a", "to a")
    server.send_message("b", "to b")
    status, out, err = run("listen", *tokens, "--json", "--count", "2")
    assert (status, err) == (0, "")
    received = sorted(json.loads(line)["channel"] for line in out.splitlines())
    assert received == [1, 2]
    for line in out.splitlines():
        assert json.loads(line) in ({"channel": 1, "message": "to a"}, {"channel": 2, "message": "to b"})


def test_one_bad_token_among_several_ends_it(run, server, token):
    status, out, err = run("listen", token, "nonsense")
    assert (status, out) == (1, "")
    assert "401" in err


def test_reads_tokens_from_standard_input(run, server, token):
    server.send_message("me", "hi")
    assert run("listen", "-", "--count", "1", stdin=f"{token}\n") == (0, "hi\n", "")


@pytest.mark.parametrize("tokens", [1, 2])
def test_ctrl_c_is_status_130_and_says_nothing(start, server, tokens, wait_until):
    names = [f"client {number}" for number in range(tokens)]
    process = start("listen", *map(server.create_channel, names))
    wait_until(lambda: all(map(server.service.is_connected, names)))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (130, "", "")


def test_ends_quietly_when_its_reader_goes_without_waiting_for_a_message(start, server, token):
    process = start("listen", token)
    server.send_message("me", "one")
    assert process.stdout.readline() == "one\n"
    process.stdout.close()
    assert process.wait(timeout=10) == 0
    assert process.stderr.read() == ""


def test_survives_a_pipe_that_was_closed_before_anything_was_printed(start, server, token):
    process = start("listen", token, "--count", "1000")
    process.stdout.close()
    for number in range(100):
        server.send_message("me", str(number))
    assert process.wait(timeout=10) == 0
    assert process.stderr.read() == ""


def test_head_takes_its_line_and_all_end(start, server, token):
    process = start("listen", token)
    head = subprocess.Popen(["head", "-n", "1"], stdin=process.stdout, stdout=subprocess.PIPE, text=True)
    process.stdout.close()
    server.send_message("me", "one")
    server.send_message("me", "two")
    assert head.communicate(timeout=10)[0] == "one\n"
    assert process.wait(timeout=10) == 0
    assert process.stderr.read() == ""


def test_a_token_that_is_refused_is_one_line_and_status_1(run, server):
    status, out, err = run("listen", "nonsense")
    assert (status, out) == (1, "")
    assert err.startswith("gaechannel: HTTP status 401")
    assert err.count("\n") == 1


def test_no_server_is_one_line_and_status_1(run):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    status, out, err = run("listen", "a-secret-token", "--base-url", f"http://127.0.0.1:{port}/talkgadget")
    assert (status, out) == (1, "")
    assert err.startswith("gaechannel: ")
    assert err.count("\n") == 1
    assert "a-secret-token" not in err


def test_survives_a_cut_connection_and_says_so_on_stderr(start, server, token, wait_until):
    process = start("listen", token, "--count", "2")
    server.send_message("me", "before")
    assert process.stdout.readline() == "before\n"
    server.cut()
    server.send_message("me", "after")
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "after\n")
    assert all(line.startswith("gaechannel: ") for line in err.splitlines())
    assert "Connection lost" in err


def test_verbose_says_what_is_asked_but_not_the_token(run, server, token):
    server.send_message("me", "hi")
    status, out, err = run("listen", "-v", token, "--count", "1")
    assert (status, out) == (0, "hi\n")
    assert "/dch/bind?" in err
    assert token not in err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_the_session_so_that_the_next_listener_gets_what_follows(
    start, run, server, token, number
):
    # Where these tests run under nohup, it would be ignored.
    process = start("listen", token, preexec_fn=lambda: signal.signal(number, signal.SIG_DFL))
    server.send_message("me", "first")
    assert process.stdout.readline() == "first\n"
    process.send_signal(number)
    _, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (128 + number, "")
    server.send_message("me", "second")
    assert run("listen", token, "--count", "1") == (0, "second\n", "")


@pytest.mark.parametrize(
    ("token", "words"), [("abc\n", "line end"), ("abc\ndef", "line end"), ("abc\udcff", "surrogates")]
)
def test_a_token_that_cannot_be_one_is_one_line_and_status_1(run, server, token, words):
    status, out, err = run("listen", token)
    assert (status, out) == (1, "")
    assert err.startswith("gaechannel: token ")
    assert words in err
    assert err.count("\n") == 1


def test_no_token_on_standard_input_is_one_line_and_status_1(run, server):
    assert run("listen", "-") == (1, "", "gaechannel: there is no token on standard input\n")
