"""`gaechannel serve`, `create` and `send`."""

import re
import signal
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from gaechannel import BrowserChannel, WebChannel


@pytest.fixture
def serve(start, environ):
    """serve(*arguments) starts the command; returns the process and what it says, once it listens."""

    def start_server(*arguments):
        process = start("serve", "--port", "0", *arguments)
        text = ""
        while "gaechannel send" not in text:
            line = process.stdout.readline()
            assert line, process.stderr.read()
            text += line
        return process, text

    return start_server


def exported(text, name):
    return re.search(rf"export {name}=(\S+)", text)[1]


def test_what_serve_prints_is_enough_to_use_it(serve, run, environ):
    _, text = serve()
    for name in ("GAECHANNEL_BASE_URL", "GAECHANNEL_ADMIN", "GAECHANNEL_ADMIN_TOKEN"):
        environ[name] = exported(text, name)
    status, token, err = run("create", "me", "--minutes", "5")
    assert (status, err) == (0, "")
    assert run("send", "me", "Hello, channel!") == (0, "", "")
    assert run("listen", token.strip(), "--count", "1") == (0, "Hello, channel!\n", "")


def test_the_application_is_told_who_comes(serve, run, environ):
    told = []

    class Application(BaseHTTPRequestHandler):
        def do_POST(self):
            told.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    with HTTPServer(("127.0.0.1", 0), Application) as application:
        _, text = serve("--presence-url", f"http://127.0.0.1:{application.server_port}")
        for name in ("GAECHANNEL_BASE_URL", "GAECHANNEL_ADMIN", "GAECHANNEL_ADMIN_TOKEN"):
            environ[name] = exported(text, name)
        token = run("create", "me")[1].strip()
        run("send", "me", "hi")
        assert run("listen", token, "--count", "1")[0] == 0
        application.handle_request()
    assert told == [("/_ah/channel/connected/", b"from=me")]


@pytest.mark.parametrize("by", ["argument", "environment", "file"])
def test_an_administrative_token_that_was_given_is_not_printed(serve, run, environ, tmp_path, by):
    file = tmp_path / "token"
    file.write_text("open sesame\n")
    file.chmod(0o600)
    if by == "environment":
        environ["GAECHANNEL_ADMIN_TOKEN"] = "open sesame"
    given = {"argument": ("--admin-token", "open sesame"), "file": ("--admin-token-file", str(file))}
    process, text = serve(*given.get(by, ()))
    assert "sesame" not in text
    admin = exported(text, "GAECHANNEL_ADMIN")
    assert run("create", "me", "--admin", admin, "--admin-token", "open sesame")[0] == 0
    assert run("create", "me", "--admin", admin, "--admin-token-file", str(file))[0] == 0
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=30)[1] == ""


@pytest.mark.parametrize(
    ("text", "words"), [("", "has no token in it"), ("a\nb", "has no token in it"), (None, "No such file")]
)
def test_a_file_without_an_administrative_token_is_one_line_and_status_1(run, tmp_path, text, words):
    file = tmp_path / "token"
    if text is not None:
        file.write_text(text)
    for command in (("create", "me"), ("serve", "--port", "0")):
        status, out, err = run(*command, "--admin-token-file", str(file))
        assert (status, out) == (1, "")
        assert err.startswith(f"gaechannel: --admin-token-file: {file}")
        assert words in err
        assert err.count("\n") == 1


@pytest.mark.parametrize("by", ["argument", "file", "environment"])
def test_an_administrative_token_that_no_header_can_carry_is_one_line(run, environ, tmp_path, by):
    file = tmp_path / "token"
    file.write_text("10 €\n")
    given = {"argument": ("--admin-token", "a\nb"), "file": ("--admin-token-file", str(file))}
    if by == "environment":
        environ["GAECHANNEL_ADMIN_TOKEN"] = "a\nb"
    for command in (("create", "me"), ("send", "me", "text"), ("serve", "--port", "0")):
        status, out, err = run(*command, *given.get(by, ()))
        assert (status, out) == (1, "")
        assert "holds what no header can carry" in err
        assert err.count("\n") == 1


def test_a_port_in_use_is_named(run, serve):
    _, text = serve()
    host = exported(text, "GAECHANNEL_ADMIN").removeprefix("http://")
    status, out, err = run("serve", "--port", "0", "--admin", host)
    assert (status, out, err) == (1, "", f"gaechannel: --admin: {host}: Address already in use\n")


def test_an_administrative_token_that_others_can_read_is_warned_of(run, server, tmp_path):
    file = tmp_path / "token"
    file.write_text(server.admin_token)
    file.chmod(0o644)
    status, _, err = run("create", "me", "--admin-token-file", str(file))
    assert (status, err) == (0, f"gaechannel: {file} holds a secret and can be read by others: chmod 600\n")


