"""Maps out of the body of a request: form-encoded, or JSON where a dialect allows it."""

from __future__ import annotations

import json
import re
from collections.abc import Generator
from dataclasses import dataclass
from urllib.parse import unquote, unquote_to_bytes

from .dialect import Dialect
from .errors import bad_request, too_many_fields
from .limits import MAX_FIELDS

#: How much of a form is decoded in a step.
_STEP_FIELDS = 500
_STEP_CHARACTERS = 16 << 10

_MAP_FIELD = re.compile(r"req([0-9]{1,6})_(.*)", re.DOTALL)


@dataclass(slots=True)
class Body:
    """What a request's body holds."""

    #: The maps, and the id of the first; None where the body does not say it.
    maps: list[dict[str, str]]
    ofs: int | None
    #: The fields that are no part of a map.
    form: dict[str, str]


#: What is done a little at a time, and what comes of it.
Steps = Generator[None, None, Body]


#: Numbers of a request are smaller, whatever writes them: what keeps them has 64 bits for each.
_TOO_LARGE = 10**18


def integer(text: str | None, name: str, *, least: int = 0) -> int:
    """A parameter that is a whole number.

    Raises:
        Refusal: 400 where it is missing, no number, or lower than ``least``.
    """
    if text is None:
        raise bad_request(f"{name} is missing")
    if not re.fullmatch(r"-?[0-9]{1,18}", text, re.ASCII) or int(text) < least:
        raise bad_request(f"{name} is not a number")
    return int(text)


def run_through(steps: Steps) -> Body:
    """What steps come to, without a pause."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            body: Body = end.value
            return body


def decode_form(text: str, max_fields: int = MAX_FIELDS) -> Body:
    """The maps of a form; see :func:`form_steps`."""
    return run_through(form_steps(text, max_fields))


def form_steps(text: str, max_fields: int = MAX_FIELDS) -> Steps:
    """The maps of a form, ``count=2&ofs=5&req0_x=3&req1_abc=def``, a little at a time.

    A form of 1 MiB may take a third of a second: between the steps, of two milliseconds or so, others have
    their turn.

    Remotes of the Lounge leave ``ofs`` out, and casttube numbers its maps over many requests
    (``count=1&req1_…``): where a number is not below ``count``, the maps are those that are there.

    Args:
        text: the form.
        max_fields: how many fields it may have, and how many maps; Closure sends 1,000 maps at most.

    Raises:
        Refusal: 400 where the form is malformed, 413 where it has more.
    """
    if text.count("&") >= max_fields:
        raise too_many_fields(max_fields)
    form: dict[str, str] = {}
    fields: dict[int, dict[str, str]] = {}
    try:
        for place, pair in enumerate(filter(None, text.split("&"))):
            name, _, coded = pair.partition("=")
            name = yield from _unquoted(name)
            value = yield from _unquoted(coded)
            found = _MAP_FIELD.fullmatch(name)
            if found is None:
                form[name] = value
            else:
                fields.setdefault(int(found[1]), {})[found[2]] = value
            if place % _STEP_FIELDS == _STEP_FIELDS - 1:
                yield
    except UnicodeDecodeError:
        raise bad_request("the form is not URL-encoded UTF-8") from None
    count = integer(form.pop("count", str(len(fields))), "count")
    if count > max_fields:
        raise too_many_fields(max_fields)
    ofs = integer(form.pop("ofs"), "ofs") if "ofs" in form else None
    numbers = range(count) if max(fields, default=-1) < count else sorted(fields)
    return Body([fields.get(number, {}) for number in numbers], ofs, form)


def _unquoted(text: str) -> Generator[None, None, str]:
    """A name or a value of a form, decoded.

    Raises:
        UnicodeDecodeError: it is not UTF-8.
    """
    text = text.replace("+", " ")
    if "%" not in text:
        return text
    if len(text) <= _STEP_CHARACTERS:
        return unquote(text, errors="strict")
    data = text.encode("utf-8")
    pieces = []
    at = 0
    while at < len(data):
        end = at + _STEP_CHARACTERS
        escape = data.rfind(b"%", end - 2, end)  # which is not to be cut in two
        end = end if escape < 0 else escape
        pieces.append(unquote_to_bytes(data[at:end]))
        at = end
        yield
    return b"".join(pieces).decode("utf-8")


def decode_json(text: str, key: str, max_fields: int = MAX_FIELDS) -> Body:
    """The messages of a JSON body, ``{"ofs":5,"data":[…]}``, each as a map that holds its JSON under ``key``.

    Raises:
        Refusal: 400 where it is anything else, 413 where it holds more. ``null`` holds no map.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise bad_request("the body is not JSON") from None
    if value is None:
        return Body([], 0, {})
    if not isinstance(value, dict) or not isinstance(value.get("data"), list):
        raise bad_request("the body is not an object with a list named data")
    ofs, data = value.get("ofs"), value["data"]
    if type(ofs) is not int or not 0 <= ofs < _TOO_LARGE:
        raise bad_request("ofs is not a number")
    if len(data) > max_fields:
        raise too_many_fields(max_fields)
    return Body([{key: json.dumps(message)} for message in data], ofs, {})


def body_steps(body: bytes, content_type: str, dialect: Dialect, max_fields: int = MAX_FIELDS) -> Steps:
    """The maps of a request's body, a little at a time.

    Raises:
        Refusal: 400 where it is malformed, 413 where it has more than ``max_fields`` fields or maps.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise bad_request("the body is not UTF-8") from None
    if dialect.json_bodies and content_type == "application/json":
        return decode_json(text, dialect.json_key, max_fields)
    return (yield from form_steps(text, max_fields))


def decode_headers(text: str) -> dict[str, str]:
    """HTTP headers in a parameter: ``Name:Value`` lines.

    Raises:
        Refusal: 400 where a line has no colon.
    """
    headers = {}
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise bad_request("the headers are not lines of Name:Value")
        headers[name.strip().lower()] = value.strip()
    return headers
