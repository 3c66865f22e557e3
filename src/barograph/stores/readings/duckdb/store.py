"""The default store of readings: DuckDB behind a synced journal, in one directory, one process.

    append ──> journal (synced: acknowledged) ──> backlog ──> hot table ──> clustered segments
                                                  applied by   spilled by    clustered by
                                                  the applier  maintenance   maintenance

Reads first apply the backlog where it holds something that they ask about, so they see every append
of it that had returned. Locks are taken in the order maintenance, engine, `_writing`, `_state`, and
none is held while a reader's consumer works.
"""

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import duckdb
import numpy as np

from barograph.domain.batch import Batch
from barograph.domain.errors import (
    BarographError,
    ConfigurationError,
    Conflict,
    Overloaded,
    Unavailable,
)
from barograph.domain.period import ALL_TIME, Period
from barograph.ports.reading_store import Aggregation, Cell, Health
from barograph.stores.readings.duckdb.census import Census, Integers
from barograph.stores.readings.duckdb.connection import DirectoryLock, translated
from barograph.stores.readings.duckdb.engine import Engine
from barograph.stores.readings.duckdb.entry import Deletion, Entry, Readings, decode, encode
from barograph.stores.readings.duckdb.layout import BEGINNING, bounds
from barograph.stores.readings.duckdb.maintenance import Maintenance, Sizes
from barograph.stores.readings.duckdb.question import Room, summarize
from barograph.stores.readings.duckdb.reading import Wanted, extent, newest_before, scan
from barograph.stores.readings.duckdb.snapshot import Snapshot
from barograph.stores.readings.journal import Journal, make_directory

_HELD_READING_BYTES = 32
_GROUP_READINGS = 100_000
"""Journalled readings that are applied without waiting for more. A group of them takes the database
12 ms of the processor and one sync, twenty of 5,000 four times as much; and who asks waits for it."""
_LINGER_SECONDS = 0.5
"""How long readings wait to be applied in a larger group, while nobody asks."""
_LOOKED_THROUGH_MAX = 4096
"""So many readings of the backlog, in a sixteenth as many entries, are looked through rather than
applied: to apply anything is a transaction, some milliseconds."""
_ROOM_SECONDS_MAX = 10.0
_RETRY_SECONDS = 1.0
_BACKUP_SECONDS_MAX = 30.0
_HOT_FACTOR_MAX = 4
"""When the hot table is so many times too large, the applier itself does maintenance."""

_log = logging.getLogger(__name__)


