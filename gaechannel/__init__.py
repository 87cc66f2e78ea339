"""Messages over Google's BrowserChannel protocol: the App Engine Channel API, and what lives on the same
wire.

::

    from gaechannel import Client

    for message in Client(token).messages():
        print(message)
"""

from gaechannel import talkparser
from gaechannel._core import Decoder, TalkDecoder
from gaechannel._options import ChannelOptions
from gaechannel._version import __version__
from gaechannel.client import Client, Stats, random_string
from gaechannel.errors import (
    ChannelClosed,
    ChannelError,
    ChannelTimeout,
    HTTPStatusError,
    InvalidToken,
    ParseError,
    TalkMessageCorrupted,
    TokenError,
    TokenExpired,
    TransportError,
    WebChannelError,
)
from gaechannel.merging import merge
from gaechannel.reader import TalkMessageReader
from gaechannel.two_way import BrowserChannel, DevClient, WebChannel

# The old module's name for it.
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
    "HTTPStatusError",
    "InvalidToken",
    "ParseError",
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
