"""A report as Parquet: the table of `csv_form`, its numbers as 64-bit floats."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import numpy as np

from barograph.services.report_document import TABLE_COLUMNS, Document, table

_WORDS = frozenset(TABLE_COLUMNS) - {"id"}
_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "memory_limit": "256MB",
    "threads": 1,
    "autoload_known_extensions": False,
    "autoinstall_known_extensions": False,
}


def render(document: Document) -> bytes:
    """The file. A statistic that is text anywhere (the mode of states, say) is text everywhere."""
    names = [*TABLE_COLUMNS, *document.statistics]
    rows = list(table(document))
    columns: dict[str, Any] = {}
    for place, name in enumerate(names):
        values = [row[place] for row in rows]
        if name in _WORDS or any(isinstance(value, str) for value in values):
            column = [None if value is None else str(value) for value in values]
            columns[name] = np.array(column, object)
        elif name == "id":
            columns[name] = np.array(values, np.int64)
        else:
            columns[name] = np.array([np.nan if v is None else v for v in values], np.float64)
    nothing = duckdb.ConstantExpression(float("nan"))
    with (
        TemporaryDirectory(prefix="barograph-report-") as directory,
        duckdb.connect(":memory:", config=_SETTINGS) as database,
    ):
        database.register("report", columns)
        chosen = []
        for name, column in columns.items():
            wanted: Any = duckdb.ColumnExpression(name)
            if column.dtype == np.float64:
                wanted = duckdb.FunctionExpression("nullif", wanted, nothing)
            elif column.dtype == object:
                wanted = wanted.cast("VARCHAR")
            chosen.append(wanted.alias(name))
        target = Path(directory) / "report.parquet"
        database.table("report").select(*chosen).write_parquet(str(target), compression="zstd")
        return target.read_bytes()
