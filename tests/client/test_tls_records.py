"""What OpenSSL is told of a connection's memory, as a server sees it."""

import pytest
from either import Asyncio, Sync
from hostile import TalkServer, messages, streams
from link_proxy import LinkProxy
from tls import contexts

from gaechannel import _core

# csrc/net/openssl.c
RECORD = 4096
# What TLS adds to a record at most.
SEAL = 256
# The first byte of a record that is not a handshake's.
APPLICATION_DATA = 23

pytestmark = [
    pytest.mark.timeout(30),
    pytest.mark.skipif(
        " OpenSSL/" not in _core._libcurl_details()["version"],
        reason="this libcurl speaks TLS by another library than OpenSSL",
    ),
]


class Listening(LinkProxy):
    """Keeps what each connection sends to the server."""

    def __init__(self, port):
        super().__init__(port)
        self.sent = []

    async def _pass(self, reader, writer, answers):
        sent = bytearray()
        if not answers:
            self.sent.append(sent)
        while piece := await reader.read(1 << 16):
            sent += piece
            writer.write(piece)
            await writer.drain()


def records_of(sent):
    """The lengths of a connection's records, by their first bytes."""
    found = []
    while sent:
        length = int.from_bytes(sent[3:5], "big")
        found.append((sent[0], length))
        sent = sent[5 + length :]
    return found


@pytest.mark.parametrize("way", [Sync, Asyncio])
def test_what_is_sent_goes_in_small_records(way):
    """OpenSSL 3.0 keeps what a record is written in: for one of 16 KiB where it was not told of less."""
    server_context, _ = contexts()
    options = {"verify": False, "http2": False, "headers": {"X-Long": "x" * 20_000}}
    with (
        TalkServer(back=[streams(messages(1, "a"))], tls=server_context) as server,
        Listening(server.port) as between,
        way("Client", "t", base_url=f"https://127.0.0.1:{between.port}", **options) as client,
    ):
        assert client.take(1) == ["a"]
    lengths = [
        length for sent in between.sent for kind, length in records_of(sent) if kind == APPLICATION_DATA
    ]
    assert sum(lengths) > 20_000
    assert RECORD <= max(lengths) <= RECORD + SEAL
