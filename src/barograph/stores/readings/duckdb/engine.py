"""The database together with what memory knows of it, changed only as one.

Every change is a transaction under `lock`; what it means for the layout and the census is taken
over after the commit. When the database refuses a change, for whatever reason, it is opened anew
before the next: then what was committed is what the database says.
"""

import itertools
import logging
import os
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

from barograph.domain.errors import Unavailable
from barograph.stores.readings.duckdb.apply import (
    Arrival,
    Departure,
    Outcome,
    apply_deletion,
    apply_readings,
)
from barograph.stores.readings.duckdb.census import Census, look
from barograph.stores.readings.duckdb.connection import (
    Columns,
    Database,
    in_our_words,
    translated,
)
from barograph.stores.readings.duckdb.entry import Deletion, Entry, Readings, concatenate
from barograph.stores.readings.duckdb.layout import (
    BEGINNING,
    END,
    SCHEMA,
    Layout,
    create_segment,
    read_layout,
)
from barograph.stores.readings.duckdb.snapshot import Snapshot, Snapshots
from barograph.stores.readings.journal import sync_directory

FILE = "readings.duckdb"

_TRANSACTION_READINGS_MAX = 200_000
_DRAIN_SECONDS = 0.1
_RETRY_SECONDS = 0.005

_log = logging.getLogger(__name__)


