"""Summaries computed with NumPy, from readings that come in blocks.

For stores whose database gives readings in order but not every statistic exactly. A cell is made of
*runs*, each the readings of one series in one bucket and one block; what runs say adds up, so no
block is kept. Only the order statistics (quantiles, mode, distinct) need the values themselves:
they are held up to a bound, and beyond it asked for again in ascending order.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from barograph.domain.statistic import Scalar, Statistic, between
from barograph.domain.time import HOUR, SECOND
from barograph.ports.reading_store import Aggregation, Cell

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

Ascending = Callable[[int, int], Iterable[tuple[Floats, Integers]]]
"""Given a group and a bucket: its different values, ascending, and how often each occurs."""

_COURSE = frozenset({"increase", "rate", "integral", "time_weighted_mean"})
_ORDER = frozenset({"median", "quantile", "mode", "distinct"})
_TIMED = _COURSE | {"first", "last"}
_FEW = 16


@dataclass(frozen=True, slots=True)
class Block:
    """Numbers in order of (series, time), in columns of equal length."""

    series: Integers
    times: Integers | None
    """None where `Tallies.timed` says that nobody asks for them."""
    values: Floats

    def __len__(self) -> int:
        return len(self.values)


@dataclass(slots=True)
class _Course:
    """What is known of one series in one cell."""

    start: int
    held: float
    """The first value."""
    end: int
    last: float
    rises: list[float] = field(default_factory=list)
    areas: list[float] = field(default_factory=list)
    holds: list[float] = field(default_factory=list)


@dataclass(slots=True)
class _Tally:
    """What is known of one cell."""

    count: int = 0
    low: float = math.inf
    high: float = -math.inf
    sums: list[float] = field(default_factory=list)
    """Terms whose exact sum is that of the values, to twice a float's digits."""
    spreads: list[tuple[int, float, float, float]] = field(default_factory=list)
    """Of each run: count, mean, sums of the deviations from it and of their squares."""
    first: tuple[int, int, float] | None = None
    last: tuple[int, int, float] | None = None
    """(time, series, value)."""
    courses: dict[int, _Course] = field(default_factory=dict)
    values: list[Floats] = field(default_factory=list)
    overflown: set[str] = field(default_factory=set)
    """Statistics on whose way a step was beyond the range of floats."""


