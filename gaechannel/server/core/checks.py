"""What App Engine's API let through: client ids, messages, and how long a token lives."""

from __future__ import annotations

from .errors import InvalidChannelClientIdError, InvalidChannelTokenDurationError, InvalidMessageError

#: App Engine's limits, in bytes of UTF-8 and in minutes.
MAX_CLIENT_ID_BYTES = 256
MAX_MESSAGE_BYTES = 32_767
DEFAULT_TOKEN_MINUTES = 120
MAX_TOKEN_MINUTES = 24 * 60


def utf8_bytes(text: str) -> int:
    """The length of a text in UTF-8, lone surrogates included."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def check_client_id(client_id: object) -> None:
    """Refuse what is no client id.

    Raises:
        InvalidChannelClientIdError: it is not a string of 1 to 256 bytes of UTF-8.
    """
    if not isinstance(client_id, str) or not client_id:
        raise InvalidChannelClientIdError("a client id must be a string, and not an empty one")
    if utf8_bytes(client_id) > MAX_CLIENT_ID_BYTES:
        raise InvalidChannelClientIdError(f"a client id may have {MAX_CLIENT_ID_BYTES} bytes of UTF-8")
    try:
        client_id.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidChannelClientIdError("a client id must have UTF-8: it holds a lone surrogate") from None


def check_message(message: object) -> None:
    """Refuse what is no message.

    Raises:
        InvalidMessageError: it is not a string of at most 32,767 bytes of UTF-8.
    """
    if not isinstance(message, str):
        raise InvalidMessageError("a message must be a string")
    if len(message) * 4 > MAX_MESSAGE_BYTES and utf8_bytes(message) > MAX_MESSAGE_BYTES:
        raise InvalidMessageError(f"a message may have {MAX_MESSAGE_BYTES} bytes of UTF-8 at most")


def token_minutes(duration_minutes: object) -> int:
    """How many minutes a token lives, of what ``create_channel`` was given; None: 120.

    Raises:
        InvalidChannelTokenDurationError: it is not a whole number from 1 to 1440.
    """
    minutes = DEFAULT_TOKEN_MINUTES if duration_minutes is None else duration_minutes
    if type(minutes) is not int or not 1 <= minutes <= MAX_TOKEN_MINUTES:
        raise InvalidChannelTokenDurationError(
            f"duration_minutes must be a whole number from 1 to {MAX_TOKEN_MINUTES}"
        )
    return minutes
