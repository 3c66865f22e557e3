"""Reading rows back: scans in order of (time, series), the newest, extents.

Each function works on a connection whose transaction sees the readings as they were when it began.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    exists,
    func,
    or_,
    select,
    union_all,
)

from barograph.domain.batch import Batch
from barograph.domain.period import Period
from barograph.domain.time import HOUR, TIME_MAX
from barograph.stores.readings.sql.dialect import Dialect
from barograph.stores.readings.sql.rows import Rows
from barograph.stores.readings.sql.tables import known_series, readings

SERIES_AT_A_TIME = 500
_MERGED_SERIES_MAX = 64
_FIRST_WINDOW = HOUR

Place = tuple[int, int]
"""(time, series)."""


def among(column: ColumnElement[int], series: Sequence[int]) -> ColumnElement[bool]:
    """Whether the column is one of the series, which are written into the SQL as they are."""
    return column.in_(
        bindparam("series", series, expanding=True, literal_execute=True, unique=True)
    )


def bounds(period: Period) -> tuple[int, int]:
    """The period as `[start, stop)`, whatever is open."""
    start = 0 if period.start is None else period.start
    return start, TIME_MAX if period.end is None else period.end


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which readings: of `series`, `start <= time < stop`, behind `after` in the order asked for."""

    series: Sequence[int]
    start: int
    stop: int
    after: Place | None = None
    descending: bool = False
    texts_only: bool = False
    with_texts: bool = True
    """Whether any of the series may have texts."""

    def behind(self, after: Place) -> "Wanted":
        """Only those behind `after`."""
        if self.descending:
            return replace(self, after=after, stop=min(self.stop, after[0] + 1))
        return replace(self, after=after, start=max(self.start, after[0]))

    def beyond(self, window: "Wanted") -> "Wanted":
        """Only those behind all of `window`."""
        if self.descending:
            return replace(self, stop=min(self.stop, window.start), after=None)
        return replace(self, start=max(self.start, window.stop), after=None)

    def window(self, first: int, length: int) -> "Wanted":
        """Those within `length` of `first`, which is where the next reading is."""
        if self.descending:
            return replace(self, start=max(self.start, first + 1 - length))
        return replace(self, stop=min(self.stop, first + length))


def scan(
    connection: Connection, dialect: Dialect, wanted: Wanted, limit: int | None, page: int
) -> Iterator[Batch]:
    """The readings in order of (time, series), in batches of at most `page`."""
    count = page if limit is None else min(limit, page)
    series = len(wanted.series)
    if series <= _MERGED_SERIES_MAX and series * count <= 2 * page:
        pages = _merged(connection, dialect, wanted, count)
    else:
        pages = _windows(connection, dialect, wanted, count)
    left = limit
    for rows in pages:
        if left is not None and len(rows) >= left:
            yield _first(rows, left)
            return
        yield rows.batch()
        if left is not None:
            left -= len(rows)


def _first(rows: Rows, count: int) -> Batch:
    texts = {i: text for i, text in rows.texts.items() if i < count}
    return Batch(rows.series[:count], rows.times[:count], rows.values[:count], texts)


def _merged(connection: Connection, dialect: Dialect, wanted: Wanted, count: int) -> Iterator[Rows]:
    """Pages of `count`, each taken from the first `count` of every series: no sort of the rest."""
    while True:
        parts = [
            _ordered(_rows(replace(wanted, series=(one,))), wanted, readings).limit(count)
            for one in wanted.series
        ]
        query: Select[Any] = parts[0]
        if len(parts) > 1:
            found = union_all(*(select(part.subquery()) for part in parts)).subquery("merged")
            query = _ordered(select(found), wanted, found).limit(count)
        rows = dialect.fetch(connection, query)
        if len(rows):
            yield rows
        if len(rows) < count:
            return
        wanted = wanted.behind((int(rows.times[-1]), int(rows.series[-1])))


