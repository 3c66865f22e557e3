"""Readings in a database that several processes may share: `ports.reading_store.ReadingStore` in SQL.

Nothing that is only known to this process decides whether a reading is stored right. What it
remembers (the known series, the months that have room, how far each series has come) saves
questions; where it is wrong the database says so, and the long way is taken.
"""

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from sqlalchemy import Connection, delete, select, text
from sqlalchemy.exc import DBAPIError

from barograph.domain.batch import Batch
from barograph.domain.errors import (
    BarographError,
    ConfigurationError,
    Conflict,
    StorageFull,
    Unavailable,
)
from barograph.domain.period import ALL_TIME, Period
from barograph.ports.reading_store import Aggregation, Cell, Health
from barograph.stores.catalog.address import EXTRAS, read_url
from barograph.stores.catalog.faults import read_fault
from barograph.stores.readings.sql import reading
from barograph.stores.readings.sql.connections import Connections
from barograph.stores.readings.sql.dialect import dialect_of
from barograph.stores.readings.sql.expiry import delete_rows, drop_months
from barograph.stores.readings.sql.question import summarize
from barograph.stores.readings.sql.reading import SERIES_AT_A_TIME, Wanted, among, bounds
from barograph.stores.readings.sql.rows import Rows
from barograph.stores.readings.sql.sizes import Sizes
from barograph.stores.readings.sql.tables import VERSION, about, known_series, readings

_SERIES_MAX = 2**31
_FULL_SECONDS = 10.0
_COUNTED_SECONDS = 0.5
"""A count that took longer is kept, so many times as long as it took:"""
_COUNTS_KEPT_FACTOR = 20
_UNKNOWN = np.iinfo(np.int64).max


