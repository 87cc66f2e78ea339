"""`gaechannel listen`: messages on standard output, whoever reads it, and however it ends."""

import datetime
import json
import signal
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import trustme
from ports import free_port
from tls import certified, contexts

from gaechannel.server import LocalServer


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
    begun = time.time() - 0.001  # it is rounded
    status, out, err = run("listen", token, "--json", "--count", "3")
    assert (status, err) == (0, "")
    lines = [json.loads(line) for line in out.splitlines()]
    assert [(line["channel"], line["message"]) for line in lines] == [(1, text) for text in texts]
    ids = [line["id"] for line in lines]
    assert ids == list(range(ids[0], ids[0] + 3))
    assert begun <= lines[0]["time"] <= lines[2]["time"] <= time.time()
    assert "😀 €" in out


def test_json_is_ascii_where_the_encoding_is_not_utf_8(run, server, token, environ):
    environ.update(PYTHONUTF8="0", PYTHONIOENCODING="latin-1")
    server.send_message("me", "é 😀")
    status, out, _ = run("listen", token, "--json", "--count", "1", encoding="latin-1")
    assert status == 0
    assert json.loads(out)["message"] == "é 😀"


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
    lines = [json.loads(line) for line in out.splitlines()]
    assert sorted((line["channel"], line["message"]) for line in lines) == [(1, "to a"), (2, "to b")]


def test_labels_the_messages_of_several_tokens(run, server):
    tokens = [server.create_channel(name) for name in ("a", "b")]
    server.send_message("a", "to a")
    server.send_message("b", "to b")
    status, out, err = run("listen", *tokens, "--count", "2")
    assert (status, err) == (0, "")
    assert sorted(out.splitlines()) == ["1: to a", "2: to b"]


# ---- The other dialects ----


def test_listens_to_a_webchannel_and_sends_when_it_opens(run, server):
    opened = []

    def open_session(session):
        opened.append(session.params["database"])
        session.on_message = lambda message: session.send({"you said": message})

    server.webchannel.on_session = open_session
    status, out, err = run(
        *("listen", "--dialect", "webchannel", f"{server.url}/webchannel", "--count", "2"),
        *("--param", "database=a b&c=d", "--send", '{"é": [1]}', "--send", '"two"'),
    )
    assert (status, err) == (0, "")
    assert [json.loads(line) for line in out.splitlines()] == [{"you said": {"é": [1]}}, {"you said": "two"}]
    assert opened == ["a b&c=d"]


@pytest.mark.parametrize("dialect", ["talk", "dev", "browserchannel", "webchannel"])
def test_headers_go_with_every_request(run, dialect):
    heard = []

    class Refuse(BaseHTTPRequestHandler):
        def do_POST(self):
            heard.append(self.headers["X-Name"])
            self.send_error(403)

        def do_GET(self):
            self.do_POST()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Refuse) as refusing:
        threading.Thread(target=refusing.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{refusing.server_port}/channel"
        named = (url,) if dialect.endswith("channel") else ("token", "--base-url", url)
        status, _, err = run("listen", "--dialect", dialect, *named, "--header", "X-Name:  a: b")
        refusing.shutdown()
    assert (status, heard) == (1, ["a: b"])
    assert "403" in err


def test_sends_again_when_the_server_has_lost_the_session(start, server):
    def open_session(session):
        session.on_message = lambda message: session.send({"you said": message})

    server.webchannel.on_session = open_session
    process = start("listen", "--dialect", "webchannel", f"{server.url}/webchannel", "--send", "1")
    for _ in range(2):
        assert process.stdout.readline() == '{"you said": 1}\n'
        server.webchannel.forget()


def test_listens_to_a_browserchannel_with_a_form_and_maps(run, server):
    def open_session(session):
        session.send(session.form["name"])
        session.on_map = session.send

    server.browserchannel.on_session = open_session
    status, out, err = run(
        *("listen", "--dialect", "browserchannel", f"{server.url}/channel", "--json", "--count", "2"),
        *("--form", "name=Kitchen", "--send", '{"_sc": "setVolume", "volume": 40}'),
    )
    assert (status, err) == (0, "")
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["message"] for line in lines] == ["Kitchen", {"_sc": "setVolume", "volume": "40"}]
    assert [line["id"] for line in lines] == [1, 2]


