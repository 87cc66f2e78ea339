"""The package's version: the one that was built into the C core."""

from gaechannel._core import __version__

__all__ = ["__version__"]
