"""The talk servers' literals, under the old module's name."""

from collections.abc import Callable
from typing import Any

from gaechannel import _core
from gaechannel.errors import ParseError

__all__ = ["ParseError", "parse"]

parse: Callable[[str | bytes | bytearray | memoryview], Any] = _core.parse
