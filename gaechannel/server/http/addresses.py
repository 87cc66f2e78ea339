"""Where a server listens: a host and a port, or a Unix socket's path."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import socket
import stat
from dataclasses import dataclass

from gaechannel._checks import check_type


@dataclass(frozen=True, slots=True)
class Address:
    """A place to listen on."""

    host: str = ""
    port: int = 0
    #: A Unix socket's path; "" where host and port say it.
    path: str = ""
    #: Who may connect to a Unix socket, by its file's mode: its owner alone, unless told otherwise.
    mode: int = 0o600

    @classmethod
    def parse(cls, text: str, name: str = "") -> Address:
        """The address that a text names: ``HOST:PORT`` (IPv6 in brackets), or a path with a slash in it.

        Args:
            text: what was given.
            name: the argument's, for the errors; "" where who called names it.

        Raises:
            TypeError, ValueError: it names none.
        """
        check_type(name or "an address", text, str, "HOST:PORT or the path of a Unix socket, a str")
        if text.startswith("unix:"):
            text = text.removeprefix("unix:")
            if "/" not in text:
                text = f"./{text}"
        if "/" in text:
            return cls(path=text)
        host, colon, port = text.rpartition(":")
        host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
        bare = ":" in host and not text.startswith("[")
        if not colon or not host or bare or not (port.isascii() and port.isdigit()) or int(port) > 0xFFFF:
            words = f"{text!r} is neither HOST:PORT nor the path of a Unix socket, such as ./socket"
            raise ValueError(f"{name}: {words}" if name else words)
        return cls(host, int(port))

    @property
    def is_loopback(self) -> bool:
        """Whether the address can be reached from this machine alone."""
        if self.path or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        if self.path:
            return self.path
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def listen(self, backlog: int, *, reuse: bool = False) -> socket.socket:
        """A socket that listens there. A Unix socket takes the place of one that nobody listens on any more.

        Args:
            backlog: connections that may wait to be accepted.
            reuse: whether another process may listen there, too, or take the Unix socket's place.

        Raises:
            OSError: it cannot be listened on, such as a port in use.
        """
        if not self.path:
            family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
            try:
                return socket.create_server(
                    (self.host, self.port), family=family, backlog=backlog, reuse_port=reuse
                )
            except OSError as error:
                raise self._named(error) from None
        self._remove_left_over(reuse=reuse)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            # Before anybody can connect: what may be done through a socket is said by its file's mode.
            os.fchmod(listening.fileno(), self.mode)
            listening.bind(self.path)
            os.chmod(self.path, self.mode)
            listening.listen(backlog)
        except OSError as error:
            listening.close()
            raise self._named(error) from None
        except BaseException:
            listening.close()
            raise
        return listening

    def _named(self, error: OSError) -> OSError:
        """The same, with the address where the system's words have none, or Python's have a tuple."""
        words = (error.strerror or str(error)).partition(" (while ")[0]
        return OSError(error.errno, words, str(self))

    def forget(self, listening: socket.socket, *, reuse: bool = False) -> None:
        """Close what ``listen`` returned, and remove a Unix socket's file, unless it may be another's."""
        listening.close()
        if self.path and not reuse:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path)

    def _remove_left_over(self, *, reuse: bool) -> None:
        """Remove a socket's file that a process has left there when it was killed, or shares."""
        try:
            if not stat.S_ISSOCK(os.stat(self.path).st_mode):
                return  # somebody's file: bind() says so
        except FileNotFoundError:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
            asking.settimeout(1)
            if reuse or asking.connect_ex(self.path) == errno.ECONNREFUSED:
                os.unlink(self.path)
