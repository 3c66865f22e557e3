"""What differs between the databases, each of which has a file with its `DIALECT`.

Nothing else in this package asks which database it is.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Select
from sqlalchemy.exc import DBAPIError

from barograph.stores.readings.sql.rows import Rows, Run

_MODULES = {
    "postgresql": "postgresql",
    "mysql": "mysql",
    "mariadb": "mysql",
    "sqlite": "sqlite",
}


@dataclass(frozen=True, slots=True)
class Dialect:
    """One database's own means. Each function works in the transaction that it is given."""

    create: Sequence[str]
    """Makes the tables; nothing happens to those that are there."""
    alone: Callable[[Connection], Any]
    """A context in which no other process makes tables or partitions."""
    remember: str
    """Adds `:series` with `:texts` to the known series, or sets its flag."""
    upsert: Callable[[Connection, Rows], None]
    """Stores rows; those of the same series and time are replaced."""
    fetch: Callable[[Connection, Select[Any]], Rows]
    """The answer to a query for series, time, value and, where it asks for it, text."""
    size: str
    """Asks for the bytes that the readings take."""
    insert: Callable[[Connection, Rows], None] | None = None
    """Stores numbers faster than `upsert`; violates the key where one is there already."""
    fetch_values: Callable[[Connection, Select[Any]], list[Run]] | None = None
    """The same of numbers whose times do not matter, faster than `fetch`."""
    add_months: Callable[[Connection, Sequence[int]], None] | None = None
    """Makes room for readings of these months, where readings are divided by them."""
    drop_months: Callable[[Connection, int], bool] | None = None
    """Drops partitions that have nothing from a time on, a moment's work; whether there was one. Those
    that are in use for longer stay."""
    at_once_max: int = 0
    """So many numbers are stored by one statement, which is a transaction by itself."""
    reading_session: Sequence[str] = ()
    """What a session for questions begins with; `{seconds}` is the limit of a statement."""
    writing_session: Sequence[str] = ()
    limit: Callable[[Engine, int], None] | None = None
    """Bounds the seconds of a statement where no session's setting does."""
    copy: Callable[[Any, Path], None] | None = None
    """Writes what the driver's connection sees into a directory."""
    no_backup: str = ""
    """Why Barograph makes no copy of it, and what does."""
    driver_options: Mapping[str, Any] = field(default_factory=dict)
    prepare: Callable[[Any], None] | None = None
    """Done to each new connection of the driver's."""


def dialect_of(backend: str) -> Dialect:
    """The dialect of a database; raises `ModuleNotFoundError` where its driver is missing."""
    found: Dialect = import_module(f"{__package__}.{_MODULES[backend]}").DIALECT
    return found


@contextmanager
def driver(connection: Connection) -> Iterator[Any]:
    """The driver's own connection; its errors come out as SQLAlchemy's do."""
    dialect = connection.dialect
    raw = connection.connection.driver_connection
    try:
        yield raw
    except dialect.loaded_dbapi.Error as error:
        gone = dialect.is_disconnect(error, raw, None)
        if gone:
            connection.invalidate(error)
        raise DBAPIError.instance(
            None,
            None,
            error,
            dialect.loaded_dbapi.Error,
            connection_invalidated=gone,
            dialect=dialect,
        ) from error
