"""Starts the server of prepared bytes."""

import contextlib
import os
import pathlib
import subprocess
import tempfile
from collections.abc import Iterator

from common import bodies, building

SID = "5E9A7C0FFEE15BAD"
BACK_CHANNEL = f"/dch/bind?VER=8&RID=rpc&SID={SID}&AID=0&CI=0&TYPE=xmlhttp"

_INIT_PAGE = f"""<html><script>
var a = new chat.WcsDataClient("http://127.0.0.1/",
"",
"{bodies.CLID}",
"gsessionid-0",
0,
"WCX",
"token"
);
</script></html>"""

_STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"


def _response(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def _chunked(body: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(body), size):
        part = body[start : start + size]
        yield b"%x\r\n%s\r\n" % (len(part), part)
    yield b"0\r\n\r\n"


def cpus() -> tuple[int, int] | None:
    """A processor for the server and another for who reads from it; None where there is only one."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    usable = sorted(os.sched_getaffinity(0))
    return (usable[0], usable[-1]) if len(usable) > 1 else None


@contextlib.contextmanager
def serving(
    stream: bytes,
    *,
    chunked: int = 0,
    paced: bytes | None = None,
    period_ns: int = 0,
    count: int = 0,
    pin: tuple[int, int] | None = None,
) -> Iterator[int]:
    """Serve a channel whose back channel's body is `stream`; the value is the port.

    Args:
        chunked: the bytes in each part of a body in chunked transfer coding; 0 for a body that ends with the
            connection.
        paced: a chunk to write `count` times, one each `period_ns`, behind the stream: see prepared_server.c.
        pin: the server's processor and this process's.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder)
        (path / "init").write_bytes(_response(_INIT_PAGE.encode()))
        (path / "open").write_bytes(_response(bodies.frame(f'[[0,["c","{SID}",,8]\n]\n]\n')))
        (path / "maps").write_bytes(_response(bodies.frame("[1,0,0]")))
        with (path / "stream").open("wb") as file:
            if chunked:
                file.write(_STREAM_HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
                file.writelines(_chunked(stream, chunked))
            else:
                file.write(_STREAM_HEAD + b"\r\n" + stream)
        arguments = []
        if paced is not None:
            (path / "message").write_bytes(paced)
            arguments = [str(period_ns), str(count)]
        command = [building.program("prepared_server"), folder, *arguments]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
            assert server.stdin is not None
            assert server.stdout is not None
            was = os.sched_getaffinity(0) if pin else set()
            try:
                if pin:
                    os.sched_setaffinity(server.pid, {pin[0]})
                    os.sched_setaffinity(0, {pin[1]})
                yield int(server.stdout.readline())
            finally:
                server.stdin.close()
                server.wait()
                if pin:
                    os.sched_setaffinity(0, was)
