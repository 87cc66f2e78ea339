"""`gaechannel demo --nodes`: messages arrive while the servers that share them are killed and start again."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from gaechannel.client import Client

from .arguments import CommandError
from .serve import server_classes
from .story import Story, numbered_messages

_BETWEEN_KILLS = 8  # messages
_KILLS = 2  # of each node
_PAUSE = 0.1  # seconds between two messages
_START_SECONDS = 30.0  # that a process may take until it serves

_HAPROXY = """
defaults
    mode http
    option http-no-delay
    option abortonclose
    option redispatch 1
    retries 3
    timeout connect 2s
    timeout client 90s
    timeout server 90s
    default-server check inter 200ms fall 1 rise 1
    option httpchk GET /readyz
    balance random
listen web
    bind 127.0.0.1:{port}
{servers}
listen admin
    bind unix@{folder}/admin
{admin_servers}
"""

_NGINX = """
daemon off;
{user}
pid {folder}/nginx.pid;
error_log {folder}/nginx.errors;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/client;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    proxy_http_version 1.1;
    proxy_buffering off;
    proxy_read_timeout 90s;
    proxy_set_header Host $http_host;
    upstream web {{
{servers}
    }}
    upstream admin {{
{admin_servers}
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass http://web; }}
    }}
    server {{
        listen unix:{folder}/admin;
        location / {{ proxy_pass http://admin; }}
    }}
}}
"""


def _program(*names: str) -> str | None:
    """The first of these programs that is there; only root has proxies' directory on PATH."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    return next((found for name in names if (found := shutil.which(name, path=path))), None)


def _programs() -> tuple[str, str]:
    """Redis and a proxy.

    Raises:
        CommandError: something is missing.
    """
    redis, proxy = _program("redis-server", "valkey-server"), _program("haproxy", "nginx")
    missing = []
    if redis is None:
        missing.append("redis-server")
    if proxy is None:
        missing.append("haproxy (or nginx)")
    if redis is None or proxy is None:
        raise CommandError(f"demo --nodes needs {' and '.join(missing)}: Debian's packages have these names")
    if importlib.util.find_spec("redis") is None:
        raise CommandError("demo --nodes needs redis-py: install gaechannel[redis]")
    return redis, proxy


