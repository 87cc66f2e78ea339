"""The 2011 module's name for this package, for code that says ``import gae_channel``.

New code imports :mod:`gaechannel`.
"""

from gaechannel import ChannelError, Client, TalkMessageReader, random_string, talkparser
from gaechannel import TalkMessageCorrupted as _TalkMessageCorrupted

__all__ = [
    "ChannelError",
    "Client",
    "TalkMessageReader",
    "_TalkMessageCorrupted",
    "random_string",
    "talkparser",
]
