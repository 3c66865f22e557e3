"""Readings in columns, the form in which they travel from a codec to a store.

A *reading* is one value of one series at one time. A batch holds many, in the order in which they
arrived, as parallel flat columns of equal length. Where two readings of a batch share series and
time, the later one counts.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeVar

_T_co = TypeVar("_T_co", covariant=True)


class Column(Protocol[_T_co]):
    """A flat run of values: a list, an `array.array` or a one-dimensional NumPy array."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> _T_co: ...
    def __iter__(self) -> Iterator[_T_co]: ...


class Reading(NamedTuple):
    """One value of one series at one time."""

    series: int
    time: int
    """Microseconds since 1970, UTC."""
    value: float | str


@dataclass(frozen=True, slots=True)
class Batch:
    """Readings of known series.

    `series[i]`, `times[i]` (microseconds UTC) and `values[i]` (a finite float; booleans are 0 and
    1) make one reading. Where the reading is a text state, `texts` maps `i` to it and `values[i]`
    is NaN.
    """

    series: Column[int]
    times: Column[int]
    values: Column[float]
    texts: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.times)

    def readings(self) -> Iterator[Reading]:
        """The readings one by one, for tests and small batches; stores use the columns."""
        texts = self.texts
        for i, (series, time, value) in enumerate(
            zip(self.series, self.times, self.values, strict=True)
        ):
            yield Reading(int(series), int(time), texts[i] if i in texts else float(value))

    @classmethod
    def of(cls, readings: Sequence[tuple[int, int, float | str]]) -> "Batch":
        """A batch from (series, time, value) tuples."""
        texts = {i: r[2] for i, r in enumerate(readings) if isinstance(r[2], str)}
        return cls(
            [r[0] for r in readings],
            [r[1] for r in readings],
            [float("nan") if isinstance(r[2], str) else float(r[2]) for r in readings],
            texts,
        )


@dataclass(frozen=True, slots=True)
class MetricBatch:
    """What a codec makes of one message of one device: readings whose series are still names.

    `index[i]` is the position in `metrics` of reading i's metric name; the other columns are as in
    `Batch`.
    """

    metrics: Sequence[str]
    index: Column[int]
    times: Column[int]
    values: Column[float]
    texts: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.times)

    def of_metrics(self, wanted: Collection[str]) -> "MetricBatch":
        """The readings of these metrics only, in the same order."""
        metrics = [metric for metric in self.metrics if metric in wanted]
        places = {metric: place for place, metric in enumerate(metrics)}
        index: list[int] = []
        times: list[int] = []
        values: list[float] = []
        texts: dict[int, str] = {}
        for i, place in enumerate(self.index):
            new = places.get(self.metrics[place])
            if new is not None:
                if i in self.texts:
                    texts[len(index)] = self.texts[i]
                index.append(new)
                times.append(int(self.times[i]))
                values.append(float(self.values[i]))
        return MetricBatch(metrics, index, times, values, texts)
