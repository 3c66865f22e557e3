"""What a driver's error means, told from its code; the only place that knows the drivers' codes."""

import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import PrimaryKeyConstraint, UniqueConstraint
from sqlalchemy.exc import DataError, DBAPIError, SQLAlchemyError

from barograph.stores.catalog.schema import metadata

Kind = Literal["taken", "dangling", "again", "full", "slow", "unplaced", "invalid", "away"]
"""A unique constraint, a foreign key, a lost race that is worth repeating, a full disk, a statement
over its time limit, a row that no partition has room for, a value that does not fit, and everything
else: the database cannot be used now."""

PRIMARY_KEYS = frozenset({"PRIMARY", "pk_turns", "pk_tries"})
"""Those whose rows are made by whoever needs them first. MySQL calls every one PRIMARY."""

_SQLITE: Mapping[str, Kind] = {
    "SQLITE_CONSTRAINT_UNIQUE": "taken",
    "SQLITE_CONSTRAINT_PRIMARYKEY": "taken",
    "SQLITE_CONSTRAINT_FOREIGNKEY": "dangling",
    "SQLITE_FULL": "full",
    "SQLITE_INTERRUPT": "slow",
}

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_POSTGRES: Mapping[str, Kind] = {
    "23505": "taken",
    "23503": "dangling",
    "40001": "again",
    "40P01": "again",
    "53100": "full",
    "57014": "slow",
    "23514": "unplaced",
}

# https://mariadb.com/kb/en/mariadb-error-codes/, the same in MySQL
_MYSQL: Mapping[int, Kind] = {
    1062: "taken",
    1451: "dangling",
    1452: "dangling",
    1020: "again",  # MariaDB 11.6 and later: the record has changed since it was read
    1213: "again",
    1021: "full",
    1114: "full",
    1969: "slow",
    3024: "slow",  # MySQL's
    1526: "unplaced",
}

_SQLITE_COLUMNS = re.compile(r"UNIQUE constraint failed: (.+)\Z")
_MYSQL_KEY = re.compile(r"for key '(?:[^'.]+\.)?([^'.]+)'\Z")


@dataclass(frozen=True, slots=True)
class Fault:
    """What went wrong; `constraint` is the name of the one that was violated, where known."""

    kind: Kind
    constraint: str = ""


def read_fault(error: SQLAlchemyError) -> Fault:
    """Tell what `error` means."""
    cause = error.orig if isinstance(error, DBAPIError) else None
    if isinstance(cause, sqlite3.Error):
        fault = _of_sqlite(cause)
    elif hasattr(cause, "diag"):
        fault = _of_postgres(cause)
    elif cause is not None and cause.args:
        key = _MYSQL_KEY.search(str(cause.args[-1]))
        fault = Fault(_MYSQL.get(cause.args[0], "away"), key[1] if key else "")
    else:
        fault = Fault("away")
    if fault.kind == "away" and isinstance(error, DataError):
        return Fault("invalid")
    return fault


def _of_postgres(cause: Any) -> Fault:
    """Of an error of psycopg, whose fields are read without importing psycopg."""
    return Fault(_POSTGRES.get(cause.sqlstate or "", "away"), cause.diag.constraint_name or "")


def _of_sqlite(cause: sqlite3.Error) -> Fault:
    kind = _SQLITE.get(getattr(cause, "sqlite_errorname", ""), "away")
    columns = _SQLITE_COLUMNS.match(str(cause))
    return Fault(kind, _constraint_of(columns[1]) if columns else "")


def _constraint_of(columns: str) -> str:
    """The name of the constraint on `table.one, table.two`, which is all that SQLite tells."""
    return next(
        (
            str(constraint.name)
            for table in metadata.tables.values()
            for constraint in table.constraints
            if isinstance(constraint, UniqueConstraint | PrimaryKeyConstraint)
            and ", ".join(f"{table.name}.{column.name}" for column in constraint.columns) == columns
        ),
        "",
    )
