"""Summaries in SQL.

A question becomes one query per family of statistics, each with one row per non-empty cell in
order of (group, bucket), so that the families' rows lie side by side. Only tables that hold any of
the series and the period are named. Names are ours; values are parameters or registered columns.

To plan such a query takes a millisecond or two. Of few readings it is quicker to fetch them and to
sum them up here (`stores.readings.tally`).
"""

# ruff: noqa: S608 - the names in the SQL are ours, the values are parameters or columns

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import gcd, isfinite
from typing import Any

import numpy as np

from barograph.domain.statistic import Course, Scalar, Statistic, compute
from barograph.domain.time import HOUR, SECOND
from barograph.ports.reading_store import Aggregation, Cell
from barograph.stores.readings.duckdb.connection import Columns
from barograph.stores.readings.duckdb.layout import bounds, touched
from barograph.stores.readings.duckdb.snapshot import Snapshot
from barograph.stores.readings.tally import Block, Floats, Integers, Tallies

_SLOTS_MAX = 1_000_000
_FEW_RUNS = 64
"""Each costs some tens of microseconds to sum up."""

_COURSE = ("increase", "rate", "integral", "time_weighted_mean")

_DOUBTFUL = 1e-5
"""A compensated sum errs by some 1e-16 of the sum of sizes. Where it is smaller than this part of
that, its relative error could exceed 1e-10, and the cell is computed anew."""

_RECOMPUTED_READINGS_MAX = 1_000_000
"""Larger cells keep the compensated sum: their error is far below that of the readings."""


@dataclass(frozen=True, slots=True)
class _Source:
    """Rows of (g, b, series, time, value) as SQL, with what it refers to."""

    sql: str
    parameters: Sequence[Any]
    tables: dict[str, Columns]
    readings: int
    """At most so many in segments."""
    hot: bool
    """Whether there may be more in the hot table."""
    plain: str
    """The same rows as (series, time, value); of `tables` it needs `chosen` only."""


@dataclass(frozen=True, slots=True)
class Room:
    """How many readings are dealt with in which way."""

    held_max: int
    """From the values of so many, held in memory (16 bytes each), quantiles are taken; beyond, from
    the number of readings of each value, which DuckDB can do on disk."""
    few_max: int
    """So many are summed up without SQL."""
    hot_max: int
    """So many of the series' readings may be in the hot table."""


def summarize(snapshot: Snapshot, question: Aggregation, room: Room) -> Iterator[Cell]:
    """The non-empty cells in order of (group, bucket)."""
    source = _source(snapshot, question)
    if source is None:
        return
    readings = source.readings + (room.hot_max if source.hot else 0)
    if readings <= room.few_max and _runs(question) <= _FEW_RUNS:
        yield from _of_few(snapshot, source, question)
        return
    columns: dict[str, np.ndarray[Any, Any]] = {}
    one_cell = len(question.groups) == 1 and (question.edges is None or len(question.edges) == 2)
    asked: set[str] = {statistic.name for statistic in question.statistics}
    quantiles = _quantiles(question.statistics)
    counted = source.readings > room.held_max
    for sql in _families(asked, quantiles, one_cell=one_cell, counted=counted):
        found = snapshot.ask(f"WITH r AS ({source.sql}) {sql}", source.parameters, **source.tables)
        columns.update(found)
        if one_cell and columns["n"].tolist() == [0]:
            return
    texts = [statistic.text for statistic in question.statistics]
    values = [_plain(columns[_column(s, quantiles)]) for s in question.statistics]
    doubtful = _doubtful(columns) & (columns["n"] <= _RECOMPUTED_READINGS_MAX)
    cells = zip(columns["g"].tolist(), columns["b"].tolist(), doubtful.tolist(), strict=True)
    # A chart asks for thousands of cells: what is done of each is done thousands of times.
    for (group, bucket, anew), row in zip(cells, zip(*values, strict=True), strict=True):
        if anew:
            yield _anew(snapshot, source, question.statistics, group, bucket)
        else:
            yield Cell(group, bucket, dict(zip(texts, row, strict=True)))


