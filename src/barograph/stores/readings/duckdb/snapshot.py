"""What a reader holds: the layout and a transaction that sees exactly that layout."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb

from barograph.domain.errors import Unavailable
from barograph.stores.readings.duckdb.connection import Answer, Columns, Database, ask, translated
from barograph.stores.readings.duckdb.layout import Layout


class Snapshot:
    """A reader's view, which does not change. Used by one reader; may be ended by others."""

    def __init__(self, database: Database, layout: Layout, hot: tuple[int, int]) -> None:
        self.layout = layout
        self.hot = hot
        """The hot table's rows lie in `[hot[0], hot[1])`."""
        self.since = time.monotonic()
        self._database = database
        self._lock = threading.Lock()
        self._cursor: duckdb.DuckDBPyConnection | None = database.borrow()
        self._cursor.begin()
        self._failed = False

    def ask(self, sql: str, parameters: Sequence[Any] = (), **tables: Columns) -> Answer:
        """The columns of the answer; raises `Unavailable` when somebody ended this snapshot."""
        with self._lock:
            if self._cursor is None:
                raise Unavailable("the question was interrupted: the database was reopened")
            self._failed = True  # until proven otherwise
            with translated():
                answer = ask(self._cursor, sql, parameters, **tables)
            self._failed = False
            return answer

    @property
    def ended(self) -> bool:
        """Whether it can be used no more."""
        return self._cursor is None

    def end(self, *, wait: bool = True) -> bool:
        """End the transaction; without `wait` only if no question is running. Whether it ended."""
        if not self._lock.acquire(blocking=wait):
            return False
        try:
            cursor, self._cursor = self._cursor, None
            if cursor is None:
                return True
            try:
                cursor.rollback()
            except duckdb.Error:
                self._failed = True
            if self._failed:
                cursor.close()  # it is in no state to be used again
            else:
                self._database.give_back(cursor)
        finally:
            self._lock.release()
        return True

    def interrupt(self) -> None:
        """Make a running question fail soon."""
        cursor = self._cursor
        if cursor is not None:
            cursor.interrupt()


class Snapshots:
    """Those that are open."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: set[Snapshot] = set()

    @contextmanager
    def ending(self, snapshot: Snapshot) -> Iterator[Snapshot]:
        """End the snapshot at the end."""
        try:
            yield snapshot
        finally:
            self.end(snapshot)

    def add(self, snapshot: Snapshot) -> Snapshot:
        """Know of one more."""
        with self._lock:
            self._open.add(snapshot)
        return snapshot

    def end(self, snapshot: Snapshot) -> None:
        """End one."""
        with self._lock:
            self._open.discard(snapshot)
        snapshot.end()

    def end_older(self, seconds: float) -> None:
        """End those older than `seconds` that are idle: scans whose reader is slow."""
        now = time.monotonic()
        for snapshot in self._all():
            if now - snapshot.since > seconds and snapshot.end(wait=False):
                with self._lock:
                    self._open.discard(snapshot)

    def end_all(self) -> None:
        """Interrupt and end all."""
        for snapshot in self._all():
            snapshot.interrupt()
            self.end(snapshot)

    def _all(self) -> list[Snapshot]:
        with self._lock:
            return list(self._open)
