"""Summaries: the database gives the readings in order, `stores.readings.tally` sums them up."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from sqlalchemy import Connection, Select, and_, func, or_, select

from barograph.ports.reading_store import Aggregation, Cell
from barograph.stores.readings.sql.dialect import Dialect
from barograph.stores.readings.sql.reading import among, bounds
from barograph.stores.readings.sql.rows import Run
from barograph.stores.readings.sql.sizes import Sizes
from barograph.stores.readings.sql.tables import readings
from barograph.stores.readings.tally import Block, Floats, Integers, Tallies

_SERIES_AT_A_TIME = 256
_VALUES_AT_A_TIME = 65_536


def summarize(
    connection: Connection, dialect: Dialect, question: Aggregation, sizes: Sizes
) -> Iterator[Cell]:
    """The non-empty cells in order of (group, bucket).

    Of up to `sizes.held` readings the values are held for their order statistics.
    """
    start, stop = bounds(question.period)
    if question.edges is not None:
        if len(question.edges) < 2:
            return
        start, stop = max(start, question.edges[0]), min(stop, question.edges[-1])
    if start >= stop:
        return
    for groups in _parts(question):
        tallies = Tallies(question, groups, sizes.held)
        series = sorted({int(one) for group in groups for one in question.groups[group]})
        for begin in range(0, len(series), _SERIES_AT_A_TIME):
            some = series[begin : begin + _SERIES_AT_A_TIME]
            for block in _blocks(
                connection, dialect, some, (start, stop), sizes.block, timed=tallies.timed
            ):
                tallies.add(block)
        yield from tallies.cells(partial(_ascending, connection, question, start, stop))


def _parts(question: Aggregation) -> Iterator[list[int]]:
    """The groups, so many at a time that few queries are asked and few cells are open."""
    part: list[int] = []
    series = 0
    for number, group in enumerate(question.groups):
        if part and series + len(group) > _SERIES_AT_A_TIME:
            yield part
            part, series = [], 0
        part.append(number)
        series += len(group)
    if part:
        yield part


def _blocks(
    connection: Connection,
    dialect: Dialect,
    series: Sequence[int],
    period: tuple[int, int],
    count: int,
    *,
    timed: bool,
) -> Iterator[Block]:
    """The numbers of the series in order of (series, time), at most `count` at a time."""
    c = readings.c
    query = select(c.series, c.time, c.value).where(
        c.time >= period[0], c.time < period[1], c.value.is_not(None)
    )
    if len(series) == 1:
        query = query.where(c.series == series[0]).order_by(c.time)
    else:
        query = query.where(among(c.series, series)).order_by(c.series, c.time)
    page = query
    while runs := _fetched(connection, dialect, page.limit(count), timed=timed):
        lengths = [len(run.values) for run in runs]
        yield Block(
            np.repeat(np.array([run.series for run in runs], np.int64), lengths),
            np.concatenate([run.times for run in runs if run.times is not None]) if timed else None,
            np.concatenate([run.values for run in runs]),
        )
        if sum(lengths) < count:
            return
        last, time = runs[-1].series, runs[-1].last
        page = query.where(
            c.series >= last, or_(c.series > last, and_(c.series == last, c.time > time))
        )


def _fetched(
    connection: Connection, dialect: Dialect, query: Select[Any], *, timed: bool
) -> list[Run]:
    if timed or dialect.fetch_values is None:
        return dialect.fetch(connection, query).by_series()
    return dialect.fetch_values(connection, query)


def _ascending(
    connection: Connection, question: Aggregation, start: int, stop: int, group: int, bucket: int
) -> Iterator[tuple[Floats, Integers]]:
    """The different values of a cell, ascending, and how often each occurs."""
    if question.edges is not None:
        start, stop = max(start, question.edges[bucket]), min(stop, question.edges[bucket + 1])
    c = readings.c
    query = (
        select(c.value, func.count())
        .where(among(c.series, [int(one) for one in question.groups[group]]))
        .where(c.time >= start, c.time < stop, c.value.is_not(None))
        .group_by(c.value)
        .order_by(c.value)
    )
    answer = connection.execute(query, execution_options={"yield_per": _VALUES_AT_A_TIME})
    for part in answer.partitions():
        yield (
            np.fromiter((value for value, _ in part), np.float64, len(part)),
            np.fromiter((count for _, count in part), np.int64, len(part)),
        )
