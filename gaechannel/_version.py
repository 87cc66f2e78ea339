"""The package's version: the one that was built into the C core."""

from gaechannel import _core

__all__ = ["__version__"]

__version__ = _core.__version__
