"""A channel server for development, tests, notebooks and the demo, since Google's is gone.

:class:`ChannelService` holds channels, tokens and sessions and knows no HTTP; :func:`make_app` serves it, and
:class:`LocalServer` runs that in a thread of its own. The wire is described in the project's protocol notes:
gathered from public clients, servers and traffic logs.
"""

from __future__ import annotations

try:
    import aiohttp as _aiohttp  # noqa: F401
except ImportError as _error:
    raise ImportError("the channel server needs aiohttp: install gaechannel[server]") from _error

from .core.browserchannel import BrowserChannelService
from .core.counters import Counters
from .core.dialect import BROWSERCHANNEL, TALK, WEBCHANNEL, Dialect
from .core.errors import (
    Error,
    InvalidChannelClientIdError,
    InvalidChannelTokenDurationError,
    InvalidMessageError,
    Refusal,
    SessionEnded,
)
from .core.limits import ConnectionLimits, Limits, raise_file_limit
from .core.service import ChannelService
from .core.session import Session
from .core.sqlite_store import SqliteStore
from .core.store import MemoryStore, Store, StoreError
from .http.admin import make_admin_app
from .http.app import DEV_PATH, TALK_PATH, default_mounts, make_app
from .local import LocalServer, serve

#: Another name for :func:`serve`.
run_server = serve

__all__ = [
    "BROWSERCHANNEL",
    "DEV_PATH",
    "TALK",
    "TALK_PATH",
    "WEBCHANNEL",
    "BrowserChannelService",
    "ChannelService",
    "ConnectionLimits",
    "Counters",
    "Dialect",
    "Error",
    "InvalidChannelClientIdError",
    "InvalidChannelTokenDurationError",
    "InvalidMessageError",
    "Limits",
    "LocalServer",
    "MemoryStore",
    "Refusal",
    "Session",
    "SessionEnded",
    "SqliteStore",
    "Store",
    "StoreError",
    "default_mounts",
    "make_admin_app",
    "make_app",
    "raise_file_limit",
    "run_server",
    "serve",
]