class SqlReadingStore:
    """A `ReadingStore` in the database at a URL, its tables made when it is opened.

    Questions have at most `connections_max` connections, and `statement_seconds_max` for each
    statement; writing has connections of its own, so that no reader keeps it waiting.
    Raises `ConfigurationError` for a URL or a database that cannot work, `Unavailable` while it is
    away.
    """

    def __init__(
        self,
        url: str,
        *,
        connections_max: int = 8,
        statement_seconds_max: int = 60,
        sizes: Sizes | None = None,
    ) -> None:
        address = read_url(url, "readings")
        backend = address.get_backend_name()
        try:
            self._dialect = dialect_of(backend)
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                f"the driver of {backend} is not installed: install barograph[{EXTRAS[backend]}]"
            ) from error
        self._sizes = sizes or Sizes()
        self._texts: dict[int, bool] = {}
        """The known series, and whether they are known to have texts."""
        self._reached: dict[int, int] = {}
        """By series: readings later than this are probably new."""
        self._months: set[int] = set()
        self._full_at: float | None = None
        """When the disk was last found full, until something is stored again."""
        self._counting = threading.Lock()
        self._counts: dict[int, int] = {}
        self._counts_until = 0.0
        connections = Connections(
            address,
            self._dialect,
            reading_max=connections_max,
            statement_seconds_max=statement_seconds_max,
        )
        self._appending, self._writing = connections.appending, connections.writing
        self._reading, self._close = connections.reading, connections.close
        with contextlib.ExitStack() as opened:
            opened.callback(self._close)
            self._open()
            opened.pop_all()

    def _open(self) -> None:
        def work(tx: Connection) -> int:
            with self._dialect.alone(tx):
                for statement in self._dialect.create:
                    tx.execute(text(statement))
                version = tx.scalar(select(about.c.version))
                if version is None:
                    tx.execute(about.insert(), {"version": VERSION, "probed": 0})
            return version or VERSION

        version = self._writing.write(work)
        if version != VERSION:
            raise ConfigurationError(
                f"the readings in {self._writing.place} were written by a newer Barograph (its "
                f"tables are version {version}): install that version again"
            )
        self._writing.warn_of_lost_commits()
        known = self._reading.read(
            lambda tx: tx.execute(select(known_series.c.series, known_series.c.texts)).all()
        )
        self._texts = {int(series): bool(texts) for series, texts in known}

    # Writing

    def append(self, batch: Batch) -> None:
        """Store the readings in one synced transaction."""
        if not len(batch):
            return
        rows = Rows.of(batch)
        self._meet(rows)
        new, other = self._divided(rows)
        try:
            try:
                self._make_room(rows)
                self._store(new, other)
            except _NoRoomError:
                self._months.clear()  # another process has removed some
                self._make_room(rows)
                self._store(new, other)
        except StorageFull:
            self._full_at = time.monotonic()
            raise
        self._full_at = None
        if self._dialect.insert is not None:
            self._reached.update(rows.last_times())

    def _meet(self, rows: Rows) -> None:
        """Have each series among the known ones before any of its readings is stored."""
        texts = {int(rows.series[i]) for i in rows.texts}
        unknown = [
            one
            for one in rows.series[rows.runs()].tolist()
            if (known := self._texts.get(one)) is None or (not known and one in texts)
        ]
        if not unknown:
            return
        values = [{"series": one, "texts": int(one in texts)} for one in unknown]
        self._writing.write(lambda tx: tx.execute(text(self._dialect.remember), values))
        for one in unknown:
            self._texts[one] = self._texts.get(one, False) or one in texts

    def _divided(self, rows: Rows) -> tuple[Rows | None, Rows | None]:
        """The rows that are probably new, and the others."""
        if self._dialect.insert is None or len(rows) < self._sizes.inserted:
            return None, rows
        reached = [self._reached.get(one, _UNKNOWN) for one in rows.series[rows.runs()].tolist()]
        new = rows.times > np.repeat(reached, rows.lengths())
        if rows.texts:
            new &= ~np.isnan(rows.values)
        if np.count_nonzero(new) < self._sizes.inserted:
            return None, rows
        return (rows, None) if new.all() else (rows.take(new), rows.take(~new))

    def _make_room(self, rows: Rows) -> None:
        add_months = self._dialect.add_months
        if add_months is None:
            return
        missing = [month for month in rows.months() if month not in self._months]
        if not missing:
            return

        def work(tx: Connection) -> None:
            with self._dialect.alone(tx):
                add_months(tx, missing)

        self._writing.write(work)
        self._months.update(missing)

    def _store(self, new: Rows | None, other: Rows | None) -> None:
        def work(tx: Connection) -> None:
            try:
                if new is not None:
                    self._insert(tx, new)
                if other is not None:
                    self._dialect.upsert(tx, other)
            except DBAPIError as error:
                if read_fault(error).kind == "unplaced":
                    raise _NoRoomError from error
                raise

        by_one = new is None and other is not None and self._is_one_statement(other)
        (self._appending if by_one else self._writing).write(work, repeatable=True)

    def _is_one_statement(self, rows: Rows) -> bool:
        return not rows.texts and len(rows) <= self._dialect.at_once_max

    def _insert(self, tx: Connection, rows: Rows) -> None:
        assert self._dialect.insert is not None
        try:
            with tx.begin_nested():
                self._dialect.insert(tx, rows)
        except DBAPIError as error:
            if read_fault(error).kind != "taken":
                raise
            self._dialect.upsert(tx, rows)  # they were not new after all

    def delete(self, series: Sequence[int], period: Period = ALL_TIME) -> int:
        """Remove readings in one synced transaction; how many there were."""
        ids = _ids(series)
        start, stop = bounds(period)
        c = readings.c

        def work(tx: Connection) -> int:
            removed = 0
            for some in _portions(ids):
                where = among(c.series, some), c.time >= start, c.time < stop
                removed += tx.execute(delete(readings).where(*where)).rowcount
            return removed

        return self._writing.write(work, repeatable=True) if ids and start < stop else 0

    def expire(self, before: int) -> Iterator[None]:
        """Remove what is earlier: a partition at a step, then some rows at a step."""
        while drop_months(self._writing, self._dialect, before):
            self._months.clear()
            yield
        yield from delete_rows(self._writing, before, self._sizes.expired)

    # Reading

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

        A reader so slow that the server ends its transaction (after five minutes), or whose
        connection was lost, sees later changes too.
        """
        ids = _ids(series)
        start, stop = bounds(period)
        wanted = Wanted(ids, start, stop, descending=descending, texts_only=texts_only)
        if after is not None:
            wanted = wanted.behind(after)
        if not ids or limit == 0 or wanted.start >= wanted.stop:
            return
        while limit != 0:
            lost = wanted
            try:
                with self._reading.reading() as tx:
                    for batch in reading.scan(tx, self._dialect, wanted, limit, self._sizes.page):
                        yield batch
                        wanted = wanted.behind((int(batch.times[-1]), int(batch.series[-1])))
                        if limit is not None:
                            limit -= len(batch)
            except Unavailable:
                if wanted is lost:  # it did not get any further
                    raise
                continue
            return

    def newest(self, series: Sequence[int] | None = None, *, before: int | None = None) -> Batch:
        """The newest reading (earlier than `before`) of each series: one look into the index each."""
        ids = None if series is None else _ids(series)
        return self._reading.read(lambda tx: reading.newest(tx, self._dialect, ids, before).batch())

    def extent(self, series: Sequence[int], period: Period = ALL_TIME) -> tuple[int, int] | None:
        """The times of the first and the last reading, or None where there are none."""
        ids = _ids(series)
        return self._reading.read(lambda tx: reading.extent(tx, ids, *bounds(period)))

    def summarize(self, question: Aggregation) -> Iterator[Cell]:
        """The non-empty cells, of numbers only, in order of (group, bucket)."""
        with self._reading.reading() as tx:
            yield from summarize(tx, self._dialect, question, self._sizes)

    def with_texts(self, series: Sequence[int]) -> frozenset[int]:
        """Those of the series that hold text readings."""
        ids = _ids(series)
        return frozenset(self._reading.read(lambda tx: reading.with_texts(tx, ids)))

    def counts(self) -> dict[int, int]:
        """How many readings each series holds.

        They are counted, which takes a second for some ten million. An answer that took long to get
        is given again for a while, so that counting never takes more than a part of the time.
        """
        with self._counting:
            now = time.monotonic()
            if now < self._counts_until:
                return dict(self._counts)
            self._counts = self._reading.read(reading.counts)
            took = time.monotonic() - now
            if took > _COUNTED_SECONDS:
                self._counts_until = time.monotonic() + _COUNTS_KEPT_FACTOR * took
            return dict(self._counts)

    # Keeping

    def maintain(self) -> bool:
        """Nothing to do: the database keeps itself."""
        return False

    def health(self) -> Health:
        """Whether the store can write, found out by writing."""
        full_at = self._full_at
        if full_at is not None and time.monotonic() - full_at < _FULL_SECONDS:
            # One row more may find room where a batch does not.
            return Health(writable=False, detail="the disk was found full a moment ago")
        try:
            self._writing.write(
                lambda tx: tx.execute(about.update().values(probed=time.time_ns() // 1000))
            )
            size = self._reading.read(lambda tx: tx.scalar(text(self._dialect.size)))
        except BarographError as error:
            return Health(writable=False, detail=str(error))
        return Health(writable=True, detail="ok", size_bytes=int(size or 0))

    def backup(self, target: Path) -> None:
        """Write a copy that opens as a store of its own.

        For a database on a server this raises `Unavailable`, which says what copies it.
        """
        copy = self._dialect.copy
        if copy is None:
            raise Unavailable(self._dialect.no_backup)
        try:
            target.mkdir(parents=True)
        except FileExistsError:
            raise Conflict(f"{target} exists already: name a new directory") from None
        except OSError as error:
            raise Unavailable(f"cannot write a backup to {target}: {error}") from error
        with self._reading.driver_connection() as raw:
            copy(raw, target)

    def close(self) -> None:
        """Close every connection."""
        self._close()


class _NoRoomError(Exception):
    """No partition takes a reading's time."""


def _ids(series: Sequence[int]) -> list[int]:
    """The series that can be, each once, ascending."""
    return sorted({one for one in map(int, series) if 0 <= one < _SERIES_MAX})


def _portions(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for begin in range(0, len(ids), SERIES_AT_A_TIME):
        yield ids[begin : begin + SERIES_AT_A_TIME]
