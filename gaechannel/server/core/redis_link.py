"""A node's link to Redis: what it asks goes in one pipeline a turn, what it is told comes by its channels.

What is asked is asked again while Redis is away, for as long as the link's patience lasts; so each script may
be run twice. What may join others of its kind is asked in one script with them.

Since all keys are on one slot, of a Cluster it is one Redis that is asked: the one that serves the slot.
"""

from __future__ import annotations

import asyncio
import builtins
import contextlib
import hashlib
import logging
import math
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    ConnectionError,  # noqa: A004
    InvalidResponse,
    MovedError,
    NoScriptError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TimeoutError,  # noqa: A004
    TryAgainError,
)

from .errors import Refusal
from .redis_scripts import LIVE
from .store import StoreError
from .store_traffic import StoreTraffic

logger: logging.Logger = logging.getLogger("gaechannel.server")

#: Seconds that what is still to be asked at the end may take: Redis may be away.
_LAST_SECONDS = 3.0
#: What goes away by itself, though a Redis is there: it is not ready, or another one is to be asked.
_NOT_NOW = (BusyLoadingError, ClusterDownError, MovedError, ReadOnlyError, TryAgainError)
#: What may go away by itself: Redis is not there, or not yet, or lets nobody in: its disk is full, say.
_AWAY = (RedisError, OSError)
#: Seconds between two tries while Redis is away.
_AGAIN_SECONDS = 0.1
#: Seconds that Redis may take to answer, and that the channel may be silent.
_ANSWER_SECONDS = 5.0
#: Seconds until it is said again that Redis refuses for the same reason.
_REFUSED_SECONDS = 60.0
#: Most that go in one pipeline.
_PIPELINE = 512
#: Most that join in one script, since Redis does nothing else meanwhile; and those of how many seconds.
JOINED = 200
_JOINED_SECONDS = 0.1
#: What stands between the words of those that have joined: no UTF-8 has it.
JOINT = b"\xff"

Answer = Any


@dataclass(slots=True)
class _Asked:
    """One script that is to run."""

    script: str
    words: list[Any]
    #: Until when it is tried, on the monotonic clock.
    until: float
    #: Who waits for the answer.
    waiter: asyncio.Future[Answer] | None
    #: How many have joined it, and their words, which go as one; 0: none may.
    joined: int = 0
    parts: list[bytes] = field(default_factory=list)

    def settle(self, answer: Answer) -> None:
        """Tell who waits."""
        if self.waiter is None or self.waiter.done():
            return
        if isinstance(answer, Exception):
            self.waiter.set_exception(Refusal(503, "The store cannot be reached", {"Retry-After": "2"}))
        else:
            self.waiter.set_result(answer.split() if self.joined else answer)


def _said(words: Iterable[Any]) -> list[Any]:
    """Words that can be written, whatever requests hold: what one asks must not keep others from asking."""
    return [one.encode("utf-8", "surrogatepass") if isinstance(one, str) else one for one in words]


def _hint(error: Exception) -> str:
    """What else may be the matter, for whoever has just set it up."""
    if isinstance(error, InvalidResponse):
        return " (what answers there is no Redis)"
    if isinstance(error, TimeoutError) or "while reading" in str(error).lower():
        return " (is it a Redis, and is it redis://, or rediss:// for TLS?)"
    return ""


def _at(url: str, place: str) -> str:
    """A URL of another place of the same Cluster."""
    parts = urlsplit(url)
    user, at, _ = parts.netloc.rpartition("@")
    host, _, port = place.rpartition(":")
    return parts._replace(netloc=f"{user}{at}{f'[{host}]' if ':' in host else host}:{port}").geturl()


async def _end(client: Any) -> None:
    if client is not None:
        with contextlib.suppress(*_AWAY):
            await client.aclose()