def test_administration_goes_over_a_unix_socket(serve, run, tmp_path):
    socket_path = tmp_path / "admin"
    _, text = serve("--admin", str(socket_path), "--admin-token", "s")
    assert exported(text, "GAECHANNEL_ADMIN") == str(socket_path)
    assert socket_path.stat().st_mode & 0o777 == 0o600
    token = run("create", "me", "--admin", str(socket_path), "--admin-token", "s")[1].strip()
    assert run("send", token, "hi", "--admin", str(socket_path), "--admin-token", "s") == (0, "", "")
    base_url = exported(text, "GAECHANNEL_BASE_URL")
    assert run("listen", token, "--count", "1", "--base-url", base_url)[1] == "hi\n"


def test_administration_is_asked_for_over_tls(run):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        said = []

        def answer():
            peer, _ = listening.accept()
            with peer:
                said.append(peer.recv(1))

        listening.settimeout(30)
        thread = threading.Thread(target=answer)
        thread.start()
        status, _, err = run("create", "me", "--admin", f"https://127.0.0.1:{port}", "--admin-token", "s")
        thread.join()
    assert status == 1
    assert said == [b"\x16"]  # a TLS record
    assert err.startswith(f"gaechannel: cannot reach the server at https://127.0.0.1:{port}: ")


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_serve_ends_in_order(serve, number, expected):
    process, _ = serve()
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (expected, "")


def test_serve_makes_room_for_channels(serve):
    serve("--channels", "20")


def test_serve_says_when_there_cannot_be_so_many_channels(run):
    status, out, err = run("serve", "--port", "0", "--channels", "10000000000")
    assert (status, out) == (1, "")
    assert err.startswith("gaechannel: ")
    assert "open files" in err
    assert err.count("\n") == 1


def test_a_port_in_use_is_one_line_and_status_1(run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        status, out, err = run("serve", "--port", str(taken.getsockname()[1]))
    assert (status, out) == (1, "")
    assert err.startswith("gaechannel: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_without_aiohttp_one_line_says_what_to_install(start, tmp_path, environ, command):
    (tmp_path / "aiohttp.py").write_text("raise ImportError('No module named aiohttp')")
    environ["PYTHONPATH"] = str(tmp_path)
    process = start(command)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (1, "")
    assert err == "gaechannel: the channel server needs aiohttp: install gaechannel[server]\n"


def test_create_send_and_listen_do_without_aiohttp(run, server, tmp_path, environ):
    (tmp_path / "aiohttp.py").write_text("raise ImportError('No module named aiohttp')")
    environ["PYTHONPATH"] = str(tmp_path)
    token = run("create", "me")[1].strip()
    assert run("send", "me", "hi")[0] == 0
    assert run("listen", token, "--count", "1")[1] == "hi\n"


def test_send_takes_a_token_for_a_client_id(run, server):
    token = server.create_channel("me")
    assert run("send", token, "by token") == (0, "", "")
    assert run("listen", token, "--count", "1")[1] == "by token\n"


def test_send_reads_messages_from_standard_input(run, server):
    token = server.create_channel("me")
    assert run("send", "me", "-", stdin="one\ntwo €\nthree") == (0, "", "")
    assert run("listen", token, "--count", "3")[1] == "one\ntwo €\nthree\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("create", ""), "InvalidChannelClientIdError"),
        (("create", "me", "--minutes", "1441"), "InvalidChannelTokenDurationError"),
        (("send", "me", "x" * 32768), "/admin/send: InvalidMessageError"),
        (("create", "me", "--admin-token", "wrong"), "administrative token"),
        (("create", "me", "--admin-token", "wröng"), "--admin-token holds what no header can carry"),
        (
            ("create", "me", "--admin", "127.0.0.1:1"),
            "127.0.0.1:1: Connection refused; `gaechannel serve`",
        ),
    ],
)
def test_what_the_server_refuses_is_one_line_and_status_1(run, server, arguments, words):
    status, out, err = run(*arguments)
    assert (status, out) == (1, "")
    assert err.startswith("gaechannel: ")
    assert words in err
    assert err.count("\n") == 1


def test_the_administrative_token_follows_no_redirect_and_uses_no_proxy(run, environ):
    requests = []

    class Redirect(BaseHTTPRequestHandler):
        def do_POST(self):
            requests.append(self.path)
            self.send_response(302)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Redirect) as redirecting:
        threading.Thread(target=redirecting.serve_forever, daemon=True).start()
        environ["http_proxy"] = "http://127.0.0.1:1"
        admin = f"127.0.0.1:{redirecting.server_port}"
        status, _, err = run("create", "me", "--admin-token", "secret", "--admin", admin)
        redirecting.shutdown()
    assert (status, requests) == (1, ["/admin/create"])
    assert "302" in err


@pytest.mark.parametrize(("kind", "path"), [(BrowserChannel, "channel"), (WebChannel, "webchannel")])
def test_serve_answers_what_comes_over_the_two_way_channels(serve, kind, path):
    _, text = serve()
    url = re.search(rf"http://\S+/{path}$", text, re.MULTILINE)[0]
    with kind(url) as channel:
        send = channel.send if kind is WebChannel else channel.send_json
        send({"hello": "server"})
        assert next(iter(channel)) == {"you said": {"hello": "server"}}


