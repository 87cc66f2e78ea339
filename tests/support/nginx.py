"""nginx as it is set up when new, before a server: a proxy that holds responses back.

Since 1.30 it is to be told to speak HTTP/1.0 to the server for that, as it did before.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess

import pytest
from ports import free_port

# What nginx needs to run in a folder of its own.
MAIN = """
daemon off;
{user}
pid {folder}/pid;
error_log {folder}/errors;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/client;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {servers}
}}
"""
# A chunk of HTTP/1.1 it hands on as it comes, buffering or not.
SERVER = """
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass {upstream}; proxy_http_version 1.0; {more} }}
    }}
"""


# Our server asks nginx not to buffer; others do not.
IGNORING = "proxy_ignore_headers X-Accel-Buffering;"


@contextlib.contextmanager
def started(folder):
    """Gives a function that starts nginx before a server, and returns the proxy's own address."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        pytest.skip("nginx is not there (Debian: nginx-light)")
    running = []

    def start(upstream, more=IGNORING):
        port = free_port()
        servers = SERVER.format(port=port, upstream=upstream, more=more)
        (folder / "conf").write_text(MAIN.format(folder=folder, user="", servers=servers), encoding="utf-8")
        command = [program, "-p", folder, "-e", folder / "errors", "-c", folder / "conf"]
        running.append(subprocess.Popen(command))
        while True:
            assert running[-1].poll() is None, (folder / "errors").read_text(encoding="utf-8")
            try:
                socket.create_connection(("127.0.0.1", port)).close()
            except ConnectionRefusedError:
                continue
            return f"http://127.0.0.1:{port}"

    try:
        yield start
    finally:
        for process in running:
            process.send_signal(signal.SIGTERM)
            process.wait()