class Tallies:
    """Takes in the readings of some groups, each series' in order of time; gives their cells."""

    def __init__(
        self, question: Aggregation, groups: Sequence[int], held_readings_max: int
    ) -> None:
        """`groups` are the numbers of the groups whose readings will come."""
        self._statistics = question.statistics
        asked = {statistic.name for statistic in question.statistics}
        self._sums = bool(asked & {"sum", "mean"})
        self._spread = "stddev" in asked
        self._courses = bool(asked & _COURSE)
        self._order = bool(asked & _ORDER)
        self._counted = bool(asked & {"mode", "distinct"})
        self._edges = None
        if question.edges is not None and len(question.edges) > 2:
            self._edges = np.asarray(question.edges, np.int64)
        self.timed = self._edges is not None or bool(asked & _TIMED)
        """Whether the times of readings matter, beyond lying between the edges."""
        self._group_of = {int(one): group for group in groups for one in question.groups[group]}
        self._tallies: dict[tuple[int, int], _Tally] = {}
        self._room = held_readings_max
        self._held = self._order

    def add(self, block: Block) -> None:
        """Take in readings, all of which lie between the edges."""
        if not len(block):
            return
        times = block.times
        buckets = None
        if self._edges is not None and times is not None:
            buckets = np.searchsorted(self._edges, times, side="right") - 1
        changes = block.series[1:] != block.series[:-1]
        if buckets is not None:
            changes |= buckets[1:] != buckets[:-1]
        starts = np.concatenate([[0], np.flatnonzero(changes) + 1])
        stops = np.append(starts[1:], len(block)).tolist()
        lows = np.minimum.reduceat(block.values, starts).tolist()
        highs = np.maximum.reduceat(block.values, starts).tolist()
        places = starts.tolist()
        of_series = block.series[starts].tolist()
        of_bucket = [0] * len(places) if buckets is None else buckets[starts].tolist()
        self._hold(len(block))
        for start, stop, series, bucket, low, high in zip(
            places, stops, of_series, of_bucket, lows, highs, strict=True
        ):
            key = self._group_of[series], bucket
            tally = self._tallies.get(key)
            if tally is None:
                tally = self._tallies[key] = _Tally()
            tally.count += stop - start
            tally.low = min(tally.low, low)
            tally.high = max(tally.high, high)
            of_run = block.values[start:stop]
            if times is not None:
                self._ends(tally, times[start:stop], of_run, series)
                if self._courses:
                    self._course(tally, times[start:stop], of_run, series)
            if self._sums or self._spread:
                self._sum(tally, of_run)
            if self._held:
                tally.values.append(of_run)

    def cells(self, ascending: Ascending) -> Iterator[Cell]:
        """The cells in order of (group, bucket); what they were made of is forgotten."""
        for key in sorted(self._tallies):
            tally = self._tallies.pop(key)
            ordered = self._ordered(key, tally, ascending) if self._order else {}
            yield Cell(
                *key,
                {
                    s.text: ordered[s.text] if s.text in ordered else _plain(s, tally)
                    for s in self._statistics
                },
            )

    def _hold(self, readings: int) -> None:
        self._room -= readings
        if self._held and self._room < 0:
            self._held = False
            for tally in self._tallies.values():
                tally.values.clear()

    def _ends(self, tally: _Tally, times: Integers, values: Floats, series: int) -> None:
        first = int(times[0]), series
        if tally.first is None or first < tally.first[:2]:
            tally.first = (*first, float(values[0]))
        last = int(times[-1]), series
        if tally.last is None or last > tally.last[:2]:
            tally.last = (*last, float(values[-1]))

    def _sum(self, tally: _Tally, values: Floats) -> None:
        try:
            terms = _split(values)
            total = math.fsum(terms)
        except OverflowError:
            tally.overflown |= {"sum", "mean", "stddev"}
            return
        tally.sums += terms
        if self._spread:
            mean = total / len(values)
            tally.spreads.append((len(values), mean, *_deviations(tally, values, mean)))

    def _course(self, tally: _Tally, times: Integers, values: Floats, series: int) -> None:
        course = tally.courses.get(series)
        if course is None:
            course = tally.courses[series] = _Course(
                int(times[0]), float(values[0]), int(times[0]), float(values[0])
            )
        else:
            times = np.concatenate([[course.end], times])
            values = np.concatenate([[course.last], values])
        old, new = values[:-1], values[1:]
        steps = np.diff(times).astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            terms = (
                ("increase", course.rises, np.where(new >= old, new - old, new)),
                ("integral", course.areas, (old + new) / 2 * steps / HOUR),
                ("time_weighted_mean", course.holds, old * steps),
            )
        for name, kept, found in terms:
            try:
                kept.extend(_split(found))
            except OverflowError:
                tally.overflown |= {name, "rate"} if name == "increase" else {name}
        course.end, course.last = int(times[-1]), float(values[-1])

    def _ordered(
        self, key: tuple[int, int], tally: _Tally, ascending: Ascending
    ) -> dict[str, Scalar]:
        if not self._held:
            return order_statistics(self._statistics, tally.count, ascending(*key))
        values = np.sort(np.concatenate(tally.values))
        counts = np.ones(len(values), np.int64)
        if self._counted:
            starts = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
            values, counts = values[starts], np.diff(np.append(starts, len(values)))
        return order_statistics(self._statistics, tally.count, [(values, counts)])


def order_statistics(
    statistics: Sequence[Statistic], count: int, parts: Iterable[tuple[Floats, Integers]]
) -> dict[str, Scalar]:
    """Quantiles, mode and distinct of `count` readings, from their values in ascending order."""
    positions = {s.text: (count - 1) * s.q for s in statistics if s.name in {"median", "quantile"}}
    wanted = sorted(
        {
            at
            for position in positions.values()
            for at in (math.floor(position), min(math.floor(position) + 1, count - 1))
        }
    )
    at: dict[int, float] = {}
    mode, most, distinct, before = math.nan, 0, 0, 0
    for values, counts in parts:
        if not len(values):
            continue
        upto = before + np.cumsum(counts)
        while len(at) < len(wanted) and wanted[len(at)] < upto[-1]:
            here = wanted[len(at)]
            at[here] = float(values[np.searchsorted(upto, here, side="right")])
        top = int(np.argmax(counts))
        if counts[top] > most:
            mode, most = float(values[top]), int(counts[top])
        distinct += len(values)
        before = int(upto[-1])
    found: dict[str, Scalar] = {}
    for s in statistics:
        if s.text in positions:
            low = math.floor(positions[s.text])
            below, above = at[low], at[min(low + 1, count - 1)]
            part = positions[s.text] - low
            found[s.text] = _finite(between(below, above, part))
        elif s.name == "mode":
            found[s.text] = mode
        elif s.name == "distinct":
            found[s.text] = distinct
    return found


