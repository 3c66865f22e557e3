"""Where rows live: the hot table in arrival order, and segments of time clustered by series.

The segments cover all time without overlap; the first begins at `BEGINNING`, the last ends at
`END`. Numbers lie in `hot` or in the segment of their time, texts in `texts`. Which segment is
which table, and what each holds of each series, stands in tables of its own, written in the same
transactions as the rows, so that opening reads no readings but the hot ones.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import duckdb
import numpy as np
from numpy.typing import NDArray

from barograph.domain.period import Period
from barograph.stores.readings.duckdb.connection import Answer, ask, registered

BEGINNING, END = -(2**62), 2**62

ROWS = "(series INTEGER, time BIGINT, value DOUBLE)"

SCHEMA = (
    f"CREATE TABLE IF NOT EXISTS hot{ROWS}",
    "CREATE TABLE IF NOT EXISTS texts(series INTEGER, time BIGINT, text VARCHAR)",
    "CREATE TABLE IF NOT EXISTS segments(id INTEGER, start BIGINT, stop BIGINT, tail BIGINT)",
    # Several rows of one segment and series add up: counts by sum, times by minimum and maximum.
    (
        "CREATE TABLE IF NOT EXISTS holdings(segment INTEGER, series INTEGER, count BIGINT,"
        " first BIGINT, last BIGINT, value DOUBLE)"
    ),
    # How far the journal is applied.
    "CREATE TABLE IF NOT EXISTS progress(sequence BIGINT)",
)

_EMPTY = np.empty(0, np.int64)

HOLDINGS_COLUMNS = (
    "series, count(*)::BIGINT AS count, min(time) AS first, max(time) AS last,"
    " arg_max(value, time) AS value"
)


@dataclass(frozen=True, slots=True, eq=False)
class Holdings:
    """How many rows a table holds of each series (ascending), from when to when, and the last.

    `first` and `last` may lie outside of what is there, after a row moved back to the hot table;
    then that row is in the hot table.
    """

    series: NDArray[np.int64] = field(default_factory=_EMPTY.copy)
    count: NDArray[np.int64] = field(default_factory=_EMPTY.copy)
    first: NDArray[np.int64] = field(default_factory=_EMPTY.copy)
    last: NDArray[np.int64] = field(default_factory=_EMPTY.copy)
    value: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))

    @classmethod
    def of(cls, answer: Answer) -> "Holdings":
        """From the columns of `HOLDINGS_COLUMNS`, grouped by series, in any order."""
        order = np.argsort(answer["series"])
        return cls(
            answer["series"][order].astype(np.int64),
            answer["count"][order].astype(np.int64),
            answer["first"][order].astype(np.int64),
            answer["last"][order].astype(np.int64),
            np.ma.getdata(answer["value"])[order].astype(np.float64),
        )

    @property
    def rows(self) -> int:
        """How many rows in all."""
        return int(self.count.sum())

    def at(self, series: NDArray[np.int64]) -> NDArray[np.int64]:
        """The index of each series here, or -1."""
        if not len(self.series):
            return np.full(len(series), -1, np.int64)
        found = np.minimum(np.searchsorted(self.series, series), len(self.series) - 1)
        return np.where(self.series[found] == series, found, -1)

    def of_series(self, series: NDArray[np.int64]) -> "Holdings":
        """Only those of `series`."""
        found = self.at(series)
        return self._take(np.sort(found[found >= 0]))

    def without(self, series: NDArray[np.int64]) -> "Holdings":
        """Only those of others than `series`."""
        return self._take(np.flatnonzero(~np.isin(self.series, series)))

    def _take(self, index: NDArray[np.int64]) -> "Holdings":
        return Holdings(
            self.series[index],
            self.count[index],
            self.first[index],
            self.last[index],
            self.value[index],
        )

    @classmethod
    def combined(cls, parts: Sequence["Holdings"]) -> "Holdings":
        """All of them; of the same last time, the later part's value."""
        if not parts:
            return cls()
        series = np.concatenate([part.series for part in parts])
        last = np.concatenate([part.last for part in parts])
        order = np.lexsort((last, series))  # stable: a later part's comes later
        series, last = series[order], last[order]
        begins = np.flatnonzero(np.diff(series, prepend=-1))
        if not len(begins):
            return cls()
        ends = np.append(begins[1:], len(series)) - 1
        count, first, value = (
            np.concatenate([getattr(part, name) for part in parts])[order]
            for name in ("count", "first", "value")
        )
        return cls(
            series[begins],
            np.add.reduceat(count, begins),
            np.minimum.reduceat(first, begins),
            last[ends],
            value[ends],
        )

    def less(self, series: NDArray[np.int64]) -> "Holdings":
        """One row fewer for each mention of a series."""
        count = self.count.copy()
        at = self.at(series)
        np.subtract.at(count, at[at >= 0], 1)
        return replace(self, count=count)

    def save(self, cursor: duckdb.DuckDBPyConnection, segment: int) -> None:
        """Make these the segment's holdings."""
        cursor.execute("DELETE FROM holdings WHERE segment = ?", [segment])
        kept = self._take(np.flatnonzero(self.count > 0))
        columns = {
            "series": kept.series,
            "count": kept.count,
            "first": kept.first,
            "last": kept.last,
            "value": kept.value,
        }
        with registered(cursor, held=columns):
            cursor.execute(
                "INSERT INTO holdings"
                " SELECT ?::INTEGER, series, count, first, last, value FROM held",
                [segment],
            )


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """The table of the rows with `start <= time < stop`.

    `tail` of its rows were appended since it was last clustered.
    """

    id: int
    start: int
    stop: int
    tail: int
    holdings: Holdings

    @property
    def table(self) -> str:
        """Its name."""
        return f"segment_{self.id}"

    @property
    def rows(self) -> int:
        """How many it holds."""
        return self.holdings.rows