class DuckDBReadingStore:
    """A `ReadingStore` in `directory`, made where it is missing.

    `memory_mb` bounds DuckDB's caches and intermediate results (`idle_mb` what it keeps when nobody
    asks), `temp_mb` what it may put on disk for one question, `backlog_readings_max` what is
    journalled but not yet applied, `held_readings_max` the readings whose values a quantile holds
    in memory (by default as many as half of `memory_mb` has room for), `few_readings_max` those that
    are summed up without SQL. Raises `ConfigurationError` where another process has the directory or
    it cannot be opened.
    """

    def __init__(
        self,
        directory: Path,
        *,
        memory_mb: int = 384,
        threads: int = 2,
        temp_mb: int = 4096,
        idle_mb: int = 32,
        backlog_readings_max: int = 500_000,
        held_readings_max: int | None = None,
        few_readings_max: int = 50_000,
        journal_segment_bytes_max: int = 64 << 20,
        sizes: Sizes | None = None,
    ) -> None:
        self._directory = directory
        self._backlog_readings_max = backlog_readings_max
        self._few_readings_max = few_readings_max
        self._held_readings_max = (
            (memory_mb << 20) // _HELD_READING_BYTES
            if held_readings_max is None
            else held_readings_max
        )
        self._backlog: deque[tuple[int, Entry]] = deque()
        self._backlog_readings = 0
        self._trouble: BarographError | None = None
        self._closing = False
        self._copying = False
        self._writing = threading.Lock()
        self._state = threading.Condition()
        try:
            make_directory(directory)
            self._lock = DirectoryLock(directory)
        except OSError as error:
            raise ConfigurationError(f"cannot keep readings in {directory}: {error}") from error
        try:
            self._engine = Engine(
                directory, memory_mb=memory_mb, threads=threads, temp_mb=temp_mb, idle_mb=idle_mb
            )
        except (duckdb.Error, OSError) as error:
            self._lock.release()
            raise ConfigurationError(
                f"cannot open the readings in {directory}: {str(error).splitlines()[0]}"
            ) from error
        self._maintenance = Maintenance(self._engine, sizes or Sizes())
        try:
            self._journal = Journal(
                directory / "journal",
                floor=self._engine.applied,
                segment_bytes_max=journal_segment_bytes_max,
            )
            self._replay()
        except BaseException:
            self._engine.close()
            self._lock.release()
            raise
        # A program that dies without closing must die: the journal has everything.
        self._applier = threading.Thread(
            target=self._apply_always, name="readings-applier", daemon=True
        )
        self._applier.start()

    def _replay(self) -> None:
        """Apply what the journal has and the database has not."""
        group: list[tuple[int, Entry]] = []
        rows = 0
        for number, data in self._journal.records(self._engine.applied):
            group.append((number, decode(data)))
            rows += len(group[-1][1])
            if rows >= self._backlog_readings_max:
                self._engine.apply(group)
                group, rows = [], 0
        self._engine.apply(group)

    # Writing

    def append(self, batch: Batch) -> None:
        """Journal and sync the readings."""
        readings = Readings.of(batch)
        if len(readings):
            self._await_room(len(readings))
            self._commit(readings)

    def delete(self, series: Sequence[int], period: Period = ALL_TIME) -> int:
        """Journal and apply a deletion; how many readings there were."""
        ids = _ids(series)
        if not len(ids):
            return 0
        deletion = Deletion(ids.astype(np.int32), period)
        self._commit(deletion)
        self._settle()
        return deletion.removed

    def expire(self, before: int) -> Iterator[None]:
        """Remove what is earlier, a segment at a step; whole ones are dropped."""
        with self._engine.lock:
            self._settle()
            stops = [one.stop for one in self._engine.layout if one.stop < before]
        for stop in (*stops, before):
            with self._census() as census:
                series = list(census.counts())
            if self.delete(series, Period(end=stop)):
                yield

    def _commit(self, entry: Entry) -> None:
        data = encode(entry)
        with self._writing:
            if self._closing:
                raise Unavailable("the readings' store is closed")
            number = self._journal.append(data)
            with self._state:
                self._backlog.append((number, entry))
                self._backlog_readings += len(entry)
                if len(self._backlog) == 1 or self._backlog_readings >= _GROUP_READINGS:
                    self._state.notify_all()

    def _await_room(self, readings: int) -> None:
        def room() -> bool:
            held = self._backlog_readings
            return held == 0 or held + readings <= self._backlog_readings_max

        with self._state:
            if not room():
                self._state.wait_for(lambda: room() or self._trouble is not None, _ROOM_SECONDS_MAX)
            if room():
                return
            trouble = self._trouble
        if trouble is None:
            raise Overloaded(
                f"{self._backlog_readings} readings are journalled and wait to be stored"
            )
        self._settle()  # raises what is wrong now, if anything still is

    def _settle(self) -> None:
        """Apply the backlog as it is now."""
        if not self._backlog:
            return
        with self._engine.lock:
            with self._state:
                waiting = list(self._backlog)
            trouble: BarographError | None = None
            try:
                self._engine.apply(waiting)
            except Unavailable as error:
                trouble = error
                raise
            finally:
                with self._state:
                    while self._backlog and self._backlog[0][0] <= self._engine.applied:
                        self._backlog_readings -= len(self._backlog.popleft()[1])
                    self._trouble = trouble
                    self._state.notify_all()

    def _apply_always(self) -> None:
        while True:
            with self._state:
                self._state.wait_for(lambda: self._closing or self._backlog)
                if self._closing:
                    return
                self._state.wait_for(
                    lambda: self._closing or self._backlog_readings >= _GROUP_READINGS,
                    _LINGER_SECONDS,
                )
            try:
                self._settle()
                # While a backup copies the file, what comes gathers in the hot table instead.
                if self._maintenance.spill_due(_HOT_FACTOR_MAX) and not self._copying:
                    self.maintain()
            except Exception:  # noqa: BLE001  # whatever it was, the rest must still be applied
                _log.exception("readings that are journalled cannot be stored now")
                with self._state:
                    self._state.wait_for(lambda: self._closing, _RETRY_SECONDS)

    # Reading

    def _begin(self, series: Integers, start: int, stop: int) -> tuple[Snapshot, bool]:
        """A snapshot with all that was appended to the series, and whether any of them has texts."""
        with self._engine.lock:
            if self._waits(series, start, stop):
                self._settle()
            texts = self._engine.census.texts
            return self._engine.snapshot(), bool(texts) and not texts.keys().isdisjoint(
                series.tolist()
            )

    def _waits(self, series: Integers, start: int, stop: int) -> bool:
        """Whether the backlog may change what is stored of the series in `[start, stop)`."""
        with self._state:
            if self._backlog_readings > _LOOKED_THROUGH_MAX:
                return True
            waiting = [entry for _, entry in self._backlog]
        if not waiting:
            return False
        readings = [entry for entry in waiting if isinstance(entry, Readings)]
        if len(readings) < len(waiting) or len(waiting) > _LOOKED_THROUGH_MAX // 16:
            return True
        times = np.concatenate([entry.times for entry in readings])
        within = (times >= start) & (times < stop)
        if not within.any():
            return False
        came = np.concatenate([entry.series for entry in readings])[within]
        return bool(np.isin(came, series).any())

    @contextmanager
    def _census(self) -> Iterator[Census]:
        with self._engine.lock:
            self._settle()
            yield self._engine.census

    def scan(
        self,
        series: Sequence[int],
        period: Period = ALL_TIME,
        *,
        descending: bool = False,
        limit: int | None = None,
        after: tuple[int, int] | None = None,
        texts_only: bool = False,
    ) -> Iterator[Batch]:
        """The readings in order of (time, series), as they are when the first batch is taken.

        A reader so slow that it stands in the way of a checkpoint sees later changes too.
        """
        start, stop = bounds(period)
        wanted = Wanted(_ids(series), start, stop, descending=descending, numbers=not texts_only)
        if not len(wanted.series) or limit == 0:
            return iter(())
        if after is not None:
            wanted = wanted.behind(after)

        def begin() -> tuple[Snapshot, bool]:
            return self._begin(wanted.series, wanted.start, wanted.stop)

        return scan(begin, self._engine.snapshots.end, wanted, limit)

    def newest(self, series: Sequence[int] | None = None, *, before: int | None = None) -> Batch:
        """The newest reading (earlier than `before`) of each series; without `before` from memory."""
        with self._census() as census:
            newest = census.newest(series)
            if before is None:
                return newest
            ids = np.asarray(newest.series, np.int64)
            if not len(ids):
                return newest
            snapshot, texts = self._begin(ids, BEGINNING, before)
        with self._engine.snapshots.ending(snapshot):
            return newest_before(snapshot, ids, before, texts=texts)

    def extent(self, series: Sequence[int], period: Period = ALL_TIME) -> tuple[int, int] | None:
        """The times of the first and the last reading, or None where there are none."""
        start, stop = bounds(period)
        ids = _ids(series)
        if not len(ids):
            return None
        snapshot, texts = self._begin(ids, start, stop)
        with self._engine.snapshots.ending(snapshot):
            return extent(snapshot, Wanted(ids, start, stop, texts=texts))

    def summarize(self, question: Aggregation) -> Iterator[Cell]:
        """The non-empty cells, of numbers only, in order of (group, bucket)."""
        series = np.unique(np.fromiter(chain.from_iterable(question.groups), np.int64))
        with self._engine.lock:
            snapshot, _ = self._begin(series, *bounds(question.period))
            hot = self._engine.census.hot_readings_max(series)
        room = Room(self._held_readings_max, self._few_readings_max, hot)
        with self._engine.snapshots.ending(snapshot):
            yield from summarize(snapshot, question, room)

    def with_texts(self, series: Sequence[int]) -> frozenset[int]:
        """Those of the series that hold text readings."""
        with self._census() as census:
            return frozenset(int(id) for id in series if id in census.texts)

    def counts(self) -> dict[int, int]:
        """How many readings each series holds."""
        with self._census() as census:
            return census.counts()

    # Keeping

    def maintain(self) -> bool:
        """Do one slice of background work; whether more is waiting."""
        more = self._maintenance.step()
        with self._writing:
            if not self._closing:
                self._journal.forget(self._engine.checkpointed)
        return more

    def rest(self) -> None:
        """Give back the memory of caches; `maintain` does so when nobody asks for a while."""
        self._engine.rest()

    def health(self) -> Health:
        """Whether the store can write, found out by writing a file and asking the database."""
        try:
            with translated():
                _write_probe(self._directory / "health.probe")
            with self._census() as census:
                readings = int(census.count.sum())
            damage = self._journal.damage
            return Health(
                writable=not self._closing,
                detail="; ".join(damage) if damage else "closed" if self._closing else "ok",
                readings=readings,
                size_bytes=self._engine.database.size_bytes() + self._journal.size_bytes(),
            )
        except BarographError as error:
            return Health(writable=False, detail=str(error))

    def backup(self, target: Path) -> None:
        """Write a copy that opens as a store of its own; holds what was appended before the call."""
        try:
            target.mkdir(parents=True)
        except FileExistsError:
            raise Conflict(f"{target} exists already: name a new directory") from None
        except OSError as error:
            raise Unavailable(f"cannot write a backup to {target}: {error}") from error
        until = time.monotonic() + _BACKUP_SECONDS_MAX
        with self._maintenance.lock:
            self._settle()
            while not self._maintenance.checkpoint():
                if time.monotonic() > until:
                    raise Unavailable("readers leave no moment for a backup: try again later")
            self._copying = True
            try:
                self._engine.copy(target)
            finally:
                self._copying = False

    def close(self) -> None:
        """Apply what is journalled, move it into the file, release everything."""
        with self._state:
            if self._closing:
                return
            self._closing = True
            self._state.notify_all()
        self._applier.join()
        with self._maintenance.lock, self._engine.lock, self._writing:
            try:
                self._settle()
                self._engine.snapshots.end_all()
                self._engine.checkpoint()
                self._journal.forget(self._engine.checkpointed)
            except Unavailable as error:
                _log.warning("closing without a checkpoint, the journal keeps the rest: %s", error)
            self._engine.close()
            self._journal.close()
            self._lock.release()


def _ids(series: Sequence[int]) -> Integers:
    """The series that can be, each once, ascending."""
    found = np.unique(np.fromiter((int(id) for id in series), np.int64))
    return found[(found >= 0) & (found < 2**31)]


def _write_probe(path: Path) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(handle, b"\0" * 4096)
        os.fsync(handle)
    finally:
        os.close(handle)
        path.unlink(missing_ok=True)  # somebody else may be asking at the same moment
