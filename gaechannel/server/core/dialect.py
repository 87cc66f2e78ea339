"""How the dialects differ, as a table: one row a dialect, one column a difference.

Everything else (framing, SID, AID, RID, resending, keep-alives, limits) is the same code for all of them. A
new dialect is a new row here, and a service that says what its maps mean.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .framing import encode_json

#: A keep-alive's data.
NOOP = b'["noop"]'
#: The data of the array that ends a session with an error.
STOP = b'["stop"]'


@dataclass(frozen=True, slots=True)
class Dialect:
    """One dialect's differences."""

    name: str
    #: Array 0's data as JSON, from the SID, the host prefix or None, and the keep-alive interval in ms.
    greeting: Callable[[str, str | None, int], bytes]
    #: Path of the bind requests below the base URL.
    bind_path: str = "/bind"
    #: Path of the test phases below the base URL; None where the dialect has none.
    test_path: str | None = "/test"
    #: What stands around an array's data, the session arrays (noop, stop, close) excepted.
    wrap: tuple[bytes, bytes] = (b"", b"")
    #: Data of the array that ends a session in order; None where it ends without one.
    close_array: bytes | None = None
    #: Whether maps may come as an application/json body.
    json_bodies: bool = False
    #: Whether the opening may carry HTTP headers, ask for X-HTTP-Session-Id, and be a GET with ``$req``.
    web_handshake: bool = False
    #: Whether a back channel's chunks hold one array each.
    chunk_an_array: bool = False
    #: Whether arrays are in ASCII, all else as ``\\u`` escapes: a chunk's length is then in bytes and in
    #: characters, too, which is what many clients count. False: UTF-8, a third to a half as long past ASCII.
    ascii_only: bool = True
    #: Data of the array that follows array 0 in the opening reply; None where nothing does.
    filler: bytes | None = None
    #: The key under which a map holds one JSON message.
    json_key: str = "JSON"


def _talk_greeting(sid: str, _host_prefix: str | None, _keepalive_ms: int) -> bytes:
    # The hole is the talk server's own: it wrote JavaScript literals, not JSON.
    return b'["c",%b,,8]' % encode_json(sid)


def _greeting(sid: str, host_prefix: str | None, keepalive_ms: int) -> bytes:
    # Remotes of the Lounge cut the SID out with an expression that wants a string behind it.
    return encode_json(["c", sid, host_prefix or "", 8, 14, keepalive_ms])


#: The App Engine Channel API.
TALK = Dialect(
    "talk",
    _talk_greeting,
    bind_path="/dch/bind",
    test_path="/dch/test",
    # As the old service wrote: its clients read one array of a chunk.
    chunk_an_array=True,
    # Clients of 2011 say AID=1 from the start: that array must not be one that they need.
    filler=NOOP,
)

#: Closure's goog.net.BrowserChannel, as node-browserchannel serves it.
BROWSERCHANNEL = Dialect("browserchannel", _greeting, json_bodies=True)

#: Closure's goog.labs.net.webChannel: one URL, raw JSON messages, data in a list of one.
WEBCHANNEL = Dialect(
    "webchannel",
    _greeting,
    bind_path="",
    wrap=(b"[", b"]"),
    close_array=b'["close"]',
    web_handshake=True,
    json_key="__data__",
)
