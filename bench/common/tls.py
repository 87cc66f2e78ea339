"""TLS before the server of prepared bytes: an nghttpx, which speaks HTTP/1.1 and HTTP/2."""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator

NGHTTPX = shutil.which("nghttpx", path=os.environ.get("PATH", "") + ":/usr/sbin")
# Of HTTP/2, to a connection: what most servers allow.
STREAMS = 100


def _certify(folder: pathlib.Path) -> None:
    """Write key.pem and cert.pem of a server on this machine, who is its own authority."""
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ]
    command += [
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost,IP:127.0.0.1",
        "-days",
        "2",
    ]
    command += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _wait_for(port: int) -> None:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.01)
    raise SystemExit("bench: nghttpx does not listen")


@contextlib.contextmanager
def encrypting(backend: int) -> Iterator[tuple[str, str]]:
    """The base URL before the server at a port, and the file of the authority it is certified by."""
    if NGHTTPX is None or shutil.which("openssl") is None:
        raise SystemExit("bench: TLS needs nghttpx and openssl (Debian: nghttp2-proxy, openssl)")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        _certify(folder)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        command = [
            NGHTTPX,
            "--conf=/dev/null",
            f"--frontend=127.0.0.1,{port}",
            f"--backend=127.0.0.1,{backend}",
        ]
        command += ["--workers=1", "--no-ocsp", "--log-level=FATAL", "--accesslog-file=/dev/null"]
        command += ["--errorlog-file=/dev/null", f"--frontend-http2-max-concurrent-streams={STREAMS}"]
        command += [
            "--backend-connections-per-host=100000",
            str(folder / "key.pem"),
            str(folder / "cert.pem"),
        ]
        # A session of its own: it has a worker process, which is to go with it.
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        ) as process:
            try:
                _wait_for(port)
                yield f"https://127.0.0.1:{port}", str(folder / "cert.pem")
            finally:
                os.killpg(process.pid, signal.SIGKILL)