def _windows(
    connection: Connection, dialect: Dialect, wanted: Wanted, count: int
) -> Iterator[Rows]:
    """Pages of `count` at most, from windows of time that grow and shrink to hold about as many."""
    length, first = _FIRST_WINDOW, None
    while wanted.start < wanted.stop:
        if first is None:
            ends = extent(connection, wanted.series, wanted.start, wanted.stop)
            if ends is None:
                return
            first = ends[1] if wanted.descending else ends[0]
        window = wanted.window(first, length)
        query = _ordered(_rows(window), wanted, readings).limit(count)
        rows = dialect.fetch(connection, query)
        if len(rows):
            yield rows
        if len(rows) == count:
            length = max(length // 2, 1)
            wanted = wanted.behind((int(rows.times[-1]), int(rows.series[-1])))
            first = int(rows.times[-1])
            continue
        if len(rows) < count // 4:
            length *= 4
        wanted = wanted.beyond(window)
        first = None if not len(rows) else (wanted.stop - 1 if wanted.descending else wanted.start)


def _rows(wanted: Wanted) -> Select[Any]:
    c = readings.c
    columns = [c.series, c.time, c.value]
    if wanted.with_texts:
        columns.append(c.text)
    query = select(*columns).where(c.time >= wanted.start, c.time < wanted.stop)
    if len(wanted.series) == 1:
        query = query.where(c.series == wanted.series[0])
    else:
        query = query.where(among(c.series, wanted.series))
    if wanted.texts_only:
        query = query.where(c.value.is_(None))
    if wanted.after is not None:
        time, series = wanted.after
        if wanted.descending:
            query = query.where(or_(c.time < time, and_(c.time == time, c.series < series)))
        else:
            query = query.where(or_(c.time > time, and_(c.time == time, c.series > series)))
    return query


def _ordered(query: Select[Any], wanted: Wanted, of: Any) -> Select[Any]:
    keys = [of.c.time] if len(wanted.series) == 1 else [of.c.time, of.c.series]
    return query.order_by(*(key.desc() if wanted.descending else key for key in keys))


def _end(start: int, stop: int, *, last: bool) -> Any:
    """The first or last time in `[start, stop)` of the series of the row of `known_series`."""
    c = readings.c
    query = select(c.time).where(c.series == known_series.c.series, c.time >= start, c.time < stop)
    return query.order_by(c.time.desc() if last else c.time).limit(1).scalar_subquery()


def extent(
    connection: Connection, series: Sequence[int], start: int, stop: int
) -> tuple[int, int] | None:
    """The times of the first and the last reading in `[start, stop)`."""
    ends = (
        select(
            _end(start, stop, last=False).label("first"), _end(start, stop, last=True).label("last")
        )
        .where(among(known_series.c.series, series))
        .subquery("ends")
    )
    first, last = connection.execute(select(func.min(ends.c.first), func.max(ends.c.last))).one()
    return None if first is None else (int(first), int(last))


def newest(
    connection: Connection, dialect: Dialect, series: Sequence[int] | None, before: int | None
) -> Rows:
    """The newest reading earlier than `before` of each series that has one, in order of series."""
    c = readings.c
    query = select(
        known_series.c.series, _end(*bounds(Period(end=before)), last=True).label("time")
    )
    if series is not None:
        query = query.where(among(known_series.c.series, series))
    places = query.subquery("places")
    same = and_(c.series == places.c.series, c.time == places.c.time)
    found = select(c.series, c.time, c.value, c.text).join(places, same).order_by(c.series)
    return dialect.fetch(connection, found)


def with_texts(connection: Connection, series: Sequence[int]) -> list[int]:
    """Those of the series that hold a text now."""
    c = known_series.c
    text_of = exists().where(readings.c.series == c.series, readings.c.value.is_(None))
    query = select(c.series).where(among(c.series, series), c.texts == 1, text_of)
    return list(connection.scalars(query))


def counts(connection: Connection) -> dict[int, int]:
    """How many readings each series holds."""
    query = select(readings.c.series, func.count()).group_by(readings.c.series)
    return {int(series): int(count) for series, count in connection.execute(query)}
