"""Channel tokens: what ``create_channel`` hands out and ``/d`` takes back.

A token carries the client id and the moment it expires, signed with HMAC-SHA256, so that the server keeps no
table of tokens and tokens outlive a restart where the key is given. It holds letters, digits, ``-``, ``_``
and ``.`` alone: clients of 2011 cut it out of a page with a regular expression that stops at ``)`` and ``,``.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
import struct
from collections.abc import Callable
from dataclasses import dataclass

from .errors import bad_request, invalid_token, token_timed_out

#: Expiry in ms since 1970, and 8 random bytes so that no two tokens are equal; the client id follows.
_HEAD = struct.Struct(">Q8s")
#: How a token begins.
TOKEN_PREFIX = "gc1."  # noqa: S105


def _to_text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def _to_bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


@dataclass(frozen=True, slots=True)
class Token:
    """What a token says."""

    #: The client id that ``create_channel`` was called with.
    client_id: str
    #: When it ends, in seconds since 1970.
    expires: float


class TokenSigner:
    """Makes tokens and reads them back.

    Args:
        key: the secret of the signature, at least 16 bytes; ``None`` makes a new one, and then no token
            outlives this object.
        clock: seconds since 1970, as ``time.time``.

    Raises:
        ValueError: the key is shorter than 16 bytes.
    """

    def __init__(self, key: bytes | None, clock: Callable[[], float]) -> None:
        if key is not None and len(key) < 16:
            raise ValueError("the key of the tokens has fewer than 16 bytes")
        #: The secret; set where one is found that an earlier process had made.
        self.key: bytes = secrets.token_bytes(32) if key is None else key
        self._clock = clock

    def issue(self, client_id: str, seconds: float) -> str:
        """A new token for ``client_id`` that lives for so many seconds."""
        expires = int((self._clock() + seconds) * 1000)
        payload = _HEAD.pack(expires, secrets.token_bytes(8)) + client_id.encode("utf-8")
        return f"{TOKEN_PREFIX}{_to_text(payload)}.{_to_text(self._signature(payload))}"

    def read(self, token: str | None, *, expired: bool = False) -> Token:
        """What the token says, once its signature has been checked.

        Args:
            token: as ``issue`` returned it; None where a request has none.
            expired: whether a token whose time is over is read all the same.

        Raises:
            Refusal: 400 where there is no token, 401 ``Invalid+token.`` where the signature is not ours, 401
                ``Token+timed+out.`` where the token has expired.
        """
        if token is None:
            raise bad_request("token is missing")
        payload = self._verified(token)
        if payload is None:
            raise invalid_token()
        milliseconds, _ = _HEAD.unpack_from(payload)
        found = Token(payload[_HEAD.size :].decode("utf-8"), milliseconds / 1000)
        if not expired and self._clock() >= found.expires:
            raise token_timed_out()
        return found

    def _signature(self, payload: bytes) -> bytes:
        return hmac.digest(self.key, payload, "sha256")

    def _verified(self, token: str) -> bytes | None:
        if not token.startswith(TOKEN_PREFIX) or not token.isascii():
            return None
        head, _, tail = token[len(TOKEN_PREFIX) :].partition(".")
        try:
            payload, signature = _to_bytes(head), _to_bytes(tail)
        except (binascii.Error, ValueError):
            return None
        # The text is compared too: base64 lets several texts stand for the same bytes.
        if not hmac.compare_digest(self._signature(payload), signature) or _to_text(signature) != tail:
            return None
        return payload
