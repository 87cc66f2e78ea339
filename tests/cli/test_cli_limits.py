"""`gaechannel serve` with limits: that each is an option, with the default that it says, and holds."""

import socket

from gaechannel.cli.limits import LIMITS
from gaechannel.server import ConnectionLimits, Limits


def test_every_limit_is_an_option_with_its_default():
    defaults = {
        name: field.default
        for one in (Limits, ConnectionLimits)
        for name, field in one.__dataclass_fields__.items()
    }
    said = {name.replace("-", "_"): float(text) for name, (_, text) in LIMITS.items() if text.isdigit()}
    assert said == {name: defaults[name] for name in said}
    others = {"keepalive", "backchannel_seconds", "backchannel_bytes", "hook_seconds", "host_prefix"}
    others.add("bytes_per_backchannel")
    assert {name.replace("-", "_") for name in LIMITS} == defaults.keys() - others


def port_of(served):
    """The port of what `serve` has said."""
    process, url = served
    assert url.startswith("http://127.0.0.1:"), process.stderr.read()
    return int(url.rpartition(":")[2])


def ask(port, head, body=b""):
    with socket.create_connection(("127.0.0.1", port), timeout=30) as raw:
        raw.sendall(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
        return raw.recv(1000).decode().splitlines()[0]


def test_limits_and_origins_that_are_given_hold(serve):
    page = "https://app.example"
    options = (
        "--max-body",
        "10",
        "--allow-origin",
        page,
        "--host-name",
        "a.example",
        "--host-name",
        "b.example",
    )
    port = port_of(serve(*options))
    post = "POST /channel/bind?VER=8&RID=1 HTTP/1.1\nHost: %s\nOrigin: %s\nContent-Length: %d"
    assert ask(port, post % ("b.example", page, 7), b"count=0") == "HTTP/1.1 200 OK"
    assert ask(port, post % ("a.example", page, 11)) == "HTTP/1.1 413 The body is longer than 10 bytes"
    assert ask(port, post % ("a.example", "https://x", 7)) == "HTTP/1.1 403 This origin is not allowed"
    assert ask(port, post % ("c.example", page, 7)) == "HTTP/1.1 421 This host name is not served here"


def test_limits_may_stand_in_a_file(serve, tmp_path):
    file = tmp_path / "serve.toml"
    file.write_text('max-head = 300\nallow-origin = ["https://a.example", "https://b.example"]\n')
    port = port_of(serve("--config", str(file)))
    get = "GET /talkgadget/d HTTP/1.1\nHost: x\nOrigin: https://b.example"
    assert ask(port, get) == "HTTP/1.1 400 token is missing"
    assert ask(port, f"{get}\nX: {'x' * 300}") == "HTTP/1.1 431 The head is too long"
