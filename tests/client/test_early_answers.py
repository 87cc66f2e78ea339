"""Servers that answer before they have read all of a request: the rest goes out as it was, and nothing else.

libcurl keeps what it has not sent yet in a buffer of its own. The client is a process whose C library
writes over what is freed, so that a server would see it.
"""

import contextlib
import os
import socket
import subprocess
import sys
import threading

import pytest
from hostile import Request, Server, array, chunk, head, ok
from tls import contexts

from gaechannel import _core

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.skipif(
        tuple(int(part) for part in _core.libcurl_version.split(".")[:2]) >= (8, 7),
        reason="this libcurl has no buffer for a head that is given back",
    ),
]

# Far more than the system takes at once.
SID = "S" * 600_000
# So many bytes are read before the answer. At each of them libcurl has written some of its buffer and not
# all, here; how much that is, the system says.
READ_FIRST = [40_000, 50_000, 60_000]
# Nothing has come for so long: all is sent.
QUIET_SECONDS = 1

PROGRAM = """
import sys
from gaechannel import BrowserChannel
channel = BrowserChannel(sys.argv[1], verify=False, http2=False)
print(channel.recv(timeout=20), flush=True)
for _ in channel:
    pass
"""


class EarlyServer(Server):
    """Answers a back channel when it has read the beginning of its request; reads on when told."""

    def __init__(self, read_first, tls):
        super().__init__(tls=tls)
        self.read_first = read_first
        self.goes_on = threading.Event()
        self.is_read = threading.Event()
        self.rest = bytearray()
        self.answer = self.open_or_stream

    def __enter__(self):
        super().__enter__()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        return self

    def _read(self, incoming, number):
        line = incoming.readline(self.read_first).decode()
        if line.startswith("GET "):
            return Request("GET", line, {}, b"", 0, number)
        length = 0
        while line.strip():
            line = incoming.readline().decode()
            if line.lower().startswith("content-length:"):
                length = int(line.partition(":")[2])
        incoming.read(length)
        return Request("POST", "/bind", {}, b"", 0, number)

    def open_or_stream(self, request, peer):
        if request.method == "POST":
            peer.send(ok(chunk(array(0, ["c", SID, "", 8]))))
            return
        peer.send(head("200 OK", "Connection: close") + chunk(array(1, "taken")))
        peer.wait(self.goes_on)
        peer.socket.settimeout(QUIET_SECONDS)
        with contextlib.suppress(TimeoutError):
            while piece := peer.socket.recv(1 << 16):
                self.rest += piece
        self.is_read.set()
        peer.close()


@pytest.mark.parametrize("read_first", READ_FIRST)
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_what_is_not_sent_yet_goes_out_as_it_was(tls, read_first):
    environ = {**os.environ, "MALLOC_PERTURB_": "85"}
    with EarlyServer(read_first, contexts()[0] if tls else None) as server:
        command = [sys.executable, "-c", PROGRAM, server.url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environ, text=True) as client:
            try:
                assert client.stdout.readline() == "taken\n"
                server.goes_on.set()
                assert server.is_read.wait(30)
                assert client.poll() is None
            finally:
                client.kill()
    in_sid = bytes(server.rest[: len(SID) - read_first])
    assert in_sid
    assert in_sid.strip(b"S") == b""
