"""Writes readings as a Parquet file: a column `ts`, and one for each metric.

A private DuckDB database beside the target turns rows into columns on disk, so that memory stays
bounded however much there is. It runs no SQL that contains a metric's name: columns are numbered,
and get their names by the expression API.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from barograph.domain.batch import Batch
from barograph.domain.errors import StorageFull, Unavailable
from barograph.services.excerpt import part

# Without the ICU extension a timestamp has no other zone than UTC.
_SETTINGS: Mapping[str, Any] = {
    "memory_limit": "256MB",
    "threads": 1,
    "autoload_known_extensions": False,
    "autoinstall_known_extensions": False,
}
Column = NDArray[Any]


def write_parquet(
    target: Path,
    metrics: Mapping[int, str],
    texts: frozenset[int],
    batches: Iterable[Batch],
) -> None:
    """Write the batches, which are in order of (time, series), to the new file `target`.

    `metrics` gives each series' column its name, in order; those in `texts` hold text, in which a
    number is written as such, and the others 64-bit floats. `ts` is a timestamp in UTC. What was
    not read is null.
    """
    with TemporaryDirectory(dir=target.parent, prefix="parquet-") as scratch:
        try:
            with duckdb.connect(
                str(Path(scratch) / "rows.duckdb"),
                config=dict(_SETTINGS),
            ) as database:
                _write(database, target, metrics, texts, batches)
        except duckdb.OutOfMemoryException as error:
            raise Unavailable(f"the export needs more memory than it has: {error}") from error
        except duckdb.IOException as error:
            raise StorageFull(f"the export cannot be written: {error}") from error


def _write(
    database: duckdb.DuckDBPyConnection,
    target: Path,
    metrics: Mapping[int, str],
    texts: frozenset[int],
    batches: Iterable[Batch],
) -> None:
    numbered = [f"c{number}" for number in range(len(metrics))]
    kinds = ["VARCHAR" if series in texts else "DOUBLE" for series in metrics]
    columns = "".join(f", {name} {kind}" for name, kind in zip(numbered, kinds, strict=True))
    database.execute(f"CREATE TABLE readings (ts BIGINT{columns})")
    for table in _tables(batches, list(metrics), texts):
        chunk = dict(zip(["ts", *numbered], table, strict=True))
        database.register("chunk", chunk)
        database.execute("INSERT INTO readings SELECT * FROM chunk")
        database.unregister("chunk")
    nothing = duckdb.ConstantExpression(float("nan"))
    moment = duckdb.FunctionExpression("make_timestamp", duckdb.ColumnExpression("ts"))
    chosen = [moment.cast("TIMESTAMP WITH TIME ZONE")]
    for name, kind in zip(numbered, kinds, strict=True):
        column = duckdb.ColumnExpression(name)
        if kind == "DOUBLE":
            column = duckdb.FunctionExpression("nullif", column, nothing)
        chosen.append(column)
    names = ["ts", *_distinct(metrics.values())]
    renamed = [column.alias(name) for column, name in zip(chosen, names, strict=True)]
    database.table("readings").select(*renamed).write_parquet(str(target), compression="zstd")


def _distinct(metrics: Iterable[str]) -> Iterator[str]:
    """The names, told apart where they are equal without regard to case, as DuckDB takes them."""
    taken = {"ts"}
    for metric in metrics:
        name, number = metric, 1
        while name.lower() in taken:
            number += 1
            name = f"{metric}_{number}"
        taken.add(name.lower())
        yield name


def _tables(
    batches: Iterable[Batch], series: Sequence[int], texts: frozenset[int]
) -> Iterator[list[Column]]:
    """The rows: their times, then one column for each series."""
    for batch in _between_rows(batches):
        times = np.asarray(batch.times, np.int64)
        begins = np.flatnonzero(np.diff(times, prepend=-1))
        row_of = np.repeat(np.arange(len(begins)), np.diff(begins, append=len(times)))
        of_series = np.asarray(batch.series)
        values = np.asarray(batch.values, np.float64)
        table: list[Column] = [times[begins]]
        for one in series:
            places = np.flatnonzero(of_series == one)
            column: Column
            if one in texts:
                column = np.full(len(begins), None, object)
                column[row_of[places]] = [
                    batch.texts[i] if i in batch.texts else str(values[i]) for i in places.tolist()
                ]
            else:
                column = np.full(len(begins), np.nan)
                column[row_of[places]] = values[places]
            table.append(column)
        yield table


def _between_rows(batches: Iterable[Batch]) -> Iterator[Batch]:
    """The same readings in batches that end where a row does."""
    rest = Batch([], [], [])
    for batch in batches:
        joined = _joined(rest, batch)
        times = np.asarray(joined.times)
        other = np.flatnonzero(times != times[-1])
        cut = int(other[-1]) + 1 if len(other) else 0
        if cut:
            yield part(joined, 0, cut)
        rest = part(joined, cut, len(joined))
    if len(rest):
        yield rest


def _joined(first: Batch, second: Batch) -> Batch:
    return Batch(
        np.concatenate([np.asarray(first.series, np.int64), np.asarray(second.series, np.int64)]),
        np.concatenate([np.asarray(first.times, np.int64), np.asarray(second.times, np.int64)]),
        np.concatenate([np.asarray(first.values, float), np.asarray(second.values, float)]),
        {**first.texts, **{len(first) + i: text for i, text in second.texts.items()}},
    )
