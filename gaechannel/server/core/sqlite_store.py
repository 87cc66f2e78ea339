"""A store in a file: SQLite with a write-ahead log, for one process at a time.

What is told in one turn of the event loop is one transaction, and whoever waits for it shares it. Rows are
written on the event loop's thread, where nobody has to ask for the GIL row by row; the commit, which may wait
for a disk, is not. While it lasts, what is told waits for the next transaction.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import itertools
import json
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import Refusal
from .store import Kept, KeptSession, StoreError

logger: logging.Logger = logging.getLogger("gaechannel.server")

#: What says in a file's head that it is ours, and which tables it has.
_APPLICATION_ID = 0x67616563
_VERSION = 1

_TABLES = """
    CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;
    CREATE TABLE channels (client_id TEXT PRIMARY KEY, expires REAL NOT NULL) WITHOUT ROWID;
    CREATE TABLE held (number INTEGER PRIMARY KEY, client_id TEXT NOT NULL, message BLOB NOT NULL);
    CREATE INDEX held_by_client ON held (client_id);
    CREATE TABLE polled (client_id TEXT PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE sessions (
        number INTEGER PRIMARY KEY, sid TEXT NOT NULL UNIQUE, service TEXT NOT NULL, facts TEXT NOT NULL,
        base INTEGER NOT NULL, next_map INTEGER NOT NULL, last_rid INTEGER NOT NULL,
        connected INTEGER NOT NULL, stopped TEXT, ended INTEGER NOT NULL
    );
    CREATE TABLE arrays (
        sid TEXT NOT NULL, id INTEGER NOT NULL, array BLOB NOT NULL, PRIMARY KEY (sid, id)
    ) WITHOUT ROWID;
"""

_META = "INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value"
_CREATE = (
    "INSERT INTO channels VALUES (?, ?) ON CONFLICT DO UPDATE SET expires = max(expires, excluded.expires)"
)
_FORGET = "DELETE FROM channels WHERE client_id = ?"
_HOLD = "INSERT INTO held (client_id, message) VALUES (?, ?)"
_RELEASE = """DELETE FROM held WHERE number IN
    (SELECT number FROM held WHERE client_id = ? ORDER BY number LIMIT ?)"""
_POLL = "INSERT OR IGNORE INTO polled VALUES (?)"
_POLL_NO_MORE = "DELETE FROM polled WHERE client_id = ?"
_BEGIN = """INSERT INTO sessions (sid, service, facts, base, next_map, last_rid, connected, stopped, ended)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_APPEND = "INSERT INTO arrays VALUES (?, ?, ?)"
_ACKNOWLEDGE = "DELETE FROM arrays WHERE sid = ? AND id <= ?"
_BASE = "UPDATE sessions SET base = ?2 + 1 WHERE sid = ?1"
_CUT = "DELETE FROM arrays WHERE sid = ? AND id >= ?"
_TAKE_MAPS = "UPDATE sessions SET next_map = ?, last_rid = ? WHERE sid = ?"
_MARK = "UPDATE sessions SET connected = ?, stopped = ?, ended = ? WHERE sid = ?"
_END = "DELETE FROM sessions WHERE sid = ?"
_END_ARRAYS = "DELETE FROM arrays WHERE sid = ?"

#: Seconds between two looks whether the process before this one has let go of the file.
_LOOK_SECONDS = 0.02

Row = tuple[Any, ...]


@dataclass(slots=True)
class _Batch:
    """What was told in one turn of the event loop or some, and who waits for it."""

    rows: list[tuple[str, Row]] = field(default_factory=list)
    waiters: list[asyncio.Future[None]] = field(default_factory=list)

    def settle(self, error: Exception | None) -> None:
        """Tell all who wait how it went; on their event loop."""
        for waiter in self.waiters:
            if waiter.done():
                continue
            if error is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(error)
        self.waiters = []


class SqliteStore:
    """Keeps sessions, messages, channels and the tokens' secret in a file.

    Args:
        file: the file, which is made where it is not there, readable for its owner only: it holds secrets.
        wait: how many seconds to wait for another process to let go of the file.
        power: whether what is committed outlives the machine's power, too, and not the process alone; each
            commit then waits for the disk.
    """

    keeps = True

    def __init__(self, file: str | os.PathLike[str], *, wait: float = 10.0, power: bool = False) -> None:
        self.file: Path = Path(file)
        self.lock: threading.RLock = threading.RLock()
        self._wait = wait
        self._power = power
        self._connection: sqlite3.Connection | None = None
        self._told = _Batch()
        self._under_way: _Batch | None = None
        self._commit: concurrent.futures.Future[None] | None = None
        self._scheduled = False
        self._failed = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def __repr__(self) -> str:
        return f"<SqliteStore {self.file}{'' if self._connection is None else ' open'}>"

    # Opening, and what is there.

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    def open(self) -> None:
        with self.lock:
            if self._connection is not None:
                return
            try:
                self._connection = self._connect()
            except (sqlite3.Error, OSError) as error:
                raise StoreError(f"{self.file}: {_words(error)}") from None
            #: Where commits are waited for.
            self._thread = concurrent.futures.ThreadPoolExecutor(1, "gaechannel-store")

    def load(self) -> Kept:
        with self.lock:
            self.open()
            try:
                return _load(self._database)
            except (sqlite3.Error, ValueError) as error:
                raise StoreError(f"{self.file}: {_words(error)}") from None

    @property
    def _database(self) -> sqlite3.Connection:
        if self._connection is None:
            raise StoreError(f"{self.file}: it is closed")
        return self._connection

    def _connect(self) -> sqlite3.Connection:
        if self.file.is_dir():
            raise OSError("it is a directory")
        # No handle of our own on a file that is there: closing it would give SQLite's locks away.
        with contextlib.suppress(FileExistsError):
            os.close(os.open(self.file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        until = time.monotonic() + self._wait
        while True:
            connection = sqlite3.connect(self.file, timeout=0, isolation_level=None, check_same_thread=False)
            try:
                self._take(connection)
            except BaseException as error:
                connection.close()
                busy = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY
                if not busy:
                    raise
                if time.monotonic() >= until:
                    raise OSError("another server has it open") from None
            else:
                return connection
            time.sleep(_LOOK_SECONDS)

    def _take(self, connection: sqlite3.Connection) -> None:
        """Have the file for this process alone, and the tables in it."""
        # Exclusive: the next process waits until this one has closed the file, or is dead.
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if self._power else 'NORMAL'}")
        connection.execute("BEGIN EXCLUSIVE")
        ours = _pragma(connection, "application_id") == _APPLICATION_ID
        if not ours and connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise OSError("it is a database of something else")
        if ours and _pragma(connection, "user_version") != _VERSION:
            raise OSError("it was written by another version of gaechannel")
        if not ours:
            for statement in _TABLES.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {_VERSION}")
        connection.execute("COMMIT")

    # What is told.

    def check(self) -> None:
        if self._failed:
            raise _cannot_keep()

    def use_key(self, key: bytes) -> None:
        self._tell(_META, ("key", key))

    def create(self, client_id: str, expires: float) -> None:
        self._tell(_CREATE, (client_id, expires))

    def forget(self, client_id: str) -> None:
        self._tell(_FORGET, (client_id,))
        self._tell(_RELEASE, (client_id, -1))

    def hold(self, client_id: str, message: str) -> None:
        self._tell(_HOLD, (client_id, message.encode("utf-8", "surrogatepass")))

    def release(self, client_id: str, count: int | None = None) -> None:
        self._tell(_RELEASE, (client_id, -1 if count is None else count))

    def poll(self, client_id: str, polled: bool) -> None:
        self._tell(_POLL if polled else _POLL_NO_MORE, (client_id,))

    def begin(self, service: str, session: KeptSession) -> None:
        facts = json.dumps(session.facts)
        state = (session.connected, session.stopped, session.ended)
        maps = (session.next_map, session.last_rid)
        self._tell(_BEGIN, (session.sid, service, facts, session.base, *maps, *state))
        for array_id, array in enumerate(session.arrays, session.base):
            self.append(session.sid, array_id, array)

    def append(self, sid: str, array_id: int, array: bytes) -> None:
        self._told.rows.append((_APPEND, (sid, array_id, array)))

    def acknowledge(self, sid: str, array_id: int) -> None:
        self._tell(_ACKNOWLEDGE, (sid, array_id))
        self._tell(_BASE, (sid, array_id))

    def cut(self, sid: str, array_id: int) -> None:
        self._tell(_CUT, (sid, array_id))

    def take_maps(self, sid: str, next_map: int, last_rid: int) -> None:
        self._tell(_TAKE_MAPS, (next_map, last_rid, sid))

    def mark(self, sid: str, *, connected: bool, stopped: str | None, ended: bool) -> None:
        self._tell(_MARK, (connected, stopped, ended, sid))

    def end(self, sid: str) -> None:
        self._tell(_END, (sid,))
        self._tell(_END_ARRAYS, (sid,))

    def _tell(self, statement: str, row: Row) -> None:
        with self.lock:
            self._told.rows.append((statement, row))

    # Committing.

    async def commit(self) -> None:
        self._loop = asyncio.get_running_loop()
        with self.lock:
            batch = self._told if self._told.rows else self._under_way
            if batch is None:
                return
            if self._connection is None:  # nobody would write it
                raise _cannot_keep()
            waiter = self._loop.create_future()
            batch.waiters.append(waiter)
            self._schedule()
        await waiter

    def commit_from_thread(self) -> None:
        loop = self._loop
        if loop is None or loop.is_closed():
            with self.lock:
                self._commit_here()
            return
        if _is_running_here(loop):
            with self.lock:
                self._schedule()
            return
        with contextlib.suppress(RuntimeError, concurrent.futures.CancelledError):  # closed, and so kept
            done = asyncio.run_coroutine_threadsafe(self.commit(), loop)
            while not loop.is_closed():
                with contextlib.suppress(TimeoutError):
                    done.result(0.25)
                    return

    def close(self, *, told: bool) -> None:
        with self.lock:
            if self._connection is None:
                return
            self._tell(_META, ("told", told))
            try:
                self._commit_here()
            except Refusal:
                logger.error("%s: what was not kept yet is lost", self.file)
            self._let_go()

    def abandon(self) -> None:
        with self.lock:
            if self._connection is None:
                return
            if self._commit is not None:
                concurrent.futures.wait([self._commit])
            for batch in (self._under_way, self._told):
                if batch is not None:
                    batch.settle(_cannot_keep())
            self._told = _Batch()
            self._let_go()

    def _let_go(self) -> None:
        self._thread.shutdown()
        self._database.close()
        self._connection = self._loop = self._under_way = self._commit = None
        self._scheduled = self._failed = False

    def _schedule(self) -> None:
        """Have what is told written at the end of this turn, or when what is under way is done. Lock held."""
        if self._told.rows and not self._scheduled and self._under_way is None and self._loop is not None:
            self._scheduled = True
            self._loop.call_soon(self._write)

    def _write(self) -> None:
        with self.lock:
            self._scheduled = False
            if self._connection is None or self._under_way is not None or not self._told.rows:
                return
            batch, self._told = self._told, _Batch()
            self._under_way = batch
            loop = asyncio.get_running_loop()
            try:
                _write_rows(self._connection, batch.rows)
            except Exception as error:  # whatever it is, who waits is told
                self._finish(batch, error)
                return
            self._commit = self._thread.submit(_commit, self._connection)

        def committed(commit: concurrent.futures.Future[None]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: close() finishes it
                loop.call_soon_threadsafe(self._finish, batch, commit.exception())

        self._commit.add_done_callback(committed)

    def _finish(self, batch: _Batch, error: BaseException | None) -> None:
        """What was under way is kept, or is to be tried again."""
        with self.lock:
            if self._under_way is not batch:
                return  # close() was faster
            self._under_way = self._commit = None
            refusal = self._note(error)
            if error is not None:
                self._put_back(batch)
            batch.settle(refusal)
            if self._told.waiters:
                self._schedule()

    def _put_back(self, batch: _Batch) -> None:
        with contextlib.suppress(sqlite3.Error):  # it may have rolled back by itself
            self._database.execute("ROLLBACK")
        self._told.rows[:0] = batch.rows
        # Who waits for what came since waits for this, too, and would only hear the same.
        batch.waiters += self._told.waiters
        self._told.waiters = []

    def _note(self, error: BaseException | None) -> Refusal | None:
        if error is None:
            if self._failed:
                logger.warning("%s: it can be written again", self.file)
            self._failed = False
            return None
        if not self._failed:
            logger.error("%s: %s; what comes is refused until it can be written", self.file, _words(error))
        self._failed = True
        return _cannot_keep()

    def _commit_here(self) -> None:
        """Write and commit all at once, in this thread. Lock held."""
        self.open()
        if self._under_way is not None:
            if self._commit is not None:
                concurrent.futures.wait([self._commit])
            self._finish(self._under_way, None if self._commit is None else self._commit.exception())
        batch, self._told = self._told, _Batch()
        self._under_way = batch
        failure: Exception | None = None
        try:
            _write_rows(self._database, batch.rows)
            _commit(self._database)
        except Exception as error:
            failure = error
        self._finish(batch, failure)
        if failure is not None:
            raise _cannot_keep()


def _write_rows(connection: sqlite3.Connection, rows: Iterable[tuple[str, Row]]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for statement, alike in itertools.groupby(rows, lambda one: one[0]):
        connection.executemany(statement, [row for _, row in alike])


def _commit(connection: sqlite3.Connection) -> None:
    connection.execute("COMMIT")


def _load(connection: sqlite3.Connection) -> Kept:
    meta = dict(connection.execute("SELECT name, value FROM meta").fetchall())
    kept = Kept(key=meta.get("key"), told=bool(meta.get("told")))
    # Whether clients were told of a restart is true of the process before this one alone.
    connection.execute("DELETE FROM meta WHERE name = 'told'")
    kept.channels = dict(connection.execute("SELECT client_id, expires FROM channels").fetchall())
    kept.polled = [client_id for (client_id,) in connection.execute("SELECT client_id FROM polled")]
    for client_id, message in connection.execute("SELECT client_id, message FROM held ORDER BY number"):
        kept.held.setdefault(client_id, []).append(message.decode("utf-8", "surrogatepass"))
    arrays: dict[str, list[bytes]] = {}
    for sid, array in connection.execute("SELECT sid, array FROM arrays ORDER BY sid, id"):
        arrays.setdefault(sid, []).append(array)
    for row in connection.execute(
        "SELECT service, sid, facts, base, next_map, last_rid, connected, stopped, ended"
        " FROM sessions ORDER BY number"
    ):
        service, sid, facts, base, next_map, last_rid, connected, stopped, ended = row
        kept.sessions.setdefault(service, []).append(
            KeptSession(
                sid,
                json.loads(facts),
                arrays.get(sid, []),
                base,
                next_map,
                last_rid,
                bool(connected),
                stopped,
                bool(ended),
            )
        )
    return kept


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value


def _is_running_here(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False


def _words(error: BaseException) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error)


def _cannot_keep() -> Refusal:
    return Refusal(503, "The state cannot be written", {"Retry-After": "5"})