@pytest.mark.parametrize("command", [("create", "me"), ("send", "me", "hi")])
def test_a_server_that_is_somewhere_else_is_told_by_its_address(run, server, command):
    elsewhere = f"{server.admin_url.replace('//', '//user:s3cret@')}/elsewhere"
    status, out, err = run(*command, "--admin", elsewhere)
    assert (status, out) == (1, "")
    assert f"administration at {server.admin_url}/elsewhere/admin/{command[0]}: --admin" in err
    assert re.search(r"\b404\b", err) is None  # a port may have these digits
    assert "s3cret" not in err


def test_send_blames_its_input_where_that_is_not_utf_8_and_has_sent_what_came_before(start, run, server):
    token = server.create_channel("me")
    process = start("send", "me", "-", text=False)
    out, err = process.communicate("eins\r\nzwei €\n".encode() + b"caf\xe9\nfour\n", timeout=30)
    assert (process.returncode, out) == (1, b"")
    assert err == b"gaechannel: standard input, line 3: not UTF-8, at its byte 4\n"
    assert run("listen", token, "--count", "2")[1] == "eins\nzwei €\n"


def test_send_blames_an_argument_that_is_not_utf_8(run, server):
    assert run("send", "me", b"caf\xe9") == (1, "", "gaechannel: TEXT is not in the terminal's encoding\n")


def test_tokens_outlive_a_restart_with_a_key_file(serve, start, run, environ, tmp_path):
    file = tmp_path / "key"
    process, text = serve("--key-file", str(file))
    for name in ("GAECHANNEL_BASE_URL", "GAECHANNEL_ADMIN", "GAECHANNEL_ADMIN_TOKEN"):
        environ[name] = exported(text, name)
    assert file.stat().st_mode & 0o777 == 0o600
    key = file.read_bytes()
    assert len(key.strip()) == 64
    token = run("create", "me")[1].strip()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    process, text = serve("--key-file", str(file))
    for name in ("GAECHANNEL_BASE_URL", "GAECHANNEL_ADMIN"):
        environ[name] = exported(text, name)
    dropped = "gaechannel: a message was dropped: this server has no channel of that client\n"
    assert run("send", "me", "-", stdin="one\ntwo\n") == (0, "", dropped)
    listening = start("listen", token, "--count", "1")
    said = []
    while listening.poll() is None:  # the new server holds nothing for who has not come yet, or has gone
        status, out, err = run("send", "me", "again")
        assert (status, out) == (0, "")
        assert err in ("", dropped)
        said.append(err)
    assert "" in said
    assert listening.communicate() == ("again\n", "")
    assert file.read_bytes() == key
    assert [path.name for path in tmp_path.iterdir()] == ["key"]
    process.send_signal(signal.SIGTERM)
    err = process.communicate(timeout=30)[1]  # the session may not have ended yet
    assert err == "" or "--state FILE keeps both" in err


def test_what_is_lost_at_the_end_is_said_and_is_kept_in_a_state_file(run, serve, environ, tmp_path):
    file = tmp_path / "state"
    environ["GAECHANNEL_ADMIN_TOKEN"] = "secret"
    for arguments, lost in (((), "1 message that has not arrived is lost"), (("--state", str(file)), "")):
        process, text = serve(*arguments)
        for name in ("GAECHANNEL_BASE_URL", "GAECHANNEL_ADMIN"):
            environ[name] = exported(text, name)
        token = run("create", "me")[1].strip()
        assert run("send", "me", "kept") == (0, "", "")
        process.send_signal(signal.SIGTERM)
        err = process.communicate(timeout=30)[1]
        assert lost in err if lost else err == ""
        assert process.returncode == 0
    process, text = serve("--state", str(file))
    for name in ("GAECHANNEL_BASE_URL", "GAECHANNEL_ADMIN"):
        environ[name] = exported(text, name)
    assert run("listen", token, "--count", "1") == (0, "kept\n", "")
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=30)[1] == ""
    file.write_text("something else " * 100)
    status, out, err = run("serve", "--port", "0", "--state", str(file))
    assert (status, out, err) == (1, "", f"gaechannel: --state: {file}: file is not a database\n")


def test_a_key_that_others_can_read_is_warned_of(serve, tmp_path):
    file = tmp_path / "key"
    file.write_text("0123456789abcdef\n")
    file.chmod(0o644)
    process, _ = serve("--key-file", str(file))
    process.send_signal(signal.SIGTERM)
    assert "can be read by others" in process.communicate(timeout=30)[1]


@pytest.mark.parametrize("made", ["empty", "short", "nowhere"])
def test_a_file_that_holds_no_key_is_one_line_and_status_1(run, tmp_path, made):
    file = tmp_path / ("folder/key" if made == "nowhere" else "key")
    if made != "nowhere":
        file.write_text("" if made == "empty" else "s3cret")
    status, out, err = run("serve", "--port", "0", "--key-file", str(file))
    assert (status, out) == (1, "")
    assert err.startswith("gaechannel: --key-file: ")
    assert str(file) in err
    assert f".{file.name}." not in err
    assert "s3cret" not in err
    assert err.count("\n") == 1