def _split(values: Floats) -> list[float]:
    """A few floats whose exact sum is that of the values, to twice a float's digits.

    Pairs are added over and over, and what each addition rounds away is kept (Knuth's TwoSum).
    Raises `OverflowError` where a step is beyond the range of floats.
    """
    lost = []
    with np.errstate(over="ignore", invalid="ignore"):
        while len(values) > _FEW:
            half = len(values) // 2
            one, other, rest = values[:half], values[half : 2 * half], values[2 * half :]
            total = one + other
            part = total - one
            lost.append(float(np.sum((one - (total - part)) + (other - part))))
            values = np.concatenate([total, rest]) if len(rest) else total
    terms: list[float] = values.tolist() + lost
    if not all(map(math.isfinite, terms)):
        raise OverflowError
    return terms


def _deviations(tally: _Tally, values: Floats, mean: float) -> tuple[float, float]:
    """The sums of the values' deviations from the mean, which is rounded, and of their squares."""
    with np.errstate(over="ignore"):
        away = values - mean
        squares = away**2
    try:
        return math.fsum(_split(away)), math.fsum(_split(squares))
    except OverflowError:
        tally.overflown.add("stddev")
        return math.nan, math.nan


def _plain(statistic: Statistic, tally: _Tally) -> Scalar:
    """A statistic that runs add up to."""
    name = statistic.name
    if name in tally.overflown:
        return None
    try:
        return _finite(_PLAIN[name](tally))
    except (OverflowError, ValueError):
        return None


def _finite(value: Any) -> Scalar:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    found: Scalar = value
    return found


def _stddev(tally: _Tally) -> float | None:
    if tally.count < 2:
        return None
    mean = math.fsum(tally.sums) / tally.count
    squares, rests = [], []
    for count, of_run, rest, square in tally.spreads:
        away = of_run - mean
        squares += [square, 2 * away * rest, count * away**2]
        rests += [rest, count * away]
    # The means are rounded; the second term takes back what that adds where they are far from 0.
    spread = math.fsum(squares) - math.fsum(rests) ** 2 / tally.count
    return math.sqrt(max(0.0, spread) / (tally.count - 1))


def _rate(tally: _Tally) -> float | None:
    rates = [
        math.fsum(course.rises) / ((course.end - course.start) / SECOND)
        for course in tally.courses.values()
        if course.end > course.start
    ]
    return math.fsum(rates) if rates else None


def _time_weighted_mean(tally: _Tally) -> float:
    courses = tally.courses.values()
    weight = sum(course.end - course.start for course in courses)
    if not weight:
        return math.fsum(course.held for course in courses) / len(courses)
    return math.fsum(term for course in courses for term in course.holds) / weight


_PLAIN: dict[str, Callable[[_Tally], float | int | None]] = {
    "count": lambda tally: tally.count,
    "sum": lambda tally: math.fsum(tally.sums),
    "mean": lambda tally: math.fsum(tally.sums) / tally.count,
    "min": lambda tally: tally.low,
    "max": lambda tally: tally.high,
    "range": lambda tally: tally.high - tally.low,
    "stddev": _stddev,
    "first": lambda tally: tally.first[2] if tally.first else None,
    "last": lambda tally: tally.last[2] if tally.last else None,
    "increase": lambda tally: math.fsum(
        term for course in tally.courses.values() for term in course.rises
    ),
    "integral": lambda tally: math.fsum(
        term for course in tally.courses.values() for term in course.areas
    ),
    "rate": _rate,
    "time_weighted_mean": _time_weighted_mean,
}
