# What csrc/py/ defines. The docstrings are there.

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, Never, Self, final

from typing_extensions import Buffer, disjoint_base

__version__: str
libcurl_version: str

def parse(text: str, /) -> Any: ...
def _after_fork() -> None: ...

@disjoint_base
class Channel:
    def __init__(
        self,
        *args: Never,
        dialect: str,
        url: str,
        logger: logging.Logger,
        url_is_retired: bool = ...,
        token: str | None = ...,
        token_source: Callable[[], str] | None = ...,
        params: str | None = ...,
        open_form: str | None = ...,
        init_headers: str | None = ...,
        secrets: Sequence[str] = ...,
        timeout: float = ...,
        connect_timeout: float = ...,
        max_backoff: float = ...,
        max_reconnects: int = ...,
        auto_reconnect: bool = ...,
        max_chunk_size: int = ...,
        queue_limit: int = ...,
        headers: str | None = ...,
        user_agent: str | None = ...,
        proxy: str | None = ...,
        verify: bool = ...,
        ca_file: str | None = ...,
        ca_path: str | None = ...,
        cert: str | None = ...,
        key: str | None = ...,
        http2: bool = ...,
        buffer_size: int = ...,
        buffered: bool = ...,
        fast_handshake: bool = ...,
        unwraps: bool = ...,
    ) -> None: ...
    def __iter__(self) -> Iterator[Any]: ...
    def close(self) -> None: ...
    def _messages(self, once: bool, /) -> Messages: ...
    def _reach(self, goal: Literal[0, 1, 2], anew: bool, /) -> None: ...
    def _send(self, pairs: list[tuple[str, str]], /) -> int: ...
    def _flush(self, timeout: float, /) -> bool: ...
    def _set_custom_urls(self, init: bool, bind: bool, /) -> None: ...
    def _init_url(self) -> str: ...
    def _common_url(self) -> str: ...
    def _read_init_page(self, page: str, /) -> bool: ...
    def _redact(self, text: str, /) -> str: ...
    # bytes, chunks, arrays, messages, reconnects, sessions, and the last message's time or -1.
    def _stats(self) -> tuple[int, int, int, int, int, int, float]: ...

    _url: str | None
    _token: str | None
    sid: str | None
    gsessionid: str | None
    _clid: str | None
    _osid: str | None
    _oaid: str | None
    _msg_id: int
    _request_id: int
    _trial: int
    reconnect_trial_: int
    backoff_: float
    auto_reconnect: bool
    max_reconnects: int | None
    logger: logging.Logger
    @property
    def aid(self) -> int: ...
    @property
    def closed(self) -> bool: ...
    @property
    def unsent(self) -> int: ...

@final
class Messages:
    def __iter__(self) -> Self: ...
    def __next__(self) -> Any: ...
    def close(self) -> None: ...

@final
class Decoder:
    def __new__(cls, *, max_chunk_size: int = 16777216) -> Self: ...
    def feed(self, data: Buffer, /) -> list[tuple[int, Any]]: ...
    def eof(self) -> None: ...

@final
class TalkDecoder:
    def __new__(cls, clid: str | None = None, *, max_chunk_size: int = 16777216) -> Self: ...
    def feed(self, data: Buffer, /) -> list[str]: ...
    def eof(self) -> None: ...
