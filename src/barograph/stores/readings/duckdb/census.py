"""What is known in memory of every series: its newest reading, how many it has, its texts."""

# ruff: noqa: S608 - the names in the SQL are ours, the values are parameters or columns

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import duckdb
import numpy as np
from numpy.typing import NDArray

from barograph.domain.batch import Batch
from barograph.stores.readings.duckdb.connection import Columns, ask
from barograph.stores.readings.duckdb.layout import (
    BEGINNING,
    END,
    HOLDINGS_COLUMNS,
    Holdings,
    Layout,
)

_DENSE_MAX = 1 << 22
"""Series below it are found by a table of slots (they are small and dense); others by a dict."""

Integers = NDArray[np.int64]

_Kind = TypeVar("_Kind", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Finding:
    """What the tables hold of some series."""

    numbers: Holdings
    hot: Holdings
    """The part of `numbers` that is in the hot table."""
    texts: Sequence[tuple[int, int, int, str]]
    """(series, count, last time, text then)."""


def look(
    cursor: duckdb.DuckDBPyConnection, layout: Layout, series: Integers | None = None
) -> Finding:
    """What is stored of the series, of all where None. Reads the hot table and the texts only."""
    chosen = "" if series is None else "WHERE series IN (SELECT series FROM chosen)"
    tables: dict[str, Columns] = {} if series is None else {"chosen": {"series": series}}
    hot = Holdings.of(
        ask(cursor, f"SELECT {HOLDINGS_COLUMNS} FROM hot {chosen} GROUP BY series", (), **tables)
    )
    texts = ask(
        cursor,
        "SELECT series, count(*) AS count, max(time) AS last, arg_max(text, time) AS text"
        f" FROM texts {chosen} GROUP BY series",
        (),
        **tables,
    )
    held = [segment.holdings for segment in layout]
    if series is not None:
        held = [holdings.of_series(series) for holdings in held]
    return Finding(
        Holdings.combined([*held, hot]),
        hot,
        list(
            zip(
                texts["series"].tolist(),
                texts["count"].tolist(),
                texts["last"].tolist(),
                texts["text"].tolist(),
                strict=True,
            )
        ),
    )


def _grown(column: NDArray[_Kind], size: int, fill: float) -> NDArray[_Kind]:
    new = np.full(size, fill, column.dtype)
    new[: len(column)] = column
    return new


@dataclass(slots=True)
class Census:
    """A slot per series; the columns are indexed by slot."""

    size: int = 0
    series: Integers = field(default_factory=lambda: np.zeros(64, np.int64))
    time: Integers = field(default_factory=lambda: np.full(64, BEGINNING))
    """Of the newest reading, number or text."""
    value: NDArray[np.float64] = field(default_factory=lambda: np.full(64, np.nan))
    """NaN where the newest reading is a text."""
    count: Integers = field(default_factory=lambda: np.zeros(64, np.int64))
    """Of numbers and texts."""
    hot_since: Integers = field(default_factory=lambda: np.full(64, END))
    """Not later than the earliest row in the hot table."""
    texts: dict[int, int] = field(default_factory=dict)
    """Series to how many texts, where there are any."""
    newest_texts: dict[int, str] = field(default_factory=dict)
    """Series to text, where the newest reading is one."""
    hot_rows: int = 0
    hot_first: int = END
    hot_last: int = BEGINNING
    """Between these lie the hot rows; wider than need be after deletions."""
    _dense: NDArray[np.int32] = field(default_factory=lambda: np.full(1024, -1, np.int32))
    _sparse: dict[int, int] = field(default_factory=dict)

    def find(self, series: Integers) -> Integers:
        """The slot of each series, -1 where it has none."""
        if not len(series):
            return np.empty(0, np.int64)
        dense = (series >= 0) & (series < len(self._dense))
        found = np.where(dense, self._dense[np.where(dense, series, 0)], -1).astype(np.int64)
        if self._sparse and not dense.all():
            for i in np.flatnonzero(~dense):
                found[i] = self._sparse.get(int(series[i]), -1)
        return found

    def slots(self, series: Integers) -> Integers:
        """The slot of each series, made where it has none."""
        found = self.find(series)
        if len(found) and found.min() < 0:
            for id in np.unique(series[found < 0]).tolist():
                self._add(id)
            found = self.find(series)
        return found

    def _add(self, series: int) -> None:
        if self.size == len(self.series):
            size = 2 * self.size
            self.series = _grown(self.series, size, 0)
            self.time = _grown(self.time, size, BEGINNING)
            self.value = _grown(self.value, size, np.nan)
            self.count = _grown(self.count, size, 0)
            self.hot_since = _grown(self.hot_since, size, END)
        self.series[self.size] = series
        if series < _DENSE_MAX:
            if series >= len(self._dense):
                size = max(2 * len(self._dense), series + 1)
                self._dense = _grown(self._dense, size, -1)
            self._dense[series] = self.size
        else:
            self._sparse[series] = self.size
        self.size += 1

    def take(self, finding: Finding, series: Integers | None = None) -> None:
        """Know of `series` (of all where None) what was found, and nothing else."""
        slots = np.arange(self.size) if series is None else self.slots(series)
        self.time[slots], self.value[slots] = BEGINNING, np.nan
        self.count[slots], self.hot_since[slots] = 0, END
        for id in self.series[slots].tolist():
            self.texts.pop(id, None)
            self.newest_texts.pop(id, None)
        numbers, hot = finding.numbers, finding.hot
        slots = self.slots(numbers.series)
        self.time[slots], self.value[slots] = numbers.last, numbers.value
        self.count[slots] = numbers.count
        self.hot_since[self.slots(hot.series)] = hot.first
        if series is None:
            self.hot_rows = hot.rows
            self.hot_first = int(hot.first.min(initial=END))
            self.hot_last = int(hot.last.max(initial=BEGINNING))
        for id, count, time, text in finding.texts:
            [slot] = self.slots(np.array([id]))
            self.texts[id] = count
            self.count[slot] += count
            if time >= self.time[slot]:
                self.time[slot], self.value[slot] = time, np.nan
                self.newest_texts[id] = text

    def forget_hot(self) -> None:
        """The hot table is empty now."""
        self.hot_rows, self.hot_first, self.hot_last = 0, END, BEGINNING
        self.hot_since[:] = END

    @property
    def hot(self) -> tuple[int, int]:
        """The half-open span of the hot rows' times; empty where there are none."""
        return (self.hot_first, self.hot_last + 1) if self.hot_rows else (END, BEGINNING)

    def hot_readings_max(self, series: Integers) -> int:
        """A bound on how many rows of the series are in the hot table."""
        slots = self.find(series)
        slots = slots[slots >= 0]
        slots = slots[self.hot_since[slots] < END]
        return min(self.hot_rows, int(self.count[slots].sum()))

    def newest(self, series: Iterable[int] | None) -> Batch:
        """The newest reading of each series that has one, in order of series."""
        if series is None:
            slots = np.flatnonzero(self.count[: self.size] > 0)
        else:
            slots = self.find(np.unique(np.fromiter(series, np.int64)))
            slots = slots[slots >= 0]
            slots = slots[self.count[slots] > 0]
        ids = self.series[slots]
        order = np.argsort(ids)
        slots, ids = slots[order], ids[order]
        texts = (
            {
                i: self.newest_texts[id]
                for i, id in enumerate(ids.tolist())
                if id in self.newest_texts
            }
            if self.newest_texts
            else {}
        )
        return Batch(ids, self.time[slots], self.value[slots], texts)

    def counts(self) -> dict[int, int]:
        """How many readings each series holds; a series without any is absent."""
        slots = np.flatnonzero(self.count[: self.size] > 0)
        return dict(zip(self.series[slots].tolist(), self.count[slots].tolist(), strict=True))