def test_listens_to_a_development_server(start, server, token):
    process = start("listen", "--dialect", "dev", token)
    server.send_message("me", "hello")
    assert process.stdout.readline() == "hello\n"


def test_an_error_that_a_webchannel_brings_is_one_line_and_status_1(run, server):
    error = {"code": 403, "status": "PERMISSION_DENIED", "message": "Missing\npermissions."}
    server.webchannel.on_session = lambda session: session.send({"error": error})
    status, out, err = run("listen", "--dialect", "webchannel", f"{server.url}/webchannel")
    assert (status, out) == (1, "")
    assert err == "gaechannel: 403 PERMISSION_DENIED: Missing permissions.\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("token", "--param", "a=b"), "--param is nothing to the dialect talk"),
        (("token", "--dialect", "dev", "--send", "1"), "--send is nothing to the dialect dev"),
        (("http://h/", "--dialect", "webchannel", "--form", "a=b"), "--form is nothing to the dialect web"),
        (("http://h/", "--dialect", "webchannel", "--base-url", "http://h/"), "--base-url is nothing"),
        (("http://h/", "--dialect", "browserchannel", "--send", "[1]"), "a map is a JSON object"),
        (("http://h/", "--dialect", "browserchannel", "--send", "{}"), "a map is a JSON object"),
        (
            ("https://h/s3cret",),
            "in the dialect talk a channel is named by a token: for a URL, give --dialect web",
        ),
        (("token", "--param", "a"), "'a' is not NAME=VALUE"),
        (("token", "--header", "s3cret"), "--header: a header is 'NAME: VALUE'"),
        (("token", "--header", "X Y: s3cret"), "--header: a header is 'NAME: VALUE'"),
        (("token", "--header", ": s3cret"), "--header: a header is 'NAME: VALUE'"),
        (("token", "--header", "X: a\ns3cret"), "--header: a header is 'NAME: VALUE'"),
        (("token", "--send", "{"), "--send: not JSON"),
        (("token", "--dialect", "carrier"), "--dialect"),
    ],
)
def test_what_a_dialect_has_no_use_for_is_status_2_and_named(run, arguments, words):
    status, out, err = run("listen", *arguments)
    assert (status, out) == (2, "")
    assert words in err.splitlines()[-1]
    assert "s3cret" not in err


def test_a_url_that_is_none_is_status_2_and_named(run):
    status, out, err = run("listen", "--dialect", "webchannel", "foo")
    assert (status, out) == (2, "")
    assert err.splitlines()[-1].startswith("gaechannel listen: error: url must be http")
    assert "not 'foo'" in err


def test_a_url_from_standard_input_without_a_dialect_is_told_of_dialects(run, server):
    status, out, err = run("listen", "-", stdin=f"{server.url}/webchannel")
    assert (status, out) == (2, "")
    assert "for a URL, give --dialect webchannel or --dialect browserchannel" in err.splitlines()[-1]
    assert "--dialect" not in run("listen", "nonsense")[2]


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
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, "", "")


def test_ends_quietly_when_its_reader_goes_without_waiting_for_a_message(start, server, token):
    process = start("listen", token)
    server.send_message("me", "one")
    assert process.stdout.readline() == "one\n"
    process.stdout.close()
    assert process.wait(timeout=30) == 0
    assert process.stderr.read() == ""


def test_survives_a_pipe_that_was_closed_before_anything_was_printed(start, server, token):
    process = start("listen", token, "--count", "1000")
    process.stdout.close()
    for number in range(100):
        server.send_message("me", str(number))
    assert process.wait(timeout=30) == 0
    assert process.stderr.read() == ""


def test_head_takes_its_line_and_all_end(start, server, token):
    process = start("listen", token)
    head = subprocess.Popen(["head", "-n", "1"], stdin=process.stdout, stdout=subprocess.PIPE, text=True)
    process.stdout.close()
    server.send_message("me", "one")
    server.send_message("me", "two")
    assert head.communicate(timeout=30)[0] == "one\n"
    assert process.wait(timeout=30) == 0
    assert process.stderr.read() == ""


def test_a_token_that_is_refused_is_one_line_and_status_1(run, server):
    status, out, err = run("listen", "nonsense")
    assert (status, out) == (1, "")
    assert err.startswith("gaechannel: HTTP status 401")
    assert err.count("\n") == 1