Layout = tuple[Segment, ...]
"""Ascending in time, without gaps or overlaps."""


def touched(layout: Layout, start: int, stop: int) -> Iterator[Segment]:
    """The segments that have any of `[start, stop)`."""
    return (segment for segment in layout if segment.start < stop and start < segment.stop)


def bounds(period: Period) -> tuple[int, int]:
    """The period as a half-open pair."""
    return (
        BEGINNING if period.start is None else period.start,
        END if period.end is None else period.end,
    )


def replaced(layout: Layout, old: Segment, new: Iterable[Segment]) -> Layout:
    """The layout with the segments `new` where `old` was."""
    found: list[Segment] = []
    for segment in layout:
        found.extend(new if segment.id == old.id else (segment,))
    return tuple(found)


def create_segment(cursor: duckdb.DuckDBPyConnection, id: int, start: int, stop: int) -> Segment:
    """An empty segment, its table and its row."""
    segment = Segment(id, start, stop, 0, Holdings())
    cursor.execute(f"CREATE TABLE {segment.table}{ROWS}")
    cursor.execute("INSERT INTO segments VALUES (?, ?, ?, 0)", [id, start, stop])
    return segment


def drop_segment(cursor: duckdb.DuckDBPyConnection, segment: Segment) -> None:
    """Remove the segment with its rows."""
    cursor.execute(f"DROP TABLE {segment.table}")
    cursor.execute("DELETE FROM segments WHERE id = ?", [segment.id])
    cursor.execute("DELETE FROM holdings WHERE segment = ?", [segment.id])


def read_layout(cursor: duckdb.DuckDBPyConnection) -> Layout:
    """The layout as the database has it."""
    held = ask(
        cursor,
        "SELECT segment, series, sum(count)::BIGINT AS count, min(first) AS first,"
        " max(last) AS last, arg_max(value, last) AS value"
        " FROM holdings GROUP BY segment, series HAVING sum(count) > 0 ORDER BY segment, series",
    )
    rows: Sequence[tuple[int, int, int, int]] = cursor.execute(
        "SELECT id, start, stop, tail FROM segments ORDER BY start"
    ).fetchall()
    segments = []
    for id, start, stop, tail in rows:
        low, high = np.searchsorted(held["segment"], (id, id + 1))
        holdings = Holdings.of({name: column[low:high] for name, column in held.items()})
        segments.append(Segment(id, start, stop, tail, holdings))
    return tuple(segments)
