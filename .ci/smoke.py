"""Whether a wheel works on another system: smoke.py ROOT COMMAND…

COMMAND starts that system's Python, with the wheel on its path; ROOT is the folder that is its root.
It receives messages over TLS and HTTP/2 from servers here, with an empty environment, and has to find the
authority of their certificate where systems keep such: each place is tried, then all is put back.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import trustme

from gaechannel._authorities import DIRECTORIES, FILES
from gaechannel.server import LocalServer

# What the other system's Python runs. Its standard output is looked at.
PROGRAM = """
import sys, time
began = time.perf_counter()
import gaechannel
from gaechannel import Client, Decoder, TransportError
took = time.perf_counter() - began
assert Decoder().feed(b'12\\n[[5,["ab"]]]') == [(5, ["ab"])]
token, base_url = sys.argv[1:]
try:
    with Client(token, base_url=base_url, auto_reconnect=False) as client:
        messages = client.messages()
        print("received", [next(messages) for _ in range(2)])
except TransportError as error:
    print("failed", error)
libcurl = gaechannel._core.libcurl_version
print(f"CPython {sys.version.split()[0]}, libcurl {libcurl}, imported in {took:.3f} s")
"""

# Debian, Ubuntu and Alpine; Fedora; SUSE; Alpine's base system and BSDs.
PLACES = [FILES[0], FILES[1], FILES[2], "/etc/ssl/cert.pem"]


@contextmanager
def http2_before(backend, authority, folder):
    """nghttpx before a server: its port, and a function that says which protocols its clients have spoken."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    cert, log = folder / "cert.pem", folder / "log"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(cert)
    nghttpx = shutil.which("nghttpx", path=os.environ["PATH"] + ":/usr/sbin")
    options = [f"-f127.0.0.1,{port}", f"-b127.0.0.1,{backend}", "--conf=/dev/null", "--workers=1"]
    options += [f"--accesslog-file={log}", "--accesslog-format=$alpn", "--errorlog-file=/dev/null"]
    process = subprocess.Popen(
        [nghttpx, *options, cert, cert], stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        while True:
            if process.poll() is not None:
                raise SystemExit("nghttpx has ended")
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.05)
        yield port, lambda: set(log.read_text().split())
    finally:
        os.killpg(process.pid, signal.SIGTERM)  # it has a worker process
        process.wait()


@contextmanager
def without_authorities(root):
    """Nothing of the other system's own where it would keep certificates."""
    taken = []
    for path in (*FILES, *DIRECTORIES):
        path = root / path[1:]
        if os.path.lexists(path):
            aside = path.with_name(path.name + ".aside")
            path.rename(aside)
            taken.append((aside, path))
    try:
        yield
    finally:
        for aside, path in reversed(taken):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            aside.rename(path)


def main(root, *command):
    root = Path(root)
    authority = trustme.CA()
    with (
        tempfile.TemporaryDirectory() as folder,
        without_authorities(root),
        LocalServer() as server,
        http2_before(urlsplit(server.base_url).port, authority, Path(folder)) as (port, spoken),
    ):
        base_url = f"https://127.0.0.1:{port}/talkgadget"

        def run():
            token = server.create_channel("smoke")
            for text in ("one", "é€😀"):
                server.send_message("smoke", text)
            done = subprocess.run(
                [*command, "-", token, base_url],
                input=PROGRAM,
                env={"PATH": os.environ["PATH"]},
                capture_output=True,
                text=True,
            )
            if done.returncode != 0:
                raise SystemExit(f"smoke: {done.stdout}{done.stderr}")
            said, how = done.stdout.splitlines()
            return said, how

        said, how = run()
        if not re.match("failed .*no CA certificates were found", said):
            raise SystemExit(f"smoke: without certificates it {said}")
        for place in PLACES:
            path = root / place[1:]
            path.parent.mkdir(parents=True, exist_ok=True)
            authority.cert_pem.write_to_path(path)
            said, how = run()
            path.unlink()
            if said != "received ['one', 'é€😀']":
                raise SystemExit(f"smoke: with certificates in {place} it {said}")
        if spoken() != {"h2"}:
            raise SystemExit(f"smoke: spoken was {spoken()}")
    print(f"smoke: {how}; messages over TLS and HTTP/2, certificates found in {', '.join(PLACES)}")


main(*sys.argv[1:])
