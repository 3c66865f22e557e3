"""Putting journalled readings and deletions where they belong.

A reading newer than everything its series has is appended. A late one may be there already: it is
deleted wherever it can be and then appended, in the same transaction. Either way a number arrives
in the hot table; maintenance moves it to the segment of its time.

What the database does here may yet be rolled back, so the memory of it (`Outcome`) is taken over
only after the commit.
"""

# ruff: noqa: S608 - the names in the SQL are ours, the values are parameters or columns

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import duckdb
import numpy as np
from numpy.typing import NDArray

from barograph.stores.readings.duckdb.census import Census, Finding, Integers, look
from barograph.stores.readings.duckdb.connection import Columns, ask, registered
from barograph.stores.readings.duckdb.entry import Deletion, Readings
from barograph.stores.readings.duckdb.layout import (
    END,
    HOLDINGS_COLUMNS,
    Holdings,
    Layout,
    Segment,
    bounds,
    create_segment,
    drop_segment,
    replaced,
    touched,
)

_NONE: Integers = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a transaction changed, for memory to take over once it is committed."""

    layout: Layout
    moved: Mapping[int, Columns] = field(default_factory=dict)
    """Segment to the (series, time) that may have been deleted from it."""
    unsettled: frozenset[int] = frozenset()
    """Segments of which more was deleted than `moved` says."""


@dataclass(frozen=True, slots=True)
class _Sorted:
    """Readings in order of (slot, time), each place once."""

    slots: Integers
    series: Integers
    times: Integers
    values: NDArray[np.float64]
    texts: Mapping[int, str]
    late: NDArray[np.bool_] | None
    """Which may be stored already; None where none can be."""

    def columns(self, which: NDArray[np.bool_]) -> Columns:
        return {"series": self.series[which], "time": self.times[which]}


def _sorted(census: Census, readings: Readings) -> _Sorted:
    series = readings.series.astype(np.int64)
    slots = census.slots(series)
    order = np.argsort(slots, kind="stable")
    s, t = slots[order], readings.times[order]
    newer = t > census.time[s]
    late: NDArray[np.bool_] | None = None
    if not (newer.all() and (t[1:] > t[:-1])[s[1:] == s[:-1]].all()):
        order = np.lexsort((readings.times, slots))  # stable: the last to arrive comes last
        s, t = slots[order], readings.times[order]
        kept = np.append((s[1:] != s[:-1]) | (t[1:] != t[:-1]), True)
        order, s, t = order[kept], s[kept], t[kept]
        late = t <= census.time[s]
        late = late if late.any() else None
    texts: dict[int, str] = {}
    if readings.texts:
        place = {at: i for i, at in enumerate(order.tolist())}
        texts = {place[at]: text for at, text in readings.texts.items() if at in place}
    return _Sorted(s, series[order], t, readings.values[order], texts, late)


def apply_readings(
    cursor: duckdb.DuckDBPyConnection, layout: Layout, census: Census, readings: Readings
) -> tuple[Outcome, "Arrival"]:
    """Store the readings, the later of two at one place."""
    batch = _sorted(census, readings)
    removed = _NONE
    removed_hot = 0
    texts_removed = _NONE
    moved: dict[int, Columns] = {}
    if batch.late is not None:
        hot = batch.late & (batch.times >= census.hot_since[batch.slots])
        from_hot = _remove(cursor, "hot", batch.columns(hot))
        removed_hot = len(from_hot)
        if census.texts:
            in_texts = batch.late & np.isin(batch.series, list(census.texts))
            texts_removed = _remove(cursor, "texts", batch.columns(in_texts))
        gone = [from_hot, texts_removed]
        for segment in layout:
            columns = batch.columns(_may_hold(segment, batch))
            gone.append(_remove(cursor, segment.table, columns))
            if len(gone[-1]):
                moved[segment.id] = columns
                layout = _less(cursor, layout, segment, gone[-1])
        removed = np.concatenate(gone)
    is_text = np.zeros(len(batch.times), np.bool_)
    if batch.texts:
        is_text[list(batch.texts)] = True
        _insert_texts(cursor, batch)
    _insert_numbers(cursor, batch, ~is_text)
    return Outcome(layout, moved), Arrival(batch, is_text, removed, removed_hot, texts_removed)


def _may_hold(segment: Segment, batch: _Sorted) -> NDArray[np.bool_]:
    """Which late readings may be in the segment already."""
    assert batch.late is not None
    which = batch.late & (batch.times >= segment.start) & (batch.times < segment.stop)
    at = segment.holdings.at(batch.series[which])
    held = segment.holdings
    times = batch.times[which]
    which[which] = (
        (at >= 0) & (times >= held.first[at]) & (times <= held.last[at])
        if len(held.series)
        else False
    )
    return which


def _remove(cursor: duckdb.DuckDBPyConnection, table: str, keys: Columns) -> Integers:
    """Delete the rows at these (series, time); the series of each that was there."""
    if not len(keys["series"]):
        return _NONE
    gone = ask(
        cursor,
        f"DELETE FROM {table} USING late"
        f" WHERE {table}.series = late.series AND {table}.time = late.time"
        f" RETURNING {table}.series AS series",
        late=keys,
    )
    return gone["series"].astype(np.int64)


def _less(
    cursor: duckdb.DuckDBPyConnection, layout: Layout, segment: Segment, gone: Integers
) -> Layout:
    with registered(cursor, gone={"series": gone}):
        cursor.execute(
            "INSERT INTO holdings SELECT ?::INTEGER, series, -count(*), NULL, NULL, NULL"
            " FROM gone GROUP BY series",
            [segment.id],
        )
    return replaced(layout, segment, [replace(segment, holdings=segment.holdings.less(gone))])


def _insert_numbers(
    cursor: duckdb.DuckDBPyConnection, batch: _Sorted, which: NDArray[np.bool_]
) -> None:
    columns = {"series": batch.series, "time": batch.times, "value": batch.values}
    if batch.texts:
        columns = {name: column[which] for name, column in columns.items()}
        if not len(columns["series"]):
            return
    with registered(cursor, arrived=columns):
        cursor.execute("INSERT INTO hot SELECT series, time, value FROM arrived")


def _insert_texts(cursor: duckdb.DuckDBPyConnection, batch: _Sorted) -> None:
    places = list(batch.texts)
    cursor.execute(
        "INSERT INTO texts SELECT unnest($1::INTEGER[]), unnest($2::BIGINT[]),"
        " unnest($3::VARCHAR[])",
        [
            batch.series[places].tolist(),
            batch.times[places].tolist(),
            list(batch.texts.values()),
        ],
    )


@dataclass(frozen=True, slots=True)
class Arrival:
    """What the census learns from readings that were stored."""

    batch: _Sorted
    is_text: NDArray[np.bool_]
    removed: Integers
    removed_hot: int
    texts_removed: Integers

    def tell(self, census: Census) -> None:
        """Let the census know. Called once, after the commit."""
        batch = self.batch
        slots, times = batch.slots, batch.times
        np.add.at(census.count, slots, 1)
        np.subtract.at(census.count, census.slots(self.removed), 1)
        for series in self.texts_removed.tolist():
            census.texts[series] -= 1
            if not census.texts[series]:
                del census.texts[series]
        numbers = len(times) - len(batch.texts)
        census.hot_rows += numbers - self.removed_hot
        if numbers:
            hot = times if not batch.texts else times[~self.is_text]
            census.hot_first = min(census.hot_first, int(hot.min()))
            census.hot_last = max(census.hot_last, int(hot.max()))
            np.minimum.at(census.hot_since, slots if not batch.texts else slots[~self.is_text], hot)
        last = np.flatnonzero(np.append(slots[1:] != slots[:-1], True))
        last = last[times[last] >= census.time[slots[last]]]
        census.time[slots[last]] = times[last]
        census.value[slots[last]] = batch.values[last]
        if census.newest_texts:
            for series in batch.series[last].tolist():
                census.newest_texts.pop(series, None)
        if batch.texts:
            for at in batch.texts:
                series = int(batch.series[at])
                census.texts[series] = census.texts.get(series, 0) + 1
            for at in last[self.is_text[last]].tolist():
                census.newest_texts[int(batch.series[at])] = batch.texts[at]
                census.value[slots[at]] = np.nan


@dataclass(frozen=True, slots=True)
class Departure:
    """What the census learns from a deletion."""

    series: Integers
    finding: Finding
    removed_hot: int

    def tell(self, census: Census) -> None:
        """Let the census know. Called once, after the commit."""
        census.take(self.finding, self.series)
        census.hot_rows -= self.removed_hot


def apply_deletion(
    cursor: duckdb.DuckDBPyConnection,
    layout: Layout,
    census: Census,
    deletion: Deletion,
    ids: Iterator[int],
) -> tuple[Outcome, Departure]:
    """Delete the readings of the series in the period, and say in `deletion` how many."""
    series = np.unique(deletion.series.astype(np.int64))
    slots = census.find(series)
    series = series[(slots >= 0) & (census.count[slots] > 0)]
    before = int(census.count[census.slots(series)].sum())
    start, stop = bounds(deletion.period)
    unsettled = set()
    removed_hot = 0
    if len(series):
        chosen = {"series": series}
        removed_hot = _delete(cursor, "hot", chosen, start, stop)
        if census.texts:
            _delete(cursor, "texts", chosen, start, stop)
        for id in [segment.id for segment in touched(layout, start, stop)]:
            # As it is now: it grew where the one before it was dropped.
            segment = next(one for one in layout if one.id == id)
            held = segment.holdings.of_series(series)
            if ((held.first < stop) & (held.last >= start)).any():
                unsettled.add(segment.id)
                layout = _delete_from(cursor, layout, segment, series, start, stop, ids)
    finding = look(cursor, layout, series)
    after = finding.numbers.rows + sum(count for _, count, _, _ in finding.texts)
    deletion.removed = before - after
    return (
        Outcome(layout, unsettled=frozenset(unsettled)),
        Departure(series, finding, removed_hot),
    )


def _delete(
    cursor: duckdb.DuckDBPyConnection, table: str, chosen: Columns, start: int, stop: int
) -> int:
    with registered(cursor, chosen=chosen):
        found = cursor.execute(
            f"DELETE FROM {table} USING chosen"
            f" WHERE {table}.series = chosen.series AND time >= $1 AND time < $2",
            [start, stop],
        ).fetchone()
    assert found is not None
    return int(found[0])


def _delete_from(
    cursor: duckdb.DuckDBPyConnection,
    layout: Layout,
    segment: Segment,
    series: Integers,
    start: int,
    stop: int,
    ids: Iterator[int],
) -> Layout:
    held = segment.holdings
    if np.isin(held.series, series).all() and held.first.min() >= start and held.last.max() < stop:
        return _drop(cursor, layout, segment, ids)
    chosen = {"series": held.of_series(series).series}
    _delete(cursor, segment.table, chosen, start, stop)
    left = Holdings.of(
        ask(
            cursor,
            f"SELECT {HOLDINGS_COLUMNS} FROM {segment.table} JOIN chosen USING (series)"
            " GROUP BY series",
            chosen=chosen,
        )
    )
    held = Holdings.combined([held.without(chosen["series"]), left])
    held.save(cursor, segment.id)
    return replaced(layout, segment, [replace(segment, holdings=held)])


def _drop(
    cursor: duckdb.DuckDBPyConnection, layout: Layout, segment: Segment, ids: Iterator[int]
) -> Layout:
    """Remove a whole segment; the one after it, or else before it, covers its time."""
    at = next(i for i, other in enumerate(layout) if other.id == segment.id)
    drop_segment(cursor, segment)
    if len(layout) == 1:
        return (create_segment(cursor, next(ids), segment.start, segment.stop),)
    if segment.stop < END:
        heir = replace(layout[at + 1], start=segment.start)
    else:
        heir = replace(layout[at - 1], stop=segment.stop)
    cursor.execute(
        "UPDATE segments SET start = ?, stop = ? WHERE id = ?", [heir.start, heir.stop, heir.id]
    )
    return tuple(
        heir if other.id == heir.id else other for other in layout if other.id != segment.id
    )
