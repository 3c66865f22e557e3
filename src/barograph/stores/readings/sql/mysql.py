"""MariaDB and MySQL: upserts of many rows, the key as the table's order, a partition for each month.

Numbers travel as text in this protocol. Rows are written as literals of 17 digits, which is every
bit, and come back as one row of three long lists, four times as fast as a row per reading.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from sqlalchemy import CHAR, Connection, Select, cast, func, select, text
from sqlalchemy.exc import OperationalError

from barograph.domain.errors import Unavailable
from barograph.stores.readings.sql.dialect import Dialect, driver
from barograph.stores.readings.sql.rows import Rows, Run, month_start

_LOCK = "CONCAT('barograph.readings.', MD5(DATABASE()))"
_LOCK_SECONDS_MAX = 20
_ROWS_OF_A_STATEMENT = 10_000
_CHARS_OF_A_STATEMENT = 4_000_000
"""Four bytes each, this is what a server takes by default."""
_LOCK_TIMEOUT = 1205
_CHANGE_WAIT_SECONDS = 5
_DROP_WAIT_SECONDS = 1
"""Whoever comes while a change of the table waits, waits behind it."""
_DOUBLE_CHARS_MAX = 30
"""Unless told, the server cuts the text of a number after 22 characters."""

_UPSERT_NUMBERS = (
    "INSERT INTO readings (series, time, value) VALUES {rows}"
    " ON DUPLICATE KEY UPDATE value = VALUES(value), text = NULL"
)
_UPSERT_TEXTS = (
    "INSERT INTO readings (series, time, text) VALUES {rows}"
    " ON DUPLICATE KEY UPDATE value = NULL, text = VALUES(text)"
)

_log = logging.getLogger(__name__)


def _upsert(connection: Connection, rows: Rows) -> None:
    texts = np.isnan(rows.values)
    numbers, states = (rows.take(~texts), rows.take(texts)) if rows.texts else (rows, None)
    columns = numbers.series.tolist(), numbers.times.tolist(), numbers.values.tolist()
    with driver(connection) as raw, raw.cursor() as cursor:
        # An exponent makes a literal a float; without one it is a decimal number.
        literals = ["(%d,%d,%.16e)" % row for row in zip(*columns, strict=True)]  # noqa: UP031  # faster than f-strings
        for begin in range(0, len(literals), _ROWS_OF_A_STATEMENT):
            some = ",".join(literals[begin : begin + _ROWS_OF_A_STATEMENT])
            cursor.execute(_UPSERT_NUMBERS.format(rows=some))
        for literals in _of_texts(raw, states):
            cursor.execute(_UPSERT_TEXTS.replace("{rows}", ",".join(literals)))


def _of_texts(raw: Any, rows: Rows | None) -> Iterator[list[str]]:
    literals: list[str] = []
    chars = 0
    for i in range(0 if rows is None else len(rows)):
        assert rows is not None
        literals.append(f"({rows.series[i]},{rows.times[i]},{raw.escape(rows.texts[i])})")
        chars += len(literals[-1])
        if chars > _CHARS_OF_A_STATEMENT:
            yield literals
            literals, chars = [], 0
    if literals:
        yield literals


def _fetch(connection: Connection, query: Select[Any]) -> Rows:
    """The rows, in the order of the query, as one row of lists."""
    found = query.subquery("found").c
    columns = [
        func.group_concat(found.series),
        func.group_concat(found.time),
        func.group_concat(func.coalesce(cast(found.value, CHAR(_DOUBLE_CHARS_MAX)), "nan")),
    ]
    if "text" in found:
        # Hexadecimal, so that no character of a text is taken for what divides them.
        columns.append(func.group_concat(func.hex(found.text)))
    row: Sequence[Any] = connection.execute(select(*columns)).one()
    if row[0] is None:
        nothing = np.empty(0, np.int64)
        return Rows(nothing, nothing, np.empty(0))
    series, times, values = row[:3]
    read = Rows(_integers(series), _integers(times), _floats(values))
    if len(row) == 3 or row[3] is None:
        return read
    places = np.flatnonzero(np.isnan(read.values)).tolist()
    states = row[3].split(",")
    texts = {at: bytes.fromhex(one).decode() for at, one in zip(places, states, strict=True)}
    return Rows(read.series, read.times, read.values, texts)


def _fetch_values(connection: Connection, query: Select[Any]) -> list[Run]:
    found = query.subquery("found").c
    answer = (
        select(found.series, func.max(found.time), func.group_concat(found.value))
        .group_by(found.series)
        .order_by(found.series)
    )
    rows = connection.execute(answer)
    return [Run(series, last, None, _floats(values)) for series, last, values in rows]


def _floats(listed: str) -> Any:
    return np.array(listed.split(","), np.float64)


def _integers(listed: str) -> Any:
    return np.array(listed.split(","), np.int64)


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    # A transaction ends with each change of a table here; this lock does not.
    if connection.scalar(text(f"SELECT GET_LOCK({_LOCK}, {_LOCK_SECONDS_MAX})")) != 1:
        raise Unavailable(
            f"another process has been changing the readings' tables for {_LOCK_SECONDS_MAX} s"
        )
    try:
        yield
        connection.execute(text("COMMIT"))
    finally:
        connection.execute(text(f"SELECT RELEASE_LOCK({_LOCK})"))


def _add_months(connection: Connection, months: Sequence[int]) -> None:
    """Divide the last partition, which takes whatever comes, at the end of each month.

    That is quick while it is empty, so it is done a month ahead; and it needs a moment without
    questions. Where none comes the readings go into the last partition, which then stays whole:
    to divide it would copy them, and nobody could write meanwhile.
    """
    top = connection.scalar(
        text(
            "SELECT MAX(CAST(partition_description AS UNSIGNED)) FROM information_schema.partitions"
            " WHERE table_schema = DATABASE() AND table_name = 'readings'"
            " AND partition_description <> 'MAXVALUE'"
        )
    )
    new = [month for month in months if month_start(month + 1) > int(top or 0)]
    if not new:
        return
    if connection.scalar(text("SELECT 1 FROM readings PARTITION (later) LIMIT 1")) is not None:
        return
    new.append(new[-1] + 1)
    parts = [f"PARTITION {_name(one)} VALUES LESS THAN ({month_start(one + 1)})" for one in new]
    parts.append("PARTITION later VALUES LESS THAN MAXVALUE")
    try:
        connection.execute(
            text(f"ALTER TABLE readings REORGANIZE PARTITION later INTO ({', '.join(parts)})")
        )
    except OperationalError as error:
        if error.orig is None or error.orig.args[0] != _LOCK_TIMEOUT:
            raise
        _log.warning("the readings were too busy to make a partition for another month")


def _drop_months(connection: Connection, before: int) -> bool:
    """Drop the partitions that end by then, all in one change of the table."""
    ends = text(
        "SELECT partition_name FROM information_schema.partitions"
        " WHERE table_schema = DATABASE() AND table_name = 'readings'"
        " AND partition_description <> 'MAXVALUE'"
        " AND CAST(partition_description AS SIGNED) <= :before"
    )
    names = list(connection.scalars(ends, {"before": before}))
    if not names:
        return False
    connection.execute(text(f"SET lock_wait_timeout = {_DROP_WAIT_SECONDS}"))
    try:
        connection.execute(text(f"ALTER TABLE readings DROP PARTITION {', '.join(names)}"))
    except OperationalError as error:
        if error.orig is None or error.orig.args[0] != _LOCK_TIMEOUT:
            raise
        _log.info("the readings are too busy to drop %s: later", ", ".join(names))
        return False
    finally:
        connection.execute(text(f"SET lock_wait_timeout = {_CHANGE_WAIT_SECONDS}"))
    return True


def _name(month: int) -> str:
    return f"p{1970 + month // 12}_{month % 12 + 1:02}"


_READINGS = """
CREATE TABLE IF NOT EXISTS readings (
    series INT NOT NULL, time BIGINT NOT NULL, value DOUBLE,
    text LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
    PRIMARY KEY (series, time)
) ENGINE = InnoDB PARTITION BY RANGE (time) (PARTITION later VALUES LESS THAN MAXVALUE)
"""
_SERIES = """
CREATE TABLE IF NOT EXISTS reading_series (series INT PRIMARY KEY, texts SMALLINT NOT NULL)
ENGINE = InnoDB
"""
_ABOUT = """
CREATE TABLE IF NOT EXISTS reading_store (version INT PRIMARY KEY, probed BIGINT NOT NULL)
ENGINE = InnoDB
"""
_MODE = "sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION'"

# Each server reads the comment that is meant for it.
_READING_SESSION = (
    "SET /*M!100000 max_statement_time = {seconds}, idle_transaction_timeout = 300, */"
    " /*!80000 max_execution_time = {seconds}000, information_schema_stats_expiry = 0, */"
    f" group_concat_max_len = 1000000000, {_MODE}"
)

DIALECT = Dialect(
    create=(_READINGS, _SERIES, _ABOUT),
    alone=_alone,
    remember="INSERT INTO reading_series (series, texts) VALUES (:series, :texts)"
    " ON DUPLICATE KEY UPDATE texts = GREATEST(texts, VALUES(texts))",
    upsert=_upsert,
    fetch=_fetch,
    fetch_values=_fetch_values,
    add_months=_add_months,
    drop_months=_drop_months,
    at_once_max=_ROWS_OF_A_STATEMENT,
    size="SELECT data_length + index_length FROM information_schema.tables"
    " WHERE table_schema = DATABASE() AND table_name = 'readings'",
    reading_session=(_READING_SESSION,),
    writing_session=(
        f"SET innodb_lock_wait_timeout = 10, lock_wait_timeout = {_CHANGE_WAIT_SECONDS}, {_MODE}",
        # What a session begins with, also where each statement is a transaction.
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    ),
    # Longer than any statement takes, a removal of many readings included.
    driver_options={"read_timeout": 300, "write_timeout": 300},
    no_backup="readings in MariaDB and MySQL are not copied by Barograph: use mariadb-dump "
    "--single-transaction, or the server's binary log",
)
