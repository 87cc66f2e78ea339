"""What `gaechannel serve` and a service manager tell each other."""

import fcntl
import os
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from gaechannel.cli import systemd
from gaechannel.cli.arguments import CommandError


@pytest.fixture
def manager(tmp_path, environ):
    """A service manager's socket; the commands find it by their environment."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(30)
        environ["NOTIFY_SOCKET"] = str(tmp_path / "notify")
        yield listening


def test_a_service_is_ready_once_it_listens_and_stopping_from_sigterm_on(start, manager):
    process = start("serve", "--port", "0")
    assert manager.recv(100) == b"READY=1"
    assert process.stdout.readline().startswith("Serving on ")
    process.send_signal(signal.SIGHUP)  # a reload of what needs none ends nothing
    process.send_signal(signal.SIGTERM)
    assert manager.recv(100) == b"STOPPING=1"
    assert process.wait(30) == 0


def test_the_watchdog_hears_of_an_event_loop_that_goes_round(start, manager, environ):
    environ["WATCHDOG_USEC"] = "200000"
    process = start("serve", "--port", "0")
    assert [manager.recv(100) for _ in range(4)] == [b"READY=1", *[b"WATCHDOG=1"] * 3]
    process.send_signal(signal.SIGTERM)
    while manager.recv(100) != b"STOPPING=1":
        pass


def test_the_watchdog_hears_of_it_while_the_server_drains_and_a_second_sigterm_ends_that(
    start, manager, environ
):
    environ["WATCHDOG_USEC"] = "200000"
    process = start("serve", "--port", "0", "--drain-seconds", "1000")
    heard = iter(lambda: manager.recv(100), b"")
    assert next(heard) == b"READY=1"
    process.send_signal(signal.SIGTERM)
    assert b"STOPPING=1" in heard
    assert next(heard) == b"WATCHDOG=1"
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


def test_a_credential_that_systemd_has_loaded_is_not_warned_of(start, environ, tmp_path):
    (tmp_path / "admin-token").write_text("secret\n")
    (tmp_path / "admin-token").chmod(0o440)  # as it looks with an access list
    environ["CREDENTIALS_DIRECTORY"] = str(tmp_path)
    process = start("serve", "--port", "0", "--admin-token-file", str(tmp_path / "admin-token"))
    assert process.stdout.readline().startswith("Serving on ")
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=30)[1] == ""


def test_the_watchdog_of_another_process_is_not_ours(monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "3000000")
    assert systemd.watchdog_seconds() == 1.5
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    assert systemd.watchdog_seconds() == 1.5
    monkeypatch.setenv("WATCHDOG_PID", "1")
    assert systemd.watchdog_seconds() is None
    monkeypatch.delenv("WATCHDOG_PID")
    monkeypatch.setenv("WATCHDOG_USEC", "often")
    assert systemd.watchdog_seconds() is None


def test_without_a_manager_nobody_is_told(monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not systemd.notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", "/nonexistent/socket")
    assert not systemd.notify("READY=1")


def test_an_abstract_socket_is_told(monkeypatch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0gaechannel {os.getpid()}")
        listening.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@gaechannel {os.getpid()}")
        assert systemd.notify("STATUS=well", "READY=1")
        assert listening.recv(100) == b"STATUS=well\nREADY=1"


# As systemd does it: the sockets from 3 on, and the variables with the pid that only the child knows.
ACTIVATE = """
import os, sys
count = int(sys.argv[1])
for place in range(count):
    os.dup2(int(sys.argv[2 + place]), 3 + place)
    os.set_inheritable(3 + place, True)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(count), "LISTEN_FDNAMES": "web:metrics"}
os.execv(sys.executable, [sys.executable, "-m", "gaechannel", "serve", *sys.argv[2 + count:]])
"""


def test_sockets_that_are_handed_over_are_listened_on(environ):
    """And stay open after it: who connects meanwhile waits for the next process."""
    with (
        socket.create_server(("127.0.0.1", 0)) as public,
        socket.create_server(("127.0.0.1", 0)) as metrics,
    ):
        fds = [os.dup(one.fileno()) for one in (public, metrics)]
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 50) for fd in fds]  # away from where they are to be
        for fd in fds:
            os.close(fd)
        address = "http://127.0.0.1:{}".format
        for _ in range(2):
            waiting = socket.create_connection(public.getsockname(), timeout=30)
            with subprocess.Popen(
                [sys.executable, "-c", ACTIVATE, "2", *map(str, high), "--admin", "127.0.0.1:0"],
                pass_fds=high,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            ) as process:
                try:
                    assert process.stdout.readline() == (
                        f"Serving on {address(public.getsockname()[1])}, until Ctrl-C.\n"
                    )
                    with waiting:
                        waiting.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                        assert waiting.recv(100).startswith(b"HTTP/1.1 200")
                    url = address(metrics.getsockname()[1]) + "/metrics"
                    with urllib.request.urlopen(url, timeout=30) as reply:
                        assert b"gaechannel_sessions" in reply.read()
                finally:
                    process.send_signal(signal.SIGTERM)
                    assert process.wait(30) == 0
        for fd in high:
            os.close(fd)


def test_what_is_handed_to_another_process_is_not_taken():
    environ = {"LISTEN_PID": "1", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "web"}
    assert systemd.listening_sockets(environ) == []
    assert environ == {}


@pytest.mark.parametrize("what", ["file", "connected"])
def test_what_cannot_be_listened_on_is_told(what, tmp_path, monkeypatch):
    environ = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
    pair = socket.socketpair()
    fd = os.open(tmp_path, os.O_RDONLY) if what == "file" else os.dup(pair[0].fileno())
    monkeypatch.setattr(systemd, "_FIRST_FD", fd)
    with pytest.raises(CommandError, match=rf"LISTEN_FDS: descriptor {fd} is"):
        systemd.listening_sockets(environ)
    for one in pair:
        one.close()
    if what == "file":
        os.close(fd)
