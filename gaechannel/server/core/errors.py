"""What the server refuses, and with which words.

``Error`` and the three ``Invalid…Error`` classes carry the names that ``google.appengine.api.channel`` gave
them, so that code which caught those catches these. ``Refusal`` is an answer to a client.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Error(Exception):
    """Base of the errors raised here (App Engine's ``channel.Error``)."""


class InvalidChannelClientIdError(Error):
    """The client id is not a string, is empty, or is longer than 256 bytes of UTF-8."""


class InvalidChannelTokenDurationError(Error):
    """The token's lifetime is not a whole number of minutes from 1 to 1440."""


class InvalidMessageError(Error):
    """The message is not a string, or is longer than 32,767 bytes of UTF-8."""


class SessionEnded(Error):
    """Something was sent to a session that has ended."""


class Refusal(Error):
    """A request that is answered with an error status.

    Args:
        status: the HTTP status.
        text: the reason phrase, and the body: clients look for it in both, since HTTP/2 has no reason phrase.
        headers: further headers of the answer.
        body: the body, where it is not the text alone.
        cause: under what it is counted; see :class:`~gaechannel.server.Counters`.
    """

    def __init__(
        self,
        status: int,
        text: str,
        headers: Mapping[str, str] | None = None,
        body: str | None = None,
        *,
        cause: str = "malformed",
    ) -> None:
        super().__init__(f"{status} {text}")
        self.status = status
        self.text = text
        self.headers = headers
        self.cause = cause
        self.body: str = text if body is None else body

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.status, self.text), self.__dict__


def bad_request(text: str) -> Refusal:
    """A refusal with status 400: a parameter is missing, malformed or unknown."""
    return Refusal(400, text)


# As Google's servers write it: Closure's clients find the words anywhere but at the beginning
# (`indexOf(…) > 0`), others in the title. A proxy may have put other words in the place of the reason phrase.
_UNKNOWN_SID = "<HTML><HEAD><TITLE>Unknown SID</TITLE></HEAD><BODY>Error 400: Unknown SID</BODY></HTML>"


def unknown_sid() -> Refusal:
    """The refusal that tells a client to open a new session."""
    return Refusal(400, "Unknown SID", body=_UNKNOWN_SID, cause="sid")


def invalid_token() -> Refusal:
    """The refusal of a token that this server did not sign; the words are App Engine's."""
    return Refusal(401, "Invalid+token.", cause="token")


def token_timed_out() -> Refusal:
    """The refusal of a token whose lifetime is over; the words are App Engine's."""
    return Refusal(401, "Token+timed+out.", cause="token")


def _too_much(text: str, cause: str) -> Refusal:
    # No 503: proxies take that for a sign that the server is down, and send nobody to it any more.
    return Refusal(429, text, {"Retry-After": "5"}, cause=cause)


def too_many_sessions() -> Refusal:
    """The refusal of a session over ``max_sessions``."""
    return _too_much("Too many sessions", "sessions")


def too_many_sessions_of_a_token() -> Refusal:
    """The refusal of a session over ``max_sessions_per_token``."""
    return _too_much("Too many sessions of this token", "sessions of a token")


def busy_application() -> Refusal:
    """The refusal of what an application's functions are to be asked of, where all its threads are busy."""
    return _too_much("The application is busy", "hook")


def too_much_queued() -> Refusal:
    """The refusal of a session where the others hold ``max_queued`` bytes already."""
    return _too_much("Too much is waiting for other clients", "queued")


def failed_application() -> Refusal:
    """The refusal of a session whose application has failed to take it."""
    return Refusal(500, "The application has failed", cause="hook")


def too_many_fields(limit: int) -> Refusal:
    """The refusal of a query, a form or a list with more fields than the limit."""
    return Refusal(413, f"There are more than {limit} fields", cause="fields")