def test_no_server_is_one_line_and_status_1(run):
    port = free_port()
    status, out, err = run("listen", "a-secret-token", "--base-url", f"http://127.0.0.1:{port}/talkgadget")
    assert (status, out) == (1, "")
    assert err.startswith("gaechannel: ")
    assert err.count("\n") == 1
    assert "a-secret-token" not in err
    assert err.endswith("; `gaechannel serve` runs a server\n")


@pytest.mark.parametrize(
    ("scheme", "tls", "hint"),
    [
        (
            "https",
            True,
            "; is its authority your own? Name it by SSL_CERT_FILE=FILE in the environment, or by --verify\n",
        ),
        ("https", False, "; does that port speak plain http?\n"),
        ("http", True, "; does that port speak https?\n"),
    ],
)
def test_what_tls_says_of_a_server_comes_with_a_hint(run, scheme, tls, hint):
    with LocalServer(admin=None, ssl_context=contexts()[0] if tls else None) as server:
        url = f"{scheme}://127.0.0.1:{server.port}/talkgadget"
        status, out, err = run("listen", "--base-url", url, server.create_channel("me"))
    assert (status, out) == (1, "")
    assert err.endswith(hint)
    assert err.count("\n") == 1


@pytest.mark.parametrize("days", [(-2, -1), (1, 2)], ids=["expired", "not yet valid"])
def test_where_a_certificates_time_is_another_the_clock_is_asked_about(run, monkeypatch, tmp_path, days):
    begin, end = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=one) for one in days)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", not_before=begin, not_after=end).configure_cert(context)
    with LocalServer(admin=None, ssl_context=context) as server:
        url = f"https://127.0.0.1:{server.port}/talkgadget"
        status, out, err = run("listen", "--base-url", url, server.create_channel("me"))
    assert (status, out) == (1, "")
    assert err.endswith("; is this machine's clock right?\n")


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
    _, err = process.communicate(timeout=30)
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


def test_a_proxy_that_is_not_there_is_no_server_that_is_not(run, environ):
    environ["http_proxy"] = f"127.0.0.1:{free_port()}"
    environ["GAECHANNEL_BASE_URL"] = f"http://127.0.0.1:{free_port()}/talkgadget"
    status, _, err = run("listen", "token")
    assert status == 1
    assert "(through the proxy " in err
    assert "runs a server" not in err
    environ["http_proxy"] = "ftp://127.0.0.1"
    status, _, err = run("listen", "token")
    assert status == 1
    assert "the environment's http_proxy is not the URL of a proxy" in err
    assert "runs a server" not in err


def test_a_proxy_that_is_named_by_an_option_comes_before_the_environments(run, environ, server, token):
    environ["http_proxy"] = f"127.0.0.1:{free_port()}"
    server.send_message("me", "hello")
    assert run("listen", token, "--count", "1", "--proxy", "") == (0, "hello\n", "")


@pytest.mark.parametrize("dialect", ["talk", "webchannel"])
def test_an_authority_and_a_certificate_of_ones_own_are_named_by_options(run, environ, tmp_path, dialect):
    certified(tmp_path)
    mine = trustme.CA()
    issued = mine.issue_cert("me@example.org")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "mine.pem")
    issued.private_key_pem.write_to_path(tmp_path / "mine.key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    mine.configure_trust(context)
    options = ["--verify", "ca.pem", "--cert", "mine.pem", "--key", "mine.key", "--count", "1"]
    with LocalServer(ssl_context=context) as secure:
        environ["GAECHANNEL_BASE_URL"] = secure.base_url
        if dialect == "talk":
            token = secure.create_channel("me")
            secure.send_message("me", "hello")
            command = ["listen", token]
        else:
            secure.webchannel.on_session = lambda session: session.send("hello")
            command = ["listen", "--dialect", dialect, f"{secure.url}/webchannel"]
        assert run(*command, *options, cwd=tmp_path) == (0, "hello\n", "")


def test_a_key_without_a_certificate_is_a_wrong_argument(run):
    status, _, err = run("listen", "token", "--key", "mine.key")
    assert status == 2
    assert "--key is given, and no --cert" in err
