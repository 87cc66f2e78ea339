"""`gaechannel demo --nodes`: servers that share a Redis are killed, and all messages arrive."""

import shutil
import signal

import pytest
from haproxy import skip_without_haproxy
from redis_server import skip_without_redis

from gaechannel.cli import demo_nodes
from gaechannel.cli.arguments import CommandError

skip_without_redis()


@pytest.mark.timeout(120)
def test_every_message_arrives_while_the_nodes_are_killed(run):
    skip_without_haproxy()
    status, out, err = run("demo", "--nodes", "2", timeout=100)
    assert (status, err) == (0, ""), out
    numbers = [
        int(line.split("message", 1)[1].split(":")[0]) for line in out.splitlines() if " s  message " in line
    ]
    assert numbers == list(range(1, 41))
    assert out.count("is killed") == 4
    assert out.count("serves again") >= 3
    assert "haproxy listens on http://127.0.0.1:" in out
    assert "40 of 40 received, every one once, and in order" in out
    assert "sessions       1\n" in out
    assert "killed 4 times by SIGKILL" in out


def only(*names):
    """As if of all programs there were these alone."""
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"

    def find(*wanted):
        return next(
            (found for name in wanted if name in names and (found := shutil.which(name, path=path))), None
        )

    return find


@pytest.mark.timeout(120)
def test_nginx_does_where_there_is_no_haproxy(monkeypatch, capsys):
    if only("nginx")("nginx") is None:
        pytest.skip("nginx is not there (Debian: nginx-light)")
    monkeypatch.setattr(demo_nodes, "_program", only("nginx", "redis-server"))
    monkeypatch.setattr(demo_nodes, "_BETWEEN_KILLS", 5)
    monkeypatch.setattr(demo_nodes, "_KILLS", 1)
    assert demo_nodes.demo_nodes(2) == 0
    out = capsys.readouterr().out
    assert "nginx listens on http://127.0.0.1:" in out
    assert "15 of 15 received, every one once, and in order" in out


@pytest.mark.parametrize(
    ("there", "missing"),
    [
        ([], "redis-server and haproxy (or nginx)"),
        (["redis-server"], "haproxy (or nginx)"),
        (["nginx"], "redis-server"),
    ],
)
def test_what_is_missing_is_told_in_a_line(monkeypatch, there, missing):
    monkeypatch.setattr(
        demo_nodes, "_program", lambda *names: next((one for one in names if one in there), None)
    )
    with pytest.raises(CommandError, match=r"^demo --nodes needs ") as told:
        demo_nodes.demo_nodes(3)
    assert f"needs {missing}:" in str(told.value)


def test_what_does_not_start_says_why(monkeypatch):
    monkeypatch.setattr(demo_nodes, "_program", lambda *names: "/bin/false")
    with pytest.raises(CommandError, match=r"^redis does not start: "):
        demo_nodes.demo_nodes(1)


def test_ctrl_c_ends_all_of_it(start):
    skip_without_haproxy()
    process = start("demo", "--nodes", "1")
    while "message" not in process.stdout.readline():
        pass
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "")