class _Processes:
    """Processes in a folder, each with a file for what it says, which end with it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: list[subprocess.Popen[bytes]] = []

    def start(
        self, name: str, command: Sequence[str | Path], environ: dict[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        with (self._folder / f"{name}.log").open("ab") as words:
            process = subprocess.Popen(  # noqa: S603 - of what was found, and of this package
                command,
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=words,
                env=environ,
                start_new_session=True,  # Ctrl-C is for the demonstration, which ends them
            )
        self._running.append(process)
        return process

    def wait(self, name: str, process: subprocess.Popen[bytes], is_there: Callable[[], bool]) -> None:
        """Wait until a process serves.

        Raises:
            CommandError: it has ended instead.
        """
        deadline = time.monotonic() + _START_SECONDS
        while not is_there():
            if process.poll() is not None or time.monotonic() > deadline:
                words = (self._folder / f"{name}.log").read_text(encoding="utf-8", errors="replace").strip()
                raise CommandError(f"{name} does not start: {words.splitlines()[-1] if words else ''}")
            time.sleep(0.02)

    def end(self) -> None:
        for process in self._running:
            process.kill()
        for process in self._running:
            process.wait()


def _answers(address: Path | int) -> bool:
    """Whether somebody listens on a Unix socket, or a port of this machine."""
    with socket.socket(socket.AF_UNIX if isinstance(address, Path) else socket.AF_INET) as one:
        one.settimeout(1.0)
        with contextlib.suppress(OSError):
            one.connect(str(address) if isinstance(address, Path) else ("127.0.0.1", address))
            return True
    return False


class _Farm:
    """Some nodes, a Redis that they share, and a proxy before them.

    Args:
        count: how many nodes.
        folder: for what they need.
        story: where it is told what happens.

    Raises:
        CommandError: a program is missing, or does not start.
    """

    def __init__(self, count: int, folder: Path, story: Story) -> None:
        self.count = count
        self.key = secrets.token_urlsafe(16)
        self._folder = folder
        self._story = story
        self._processes = _Processes(folder)
        self._nodes: dict[int, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        redis, proxy = _programs()
        command: list[str | Path] = [
            redis,
            "--port",
            "0",
            "--unixsocket",
            self._folder / "redis",
            "--dir",
            self._folder,
        ]
        command += ["--save", "", "--appendonly", "yes", "--appendfsync", "always"]
        self._begin("redis", command, self._folder / "redis")
        self._story.say("redis", f"{Path(redis).name} listens on a Unix socket, and loses nothing")
        for number in range(1, self.count + 1):
            self._start_node(number)
        for number in range(1, self.count + 1):
            self._await_node(number)
            self._story.say(f"node {number}", "serves")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._start_proxy(proxy)
        self._story.say("proxy", f"{Path(proxy).name} listens on {self.url}; gives each request to any node")

    def end(self) -> None:
        self._processes.end()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def admin(self) -> str:
        return f"unix:{self._folder}/admin"

    def kill(self, number: int) -> None:
        """Kill a node, and start it again."""
        self._await_node(number)
        self._nodes[number].send_signal(signal.SIGKILL)
        self._nodes[number].wait()
        self._story.say(f"node {number}", "is killed")
        self._start_node(number)
        threading.Thread(target=self._tell, args=(number,), daemon=True).start()

    def _tell(self, number: int) -> None:
        with contextlib.suppress(CommandError, OSError):  # whoever kills it next is told so; or it is the end
            self._await_node(number)
            self._story.say(f"node {number}", "serves again")

    def _begin(self, name: str, command: Sequence[str | Path], address: Path | int) -> None:
        self._processes.wait(name, self._processes.start(name, command), lambda: _answers(address))

    def _start_node(self, number: int) -> None:
        command = [sys.executable, "-m", "gaechannel", "serve", "--redis", f"unix://{self._folder}/redis"]
        command += ["--unix", f"{self._folder}/web{number}", "--admin", f"{self._folder}/admin{number}"]
        environ = {**os.environ, "GAECHANNEL_ADMIN_TOKEN": self.key}
        self._nodes[number] = self._processes.start(f"node {number}", command, environ)

    def _await_node(self, number: int) -> None:
        address = self._folder / f"web{number}"
        self._processes.wait(f"node {number}", self._nodes[number], lambda: _answers(address))

    def _start_proxy(self, program: str) -> None:
        numbers = range(1, self.count + 1)
        is_haproxy = Path(program).name == "haproxy"
        line = "    server node{0} unix@{1}/{2}{0}"
        if not is_haproxy:
            line = "        server unix:{1}/{2}{0} max_fails=0;"
        text = (_HAPROXY if is_haproxy else _NGINX).format(
            folder=self._folder,
            port=self.port,
            user="user root;" if os.geteuid() == 0 else "",
            servers="\n".join(line.format(number, self._folder, "web") for number in numbers),
            admin_servers="\n".join(line.format(number, self._folder, "admin") for number in numbers),
        )
        file = self._folder / "proxy.conf"
        file.write_text(text, encoding="utf-8")
        if is_haproxy:
            command: list[str | Path] = [program, "-db", "-f", file]
        else:
            command = [program, "-p", self._folder, "-e", self._folder / "nginx.errors", "-c", file]
        self._begin("proxy", command, self.port)


def demo_nodes(count: int) -> int:
    """Show messages arriving from so many nodes; returns the exit status.

    Raises:
        CommandError: a program that is needed is missing, or does not start.
    """
    server_classes()  # says what is missing
    from gaechannel.server.remote import ChannelAPI

    story = Story()
    sent = numbered_messages(_BETWEEN_KILLS * (_KILLS * count + 1))
    kills = 0
    with tempfile.TemporaryDirectory(prefix="gaechannel-") as name, contextlib.ExitStack() as stack:
        farm = _Farm(count, Path(name), story)
        stack.callback(farm.end)
        farm.start()
        api = stack.enter_context(ChannelAPI(farm.admin, farm.key, retries=10))
        token = api.create_channel("demo")
        story.say("app", f"made the channel 'demo'; its token is {token[:14]}…")
        failed: list[Exception] = []

        def send(stop: threading.Event) -> None:
            nonlocal kills
            for number, message in enumerate(sent, 1):
                try:
                    api.send_message("demo", message)
                    if number % _BETWEEN_KILLS == 0 and number < len(sent):
                        farm.kill(kills % count + 1)
                        kills += 1
                except Exception as error:
                    failed.append(error)
                    client.close()
                    return
                if stop.wait(_PAUSE):
                    return

        with Client(token, story.logger(), base_url=f"{farm.url}/talkgadget", max_backoff=1.0) as client:
            received = story.receive(client, len(sent), send)
        if failed:
            raise failed[0]
        print(story.summary(sent, received, client.stats))
        print(f"nodes          {count}, killed {kills} times by SIGKILL while messages were sent")
    return 0 if received == sent else 1
