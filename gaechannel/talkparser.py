"""The talk servers' literals, under the old module's name."""

from gaechannel import _core
from gaechannel.errors import ParseError

__all__ = ["ParseError", "parse"]

parse = _core.parse
