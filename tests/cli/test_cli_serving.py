"""`gaechannel serve` as a service: TLS, Unix sockets, logs, draining, metrics."""

import http.client
import json
import re
import signal
import socket
import ssl
import stat

import pytest
import trustme
from asking import UnixConnection, ask
from tls import certified
from waiting import until

from gaechannel import Client
from gaechannel.cli.arguments import CommandError
from gaechannel.cli.certificate import Certificate


def ended(process):
    """End the server in order; what it has said on standard error."""
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    return err


def get(url, path, **headers):
    return ask(http.client.HTTPConnection(url.partition("//")[2] or url, timeout=30), path, **headers)


# TLS.


def serial(url, folder):
    """The serial number of the certificate that a server shows."""
    context = ssl.create_default_context(cafile=folder / "ca.pem")
    host, port = url.removeprefix("https://").split(":")
    with (
        socket.create_connection((host, int(port)), timeout=30) as raw,
        context.wrap_socket(raw, server_hostname=host) as secure,
    ):
        return secure.getpeercert()["serialNumber"]


def test_https_is_served_with_a_certificate(serve, run, tmp_path):
    certified(tmp_path)
    both = (tmp_path / "key.pem").read_text() + (tmp_path / "cert.pem").read_text()
    (tmp_path / "both.pem").write_text(both)
    options = ["--admin", str(tmp_path / "admin"), "--admin-token", "secret"]
    process, url = serve("--cert", str(tmp_path / "both.pem"), *options)
    assert url.startswith("https://127.0.0.1:")
    token = run("create", "me", *options)[1].strip()
    run("send", "me", "over TLS", *options)
    with Client(token, base_url=f"{url}/talkgadget", verify=str(tmp_path / "ca.pem")) as client:
        assert next(client.messages()) == "over TLS"
    assert ended(process) == ""


def test_a_renewed_certificate_is_read_at_sighup_and_a_bad_one_is_not_used(serve, tmp_path):
    certified(tmp_path)
    process, url = serve("--cert", str(tmp_path / "cert.pem"), "--key", str(tmp_path / "key.pem"))
    first = serial(url, tmp_path)
    (tmp_path / "cert.pem").write_text("nonsense")
    process.send_signal(signal.SIGHUP)
    assert "the certificate stays what it was: --cert: " in process.stderr.readline()
    assert serial(url, tmp_path) == first
    authority = trustme.CA()
    other = authority.issue_cert("127.0.0.1")
    other.private_key_pem.write_to_path(tmp_path / "key.pem")
    other.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    process.send_signal(signal.SIGHUP)

    def renewed():
        try:
            return serial(url, tmp_path) != first
        except ssl.SSLError:  # still the one of the authority before
            return False

    until(renewed)
    assert ended(process) == ""


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (["nowhere.pem", None], "--cert: {0}: No such file or directory"),
        (["key.pem", None], "--cert: {0} holds a key, and no certificate"),
        (["cert.pem", None], "--cert: {0} holds no private key in PEM; see --key"),
        (["empty.pem", "key.pem"], "--cert: {0} is empty"),
        (["ca.der", "key.pem"], "--cert: {0} is in DER, and not in PEM"),
        (["cert.pem", "nowhere.pem"], "--key: {1}: No such file or directory"),
        (["cert.pem", "other.pem"], "--cert: the key in {1} does not fit the certificate in {0}"),
        (["cert.pem", "locked.pem"], "--key: {1} holds a key that wants a password"),
    ],
)
def test_what_is_no_certificate_is_told_in_one_line(tmp_path, files, words):
    certified(tmp_path)
    trustme.CA().issue_cert("127.0.0.1").private_key_pem.write_to_path(tmp_path / "other.pem")
    (tmp_path / "empty.pem").touch()
    (tmp_path / "ca.der").write_bytes(ssl.PEM_cert_to_DER_cert((tmp_path / "ca.pem").read_text()))
    (tmp_path / "locked.pem").write_text(
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,"
        f"{'0' * 32}\n\nAAAA\n-----END RSA PRIVATE KEY-----\n"
    )
    paths = [name and str(tmp_path / name) for name in files]
    with pytest.raises(CommandError) as caught:
        Certificate(*paths)
    assert str(caught.value).startswith(words.format(*paths))
    assert "\n" not in str(caught.value)


def test_a_key_without_a_certificate_is_a_wrong_argument(run):
    status, _, err = run("serve", "--port", "0", "--key", "key.pem")
    assert status == 2
    assert "--key is given, and no --cert" in err


# Unix sockets and logs.


def test_a_unix_socket_is_listened_on_by_its_mode_and_the_log_is_json(serve, run, tmp_path):
    path = tmp_path / "socket"
    process, url = serve("--unix", str(path), "--unix-mode", "666", "--access-log", "-", "--log-json")
    assert url == f"unix:{path}"
    assert stat.S_IMODE(path.stat().st_mode) == 0o666
    assert ask(UnixConnection(str(path)), "/readyz") == (200, "ready\n")
    status, _, err = run("serve", "--unix", str(path))
    assert (status, err.count("\n")) == (1, 1)  # somebody listens there
    (line,) = ended(process).splitlines()
    assert not path.exists()
    entry = json.loads(line)
    assert entry.pop("seconds") >= 0
    assert entry.pop("bytes") > 6  # its head, too
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", entry.pop("time"))
    assert entry == {
        "level": "info",
        "logger": "gaechannel.server.access",
        "client": "unix",
        "method": "GET",
        "path": "/readyz",
        "status": 200,
    }


