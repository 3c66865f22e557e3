"""Summaries in SQL.

A question becomes one query per family of statistics, each with one row per non-empty cell in
order of (group, bucket), so that the families' rows lie side by side. Only tables that hold any of
the series and the period are named. Names are ours; values are parameters or registered columns.
"""

# ruff: noqa: S608 - the names in the SQL are ours, the values are parameters or columns

from collections.abc import Iterator, Sequence
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

_SLOTS_MAX = 1_000_000

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
    """At most so many."""


def summarize(snapshot: Snapshot, question: Aggregation, held_readings_max: int) -> Iterator[Cell]:
    """The non-empty cells in order of (group, bucket).

    Up to `held_readings_max` readings, quantiles are taken from the values themselves, held in
    memory, 16 bytes each; beyond, from the number of readings of each value, which DuckDB can do
    on disk.
    """
    source = _source(snapshot, question)
    if source is None:
        return
    columns: dict[str, list[Any]] = {}
    one_cell = len(question.groups) == 1 and (question.edges is None or len(question.edges) == 2)
    asked: set[str] = {statistic.name for statistic in question.statistics}
    quantiles = _quantiles(question.statistics)
    counted = source.readings > held_readings_max
    for sql in _families(asked, quantiles, one_cell=one_cell, counted=counted):
        found = snapshot.ask(f"WITH r AS ({source.sql}) {sql}", source.parameters, **source.tables)
        columns.update((name, _plain(column)) for name, column in found.items())
        if one_cell and columns["n"] == [0]:
            return
    for i, (group, bucket) in enumerate(zip(columns["g"], columns["b"], strict=True)):
        row = {name: column[i] for name, column in columns.items()}
        if row["n"] <= _RECOMPUTED_READINGS_MAX and _doubtful(row):
            yield _anew(snapshot, source, question.statistics, row)
            continue
        yield Cell(
            int(group),
            int(bucket),
            {s.text: _value(s, row, quantiles) for s in question.statistics},
        )


def _plain(column: np.ndarray[Any, Any]) -> list[Any]:
    return [None if value is np.ma.masked else value for value in column.tolist()]


def _value(statistic: Statistic, row: dict[str, Any], quantiles: Sequence[float]) -> Scalar:
    if statistic.name in {"median", "quantile"}:
        value = row[f"q{quantiles.index(statistic.q)}"]
    else:
        value = row["n" if statistic.name == "count" else statistic.name]
    if isinstance(value, float) and not isfinite(value):
        return None  # beyond the range of floats
    return value  # type: ignore[no-any-return]  # DuckDB's columns are int and float


def _doubtful(row: dict[str, Any]) -> bool:
    """Whether terms cancelled so far that the sum's relative error may matter."""
    return any(
        size is not None and size > 0 and abs(row[f"{name}_of"]) < _DOUBTFUL * size
        for name in ("sum", "increase", "integral", "held")
        if (size := row.get(f"{name}_size")) is not None
    )


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
        # Two passes: Welford's one loses digits where the mean is far from 0.
        yield (
            "SELECT sqrt(kahan_sum((value - m) ** 2) / nullif(count(*) - 1, 0)) AS stddev FROM r"
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
    b, slots = _bucket(edges)
    if slots is not None:
        tables["slots"] = slots
        join += f" JOIN slots ON slot = (time - {edges[0] if edges else 0}) // {_step(edges)}"
    sql = f"SELECT {g} AS g, {b} AS b, series, time, value FROM ({rows}) {join}"
    return _Source(sql, parameters, tables, readings)


def _step(edges: Sequence[int] | None) -> int:
    """The longest step from the first edge that meets every edge."""
    assert edges is not None
    return gcd(*(int(edge) - int(edges[0]) for edge in edges[1:]))


def _bucket(edges: Sequence[int] | None) -> tuple[str, Columns | None]:
    """SQL for the bucket of `time`, and a table of (slot, bucket) where it needs one.

    Calendar buckets differ in length but share a step (an hour, where a zone moves by an hour):
    the step's number finds the bucket in a table. Without such a step the edges are searched.
    """
    if edges is None or len(edges) == 2:
        return "0", None
    step = _step(edges)
    count = (int(edges[-1]) - int(edges[0])) // step
    if count == len(edges) - 1:
        return f"(time - {int(edges[0])}) // {step}", None
    if count > _SLOTS_MAX:
        listed = ", ".join(str(int(edge)) for edge in edges)
        return f"len(list_filter([{listed}], lambda edge: edge <= time)) - 1", None
    starts = (np.asarray(edges, np.int64) - int(edges[0])) // step
    slot = np.arange(count)
    bucket = np.searchsorted(starts, slot, side="right") - 1
    return "bucket", {"slot": slot, "bucket": bucket}


def _anew(
    snapshot: Snapshot, source: _Source, statistics: Sequence[Statistic], row: dict[str, Any]
) -> Cell:
    """The cell computed by the reference, from its readings."""
    group, bucket = int(row["g"]), int(row["b"])
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
