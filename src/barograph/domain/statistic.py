"""What each statistic means, and its reference computation.

A summary is asked of a group of series over one bucket of time. Statistics of the values alone
(`count … distinct`) pool the group's readings. Statistics of the course of time (`rate`,
`increase`, `integral`, `time_weighted_mean`) are taken per series, between its first and its last
reading in the bucket, and then combined: sums of rates, increases and integrals, the mean weighted
by duration.

| name | meaning | of nothing | of one reading |
|---|---|---|---|
| count, sum | number; exactly rounded sum | 0 | |
| min, max, range, mean | range is max - min | null | |
| median, p<q> | exact; linear interpolation between order statistics ("type 7") | null | the value |
| stddev | sample standard deviation (n - 1) | null | null |
| mode | most frequent value; the smallest of several | null | the value |
| distinct | number of different values | 0 | 1 |
| first, last | value at the earliest, latest time; of one time the lower, higher series | null | |
| increase | sum of rises; a drop is a counter reset, after which the value counts in full | null | 0 |
| rate | increase per second between first and last reading | null | null |
| integral | trapezoids, value x hours | null | 0 |
| time_weighted_mean | each value holds until the next reading | null | the value |

A figure is null, too, where it or a step on the way to it is beyond the range of floats.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from barograph.domain.errors import InvalidInput
from barograph.domain.time import HOUR, SECOND

Scalar = float | int | str | None
"""A statistic's value: counts are int, the others float or None; of text metrics also str."""

Summary = Mapping[str, Scalar]
"""Statistic name to value."""

Name = Literal[
    "count",
    "sum",
    "min",
    "max",
    "mean",
    "median",
    "stddev",
    "quantile",
    "first",
    "last",
    "range",
    "rate",
    "increase",
    "integral",
    "time_weighted_mean",
    "mode",
    "distinct",
]

OF_TEXT = ("count", "first", "last", "mode", "distinct")
"""The statistics that text metrics have."""

DEFAULT_NAMES: tuple[Name, ...] = ("min", "max", "count", "sum", "median")

_PERCENTILE = re.compile(r"p(\d{1,3}(?:\.\d{1,6})?)\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Statistic:
    """One statistic of a question: its `text` as asked, which is also its key in the answer."""

    text: str
    name: Name
    q: float = 0.5
    """The quantile, 0 to 1, where `name` is `quantile`."""

    @classmethod
    def parse(cls, text: str) -> "Statistic":
        """Read `median`, `p95`, `p99.9` …; raises `InvalidInput`."""
        if text in REFERENCE:
            return cls(text, text)  # type: ignore[arg-type]  # REFERENCE's keys are the names
        match = _PERCENTILE.match(text)
        if match and float(match[1]) <= 100:
            return cls(text, "quantile", float(match[1]) / 100)
        raise InvalidInput.of(
            "stats",
            f"{text[:32]!r} is not a statistic: use {', '.join(sorted(REFERENCE))}, or p0 to p100",
        )


DEFAULT = tuple(Statistic(name, name) for name in DEFAULT_NAMES)

Course = Sequence[tuple[int, float]]
"""The readings of one series in one bucket, as (time, value) ascending in time."""


def quantile(ordered: Sequence[float], q: float) -> float:
    """The q-quantile of an ascending, non-empty sequence: NumPy's default, "type 7"."""
    position = (len(ordered) - 1) * q
    low = math.floor(position)
    high = min(low + 1, len(ordered) - 1)
    return between(ordered[low], ordered[high], position - low)


def between(below: float, above: float, part: float) -> float:
    """What lies `part` (0 to 1) of the way from `below` up to `above`."""
    step = above - below
    if math.isinf(step):  # of opposite signs and huge
        return below * (1 - part) + above * part
    return below + step * part


def _stddev(values: Sequence[float]) -> float | None:
    if len(values) < 2:
        return None
    # The mean is rounded; the second term takes back what that adds where it is far from 0.
    mean = math.fsum(values) / len(values)
    squares = math.fsum((v - mean) ** 2 for v in values)
    rest = math.fsum(v - mean for v in values)
    return math.sqrt(max(0.0, squares - rest**2 / len(values)) / (len(values) - 1))


def _mode(values: Sequence[float]) -> float:
    counted = Counter(values)
    most = max(counted.values())
    return min(value for value, count in counted.items() if count == most)


def increase(course: Course) -> float:
    """How much a counter rose; after a drop (a reset) the new value counts in full."""
    return math.fsum(new - old if new >= old else new for (_, old), (_, new) in pairwise(course))


def integral(course: Course) -> float:
    """The area under the course by trapezoids, in value x hours."""
    return math.fsum(
        (old + new) / 2 * (later - time) / HOUR for (time, old), (later, new) in pairwise(course)
    )


def _rate(courses: Sequence[Course]) -> float | None:
    rates = [increase(c) / ((c[-1][0] - c[0][0]) / SECOND) for c in courses if len(c) > 1]
    return math.fsum(rates) if rates else None


def _time_weighted_mean(courses: Sequence[Course]) -> float:
    weight = sum(c[-1][0] - c[0][0] for c in courses)
    if not weight:
        return math.fsum(c[0][1] for c in courses) / len(courses)
    return (
        math.fsum(
            value * (later - time) for c in courses for (time, value), (later, _) in pairwise(c)
        )
        / weight
    )


def _values(courses: Sequence[Course]) -> list[float]:
    return [value for course in courses for _, value in course]


def _first(courses: Sequence[Course]) -> float:
    return min((course[0][0], i, course[0][1]) for i, course in enumerate(courses))[2]


def _last(courses: Sequence[Course]) -> float:
    return max((course[-1][0], i, course[-1][1]) for i, course in enumerate(courses))[2]


REFERENCE: Mapping[str, Callable[[Sequence[Course]], Scalar]] = {
    "count": lambda courses: sum(map(len, courses)),
    "sum": lambda courses: math.fsum(_values(courses)),
    "min": lambda courses: min(_values(courses)),
    "max": lambda courses: max(_values(courses)),
    "mean": lambda courses: math.fsum(_values(courses)) / sum(map(len, courses)),
    "median": lambda courses: quantile(sorted(_values(courses)), 0.5),
    "stddev": lambda courses: _stddev(_values(courses)),
    "first": _first,
    "last": _last,
    "range": lambda courses: max(_values(courses)) - min(_values(courses)),
    "rate": _rate,
    "increase": lambda courses: math.fsum(increase(c) for c in courses),
    "integral": lambda courses: math.fsum(integral(c) for c in courses),
    "time_weighted_mean": _time_weighted_mean,
    "mode": lambda courses: _mode(_values(courses)),
    "distinct": lambda courses: len(set(_values(courses))),
}
"""Each statistic but the quantiles, of the non-empty courses of a group in series order."""


def compute(statistic: Statistic, courses: Sequence[Course]) -> Scalar:
    """The reference value of `statistic`; `courses` are one group's series, in series order."""
    courses = [course for course in courses if course]
    if not courses:
        return of_nothing(statistic)
    try:
        if statistic.name == "quantile":
            value: Scalar = quantile(sorted(_values(courses)), statistic.q)
        else:
            value = REFERENCE[statistic.name](courses)
    except (OverflowError, ValueError):  # what `fsum` raises for too much, and for inf - inf
        return None
    return None if isinstance(value, float) and not math.isfinite(value) else value


def of_nothing(statistic: Statistic) -> Scalar:
    """The value of `statistic` where there are no readings."""
    if statistic.name in {"count", "distinct"}:
        return 0
    return 0.0 if statistic.name == "sum" else None
