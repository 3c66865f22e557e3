"""Periods and the buckets that divide them.

A bucket interval is either a fixed length (`30s`, `5m`, `1h`), aligned to 1970-01-01T00:00Z, or a
calendar length (`1d`, `1w`, `1mo`, `1q`, `1y`), which follows a time zone through its changes of
offset: a day has 23, 24 or 25 hours. Weeks begin on Monday. Buckets are always whole: the first
one may begin before the period, but counts only the period's readings.
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Literal

from barograph.domain.errors import InvalidInput
from barograph.domain.time import (
    HOUR,
    MILLISECOND,
    MINUTE,
    SECOND,
    TIME_MAX,
    from_datetime,
    to_datetime,
)


@dataclass(frozen=True, slots=True)
class Period:
    """The half-open period `[start, end)` in microseconds; None leaves that side open."""

    start: int | None = None
    end: int | None = None

    def __post_init__(self) -> None:
        if self.start is not None and self.end is not None and self.end < self.start:
            raise InvalidInput.of("end_time", "end_time lies before start_time")

    def __contains__(self, time: int) -> bool:
        return (self.start is None or time >= self.start) and (self.end is None or time < self.end)


ALL_TIME = Period()

Unit = Literal["d", "w", "mo", "q", "y"]

_INTERVAL = re.compile(r"(?P<n>[1-9]\d{0,8})(?P<unit>ms|mo|s|m|h|d|w|q|y)\Z", re.ASCII)
_FIXED = {"ms": MILLISECOND, "s": SECOND, "m": MINUTE, "h": HOUR}
_MONTHS = {"mo": 1, "q": 3, "y": 12}
_DAYS = {"d": 1, "w": 7}
_MONDAY = date(1970, 1, 5)
_DAY_ONE = date(1970, 1, 1)
_CALENDAR_COUNT_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Interval:
    """The length of a bucket: `fixed` microseconds, or `count` calendar `unit`s."""

    text: str
    fixed: int | None
    count: int = 1
    unit: Unit | None = None

    @classmethod
    def parse(cls, text: str) -> "Interval":
        """Read `5m`, `1h`, `1d`, `1mo` …; raises `InvalidInput`."""
        match = _INTERVAL.match(text)
        if match is None:
            raise InvalidInput.of(
                "interval",
                f"{text[:32]!r} is not an interval: use a number and one of ms, s, m, h, d, w, mo, "
                "q, y, such as 5m or 1d",
            )
        count, unit = int(match["n"]), match["unit"]
        if unit in _FIXED:
            return cls(text, count * _FIXED[unit])
        if count > _CALENDAR_COUNT_MAX:
            raise InvalidInput.of("interval", f"at most {_CALENDAR_COUNT_MAX} calendar units")
        return cls(text, None, count, unit)  # type: ignore[arg-type]  # the pattern admits only these

    def floor(self, time: int, zone: tzinfo = UTC) -> int:
        """The start of the bucket that holds `time`."""
        if self.fixed is not None:
            return time - time % self.fixed
        index = self._index(to_datetime(time, zone).date())
        # Where a zone skips a whole date, or sets its clocks back over midnight, the date alone
        # can be one bucket off.
        while self._start(index, zone) > time:
            index -= 1
        while self._start(index + 1, zone) <= time:
            index += 1
        return self._start(index, zone)

    def next(self, start: int, zone: tzinfo = UTC) -> int:
        """The end of the bucket that begins at `start`."""
        if self.fixed is not None:
            return start + self.fixed
        index = self._index(to_datetime(start, zone).date())
        end = start
        while end <= start:
            index += 1
            end = self._start(index, zone)
        return end

    def _index(self, day: date) -> int:
        assert self.unit is not None
        if self.unit in _MONTHS:
            return (day.year * 12 + day.month - 1) // (_MONTHS[self.unit] * self.count)
        origin = _MONDAY if self.unit == "w" else _DAY_ONE
        return (day - origin).days // (_DAYS[self.unit] * self.count)

    def _start(self, index: int, zone: tzinfo) -> int:
        try:
            day = self._first_day(index)
        except (OverflowError, ValueError):  # beyond the year 9999
            return TIME_MAX
        return from_datetime(datetime(day.year, day.month, day.day, tzinfo=zone))

    def _first_day(self, index: int) -> date:
        assert self.unit is not None
        if self.unit in _MONTHS:
            year, month = divmod(index * _MONTHS[self.unit] * self.count, 12)
            return date(year, month + 1, 1)
        origin = _MONDAY if self.unit == "w" else _DAY_ONE
        return origin + timedelta(days=index * _DAYS[self.unit] * self.count)


def edges(
    interval: Interval, first: int, end: int, zone: tzinfo = UTC, *, buckets_max: int
) -> list[int]:
    """The ascending edges of the whole buckets that cover `[first, end)`; n + 1 for n buckets.

    Raises `InvalidInput` for more than `buckets_max` buckets.
    """
    edge = interval.floor(first, zone)
    found = [edge]
    if interval.fixed is not None:
        count = max(1, -((edge - end) // interval.fixed))
        if count > buckets_max:
            raise _too_many(count, buckets_max)
        return list(range(edge, edge + count * interval.fixed + 1, interval.fixed))
    while edge < end or len(found) == 1:
        if len(found) > buckets_max:
            raise _too_many(None, buckets_max)
        edge = interval.next(edge, zone)
        found.append(edge)
    return found


def bucket_of(edges: Sequence[int], time: int) -> int:
    """The index of the bucket that holds `time`, which must lie between the edges."""
    return bisect_right(edges, time) - 1


def _too_many(count: int | None, buckets_max: int) -> InvalidInput:
    many = f"{count} buckets are" if count is not None else "that is"
    return InvalidInput.of(
        "interval", f"{many} more than {buckets_max}: take a longer interval or a shorter period"
    )
