"""What stands in deploy/, as far as it can be checked without being installed; proxies: tests/interop."""

import json
import os
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from gaechannel.cli.config import configured
from gaechannel.cli.main import _parser

DEPLOY = Path(__file__).parents[2] / "deploy"


def joined(file):
    """A file's lines, without comments, those that go on on the next line put together."""
    text = re.sub(r"^\s*#.*\n", "", (DEPLOY / file).read_text(encoding="utf-8"), flags=re.MULTILINE)
    return re.sub(r"\\\n\s*", " ", text).splitlines()


def test_the_options_in_the_file_and_in_the_unit_are_options(monkeypatch):
    (command,) = [
        line.split("=", 1)[1] for line in joined("gaechannel.service") if line.startswith("ExecStart=")
    ]
    program, *arguments = shlex.split(
        command.replace("/etc/gaechannel/gaechannel.toml", str(DEPLOY / "gaechannel.toml"))
    )
    assert program.endswith("/bin/gaechannel")
    args = configured(_parser(), arguments)
    given = tomllib.loads((DEPLOY / "gaechannel.toml").read_text(encoding="utf-8"))
    assert args.trust_proxy == given["trust-proxy"]
    assert (args.channels, args.metrics) == (given["channels"], given["metrics"])
    assert args.state == "%S/gaechannel/state"
    # Under the name that the proxies pass on.
    assert args.host_name == ["example.com"]
    for proxy, line in {
        "nginx.conf": "server_name example.com;",
        "Caddyfile": "example.com:443 {",
        "traefik.yaml": "Host(`example.com`)",
    }.items():
        assert line in (DEPLOY / proxy).read_text(encoding="utf-8")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not there")
def test_systemd_knows_all_that_the_units_say_and_finds_them_safe(tmp_path):
    for name in ("gaechannel.service", "gaechannel.socket"):
        text = (DEPLOY / name).read_text(encoding="utf-8")
        # It wants to see the program.
        (tmp_path / name).write_text(text.replace("/opt/gaechannel/bin/gaechannel", "/bin/true"))
    units = [tmp_path / "gaechannel.service", tmp_path / "gaechannel.socket"]
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    # An exposure below 2.0 of 10.
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", units[0]]
    done = subprocess.run(command, capture_output=True, text=True)
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd-analyze is older than 250")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_image_runs_the_server_as_nobody_special_and_asks_how_it_is():
    steps = [line.split(None, 1) for line in joined("Dockerfile") if line.strip()]
    known = {"FROM", "RUN", "COPY", "USER", "WORKDIR", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK"}
    assert {name for name, _ in steps} <= known | {"ENTRYPOINT", "CMD"}
    last = dict(steps)  # the last of each
    assert last["USER"] == "gaechannel"
    program, *arguments = json.loads(last["ENTRYPOINT"]) + json.loads(last["CMD"])
    assert program == "/opt/gaechannel/bin/gaechannel"
    args = configured(_parser(), arguments)
    check = json.loads(last["HEALTHCHECK"].partition("CMD")[2])
    assert f":{args.port}/healthz" in check[2]
    compile(check[2], "HEALTHCHECK", "exec")
    assert args.host == "0.0.0.0"
    assert str(args.port) == last["EXPOSE"]
    assert str(Path(args.state).parent) in json.loads(last["VOLUME"])
    for _, text in (step for step in steps if step[0] == "RUN"):
        assert subprocess.run(["sh", "-n", "-c", text]).returncode == 0
        assert ("apt-get install" in text) == ("rm -rf /var/lib/apt/lists/*" in text)


def test_the_nodes_of_the_compose_file_share_its_redis_behind_its_proxy():
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed: .ci/setup test")
    services = yaml.safe_load((DEPLOY / "nodes" / "compose.yaml").read_text(encoding="utf-8"))["services"]
    assert services.keys() == {"node1", "node2", "node3", "haproxy", "redis"}
    node = services["node1"]
    assert node == services["node2"] == services["node3"]
    context = DEPLOY / "nodes" / node["build"]["context"]
    assert (context / node["build"]["dockerfile"]).samefile(DEPLOY / "Dockerfile")
    entrypoint = next(line for line in joined("Dockerfile") if line.startswith("ENTRYPOINT"))
    arguments = json.loads(entrypoint.partition(" ")[2])[1:] + node["command"]
    args = configured(_parser(), arguments)
    assert (args.host, args.redis, args.state) == ("0.0.0.0", "redis://redis:6379", None)
    assert "redis]" in (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    # The proxy's file names these nodes, at these ports.
    (volume,) = services["haproxy"]["volumes"]
    file = DEPLOY / "nodes" / volume.partition(":")[0]
    servers = re.findall(r"^ +server (node\d) (\S+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    wanted = [(f"node{number}", f"node{number}:{port}") for port in (args.port, 8081) for number in (1, 2, 3)]
    assert servers == wanted
    assert args.admin == "0.0.0.0:8081"
    assert services["redis"]["command"][:5] == [
        "redis-server",
        "--appendonly",
        "yes",
        "--appendfsync",
        "always",
    ]


def test_haproxy_takes_the_nodes_file():
    program = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        pytest.skip("haproxy is not installed: .ci/packages peers does")
    done = subprocess.run(
        [program, "-c", "-f", DEPLOY / "nodes" / "haproxy.cfg"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    warnings = [line for line in done.stderr.splitlines() if "WARNING" in line]
    assert [
        line for line in warnings if "could not resolve" not in line
    ] == []  # there are no such nodes here
