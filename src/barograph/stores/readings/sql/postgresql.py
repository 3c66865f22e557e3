"""PostgreSQL: COPY, arrays in the binary format, a partition for each month.

Measured on this project's hardware (docs/decisions/0008): an upsert from arrays is as fast as COPY
into a temporary table and an upsert from there, and needs no such table; a plain COPY is twice as
fast as either and is used for readings that are new. Answers come as arrays too: a row of three
arrays is read by NumPy as it is, twenty times as fast as a row per reading.
"""

import logging
import re
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg.adapt import Buffer, Dumper, Loader
from psycopg.pq import Format
from sqlalchemy import Connection, Select, func, literal_column, select, text, type_coerce
from sqlalchemy.exc import OperationalError
from sqlalchemy.types import NullType

from barograph.stores.readings.sql.dialect import Dialect, driver
from barograph.stores.readings.sql.rows import Rows, Run, month_start

_LOCK = 7_105_101
_ROWS_AT_ONCE_MAX = 1_000_000
_DROP_WAIT_MS = 500
"""Whoever comes meanwhile waits behind us."""
_LOCK_NOT_AVAILABLE = "55P03"
_COPY_HEAD = b"PGCOPY\n\xff\r\n\0" + b"\0" * 8
_COPY_END = b"\xff\xff"
_ARRAY_HEAD = struct.Struct(">iiiii")
_NUL = "\x00"
_ESCAPE = "\uf8ff"
"""PostgreSQL keeps no NUL in a text: this character and a 0 stand for it, and two for itself."""

_PARTITIONS = """
SELECT child.oid::regclass::text, pg_get_expr(child.relpartbound, child.oid)
FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid
WHERE inhparent = 'readings'::regclass
"""
_BOUND = re.compile(r"TO \('?(-?\d+)'?\)")

_log = logging.getLogger(__name__)

# The numbers of the types and of arrays of them, which are the same on every server.
_INT4, _INT8, _FLOAT8 = 23, 20, 701
_INT4S, _INT8S, _FLOAT8S = 1007, 1016, 1022