class Engine:
    """The open database of a directory.

    `applied` is the number of the last journal record whose effect is committed; `checkpointed`
    that of the last which would survive the loss of DuckDB's own log.
    """

    def __init__(
        self, directory: Path, *, memory_mb: int, threads: int, temp_mb: int, idle_mb: int
    ) -> None:
        self.lock = threading.RLock()
        self.layout: Layout = ()
        self.census = Census()
        self.applied = 0
        self.checkpointed = 0
        self.snapshots = Snapshots()
        self.used = time.monotonic()
        self._file = directory / FILE
        self._settings = (memory_mb, threads, temp_mb)
        self._idle_mb = idle_mb
        self._broken = False
        self._closings = 0
        self._watched: int | None = None
        self._moved: list[Columns] = []
        self.ids: Iterator[int] = itertools.count(1)
        self._open()

    def _open(self) -> None:
        memory_mb, threads, temp_mb = self._settings
        self.database = Database(self._file, memory_mb=memory_mb, threads=threads, temp_mb=temp_mb)
        try:
            self._load()
        except BaseException:
            self.database.close()
            raise

    def _load(self) -> None:
        with self.database.transaction() as cursor:
            for table in SCHEMA:
                cursor.execute(table)
            row = cursor.execute("SELECT sequence FROM progress").fetchone()
            if row is None:
                cursor.execute("INSERT INTO progress VALUES (0)")
            layout = read_layout(cursor)
            tables = {
                name
                for (name,) in cursor.execute(
                    "SELECT table_name FROM duckdb_tables() WHERE table_name LIKE 'segment\\_%' ESCAPE '\\'"
                ).fetchall()
            }
            ids = [int(name.removeprefix("segment_")) for name in tables]
            # Never one that was given before: whoever was copying a segment may still drop its copy.
            self.ids = itertools.count(max(next(self.ids), max(ids, default=0) + 1))
            for orphan in tables - {segment.table for segment in layout}:
                cursor.execute(f"DROP TABLE {orphan}")
            if not layout:
                layout = (create_segment(cursor, next(self.ids), BEGINNING, END),)
            changed = row is None or bool(tables - {segment.table for segment in layout})
            census = Census()
            census.take(look(cursor, layout))
        if changed:
            self.database.checkpoint()  # a change of tables does not stay in DuckDB's log
        self.layout, self.census, self.applied = layout, census, row[0] if row else 0
        self._watched = None

    def recover(self) -> None:
        """Open the database anew if it refused a change. Raises `Unavailable`."""
        if not self._broken:
            return
        with self.lock:
            _log.warning("the readings' database is opened anew")
            self.snapshots.end_all()
            self._closings += 1
            with translated():
                try:
                    self.database.close()
                except duckdb.Error as error:
                    _log.warning("closing the readings' database: %s", error)
                self._open()
            self._broken = False

    @contextmanager
    def changing(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A transaction. Raises `Unavailable`; the change is then unknown until `recover`."""
        with self.lock:
            self.recover()
            try:
                with self.database.transaction() as cursor:
                    yield cursor
            except duckdb.Error as error:
                self._broken = True
                raise in_our_words(error) from error

    def apply(self, entries: Sequence[tuple[int, Entry]]) -> None:
        """Put journalled entries, in their order, where they belong; those that are not yet."""
        with self.lock:
            self.recover()
            for group in _groups(entries):
                last = group[-1][0]
                if last > self.applied:
                    self._apply([entry for number, entry in group if number > self.applied], last)

    def _apply(self, entries: Sequence[Entry], last: int) -> None:
        outcome: Outcome
        news: Arrival | Departure
        with self.changing() as cursor:
            if isinstance(entries[0], Deletion):
                outcome, news = apply_deletion(
                    cursor, self.layout, self.census, entries[0], self.ids
                )
            else:
                outcome, news = apply_readings(
                    cursor,
                    self.layout,
                    self.census,
                    concatenate([entry for entry in entries if isinstance(entry, Readings)]),
                )
            cursor.execute("UPDATE progress SET sequence = ?", [last])
        self.layout, self.applied = outcome.layout, last
        news.tell(self.census)
        if self._watched is not None:
            if self._watched in outcome.unsettled:
                self._watched = None
            elif self._watched in outcome.moved:
                self._moved.append(outcome.moved[self._watched])

    def snapshot(self) -> Snapshot:
        """A view of what is applied now."""
        with self.lock:
            self.recover()
            self.used = time.monotonic()
            try:
                return self.snapshots.add(Snapshot(self.database, self.layout, self.census.hot))
            except duckdb.Error as error:
                self._broken = True  # a database that begins no transaction answers nobody
                raise in_our_words(error) from error

    def watch(self, segment: int) -> None:
        """Note from now on what is deleted from the segment, for who copies it meanwhile."""
        with self.lock:
            self._watched, self._moved = segment, []

    def watched(self, segment: int) -> list[Columns] | None:
        """The (series, time) deleted since `watch`; None where the copy is of no use any more."""
        return self._moved if self._watched == segment else None

    def checkpoint(self) -> bool:
        """Move everything into the file; whether it was possible beside the readers there are."""
        with self.lock:
            self.recover()
            applied = self.applied
            until = time.monotonic() + _DRAIN_SECONDS
            while True:
                try:
                    self.database.checkpoint()
                except duckdb.TransactionException as error:
                    if time.monotonic() >= until:
                        _log.debug("no checkpoint now: %s", error)
                        return False
                    threading.Event().wait(_RETRY_SECONDS)  # new readers wait for the lock
                except duckdb.Error as error:
                    self._broken = True
                    raise in_our_words(error) from error
                else:
                    self.checkpointed = applied
                    return True

    def copy(self, target: Path) -> None:
        """Copy the file as of the last checkpoint. No checkpoint may run meanwhile.

        Between checkpoints DuckDB writes only its log and blocks that no checkpoint refers to, so
        the file may be copied beside running changes.
        """
        closings = self._closings
        with translated():
            partial = target / f"{FILE}.partial"
            shutil.copyfile(self._file, partial)
            if self._closings != closings:  # which is a checkpoint
                partial.unlink()
                raise Unavailable("the readings' database was opened anew meanwhile: try again")
            with partial.open("rb") as file:
                os.fsync(file.fileno())
            partial.rename(target / FILE)
            sync_directory(target)

    def rest(self) -> None:
        """Give back the memory of caches."""
        with self.lock:
            if not self._broken:
                self.database.give_memory_back(self._idle_mb)

    def close(self) -> None:
        """Close the database; nothing is lost if that fails."""
        with self.lock:
            self.snapshots.end_all()
            try:
                self.database.close()
            except duckdb.Error as error:
                _log.warning("closing the readings' database: %s", error)


def _groups(entries: Sequence[tuple[int, Entry]]) -> Iterator[list[tuple[int, Entry]]]:
    """Runs of readings that make one transaction each; a deletion is a run of its own."""
    group: list[tuple[int, Entry]] = []
    rows = 0
    for number, entry in entries:
        alone = isinstance(entry, Deletion)
        if group and (alone or rows + len(entry) > _TRANSACTION_READINGS_MAX):
            yield group
            group, rows = [], 0
        group.append((number, entry))
        rows += len(entry)
        if alone:
            yield group
            group, rows = [], 0
    if group:
        yield group
