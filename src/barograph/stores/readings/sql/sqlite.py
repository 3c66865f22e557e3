"""SQLite: a write-ahead log, and the key as the table's order."""

import contextlib
import os
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection, Engine, Select, event

from barograph.stores.readings.sql.dialect import Dialect, driver
from barograph.stores.readings.sql.rows import Rows

_STEPS_BETWEEN_LOOKS = 100_000
_RECORD = np.dtype([("series", "i8"), ("time", "i8"), ("value", "f8")])

_UPSERT = """
INSERT INTO readings (series, time, value, text) VALUES (?, ?, ?, ?)
ON CONFLICT (series, time) DO UPDATE SET value = excluded.value, text = excluded.text
"""
_UPSERT_NUMBERS = """
INSERT INTO readings (series, time, value) VALUES (?, ?, ?)
ON CONFLICT (series, time) DO UPDATE SET value = excluded.value, text = NULL
"""


def _upsert(connection: Connection, rows: Rows) -> None:
    columns: list[Sequence[Any]] = [rows.series.tolist(), rows.times.tolist(), rows.values.tolist()]
    sql = _UPSERT_NUMBERS
    if rows.texts:
        # What is no number becomes NULL by itself.
        columns.append([rows.texts.get(i) for i in range(len(rows))])
        sql = _UPSERT
    with driver(connection) as raw:
        raw.executemany(sql, zip(*columns, strict=True))


def _fetch(connection: Connection, query: Select[Any]) -> Rows:
    answer = connection.execute(query)
    cursor: Any = answer.cursor
    with driver(connection):
        found = cursor.fetchall()
    answer.close()
    texts: dict[int, str] = {}
    if "text" in query.selected_columns:
        texts = {i: row[3] for i, row in enumerate(found) if row[3] is not None}
        found = [row[:3] for row in found]
    if texts:
        found = [(series, at, np.nan if value is None else value) for series, at, value in found]
    columns = np.fromiter(found, _RECORD, len(found))
    return Rows(columns["series"].copy(), columns["time"].copy(), columns["value"].copy(), texts)


def _limit(engine: Engine, seconds: int) -> None:
    """Interrupt statements that take longer."""
    deadlines: dict[int, float] = {}

    def prepare(raw: sqlite3.Connection, _: object) -> None:
        key = id(raw)
        deadlines[key] = time.monotonic() + seconds
        raw.set_progress_handler(lambda: time.monotonic() > deadlines[key], _STEPS_BETWEEN_LOOKS)

    def begin(connection: Connection, *_: object) -> None:
        deadlines[id(connection.connection.driver_connection)] = time.monotonic() + seconds

    event.listen(engine, "connect", prepare)
    event.listen(engine, "before_cursor_execute", begin)


def _copy(raw: Any, target: Path) -> None:
    path = target / "readings.db"
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    raw.execute("VACUUM INTO ?", (str(path),))


# A column of type REAL would keep whole numbers as integers, of which none is a negative zero.
_READINGS = """
CREATE TABLE IF NOT EXISTS readings (
    series INTEGER NOT NULL, time INTEGER NOT NULL, value, text TEXT,
    PRIMARY KEY (series, time)
) WITHOUT ROWID
"""
_SERIES = """
CREATE TABLE IF NOT EXISTS reading_series (series INTEGER PRIMARY KEY, texts INTEGER NOT NULL)
"""
_ABOUT = """
CREATE TABLE IF NOT EXISTS reading_store (version INTEGER PRIMARY KEY, probed INTEGER NOT NULL)
"""

DIALECT = Dialect(
    create=(_READINGS, _SERIES, _ABOUT),
    alone=lambda _: contextlib.nullcontext(),  # whoever writes is alone
    remember="INSERT INTO reading_series (series, texts) VALUES (:series, :texts)"
    " ON CONFLICT (series) DO UPDATE SET texts = max(texts, excluded.texts)",
    upsert=_upsert,
    fetch=_fetch,
    size="SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    limit=_limit,
    copy=_copy,
)