class _Cursor(psycopg.Cursor[Any]):
    """Asks for answers in the binary format."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.format = Format.BINARY


class _Array:
    """A column as a parameter."""

    def __init__(self, column: NDArray[Any]) -> None:
        self.column = column


class _Int4s(_Array):
    pass


class _Int8s(_Array):
    pass


class _Float8s(_Array):
    pass


class _ArrayDumper(Dumper):
    format = Format.BINARY
    element = 0
    kind = ""

    def dump(self, obj: _Array) -> Buffer:
        column = obj.column
        made = np.empty(len(column), [("length", ">i4"), ("value", ">" + self.kind)])
        made["length"] = made.dtype["value"].itemsize
        made["value"] = column
        return _ARRAY_HEAD.pack(1, 0, self.element, len(column), 1) + made.tobytes()


class _Int4Dumper(_ArrayDumper):
    oid, element, kind = _INT4S, _INT4, "i4"


class _Int8Dumper(_ArrayDumper):
    oid, element, kind = _INT8S, _INT8, "i8"


class _Float8Dumper(_ArrayDumper):
    oid, element, kind = _FLOAT8S, _FLOAT8, "f8"


class _ArrayLoader(Loader):
    """Reads an array without nulls."""

    format = Format.BINARY
    kind = ""

    def load(self, data: Buffer) -> NDArray[Any]:
        if len(data) < _ARRAY_HEAD.size:  # no dimensions: empty
            return np.empty(0, self.kind)
        record = np.dtype([("length", ">i4"), ("value", ">" + self.kind)])
        return np.frombuffer(data, record, offset=_ARRAY_HEAD.size)["value"].astype(self.kind)


class _Int4Loader(_ArrayLoader):
    kind = "i4"


class _Int8Loader(_ArrayLoader):
    kind = "i8"


class _Float8Loader(_ArrayLoader):
    kind = "f8"


def _adapt(connection: psycopg.Connection[Any]) -> None:
    adapters = connection.adapters
    adapters.register_dumper(_Int4s, _Int4Dumper)
    adapters.register_dumper(_Int8s, _Int8Dumper)
    adapters.register_dumper(_Float8s, _Float8Dumper)
    adapters.register_loader(_INT4S, _Int4Loader)
    adapters.register_loader(_INT8S, _Int8Loader)
    adapters.register_loader(_FLOAT8S, _Float8Loader)


_UPSERT_NUMBERS = """
INSERT INTO readings (series, time, value) SELECT * FROM unnest(%s, %s, %s)
ON CONFLICT (series, time) DO UPDATE SET value = excluded.value, text = NULL
WHERE readings.value IS DISTINCT FROM excluded.value
"""
_UPSERT_TEXTS = """
INSERT INTO readings (series, time, text) SELECT * FROM unnest(%s, %s, %s::text[])
ON CONFLICT (series, time) DO UPDATE SET value = NULL, text = excluded.text
WHERE readings.text IS DISTINCT FROM excluded.text
"""


def _upsert(connection: Connection, rows: Rows) -> None:
    texts = np.isnan(rows.values)
    with driver(connection) as raw:
        if not rows.texts:
            raw.execute(_UPSERT_NUMBERS, (*_places(rows), _Float8s(rows.values)))
            return
        numbers = rows.take(~texts)
        if len(numbers):
            raw.execute(_UPSERT_NUMBERS, (*_places(numbers), _Float8s(numbers.values)))
        found = rows.take(texts)
        states = [_escaped(found.texts[i]) for i in range(len(found))]
        raw.execute(_UPSERT_TEXTS, (*_places(found), states))


def _places(rows: Rows) -> tuple[_Int4s, _Int8s]:
    return _Int4s(rows.series), _Int8s(rows.times)


def _insert(connection: Connection, rows: Rows) -> None:
    made = np.empty(
        len(rows),
        [
            ("fields", ">i2"),
            *(("series_length", ">i4"), ("series", ">i4")),
            *(("time_length", ">i4"), ("time", ">i8")),
            *(("value_length", ">i4"), ("value", ">f8")),
        ],
    )
    made["fields"] = 3
    for name, column in (("series", rows.series), ("time", rows.times), ("value", rows.values)):
        made[f"{name}_length"] = made.dtype[name].itemsize
        made[name] = column
    with driver(connection) as raw, raw.cursor() as cursor:
        copy = "COPY readings (series, time, value) FROM STDIN (FORMAT binary)"
        with cursor.copy(copy) as pipe:
            pipe.write(_COPY_HEAD + made.tobytes() + _COPY_END)


def _fetch(connection: Connection, query: Select[Any]) -> Rows:
    """The rows, in the order of the query, as one row of arrays."""
    found = query.subquery("found").c
    value = func.coalesce(found.value, literal_column("'NaN'::float8"))
    columns: list[Any] = [
        func.array_agg(found.series),
        func.array_agg(found.time),
        func.array_agg(value),
    ]
    if "text" in found:
        columns.append(func.array_agg(found.text).filter(found.text.is_not(None)))
    answer = select(*(type_coerce(column, NullType()) for column in columns))
    row: Sequence[Any] = connection.execute(answer).one()
    series, times, values, *states = row
    if series is None:
        nothing = np.empty(0, np.int64)
        return Rows(nothing, nothing, np.empty(0))
    texts = {}
    if states and states[0]:
        places = np.flatnonzero(np.isnan(values)).tolist()
        texts = {at: _plain(state) for at, state in zip(places, states[0], strict=True)}
    return Rows(series.astype(np.int64), times, values, texts)


def _fetch_values(connection: Connection, query: Select[Any]) -> list[Run]:
    found = query.subquery("found").c
    columns: list[Any] = [found.series, func.max(found.time), func.array_agg(found.value)]
    answer = select(*(type_coerce(column, NullType()) for column in columns))
    rows: Any = connection.execute(answer.group_by(found.series).order_by(found.series))
    return [Run(series, last, None, values) for series, last, values in rows]


def _escaped(state: str) -> str:
    if _NUL in state or _ESCAPE in state:
        return state.replace(_ESCAPE, _ESCAPE * 2).replace(_NUL, _ESCAPE + "0")
    return state


def _plain(state: str) -> str:
    if _ESCAPE not in state:
        return state
    parts = state.split(_ESCAPE * 2)
    return _ESCAPE.join(part.replace(_ESCAPE + "0", _NUL) for part in parts)


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    yield


def _add_months(connection: Connection, months: Sequence[int]) -> None:
    """Attach a partition for each month; unlike making one in place, this waits for nobody."""
    for month in months:
        name = f"readings_{1970 + month // 12}_{month % 12 + 1:02}"
        if connection.scalar(text("SELECT to_regclass(:name)"), {"name": name}) is not None:
            continue
        start, stop = month_start(month), month_start(month + 1)
        connection.execute(text(f"CREATE TABLE {name} (LIKE readings INCLUDING ALL)"))
        connection.execute(
            text(
                f"ALTER TABLE readings ATTACH PARTITION {name} FOR VALUES FROM ({start}) TO ({stop})"
            )
        )


def _drop_months(connection: Connection, before: int) -> bool:
    """Drop the oldest partition that ends by then. That waits for whoever reads any of them."""
    ends = [
        (int(found[1]), str(name))
        for name, bound in connection.execute(text(_PARTITIONS))
        if (found := _BOUND.search(bound)) and int(found[1]) <= before
    ]
    if not ends:
        return False
    connection.execute(text(f"SET LOCAL lock_timeout = '{_DROP_WAIT_MS}ms'"))
    try:
        with connection.begin_nested():
            connection.execute(text(f"DROP TABLE {min(ends)[1]}"))
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
            raise
        _log.info("the readings are too busy to drop %s: later", min(ends)[1])
        return False
    return True


_READINGS = """
CREATE TABLE IF NOT EXISTS readings (
    time bigint NOT NULL, value double precision, series integer NOT NULL, text text,
    CONSTRAINT pk_readings PRIMARY KEY (series, time) INCLUDE (value)
) PARTITION BY RANGE (time)
"""
_SERIES = """
CREATE TABLE IF NOT EXISTS reading_series (series integer PRIMARY KEY, texts smallint NOT NULL)
"""
_ABOUT = """
CREATE TABLE IF NOT EXISTS reading_store (version integer PRIMARY KEY, probed bigint NOT NULL)
"""

DIALECT = Dialect(
    create=(_READINGS, _SERIES, _ABOUT),
    alone=_alone,
    remember="INSERT INTO reading_series (series, texts) VALUES (:series, :texts)"
    " ON CONFLICT (series) DO UPDATE SET texts = excluded.texts"
    " WHERE excluded.texts > reading_series.texts",
    upsert=_upsert,
    insert=_insert,
    fetch=_fetch,
    fetch_values=_fetch_values,
    add_months=_add_months,
    drop_months=_drop_months,
    at_once_max=_ROWS_AT_ONCE_MAX,
    size="SELECT coalesce(sum(pg_total_relation_size(relid)), 0)"
    " FROM pg_partition_tree('readings')",
    reading_session=(
        "SET statement_timeout = '{seconds}s'",
        "SET idle_in_transaction_session_timeout = '300s'",
    ),
    writing_session=("SET lock_timeout = '10s'",),
    driver_options={"cursor_factory": _Cursor},
    prepare=_adapt,
    no_backup="readings in PostgreSQL are not copied by Barograph: use pg_dump, or the server's "
    "continuous archiving",
)