class RedisLink:
    """One node's link.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``.
        prefix: what all keys begin with, in braces, so that they are on one slot.
        patience: seconds for which what is asked is tried again while Redis is away.
        on_told: called with each thing that this node is told, as its first word and the rest.
        on_linked: called whenever the channels have been opened: something may have been missed before.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str,
        patience: float,
        on_told: Callable[[bytes, bytes], None],
        on_linked: Callable[[], None],
    ) -> None:
        self.node: str = secrets.token_urlsafe(8)
        self._url = url
        self._prefix = prefix
        self._patience = patience
        self._on_told = on_told
        self._on_linked = on_linked
        self._asked: list[_Asked] = []
        self.traffic: StoreTraffic = StoreTraffic()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._filled = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._redis: Any = None
        self._subscribed: Any = None
        #: Where we ask, and where we are told.
        self._asked_at = self._heard_at = url
        #: Which Redis it is that we ask, as LIVE says.
        self._life = b""
        #: Where those of a Cluster are, HOST:PORT; the next to be asked is the first.
        self._places: list[str] = []
        #: Since when Redis is away, on the monotonic clock, and since when we are told nothing.
        self._away: float | None = None
        self._deaf: float | None = None
        #: Why Redis has refused something, and until when that is not said again.
        self._refused = "", 0.0
        self._names: dict[str, str] = {}
        self._known: set[str] = set()
        self._linked = asyncio.Event()

    async def start(self, first: str = "return 1", *words: Any) -> Answer:
        """Link up.

        Args:
            first: a script that is run at once, so that what Redis does not let us do is told.
            words: what it is given.

        Returns:
            Its answer.

        Raises:
            StoreError: there is no Redis at that address, or not one that can be used.
        """
        self._loop, self._thread = asyncio.get_running_loop(), threading.get_ident()
        self._filled, self._linked = asyncio.Event(), asyncio.Event()
        try:
            self._redis = self._client(self._url, socket_timeout=_ANSWER_SECONDS)
            info = await self._redis.info("server")
            version = str(info.get("redis_version", "0"))
            if int(version.split(".")[0]) < 7:
                raise StoreError(f"Redis {version} is too old: 7 is needed")
            if info.get("redis_mode") == "cluster":
                await self._find_place()
            await _end(self._redis)
            self._ask_at(self._asked_at)
            name = await self._redis.script_load(first)
            answer = await self._redis.evalsha(name, 1, self._prefix, *_said(words))
            await self._hear_at(self._asked_at)
            async with self._subscribed.pubsub() as listening:
                await listening.subscribe(*self._channels)
                await listening.get_message(timeout=_ANSWER_SECONDS)
        except AuthenticationError as error:
            await self._close()
            raise StoreError(f"Redis does not let us in: {error}") from None
        except (*_AWAY, ValueError) as error:
            await self._close()
            raise StoreError(f"Redis cannot be used: {error}{_hint(error)}") from None
        self._tasks = [asyncio.create_task(self._ask_all()), asyncio.create_task(self._hear_all())]
        try:
            await asyncio.wait_for(self._linked.wait(), _ANSWER_SECONDS)
        except builtins.TimeoutError:
            await self.stop()
            raise StoreError("Redis cannot be used: its channels are silent") from None
        return answer

    def _client(self, url: str, **options: Any) -> Any:
        return redis.asyncio.Redis.from_url(
            url, retry=Retry(NoBackoff(), 0), socket_connect_timeout=_ANSWER_SECONDS, **options
        )

    def _ask_at(self, url: str) -> None:
        """Ask there from now on."""
        self._asked_at = url
        self._redis = self._client(
            url,
            socket_timeout=_ANSWER_SECONDS,
            single_connection_client=True,
            redis_connect_func=self._connect,
        )

    async def _connect(self, connection: Any) -> None:
        """Make a new connection ready once Redis has loaded its data, and see whether it is another Redis.

        Of a pipeline that comes before, it may refuse the beginning and run the rest: not in order.
        """
        await connection.on_connect()
        await connection.send_command("EVAL", LIVE, 1, self._prefix)
        before, self._life = self._life, await connection.read_response()
        if before not in {b"", self._life}:
            logger.info("Redis has begun anew: it may have forgotten arrays")
            self._heard_at = ""  # who tells us what comes may be the one before, and sessions are to be read

    async def _hear_at(self, url: str) -> None:
        """Be told there from now on."""
        before, self._subscribed, self._heard_at = self._subscribed, self._client(url), url
        await _end(before)

    async def _find_place(self) -> None:
        """Learn where a Cluster's are, and go to the one that serves the slot."""
        nodes = await self._redis.execute_command("CLUSTER NODES")
        self._places = [place for place in nodes if not place.startswith(":")]
        try:
            await self._redis.exists(self._prefix)
        except MovedError as error:
            self._asked_at = self._moved(error)

    async def _go(self, error: Exception) -> None:
        """Ask another of a Cluster from now on: where we are told to, or whichever is next.

        One that only reads for now may be another when it writes again: it is connected to anew.
        """
        url = self._asked_at
        if self._places:
            self._places.append(self._places.pop(0))
            url = self._moved(error) if isinstance(error, MovedError) else _at(self._url, self._places[0])
        elif not isinstance(error, ReadOnlyError):
            return
        await _end(self._redis)
        self._ask_at(url)

    def _moved(self, error: MovedError) -> str:
        """Where the slot is served."""
        place = f"{error.host or urlsplit(self._asked_at).hostname}:{error.port}"
        logger.info("The keys' slot is served at %s", place)
        return _at(self._url, place)

    async def stop(self) -> None:
        """Ask what is still to be asked, and let go; what cannot be asked now is refused."""
        with contextlib.suppress(Refusal, builtins.TimeoutError):
            async with asyncio.timeout(_LAST_SECONDS):
                await self.ask("return 1")
        tasks = set(self._tasks)
        while tasks:  # one whose time is up at the same moment takes its end for that
            for task in tasks:
                task.cancel()
            _, tasks = await asyncio.wait(tasks, timeout=_AGAIN_SECONDS)
        for one in self._asked:  # nobody is to wait for what nobody asks any more
            one.settle(ConnectionError())
        self._asked.clear()
        await self._close()

    async def _close(self) -> None:
        for one in (self._redis, self._subscribed):
            await _end(one)

    @property
    def channel(self) -> str:
        """Where this node is told of things."""
        return f"{self._prefix}n:{self.node}"

    @property
    def _channels(self) -> tuple[str, str]:
        """Where all nodes are told of things, and this one."""
        return f"{self._prefix}p", self.channel

    def tell(self, script: str, *words: Any) -> None:
        """Ask what needs no answer; from any thread."""
        self._asked.append(_Asked(script, _said(words), time.monotonic() + self._patience, None))
        self._wake()

    async def ask(self, script: str, *words: Any) -> Answer:
        """Run a script.

        Raises:
            Refusal: 503, where Redis is away for longer than is waited, or cannot take it on.
        """
        return await self.begin(script, *words)

    def begin(self, script: str, *words: Any) -> asyncio.Future[Answer]:
        """Have a script run; the answer comes as that of ``ask``. On the event loop alone."""
        return self._begin(script, words, 0)

    def join(
        self, script: str, head: Callable[[], tuple[Any, ...]], *parts: bytes
    ) -> tuple[asyncio.Future[Answer], int]:
        """Have a script do one thing more, together with others that were asked just before; else a new one.

        Args:
            script: what does many of a kind.
            head: makes the words that stand before those of all.
            parts: the words of this one, in UTF-8 and not empty; those of all are the script's last word.

        Returns:
            The answer's words, which are everybody's and must not be cancelled, and the place of this one's.
        """
        last = self._asked[-1] if self._asked else None
        if (
            last is not None
            and last.script is script
            and last.waiter is not None
            and 0 < last.joined < JOINED
            and last.until > time.monotonic() + self._patience - _JOINED_SECONDS
        ):
            last.parts += parts
            last.joined += 1
            return last.waiter, last.joined - 1
        return self._begin(script, head(), 1, parts), 0

    def _begin(
        self, script: str, words: tuple[Any, ...], joined: int, parts: Iterable[bytes] = ()
    ) -> asyncio.Future[Answer]:
        waiter: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        until = time.monotonic() + self._patience
        self._asked.append(_Asked(script, _said(words), until, waiter, joined, list(parts)))
        self._wake()
        return waiter

    @property
    def lost_seconds(self) -> float:
        """For how long Redis has been away, or told us nothing."""
        return time.monotonic() - min(self._away or math.inf, self._deaf or math.inf, time.monotonic())

    @property
    def is_here(self) -> bool:
        """Whether this is the thread of the event loop that it was started on."""
        return self._loop is not None and threading.get_ident() == self._thread

    def _wake(self) -> None:
        loop, filled = self._loop, self._filled
        if loop is None or loop.is_closed():
            return
        if self.is_here:
            filled.set()
        else:
            loop.call_soon_threadsafe(filled.set)

    async def _ask_all(self) -> None:
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._asked:
                some = self._asked[:_PIPELINE]
                del self._asked[: len(some)]
                try:
                    await self._ask_some(some)
                except asyncio.CancelledError:
                    self._asked[:0] = some
                    raise

    async def _ask_some(self, some: list[_Asked]) -> None:
        while some:
            began = time.monotonic()
            try:
                answers = await self._run(some)
            except _AWAY as error:
                if not isinstance(error, MovedError) and self._away is None:
                    logger.warning("Redis is away: %s", error)
                    self._away = began
                await self._go(error)
                self.traffic.retries += len(some)
                now = time.monotonic()
                for one in some:
                    if one.until <= now:
                        one.settle(error)
                some = [one for one in some if one.until > now]
                await asyncio.sleep(_AGAIN_SECONDS)
                continue
            self.traffic.answers.observe(time.monotonic() - began)
            self.traffic.scripts += len(some)
            if self._away is not None:
                logger.warning("Redis is back")
                self.traffic.reconnects += 1
            self._away = None
            if self._heard_at != self._asked_at:
                await self._hear_at(self._asked_at)
            for one, answer in zip(some, answers, strict=True):
                one.settle(answer)
            return

    async def _run(self, some: list[_Asked]) -> list[Answer]:
        while True:
            pipe = self._redis.pipeline(transaction=False)
            ours: list[int] = []
            for one in some:
                script = one.script
                name = self._names.get(script)
                if name is None:
                    name = self._names[script] = hashlib.sha1(
                        script.encode(), usedforsecurity=False
                    ).hexdigest()
                if name not in self._known:
                    pipe.script_load(script)
                    self._known.add(name)
                ours.append(len(pipe))
                parts = (JOINT.join(one.parts),) if one.joined else ()
                pipe.evalsha(name, 1, self._prefix, *one.words, *parts)
            try:
                answers = await pipe.execute(raise_on_error=False)
            except _AWAY:
                self._known.clear()  # another Redis may be there the next time
                raise
            if any(isinstance(one, NoScriptError) for one in answers):
                self._known.clear()
                continue
            for answer in answers:
                if isinstance(answer, (ConnectionError, *_NOT_NOW)):
                    self._known.clear()  # as above
                    raise answer
                if isinstance(answer, ResponseError):
                    self._say_refused(str(answer))
            return [answers[at] for at in ours]

    def _say_refused(self, words: str) -> None:
        """Say why Redis refuses: once, and now and then while it does."""
        now = time.monotonic()
        if words != self._refused[0] or now > self._refused[1]:
            logger.warning("Redis refuses: %s", words)
            self._refused = words, now + _REFUSED_SECONDS

    def _hear(self, data: bytes) -> None:
        what, _, rest = data.partition(b"\n")
        try:
            self._on_told(what, rest)
        except (ValueError, IndexError):  # not our scripts' words; what comes after them is to be heard
            logger.warning("Redis says what is not understood: %.60r", data)

    async def _hear_all(self) -> None:
        while True:
            try:
                async with self._subscribed.pubsub() as listening:
                    await listening.subscribe(*self._channels)
                    silent = awaited = 0
                    while True:
                        message = await listening.get_message(timeout=_ANSWER_SECONDS / 2)
                        if message is None:
                            silent += 1
                            if silent > 2:
                                raise ConnectionError("the channel is silent")
                            await listening.ping()
                            continue
                        silent = 0
                        if message["type"] == "subscribe":
                            awaited += 1
                            if awaited < len(self._channels):
                                continue
                            if self._deaf is not None:
                                logger.warning("Redis tells us again what comes")
                                self.traffic.relinks += 1
                            self._deaf = None
                            self._linked.set()
                            self._on_linked()
                        elif message["type"] == "message":
                            self._hear(message["data"])
            except _AWAY as error:
                if self._deaf is None:
                    logger.warning("Redis tells us no more what comes: %s", error)
                    self._deaf = time.monotonic()
                await asyncio.sleep(_AGAIN_SECONDS)
