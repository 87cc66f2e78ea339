"""What an argument must be: the errors that say so name it, what is wanted, and what was given."""

import inspect
import math
import numbers
from types import UnionType
from typing import Any


def check_type(name: str, value: object, types: type | UnionType, wanted: str) -> None:
    """Raise TypeError if an argument is not what it must be."""
    if not isinstance(value, types):
        raise TypeError(f"{name} must be {wanted}, not {type(value).__name__}")


def check_no_bool(name: str, value: object, wanted: str) -> None:
    """Raise TypeError for True and False, which Python counts among the numbers."""
    if isinstance(value, bool):
        raise TypeError(f"{name} must be {wanted}, not {value}")


def check_flag(name: str, value: object) -> bool:
    """Raise TypeError if an argument is neither True nor False."""
    check_type(name, value, bool, "True or False")
    return value is True


def check_callable(name: str, value: object, *, or_none: bool = True) -> None:
    """Raise TypeError if an argument is neither a callable nor None."""
    if not callable(value) and not (value is None and or_none):
        also = " or None" if or_none else ""
        raise TypeError(f"{name} must be a callable{also}, not {type(value).__name__}")


class _SomeDefault:
    """In the place of a default, which may be a secret."""

    def __repr__(self) -> str:
        return "..."


def _names_in(signature: inspect.Signature) -> inspect.Signature:
    """The signature's names alone."""
    empty = inspect.Parameter.empty
    parameters = [
        one.replace(annotation=empty, default=empty if one.default is empty else _SomeDefault())
        for one in signature.parameters.values()
    ]
    return inspect.Signature(parameters)


def check_takes(name: str, value: Any, *arguments: str) -> None:
    """Raise TypeError if a callable cannot be called with these arguments, where it says what it takes."""
    if not callable(value):
        return
    try:
        signature = inspect.signature(value)
    except Exception:  # many have none, and annotations may name what is not there
        return
    try:
        signature.bind(*arguments)
    except TypeError:
        wanted = f"({', '.join(arguments)})"
        raise TypeError(
            f"{name} is called as {name}{wanted}, but what is given takes {_names_in(signature)}"
        ) from None


def check_seconds(name: str, value: object, *, or_none: bool = False, endless: bool = False) -> None:
    """Raise TypeError or ValueError if an argument is no positive number of seconds; ``endless``: infinity is
    one."""
    wanted = "a number of seconds or None" if or_none else "a number of seconds"
    if value is None and or_none:
        return
    check_type(name, value, numbers.Real, wanted)
    check_no_bool(name, value, wanted)
    if not value > 0 or (value == math.inf and not endless):  # type: ignore[operator]
        positive = "a positive number" if endless else "a positive, finite number"
        raise ValueError(f"{name} must be {positive} of seconds{' or None' if or_none else ''}, not {value}")


def check_count(name: str, value: object, *, least: int = 1, or_none: bool = False) -> None:
    """Raise TypeError or ValueError if an argument is no whole number, or less than it may be."""
    wanted = "an int or None" if or_none else "an int"
    if value is None and or_none:
        return
    check_type(name, value, numbers.Integral, wanted)
    check_no_bool(name, value, wanted)
    if value < least:  # type: ignore[operator]
        raise ValueError(f"{name} must be at least {least}{', or None' if or_none else ''}, not {value}")
