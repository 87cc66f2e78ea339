"""The talk servers' literals, under the old module's name."""

from gaechannel._core import parse
from gaechannel.errors import ParseError

__all__ = ["ParseError", "parse"]
