"""What the package logs while a test runs."""

import contextlib
import io
import itertools
import logging

_numbers = itertools.count()


class Records(logging.Handler):
    """Remembers what was logged."""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self.records = []

    def emit(self, record):
        self.records.append(record)

    @property
    def texts(self):
        return [record.getMessage() for record in self.records]

    def at(self, level):
        return [record.getMessage() for record in self.records if record.levelno == level]


@contextlib.contextmanager
def clients_records():
    """What the logger `Channel`, the default of clients, is told, from DEBUG on."""
    logger, handler = logging.getLogger("Channel"), Records()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield handler
    logger.setLevel(level)
    logger.removeHandler(handler)


@contextlib.contextmanager
def own_logger():
    """A logger that nobody else has; its `text` is what was written to it, from INFO on."""
    logger = logging.getLogger(f"test {next(_numbers)}")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.text = io.StringIO()
    handler = logging.StreamHandler(logger.text)
    logger.addHandler(handler)
    yield logger
    logger.removeHandler(handler)
