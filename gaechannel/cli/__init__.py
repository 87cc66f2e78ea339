"""The command ``gaechannel``, a module a group of commands."""

try:
    from .main import main
except ImportError as _error:
    if _error.name != "gaechannel":  # all else than the C core, which does not load
        raise
    raise SystemExit(f"gaechannel: {_error}") from None

__all__ = ["main"]
