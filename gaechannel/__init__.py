"""Messages over Google's BrowserChannel protocol: the App Engine Channel API, and what lives on the same
wire.

::

    from gaechannel import Client

    for message in Client(token).messages():
        print(message)
"""

TYPE_CHECKING = False  # as type checkers see it, True; typing itself takes its time
if TYPE_CHECKING:
    from gaechannel import talkparser
    from gaechannel._base import Stats
    from gaechannel._core import Decoder, Framer, TalkDecoder
    from gaechannel._hooks import Session
    from gaechannel._options import ChannelOptions
    from gaechannel._version import __version__
    from gaechannel.client import Client, random_string
    from gaechannel.dev import DevClient
    from gaechannel.errors import (
        ChannelClosed,
        ChannelError,
        ChannelTimeout,
        HTTPStatusError,
        InvalidToken,
        MapsRefused,
        ParseError,
        SendQueueFull,
        SessionLost,
        TalkMessageCorrupted,
        TokenError,
        TokenExpired,
        TransportError,
        WebChannelError,
    )
    from gaechannel.merging import merge
    from gaechannel.reader import TalkMessageReader
    from gaechannel.two_way import BrowserChannel, WebChannel

    _TalkMessageCorrupted = TalkMessageCorrupted

__all__ = [
    "BrowserChannel",
    "ChannelClosed",
    "ChannelError",
    "ChannelOptions",
    "ChannelTimeout",
    "Client",
    "Decoder",
    "DevClient",
    "Framer",
    "HTTPStatusError",
    "InvalidToken",
    "MapsRefused",
    "ParseError",
    "SendQueueFull",
    "Session",
    "SessionLost",
    "Stats",
    "TalkDecoder",
    "TalkMessageCorrupted",
    "TalkMessageReader",
    "TokenError",
    "TokenExpired",
    "TransportError",
    "WebChannel",
    "WebChannelError",
    "__version__",
    "merge",
    "random_string",
    "talkparser",
]

# Where each name is. They are imported when first asked for, since what stands behind them takes its time
# to load: libcurl and its thirty libraries, logging, typing.
_HOMES = {
    "_base": ("Stats",),
    "_core": ("Decoder", "Framer", "TalkDecoder"),
    "_hooks": ("Session",),
    "_options": ("ChannelOptions",),
    "_version": ("__version__",),
    "client": ("Client", "random_string"),
    "dev": ("DevClient",),
    "errors": (
        "ChannelClosed",
        "ChannelError",
        "ChannelTimeout",
        "HTTPStatusError",
        "InvalidToken",
        "MapsRefused",
        "ParseError",
        "SendQueueFull",
        "SessionLost",
        "TalkMessageCorrupted",
        "TokenError",
        "TokenExpired",
        "TransportError",
        "WebChannelError",
    ),
    "merging": ("merge",),
    "reader": ("TalkMessageReader",),
    "two_way": ("BrowserChannel", "WebChannel"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}
_MODULES = ("_core", "_options", "aio", "client", "errors", "merging", "reader", "talkparser", "two_way")


_CORE_FAILED = (
    "gaechannel's C core cannot be loaded: {}. Its libcurl is missing or is another than it was built with,"
    " or was not built for this system. `pip install --force-reinstall gaechannel` takes a wheel that brings"
    " libcurl along, or builds it anew (in a copy of the repository: `pip install --force-reinstall .`);"
    " libcurl's package is libcurl4 (Debian) or libcurl (Fedora, Alpine)"
)
_CORE_NOT_THERE = (
    "gaechannel's C core is not in {}, or was built for another Python than {}: build it by"
    " `pip install -e .` in a copy of the repository, or run this elsewhere with an installed gaechannel"
)


def _core_not_there() -> str:
    import sys

    version = ".".join(map(str, sys.version_info[:2])) + sys.abiflags
    return _CORE_NOT_THERE.format(*__path__, version)


def _load(name: str) -> object:
    from importlib import import_module

    try:
        return import_module(f"gaechannel.{name}")
    except ModuleNotFoundError as error:
        if error.name != "gaechannel._core":
            raise
        words = _core_not_there()
    except SystemError as error:  # the stable ABI's, which a free-threaded CPython finds, and cannot run
        if "_core" not in str(error):
            raise
        words = _core_not_there()
    except ImportError as error:
        if error.name == "gaechannel":  # the one below, of an import within: without the way that it took
            raise error.with_traceback(None) from None
        if error.name not in ("gaechannel._core", "_core"):  # there, and not to be loaded
            raise
        words = _CORE_FAILED.format(error.msg)
    raise ImportError(words, name="gaechannel")


if not TYPE_CHECKING:  # type checkers would take any name for known

    def __getattr__(name: str) -> object:
        # The old module's name for it.
        known = "TalkMessageCorrupted" if name == "_TalkMessageCorrupted" else name
        if known in _HOME_OF:
            value = getattr(_load(_HOME_OF[known]), known)
        elif name in _MODULES:
            value = _load(name)
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
