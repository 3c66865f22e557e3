"""Readings in memory: the reference model of `ports.reading_store.ReadingStore`.

Simple enough to be right by reading it: a dict of series to a dict of time to value, sorted when
asked. It is the store that the others are compared with, and the one that tests of everything
above the stores use. Nothing outlives the process.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from threading import Lock

from barograph.domain.batch import Batch, Reading
from barograph.domain.errors import Unavailable
from barograph.domain.period import ALL_TIME, Period, bucket_of
from barograph.domain.statistic import compute
from barograph.ports.reading_store import Aggregation, Cell, Health

_BATCH_READINGS_MAX = 65_536


class MemoryReadingStore:
    """A `ReadingStore` without a disk. Every answer is a copy, so nothing changes under a reader."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._values: dict[int, dict[int, float | str]] = {}

    def append(self, batch: Batch) -> None:
        """Keep the readings; the last of the same series and time stays."""
        readings = list(batch.readings())
        with self._lock:
            for series, time, value in readings:
                self._values.setdefault(series, {})[time] = value

    def delete(self, series: Sequence[int], period: Period = ALL_TIME) -> int:
        """Forget readings; how many there were."""
        with self._lock:
            doomed = self._select(series, period)
            for reading in doomed:
                course = self._values[reading.series]
                del course[reading.time]
                if not course:
                    del self._values[reading.series]
        return len(doomed)

    def expire(self, before: int) -> Iterator[None]:
        """Forget what is earlier, in one step."""
        with self._lock:
            series = list(self._values)
        if self.delete(series, Period(end=before)):
            yield

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
        """The readings in order of (time, series), all taken when the call is made."""
        with self._lock:
            found = self._select(series, period)
        if texts_only:
            found = [reading for reading in found if isinstance(reading.value, str)]
        found.sort(key=_place, reverse=descending)
        if after is not None:
            found = [
                reading
                for reading in found
                if (_place(reading) < after if descending else _place(reading) > after)
            ]
        found = found[:limit]
        return (
            Batch.of(found[start : start + _BATCH_READINGS_MAX])
            for start in range(0, len(found), _BATCH_READINGS_MAX)
        )

    def newest(self, series: Sequence[int] | None = None, *, before: int | None = None) -> Batch:
        """The newest reading of each series that has one, in order of series."""
        with self._lock:
            found = self._select(self._values if series is None else series, Period(end=before))
        newest: dict[int, Reading] = {}
        for reading in sorted(found, key=_place):
            newest[reading.series] = reading
        return Batch.of([newest[id] for id in sorted(newest)])

    def extent(self, series: Sequence[int], period: Period = ALL_TIME) -> tuple[int, int] | None:
        """The times of the first and the last reading, or None where there are none."""
        with self._lock:
            times = [reading.time for reading in self._select(series, period)]
        return (min(times), max(times)) if times else None

    def summarize(self, question: Aggregation) -> Iterator[Cell]:
        """The non-empty cells, computed by `domain.statistic`."""
        with self._lock:
            groups = [self._select(group, question.period) for group in question.groups]
        return _cells(question, groups)

    def with_texts(self, series: Sequence[int]) -> frozenset[int]:
        """Those of the series that hold text readings."""
        with self._lock:
            return frozenset(
                reading.series
                for reading in self._select(series, ALL_TIME)
                if isinstance(reading.value, str)
            )

    def counts(self) -> dict[int, int]:
        """How many readings each series holds, exactly; a series without readings is absent."""
        with self._lock:
            return {series: len(course) for series, course in self._values.items()}

    def maintain(self) -> bool:
        """Nothing to do."""
        return False

    def health(self) -> Health:
        """Memory is always writable."""
        return Health(writable=True, detail="in memory", readings=sum(self.counts().values()))

    def backup(self, target: Path) -> None:
        """Raise `Unavailable`: there is nothing on disk, and nothing that would open a copy."""
        raise Unavailable(f"readings in memory cannot be backed up to {target}")

    def close(self) -> None:
        """Nothing to release; what was appended stays as long as the object."""

    def _select(self, series: Iterable[int], period: Period) -> list[Reading]:
        """The readings of the series in the period, in no particular order."""
        return [
            Reading(id, time, value)
            for id in {int(id) for id in series}
            for time, value in self._values.get(id, {}).items()
            if time in period
        ]


def _place(reading: Reading) -> tuple[int, int]:
    return reading.time, reading.series


def _cells(question: Aggregation, groups: Iterable[Iterable[Reading]]) -> Iterator[Cell]:
    for group, readings in enumerate(groups):
        buckets = _buckets(readings, question.edges)
        for bucket in sorted(buckets):
            courses = [buckets[bucket][series] for series in sorted(buckets[bucket])]
            summary = {asked.text: compute(asked, courses) for asked in question.statistics}
            yield Cell(group, bucket, summary)


def _buckets(
    readings: Iterable[Reading], edges: Sequence[int] | None
) -> dict[int, dict[int, list[tuple[int, float]]]]:
    """Bucket to series to course, of the numbers that lie between the edges."""
    found: dict[int, dict[int, list[tuple[int, float]]]] = defaultdict(lambda: defaultdict(list))
    for series, time, value in sorted(readings, key=_place):
        if isinstance(value, str):
            continue
        if edges is None:
            found[0][series].append((time, value))
        elif edges and edges[0] <= time < edges[-1]:
            found[bucket_of(edges, time)][series].append((time, value))
    return found
