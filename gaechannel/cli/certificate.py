"""A server's certificate, which is renewed while the server runs."""

from __future__ import annotations

import logging
import ssl

from gaechannel import _core

from .arguments import CommandError

logger: logging.Logger = logging.getLogger("gaechannel.server")


class Certificate:
    """What is served by https with.

    Args:
        cert: a file with the certificate and what signed it, in PEM.
        key: a file with its key; None: it stands in the same file.

    Attributes:
        context: what new connections use.

    Raises:
        CommandError: a file cannot be read, or they do not belong together.
    """

    def __init__(self, cert: str, key: str | None) -> None:
        self._files = (cert, key)
        self.context: ssl.SSLContext = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            self._load(self.context)
        except (OSError, ValueError) as error:
            raise CommandError(self._words(error)) from None

    def load(self) -> None:
        """Read the files again; where that fails, the old ones stay, and the log says why."""
        try:
            # A context keeps half of what fits badly: so one that nobody uses is tried first.
            self._load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
            self._load(self.context)
        except (OSError, ValueError) as error:
            logger.error("the certificate stays what it was: %s", self._words(error))
        else:
            logger.info("the certificate was read again")

    def _load(self, context: ssl.SSLContext) -> None:
        # A key that wants a password would be asked for at the terminal, which a service has none of.
        context.load_cert_chain(*self._files, password=lambda: "")

    def _words(self, error: Exception) -> str:
        cert, key = self._files
        for option, file in (("--cert", cert), ("--key", key)):
            if file is not None:
                try:
                    with open(file, "rb"):
                        pass
                except OSError as unreadable:
                    return f"{option}: {file}: {unreadable.strerror or unreadable}"
        if fault := _core._pem_fault(cert, False):
            return f"--cert: {cert} {fault}"
        if fault := _core._pem_fault(key or cert, True):
            return f"--{'key' if key else 'cert'}: {key or cert} {fault}{'' if key else '; see --key'}"
        reason = getattr(error, "reason", None) or str(error)
        if reason == "KEY_VALUES_MISMATCH":
            return f"--cert: the key in {key or cert} does not fit the certificate in {cert}"
        return f"--cert: {cert} and {key or 'its key'} cannot be used: {reason}"
