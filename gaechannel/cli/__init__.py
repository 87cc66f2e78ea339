"""The command ``gaechannel``, a module a group of commands."""

try:
    from .main import main
except ImportError as error:
    if error.name != "gaechannel":  # all else than the C core, which does not load
        raise
    _why = str(error)

    def main(argv: list[str] | None = None) -> int:
        """Say why there is no command."""
        import sys

        print(f"gaechannel: {_why}", file=sys.stderr)
        return 1


__all__ = ["main"]
