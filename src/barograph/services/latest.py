"""The newest reading of every series, in memory.

Flat arrays by series id, because whole batches are folded in at once: 5,000 readings in tens of
microseconds on the writer's thread.
"""

from collections.abc import Iterable
from threading import Lock
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from barograph.domain.batch import Batch, Reading
from barograph.ports.reading_store import ReadingStore

_ASKED_SERIES_MAX = 100
"""How many series' newest readings a database tells within milliseconds."""
_SMALL = 24
"""Below this many readings a loop is faster than whole-array operations."""


class NewestReadings(Protocol):
    """The newest reading of every series."""

    def update(self, batch: Batch) -> None:
        """Be told of committed readings."""

    def of_series(self, series: Iterable[int]) -> dict[int, Reading]:
        """The newest reading of each of the series that has one."""

    def seen(self, series: Iterable[int]) -> int | None:
        """The time of the newest reading of any of the series."""

    def reload(self, series: Iterable[int]) -> None:
        """Be told that readings were removed."""


class Latest:
    """Newest readings, rebuilt from the store at start and told of every commit."""

    def __init__(self, store: ReadingStore) -> None:
        self._store = store
        self._lock = Lock()
        self._times: NDArray[np.int64] = np.full(1024, -1, np.int64)
        self._values: NDArray[np.float64] = np.zeros(1024)
        self._texts: dict[int, str] = {}
        self.update(store.newest())

    def update(self, batch: Batch) -> None:
        """Fold in committed readings; late ones change nothing."""
        if not len(batch):
            return
        with self._lock:
            if batch.texts or self._texts or len(batch) < _SMALL:
                self._update_each(batch)
            else:
                self._update_columns(batch)

    def of_series(self, series: Iterable[int]) -> dict[int, Reading]:
        """The newest reading of each of the series that has one."""
        found: dict[int, Reading] = {}
        with self._lock:
            size = len(self._times)
            for one in series:
                if one < size and (time := int(self._times[one])) >= 0:
                    text = self._texts.get(one)
                    value = float(self._values[one]) if text is None else text
                    found[one] = Reading(one, time, value)
        return found

    def seen(self, series: Iterable[int]) -> int | None:
        """The time of the newest reading of any of the series."""
        times = self._times
        size = len(times)
        newest = max((int(times[one]) for one in series if one < size), default=-1)
        return newest if newest >= 0 else None

    def reload(self, series: Iterable[int]) -> None:
        """Ask the store again, after readings were removed."""
        ids = list(series)
        with self._lock:
            newest = self._store.newest(ids)
            for one in ids:
                if one < len(self._times):
                    self._times[one] = -1
                    self._texts.pop(one, None)
            if len(newest):
                self._update_each(newest)

    def _reserve(self, top: int) -> None:
        size = len(self._times)
        if top >= size:
            more = max(size, top + 1 - size)
            self._times = np.concatenate([self._times, np.full(more, -1, np.int64)])
            self._values = np.concatenate([self._values, np.zeros(more)])

    def _update_each(self, batch: Batch) -> None:
        for one, time, value in batch.readings():
            self._reserve(one)
            if time >= self._times[one]:
                self._times[one] = time
                if isinstance(value, str):
                    self._texts[one] = value
                else:
                    self._values[one] = value
                    if self._texts:
                        self._texts.pop(one, None)

    def _update_columns(self, batch: Batch) -> None:
        series = np.asarray(batch.series)
        times = np.asarray(batch.times, np.int64)
        values = np.asarray(batch.values, np.float64)
        self._reserve(int(series.max()))
        newer = times >= self._times[series]
        if not newer.all():
            series, times, values = series[newer], times[newer], values[newer]
        self._times[series] = times  # of repeated indices the last one stays
        if (self._times[series] < times).any():
            # Within the batch some series' readings are out of order: put each in order of time.
            order = np.argsort(times, kind="stable")
            series, times, values = series[order], times[order], values[order]
            self._times[series] = times
        self._values[series] = values


class SharedLatest(Latest):
    """Newest readings where other processes write as well.

    Of a few series the store is asked, so that what any process has acknowledged is seen. Of many
    it is told from memory, which hears of others' readings by the live bus, and of what they have
    removed, or what the bus did not carry, by `refresh`.
    """

    def of_series(self, series: Iterable[int]) -> dict[int, Reading]:
        """The newest reading of each of the series that has one."""
        ids = list(series)
        if not ids or len(ids) > _ASKED_SERIES_MAX:
            return super().of_series(ids)
        return {one.series: one for one in self._store.newest(ids).readings()}

    def refresh(self) -> None:
        """Compare with the store, and ask it again about whatever differs."""
        newest = self._store.newest()
        stored = {one.series: one.time for one in newest.readings()}
        known = self._times
        differing = {one for one in np.flatnonzero(known >= 0).tolist() if one not in stored}
        differing |= {
            one for one, time in stored.items() if one >= len(known) or known[one] != time
        }
        if differing:
            self.reload(differing)