def test_the_access_log_goes_on_in_another_file_where_its_own_is_moved_away(serve, tmp_path):
    log = tmp_path / "access"
    process, url = serve("--access-log", str(log))
    get(url, "/healthz")
    until(log.read_text)
    log.rename(tmp_path / "old")
    get(url, "/readyz")
    assert ended(process) == ""
    line = r"\S+Z 127\.0\.0\.1 GET /{} 200 \d+ [0-9.]+\n"
    assert re.fullmatch(line.format("healthz"), (tmp_path / "old").read_text())
    assert re.fullmatch(line.format("readyz"), log.read_text())


def test_a_log_that_cannot_be_written_is_told_once_and_harms_nobody(serve):
    process, url = serve("--access-log", "/dev/full")
    for _ in range(5):
        assert get(url, "/healthz")[0] == 200
    assert ended(process) == "gaechannel: the log cannot be written: [Errno 28] No space left on device\n"


def test_a_log_file_that_cannot_be_made_is_one_line_and_status_1(run, tmp_path):
    status, out, err = run("serve", "--port", "0", "--access-log", str(tmp_path / "folder" / "log"))
    assert (status, out) == (1, "")
    assert err == f"gaechannel: --access-log: {tmp_path}/folder/log: No such file or directory\n"


# What cannot be used, by the option that names it.


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--state", "/no/such/folder/x", "/no/such/folder/x: No such file or directory"),
        ("--state", "{folder}", "{folder}: it is a directory"),
        ("--state", "{text}", "{text}: file is not a database"),
        ("--unix", "/no/such/folder/x", "/no/such/folder/x: No such file or directory"),
        ("--unix", "{text}", "{text}: it is there already, and no socket"),
        ("--admin", "{text}", "{text}: it is there already, and no socket"),
        ("--admin", "{port}", "{port}: Address already in use"),
        ("--host", "nowhere.invalid", "nowhere.invalid:0: "),
    ],
)
def test_what_cannot_be_used_is_said_behind_its_option(run, tmp_path, option, value, words):
    (tmp_path / "text").write_text("text")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = f"127.0.0.1:{taken.getsockname()[1]}"
        names = {"folder": tmp_path, "text": tmp_path / "text", "port": port}
        status, out, err = run("serve", "--port", "0", option, value.format(**names))
    assert (status, out) == (1, "")
    assert err.startswith(f"gaechannel: {option}: {words.format(**names)}")


def test_a_port_in_use_is_said_to_be_the_port_s(run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        status, _, err = run("serve", "--port", port, "--admin", "127.0.0.1:0")
    assert (status, err) == (1, f"gaechannel: --port: 127.0.0.1:{port}: Address already in use\n")


@pytest.mark.parametrize(
    "option", ["--state", "--unix", "--cert", "--key-file", "--admin-token-file", "--config", "--access-log"]
)
def test_an_empty_path_is_a_wrong_argument(run, option):
    status, _, err = run("serve", "--port", "0", option, "")
    assert status == 2
    assert f"argument {option}: the path is empty" in err


def test_an_argument_that_the_server_refuses_is_named_as_the_option(run):
    status, _, err = run("serve", "--port", "0", "--trust-proxy", "nonsense")
    assert status == 2
    assert "error: --trust-proxy: 'nonsense' is neither an address" in err


# Draining, and metrics.


def test_a_server_that_drains_is_not_ready_and_goes_on(start):
    pytest.importorskip("prometheus_client")
    process = start("serve", "--port", "0", "--metrics", "127.0.0.1:0", "--drain-seconds", "1.5")
    lines = iter(process.stdout.readline, "")
    url = next(lines).split()[2].rstrip(",")
    metrics = next(line for line in lines if "metrics  " in line).split()[-1]
    assert get(url, "/readyz") == (200, "ready\n")
    status, body = get(metrics, "/metrics")
    assert status == 200
    assert 'gaechannel_sessions{path="/talkgadget"} 0.0' in body
    assert get(metrics, "/")[0] == 404
    process.send_signal(signal.SIGTERM)
    until(lambda: get(url, "/readyz") == (503, "stopping\n"))
    assert get(url, "/healthz")[0] == get(metrics, "/healthz")[0] == 200
    assert process.wait(30) == 0


def test_metrics_without_prometheus_client_are_one_line_and_status_1(start, tmp_path, environ):
    (tmp_path / "prometheus_client.py").write_text("raise ImportError('No module named prometheus_client')")
    environ["PYTHONPATH"] = str(tmp_path)
    process = start("serve", "--port", "0", "--metrics", "127.0.0.1:0")
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (1, "")
    assert err == "gaechannel: the metrics need prometheus-client: install gaechannel[metrics]\n"
