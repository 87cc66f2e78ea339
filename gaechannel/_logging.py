"""The logger that channels use when they are given none."""

import logging
import sys

__all__ = ["default_logger"]


class _Fallback(logging.Handler):
    """Prints records to stderr, as the old module did, unless the application has set up logging itself.

    The old module added a handler for each client, which printed everything twice in an application with a
    set-up of its own, and more often with more clients.
    """

    def emit(self, record: logging.LogRecord) -> None:
        if not logging.getLogger().handlers and sys.stderr is not None:
            print(self.format(record), file=sys.stderr)


def default_logger() -> logging.Logger:
    """Return the logger ``Channel``.

    Until the application sets up logging, what it is given is printed to stderr: warnings, and after
    ``client.logger.setLevel(logging.DEBUG)`` everything.
    """
    logger = logging.getLogger("Channel")
    if not logger.handlers:
        logger.addHandler(_Fallback())
    return logger
