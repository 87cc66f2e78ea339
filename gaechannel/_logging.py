"""The logger that channels use when they are given none."""

import logging
import sys

__all__ = ["check_logger"]


class _Fallback(logging.Handler):
    """Prints records to stderr, as the old module did, unless the application has set up logging itself.

    The old module added a handler for each client, which printed everything twice in an application with a
    set-up of its own, and more often with more clients.
    """

    def emit(self, record: logging.LogRecord) -> None:
        if not logging.getLogger().handlers and sys.stderr is not None:
            print(self.format(record), file=sys.stderr)


def check_logger(logger: logging.Logger | None) -> logging.Logger:
    """Return the logger that is given, or else the default one.

    Raises:
        TypeError: it has no method for warnings, by the new name or the old.
    """
    if logger is None:
        return default_logger()
    if isinstance(logger, str) and logger.startswith(("http://", "https://")):
        raise TypeError("logger must be a logger, not a URL: name the server's address with base_url=")
    if not (hasattr(logger, "warning") or hasattr(logger, "warn")):
        raise TypeError(f"logger must be a logger, not {type(logger).__name__}")
    return logger


def default_logger() -> logging.Logger:
    """Return the logger ``Channel``.

    Until the application sets up logging, what it is given is printed to stderr: warnings, and after
    ``client.logger.setLevel(logging.DEBUG)`` everything.
    """
    logger = logging.getLogger("Channel")
    if not logger.handlers:
        logger.addHandler(_Fallback())
    return logger
