"""The command ``gaechannel``, a module a group of commands."""

from .main import main

__all__ = ["main"]
