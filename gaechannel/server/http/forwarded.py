"""What a proxy in front of the server says of its clients, where the proxy is one that is believed."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from aiohttp import web

from gaechannel._checks import check_type

#: What may stand in Host: nothing that would end an attribute, a string or a line.
_HOST = re.compile(r"[A-Za-z0-9._~\[\]:-]{1,255}")


def _network(text: object) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    check_type("each of trust_proxy", text, str, "a str")
    try:
        return ipaddress.ip_network(str(text), strict=False)
    except ValueError as error:
        raise ValueError(
            f"trust_proxy: {text!r} is neither an address nor a network, such as 127.0.0.1 or 10.0.0.0/8,"
            f" nor unix ({error})"
        ) from None


class Proxies:
    """The proxies whose ``X-Forwarded-For``, ``-Proto`` and ``-Host`` are believed.

    Args:
        trusted: their addresses or networks, such as ``127.0.0.1`` or ``10.0.0.0/8``; ``unix`` for who comes
            by a Unix socket.

    Raises:
        ValueError: one of them is no address.
    """

    def __init__(self, trusted: Iterable[str] = ()) -> None:
        check_type("trust_proxy", trusted, Iterable, "addresses and networks")
        trusted = [trusted] if isinstance(trusted, str) else list(trusted)
        self._unix = "unix" in trusted
        self._networks = [_network(one) for one in trusted if one != "unix"]

    def trusts(self, peer: str) -> bool:
        """Whether what this address says of others is believed; ``""`` stands for a Unix socket."""
        if not peer:
            return self._unix
        try:
            address = ipaddress.ip_address(peer)
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any((address if mapped is None else mapped) in network for network in self._networks)

    def client(self, request: web.BaseRequest) -> str:
        """The address that a request comes from; ``unix`` where nobody knows it."""
        peer = request.remote or ""
        if self.trusts(peer):
            # The last was written by the proxy; those in front of it by whoever asked it.
            for name in reversed(request.headers.get("X-Forwarded-For", "").split(",")):
                if name.strip():
                    peer = name.strip()[:64]
                if not self.trusts(peer):
                    break
        return peer or "unix"

    def origin(self, request: web.BaseRequest) -> str:
        """Scheme and host under which a client reaches the server: its URL without a path."""
        scheme, host = request.scheme, request.host
        if self.trusts(request.remote or ""):
            said = request.headers.get("X-Forwarded-Proto", "").strip().lower()
            scheme = said if said in {"http", "https"} else scheme
            host = request.headers.get("X-Forwarded-Host", "").strip() or host
        return f"{scheme}://{host}" if _HOST.fullmatch(host) else f"{scheme}://localhost"
