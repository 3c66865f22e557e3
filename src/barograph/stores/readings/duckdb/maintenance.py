"""Moving rows from the hot table into segments, and clustering the segments, in bounded slices.

A spill appends the hot rows, sorted by (series, time), to the segments of their times: a run in
the segment's tail. A segment whose tail has grown long is copied in order of (series, time), one
range of series after the other, beside everything else; what is deleted from it meanwhile is
deleted from the copy before it takes the segment's place. A segment that has grown too large is
copied into two, before and behind a cut in time.
"""

# ruff: noqa: S608 - the names in the SQL are ours, the values are parameters or columns

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import pairwise

import duckdb
import numpy as np

from barograph.domain.errors import Unavailable
from barograph.stores.readings.duckdb.connection import Columns, ask, registered, translated
from barograph.stores.readings.duckdb.engine import Engine
from barograph.stores.readings.duckdb.layout import (
    END,
    HOLDINGS_COLUMNS,
    ROWS,
    Holdings,
    Segment,
    drop_segment,
    replaced,
    touched,
)

_CUT_OF_OPEN, _CUT_OF_CLOSED = 0.98, 0.5
"""Where a segment is cut, as a quantile of its times: of the open one, so that nearly all goes
into the part that grows no more."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sizes:
    """When there is something to do."""

    spill_rows: int = 500_000
    tail_rows_max: int = 3_000_000
    segment_rows: int = 10_000_000
    slice_rows: int = 1_000_000
    wal_bytes_max: int = 64 << 20
    pressed_seconds: float = 2.0
    """When spills come faster than this, tails may grow: a segment is clustered once it is full."""
    idle_seconds: float = 30.0
    """Without a question, after which caches are given back."""
    reader_seconds_max: float = 30.0
    """After which a slow reader's snapshot gives way to a checkpoint."""