def _runs(question: Aggregation) -> int:
    """How many stretches of one series in one bucket there are at most."""
    buckets = 1 if question.edges is None else len(question.edges) - 1
    return buckets * sum(map(len, question.groups))


def _of_few(snapshot: Snapshot, source: _Source, question: Aggregation) -> Iterator[Cell]:
    """The cells of so few readings that all are held."""
    tallies = Tallies(question, range(len(question.groups)), sys.maxsize)
    chosen = {name: source.tables[name] for name in ("chosen",) if name in source.tables}
    columns = "series, time, value" if tallies.timed else "series, value"
    found = snapshot.ask(f"SELECT {columns} FROM ({source.plain})", source.parameters, **chosen)
    series, values = found["series"].astype(np.int64), found["value"]
    times = found["time"] if tallies.timed else None
    if times is not None:
        order = np.lexsort((times, series))
        series, times, values = series[order], times[order], values[order]
    elif chosen:  # there are several series
        order = np.argsort(series, kind="stable")
        series, values = series[order], values[order]
    tallies.add(Block(series, times, values))
    return tallies.cells(_none_left)


def _none_left(group: int, bucket: int) -> Iterable[tuple[Floats, Integers]]:
    raise AssertionError(f"the values of group {group}, bucket {bucket} were held")


def _plain(column: np.ndarray[Any, Any]) -> list[Scalar]:
    """The values, None for nothing and for what is beyond the range of floats."""
    values: list[Scalar] = column.tolist()
    if column.dtype.kind == "f" and not np.isfinite(np.ma.filled(column, 0.0)).all():
        return [value if isinstance(value, float) and isfinite(value) else None for value in values]
    return values


def _column(statistic: Statistic, quantiles: Sequence[float]) -> str:
    """The name of the column that has the statistic."""
    if statistic.name in {"median", "quantile"}:
        return f"q{quantiles.index(statistic.q)}"
    return "n" if statistic.name == "count" else statistic.name


