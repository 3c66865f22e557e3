"""Readings in columns as these stores write and read them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from barograph.domain.batch import Batch

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Rows:
    """Readings in columns of equal length; the value of a text is NaN."""

    series: Integers
    times: Integers
    values: Floats
    texts: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.times)

    @classmethod
    def of(cls, batch: Batch) -> "Rows":
        """The readings in order of (series, time), of each place the last one.

        The order is the same for every process, so that two that write the same places wait for
        each other instead of blocking each other.
        """
        series = np.asarray(batch.series, np.int64)
        times = np.asarray(batch.times, np.int64)
        values = np.asarray(batch.values, np.float64)
        if len(times) == 1:
            return cls(series, times, values, batch.texts)
        order = np.lexsort((times, series))  # stable: of one place the last one comes last
        series, times = series[order], times[order]
        last = np.ones(len(order), bool)
        last[:-1] = (series[1:] != series[:-1]) | (times[1:] != times[:-1])
        order = order[last]
        texts = {}
        if batch.texts:
            texts = {
                at: batch.texts[one] for at, one in enumerate(order.tolist()) if one in batch.texts
            }
        return cls(series[last], times[last], values[order], texts)

    def runs(self) -> Integers:
        """Where each series begins, of rows in order of series."""
        return np.flatnonzero(np.concatenate([[True], self.series[1:] != self.series[:-1]]))

    def lengths(self) -> Integers:
        """How many rows each series has, of rows in order of series."""
        return np.diff(np.append(self.runs(), len(self)))

    def last_times(self) -> dict[int, int]:
        """The last time of each series, of rows in order of (series, time)."""
        last = self.runs() + self.lengths() - 1
        return dict(zip(self.series[last].tolist(), self.times[last].tolist(), strict=True))

    def by_series(self) -> "list[Run]":
        """The rows of each series, of rows in order of (series, time)."""
        starts = self.runs().tolist() if len(self) else []
        return [
            Run(
                int(self.series[start]),
                int(self.times[stop - 1]),
                self.times[start:stop],
                self.values[start:stop],
            )
            for start, stop in zip(starts, [*starts[1:], len(self)], strict=False)
        ]

    def batch(self) -> Batch:
        """The same as a batch."""
        return Batch(self.series, self.times, self.values, self.texts)

    def take(self, which: NDArray[np.bool_]) -> "Rows":
        """Those for which `which` is true."""
        texts = {}
        if self.texts:
            at = np.cumsum(which) - 1
            texts = {int(at[i]): text for i, text in self.texts.items() if which[i]}
        return Rows(self.series[which], self.times[which], self.values[which], texts)

    def months(self) -> list[int]:
        """The calendar months (UTC) of the times, counted from January 1970, ascending."""
        first, last = _months(np.array([self.times.min(), self.times.max()])).tolist()
        if first == last:
            return [first]
        found: list[int] = np.unique(_months(self.times)).tolist()
        return found


@dataclass(frozen=True, slots=True)
class Run:
    """Numbers of one series, in order of time where the times are known."""

    series: int
    last: int
    """The time of the last one."""
    times: Integers | None
    values: Floats


def _months(times: Integers) -> Integers:
    return times.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)


def month_start(month: int) -> int:
    """The first microsecond of a month that is counted from January 1970."""
    return int(np.datetime64(month, "M").astype("datetime64[us]").astype(np.int64))