class Maintenance:
    """The background work of one engine. `lock` serialises it; no checkpoint runs without."""

    def __init__(self, engine: Engine, sizes: Sizes) -> None:
        self.lock = threading.RLock()
        self._engine = engine
        self._sizes = sizes
        self._clustering: Iterator[None] | None = None
        self._rested = 0.0
        self._spilled = 0.0
        self._pressed = False

    def step(self) -> bool:
        """Do one slice of work; whether more is waiting."""
        with self.lock:
            if self._clustering is not None:
                if next(self._clustering, self) is self:
                    self._clustering = None
                return True
            if self.spill_due():
                self._spill()
                self.checkpoint()
                return True
            segment = self._worst()
            if segment is not None:
                self._clustering = self._cluster(segment)
                return True
            if self._engine.database.wal_bytes() > self._sizes.wal_bytes_max:
                self.checkpoint()
            self._rest()
            return False

    def spill_due(self, factor: int = 1) -> bool:
        """Whether the hot table has grown large, `factor` times as large as it should."""
        return self._engine.census.hot_rows >= factor * self._sizes.spill_rows

    def checkpoint(self) -> bool:
        """Move everything into the file; whether it was possible now."""
        with self.lock:
            self._engine.snapshots.end_older(self._sizes.reader_seconds_max)
            return self._engine.checkpoint()

    def _rest(self) -> None:
        used = self._engine.used
        idle = time.monotonic() - max(used, self._rested)
        if used > self._rested and idle > self._sizes.idle_seconds:
            self._rested = time.monotonic()
            self._engine.rest()

    def _spill(self) -> None:
        engine = self._engine
        now = time.monotonic()
        self._pressed = now - self._spilled < self._sizes.pressed_seconds
        self._spilled = now
        with engine.lock:
            census, layout = engine.census, engine.layout
            with engine.changing() as cursor:
                for segment in touched(layout, census.hot_first, census.hot_last + 1):
                    hot = "FROM hot WHERE time >= $1 AND time < $2"
                    times = [segment.start, segment.stop]
                    arrived = Holdings.of(
                        ask(cursor, f"SELECT {HOLDINGS_COLUMNS} {hot} GROUP BY series", times)
                    )
                    if not arrived.rows:
                        continue
                    cursor.execute(
                        f"INSERT INTO {segment.table} SELECT series, time, value {hot}"
                        " ORDER BY series, time",
                        times,
                    )
                    grown = replace(
                        segment,
                        tail=segment.tail + arrived.rows,
                        holdings=Holdings.combined([segment.holdings, arrived]),
                    )
                    grown.holdings.save(cursor, segment.id)
                    cursor.execute(
                        "UPDATE segments SET tail = ? WHERE id = ?", [grown.tail, segment.id]
                    )
                    layout = replaced(layout, segment, [grown])
                cursor.execute("DELETE FROM hot")
            engine.layout = layout
            census.forget_hot()

    def _worst(self) -> Segment | None:
        """The segment most in need of clustering or cutting."""
        lately = time.monotonic() - self._spilled < self._sizes.pressed_seconds
        pressed = self._pressed and lately
        most = self._sizes.segment_rows if pressed else self._sizes.tail_rows_max
        due = [
            segment
            for segment in self._engine.layout
            if segment.tail >= most or self._too_large(segment)
        ]
        return max(due, key=lambda segment: segment.tail, default=None)

    def _too_large(self, segment: Segment) -> bool:
        most = self._sizes.segment_rows * (1 if segment.stop == END else 2)
        held = segment.holdings
        return segment.rows >= most and held.first.min() < held.last.max()

    def _cluster(self, segment: Segment) -> Iterator[None]:
        """Copy the segment slice by slice and put the copy, or the two, in its place."""
        engine = self._engine
        engine.watch(segment.id)
        cuts: list[int] = []
        with self._unless_deleted(segment):
            cuts = [segment.start, *self._cut(segment), segment.stop]
        copies = [
            Segment(next(engine.ids), start, stop, 0, Holdings()) for start, stop in pairwise(cuts)
        ]
        with engine.changing() as cursor:
            for copy in copies:
                cursor.execute(f"CREATE TABLE {copy.table}{ROWS}")
        try:
            yield from self._copy(segment, copies)
            yield
            self._replace(segment, copies)
        except Unavailable:
            self._drop(copies)  # or each attempt would leave a part of the segment behind
            raise
        self.checkpoint()

    def _copy(self, segment: Segment, copies: list[Segment]) -> Iterator[None]:
        for copy in copies:
            for low, high in _slices(segment.holdings, self._sizes.slice_rows):
                yield
                with (
                    self._unless_deleted(segment),
                    self._engine.database.transaction() as cursor,
                ):
                    cursor.execute(
                        f"INSERT INTO {copy.table} SELECT series, time, value"
                        f" FROM {segment.table} WHERE series BETWEEN $1 AND $2"
                        " AND time >= $3 AND time < $4 ORDER BY series, time",
                        [low, high, copy.start, copy.stop],
                    )

    def _drop(self, copies: list[Segment]) -> None:
        """Remove what was copied. Where that fails the database is opened anew, which does it."""
        with suppress(Unavailable), self._engine.changing() as cursor:
            for copy in copies:
                cursor.execute(f"DROP TABLE IF EXISTS {copy.table}")

    @contextmanager
    def _unless_deleted(self, segment: Segment) -> Iterator[None]:
        """Let pass what fails because the whole segment was deleted; `_replace` then tidies up."""
        try:
            with translated():
                yield
        except Unavailable:
            with self._engine.lock:
                if any(other.id == segment.id for other in self._engine.layout):
                    raise

    def _cut(self, segment: Segment) -> list[int]:
        """Where the segment is to be cut in two, if it is."""
        if not self._too_large(segment):
            return []
        quantile = _CUT_OF_OPEN if segment.stop == END else _CUT_OF_CLOSED
        with self._engine.snapshots.ending(self._engine.snapshot()) as snapshot:
            found = snapshot.ask(
                f"SELECT approx_quantile(time, {quantile}) AS cut FROM {segment.table}"
            )
        if np.ma.is_masked(found["cut"]):  # all was deleted since
            return []
        held = segment.holdings
        return [min(max(int(found["cut"][0]), int(held.first.min()) + 1), int(held.last.max()))]

    def _replace(self, segment: Segment, copies: list[Segment]) -> None:
        engine = self._engine
        with engine.lock:
            moved = engine.watched(segment.id)
            now = next((other for other in engine.layout if other.id == segment.id), None)
            with engine.changing() as cursor:
                if (
                    moved is None
                    or now is None
                    or (now.start, now.stop)
                    != (
                        segment.start,
                        segment.stop,
                    )
                ):
                    _log.info("%s changed while it was copied; once more later", segment.table)
                    for copy in copies:
                        cursor.execute(f"DROP TABLE IF EXISTS {copy.table}")
                    return
                filled = []
                for copy in copies:
                    for keys in moved:
                        _remove(cursor, copy, keys)
                    held = Holdings.of(
                        ask(cursor, f"SELECT {HOLDINGS_COLUMNS} FROM {copy.table} GROUP BY series")
                    )
                    filled.append(replace(copy, holdings=held))
                drop_segment(cursor, segment)
                for copy in filled:
                    cursor.execute(
                        "INSERT INTO segments VALUES (?, ?, ?, 0)", [copy.id, copy.start, copy.stop]
                    )
                    copy.holdings.save(cursor, copy.id)
            engine.layout = replaced(engine.layout, segment, filled)


def _remove(cursor: duckdb.DuckDBPyConnection, copy: Segment, keys: Columns) -> None:
    with registered(cursor, moved=keys):
        cursor.execute(
            f"DELETE FROM {copy.table} USING moved"
            f" WHERE {copy.table}.series = moved.series AND {copy.table}.time = moved.time"
        )


def _slices(holdings: Holdings, rows: int) -> Iterator[tuple[int, int]]:
    """Ranges of series, first and last, of about so many rows each, that cover all."""
    if not len(holdings.series):
        return
    number = (np.cumsum(holdings.count) - holdings.count) // rows
    begins = np.flatnonzero(np.diff(number, prepend=-1))
    ends = np.append(begins[1:], len(number)) - 1
    for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
        yield int(holdings.series[begin]), int(holdings.series[end])