def _doubtful(columns: Mapping[str, np.ndarray[Any, Any]]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Of which cells terms cancelled so far that the sum's relative error may matter."""
    doubtful = np.zeros(len(columns["n"]), bool)
    for name in ("sum", "increase", "integral", "held"):
        if f"{name}_size" in columns:
            of, size = (np.ma.filled(columns[f"{name}_{part}"], 0.0) for part in ("of", "size"))
            doubtful |= (size > 0) & (np.abs(of) < _DOUBTFUL * size)
    return doubtful


def _quantiles(statistics: Sequence[Statistic]) -> list[float]:
    return sorted({s.q for s in statistics if s.name in {"median", "quantile"}})


def _families(
    asked: set[str], quantiles: Sequence[float], *, one_cell: bool, counted: bool
) -> Iterator[str]:
    """The queries over `r` that answer the statistics called `asked`."""
    cell = "GROUP BY g, b ORDER BY g, b"
    # Without GROUP BY the plain family is a third faster; it then answers with a row of nothing
    # where there are no readings.
    plain = ["0 AS g, 0 AS b" if one_cell else "g, b", "count(*)::BIGINT AS n"]
    where = "" if one_cell else f" {cell}"
    if asked & {"sum", "mean"}:
        plain.append("kahan_sum(value) AS sum_of, sum(abs(value)) AS sum_size")
        plain.append("kahan_sum(value) AS sum, kahan_sum(value) / count(*) AS mean")
    if asked & {"min", "max", "range"}:
        plain.append("min(value) AS min, max(value) AS max, max(value) - min(value) AS range")
    if "distinct" in asked and not counted:
        plain.append("count(DISTINCT value)::BIGINT AS distinct")
    if quantiles and not counted:
        listed = ", ".join(f"{q!r}::DOUBLE" for q in quantiles)
        plain.append(f"quantile_cont(value, [{listed}]) AS q")
        drawn = ", ".join(f"q[{i + 1}] AS q{i}" for i in range(len(quantiles)))
        yield f"SELECT * EXCLUDE q, {drawn} FROM (SELECT {', '.join(plain)} FROM r{where})"
    else:
        yield f"SELECT {', '.join(plain)} FROM r{where}"
    if counted and (quantiles or "distinct" in asked):
        yield _by_value(quantiles, cell)
    if "stddev" in asked:
        # Two passes: Welford's one loses digits where the mean is far from 0. The mean is rounded;
        # what that adds is taken back.
        yield (
            "SELECT sqrt(greatest(0, kahan_sum((value - m) ** 2)"
            " - kahan_sum(value - m) ** 2 / count(*)) / nullif(count(*) - 1, 0)) AS stddev FROM r"
            " JOIN (SELECT g, b, kahan_sum(value) / count(*) AS m FROM r GROUP BY g, b)"
            f" USING (g, b) {cell}"
        )
    if asked & {"first", "last"}:
        yield (
            "SELECT arg_min(v0, row(t0, series)) AS first, arg_max(v1, row(t1, series)) AS last"
            " FROM (SELECT g, b, series, min(time) AS t0, arg_min(value, time) AS v0,"
            " max(time) AS t1, arg_max(value, time) AS v1 FROM r GROUP BY g, b, series)"
            f" {cell}"
        )
    if "mode" in asked:
        yield (
            "SELECT arg_max(value, row(n, -value)) AS mode"
            f" FROM (SELECT g, b, value, count(*) AS n FROM r GROUP BY g, b, value) {cell}"
        )
    if asked.intersection(_COURSE):
        yield _course(cell)


def _by_value(quantiles: Sequence[float], cell: str) -> str:
    """Quantiles and the number of values, from how many readings there are of each value."""
    columns = ["count(*)::BIGINT AS distinct"]
    for i, q in enumerate(quantiles):
        position = f"((total - 1) * {q!r}::DOUBLE)"
        below = f"min(value) FILTER (upto > floor({position}))"
        above = f"min(value) FILTER (upto > least(floor({position}) + 1, total - 1))"
        part = f"any_value({position} - floor({position}))"
        columns.append(f"{below} + ({above} - {below}) * {part} AS q{i}")
    return (
        f"SELECT {', '.join(columns)} FROM (SELECT g, b, value,"
        " sum(n) OVER (PARTITION BY g, b ORDER BY value) AS upto,"
        " sum(n) OVER (PARTITION BY g, b) AS total"
        f" FROM (SELECT g, b, value, count(*) AS n FROM r GROUP BY g, b, value)) {cell}"
    )


def _course(cell: str) -> str:
    """The statistics of the course of time: per series first, then over the series."""
    rise = "CASE WHEN value >= old THEN value - old WHEN old IS NOT NULL THEN value END"
    area = f"(old + value) / 2 * (time - before) / {HOUR}"
    held = "old * (time - before)"
    sums = ", ".join(
        f"coalesce(kahan_sum({term}), 0) AS {name}, coalesce(sum(abs({term})), 0) AS {name}_size"
        for name, term in (("rise", rise), ("area", area), ("held", held))
    )
    return (
        "SELECT kahan_sum(rise) AS increase, kahan_sum(rise) AS increase_of,"
        " sum(rise_size) AS increase_size,"
        f" kahan_sum(CASE WHEN t1 > t0 THEN rise / ((t1 - t0) / {SECOND}) END) AS rate,"
        " kahan_sum(area) AS integral, kahan_sum(area) AS integral_of,"
        " sum(area_size) AS integral_size,"
        " kahan_sum(held) AS held_of, sum(held_size) AS held_size,"
        " CASE WHEN sum(t1 - t0) > 0 THEN kahan_sum(held) / sum(t1 - t0)"
        " ELSE kahan_sum(v0) / count(*) END AS time_weighted_mean"
        " FROM (SELECT g, b, series, min(time) AS t0, max(time) AS t1,"
        f" arg_min(value, time) AS v0, {sums} FROM (SELECT g, b, series, time, value,"
        " lag(value) OVER course AS old, lag(time) OVER course AS before FROM r"
        " WINDOW course AS (PARTITION BY g, series, b ORDER BY time))"
        f" GROUP BY g, b, series) {cell}"
    )


def _source(snapshot: Snapshot, question: Aggregation) -> _Source | None:
    """The rows that count; None where there are none for sure."""
    start, stop = bounds(question.period)
    edges = question.edges
    if edges is not None:
        if len(edges) < 2:
            return None
        start, stop = max(start, edges[0]), min(stop, edges[-1])
    pairs = sorted({(int(id), g) for g, group in enumerate(question.groups) for id in group})
    if not pairs or start >= stop:
        return None
    series = np.array([id for id, _ in pairs], np.int64)
    groups = np.array([g for _, g in pairs], np.int64)
    tables: dict[str, Columns] = {}
    parameters: list[Any] = [start, stop]
    if len(series) == 1:
        which, join, g = "series = $3 AND time >= $1 AND time < $2", "", str(int(groups[0]))
        parameters.append(int(series[0]))
    else:
        which, join, g = "time >= $1 AND time < $2", "JOIN chosen USING (series)", "g"
        tables["chosen"] = {"series": series.astype(np.int32), "g": groups.astype(np.int32)}
    names, readings = [], 0
    if snapshot.hot[0] < stop and start < snapshot.hot[1]:
        names.append("hot")
    for segment in touched(snapshot.layout, start, stop):
        held = segment.holdings.of_series(series)
        if held.rows:
            names.append(segment.table)
            readings += held.rows
    if not names:
        return None
    rows = " UNION ALL ".join(
        f"SELECT series, time, value FROM {name} WHERE {which}" for name in names
    )
    plain = f"SELECT series, time, value FROM ({rows}) {join}"
    b, more, slots = _bucket(edges)
    if slots is not None:
        tables["slots"] = slots
        join += more
    sql = f"SELECT {g} AS g, {b} AS b, series, time, value FROM ({rows}) {join}"
    return _Source(sql, parameters, tables, readings, "hot" in names, plain)


def _step(edges: Sequence[int]) -> int:
    """The longest step from the first edge that meets every edge."""
    return gcd(*(int(edge) - int(edges[0]) for edge in edges[1:]))


def _bucket(edges: Sequence[int] | None) -> tuple[str, str, Columns | None]:
    """SQL for the bucket of `time`, and where it needs one, the join of a table, `slots`.

    Calendar buckets differ in length but share a step (an hour, where a zone moves by an hour):
    the step's number finds the bucket in a table. Where the step is too short for that (zones have
    moved by a quarter of an hour, or half a minute) the edges themselves are the table.
    """
    if edges is None or len(edges) == 2:
        return "0", "", None
    step, first = _step(edges), int(edges[0])
    count = (int(edges[-1]) - first) // step
    if count == len(edges) - 1:
        return f"(time - {first}) // {step}", "", None
    starts = np.asarray(edges[:-1], np.int64)
    if count > _SLOTS_MAX:
        each = {"edge": starts, "bucket": np.arange(len(starts))}
        return "bucket", " ASOF JOIN slots ON time >= edge", each
    slot = np.arange(count)
    bucket = np.searchsorted((starts - first) // step, slot, side="right") - 1
    join = f" JOIN slots ON slot = (time - {first}) // {step}"
    return "bucket", join, {"slot": slot, "bucket": bucket}


def _anew(
    snapshot: Snapshot,
    source: _Source,
    statistics: Sequence[Statistic],
    group: int,
    bucket: int,
) -> Cell:
    """The cell computed by the reference, from its readings."""
    found = snapshot.ask(
        f"SELECT series, time, value FROM ({source.sql}) WHERE g = {group} AND b = {bucket}"
        " ORDER BY series, time",
        source.parameters,
        **source.tables,
    )
    courses: dict[int, list[tuple[int, float]]] = {}
    for series, time, value in zip(
        found["series"].tolist(), found["time"].tolist(), found["value"].tolist(), strict=True
    ):
        courses.setdefault(series, []).append((time, value))
    pooled: list[Course] = list(courses.values())
    return Cell(group, bucket, {s.text: compute(s, pooled) for s in statistics})
