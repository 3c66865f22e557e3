"""What a chart shows: a metric's course over a period, in at most so many points.

Few readings are shown as they are; many are gathered into buckets, each with its least, mean and
greatest value, so that a spike stays visible however long the period. Where readings fail to
come the course is broken: a point without values stands between.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median_low

from barograph.domain.batch import Batch
from barograph.domain.period import Period
from barograph.domain.span import middle
from barograph.domain.statistic import Statistic
from barograph.domain.time import DAY, HOUR, MILLISECOND, MINUTE, SECOND
from barograph.ports.reading_store import Aggregation, ReadingStore

POINTS_MAX = 1_000
"""Points of one metric in one chart; the marks of gaps come on top."""

_STEPS = (
    *(n * unit for unit in (1, 10, 100) for n in (1, 2, 5)),
    *(n * unit for unit in (MILLISECOND, 10 * MILLISECOND, 100 * MILLISECOND) for n in (1, 2, 5)),
    *(n * SECOND for n in (1, 2, 5, 10, 15, 30)),
    *(n * MINUTE for n in (1, 2, 5, 10, 15, 30)),
    *(n * HOUR for n in (1, 2, 3, 6, 12)),
    *(n * DAY for n in (1, 2, 4, 7, 14, 28, 56, 112, 364)),
)
_STATISTICS = tuple(Statistic.parse(text) for text in ("min", "mean", "max", "count"))
# A pause this many times longer than the usual distance of two points breaks the line.
_GAP_FACTOR = 4


@dataclass(slots=True)
class Course:
    """A metric's points in order of time (microseconds); None marks a gap."""

    metric: str
    times: list[int] = field(default_factory=list)
    low: list[float | None] = field(default_factory=list)
    mean: list[float | None] = field(default_factory=list)
    high: list[float | None] = field(default_factory=list)
    gathered: bool = False
    """Whether the points are buckets; else they are the readings themselves."""
    count: int = 0
    """How many readings of numbers the period holds."""

    def add(self, time: int, low: float | None, mean: float | None, high: float | None) -> None:
        """Append one point."""
        self.times.append(time)
        self.low.append(low)
        self.mean.append(mean)
        self.high.append(high)


def thinned(course: Course, points: int) -> Course:
    """The course in about so many points, each the least, mean and greatest of its neighbours."""
    size = -(-len(course.times) // points)
    if size < 2:
        return course
    found = Course(course.metric, gathered=True, count=course.count)
    together: list[tuple[int, float, float, float]] = []

    def put() -> None:
        if together:
            times, lows, means, highs = zip(*together, strict=True)
            mean = sum(one / len(means) for one in means)
            found.add(times[len(times) // 2], min(lows), mean, max(highs))
            together.clear()

    for time, low, mean, high in zip(
        course.times, course.low, course.mean, course.high, strict=True
    ):
        if low is None or mean is None or high is None:
            put()
            found.add(time, None, None, None)
        else:
            together.append((time, low, mean, high))
            if len(together) == size:
                put()
    put()
    return found


def step_for(start: int, end: int, points: int = POINTS_MAX) -> int:
    """The shortest pleasant bucket length that divides the period into at most `points`."""
    for step in _STEPS:
        if (end - start) / step <= points - 1:  # the first bucket may begin before the period
            return step
    return _STEPS[-1] * -(-(end - start) // (_STEPS[-1] * (points - 1)))


def courses(
    store: ReadingStore,
    series: Mapping[str, int],
    start: int,
    end: int,
    points: int = POINTS_MAX,
) -> list[Course]:
    """The course of each metric (name to series id) over `[start, end)`, in the order given."""
    period = Period(start, end)
    step = step_for(start, end, points)
    first = start - start % step
    edges = range(first, end + step, step)
    gathered: list[list[tuple[int, float, float, float]]] = [[] for _ in series]
    counts = [0] * len(series)
    question = Aggregation([[one] for one in series.values()], _STATISTICS, period, list(edges))
    for cell in store.summarize(question):
        low, high = _number(cell.summary["min"]), _number(cell.summary["max"])
        mean = cell.summary["mean"]
        if not isinstance(mean, int | float) or not math.isfinite(mean):
            mean = middle(low, high)  # the sum of them is beyond a float
        gathered[cell.group].append((edges[cell.bucket] + step // 2, low, mean, high))
        counts[cell.group] += int(_number(cell.summary["count"]))
    few = [one for one, count in zip(series.values(), counts, strict=True) if 0 < count <= points]
    readings = _by_series(store.scan(few, period)) if few else {}
    found = []
    for (metric, one), cells, count in zip(series.items(), gathered, counts, strict=True):
        course = Course(metric, gathered=one not in readings, count=count)
        _fill(course, readings.get(one, cells))
        found.append(course)
    return found


def _number(value: float | str | None) -> float:
    assert isinstance(value, int | float)
    return value


def _by_series(batches: Iterable[Batch]) -> dict[int, list[tuple[int, float, float, float]]]:
    found: dict[int, list[tuple[int, float, float, float]]] = {}
    for batch in batches:
        for one, time, value in batch.readings():
            if not isinstance(value, str):
                found.setdefault(one, []).append((time, value, value, value))
    return found


def _fill(course: Course, points: Sequence[tuple[int, float, float, float]]) -> None:
    distances = [later[0] - earlier[0] for earlier, later in pairwise(points)]
    gap = _GAP_FACTOR * median_low(distances) if distances else 0
    previous: int | None = None
    for time, low, mean, high in points:
        if previous is not None and time - previous > gap:
            course.add((previous + time) // 2, None, None, None)
        course.add(time, low, mean, high)
        previous = time
