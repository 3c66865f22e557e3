"""Brings the tables to what this program expects, with Alembic.

Imported only where there is something to do: Alembic takes 0.2 s that most starts need not pay.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from barograph.domain.errors import ConfigurationError, Unavailable
from barograph.stores.catalog.engine import Database
from barograph.stores.catalog.schema import current_revision, metadata

_POSTGRES_LOCK = 7_105_100
_MYSQL_LOCK = "CONCAT('barograph.', MD5(DATABASE()))"


def upgrade(database: Database, to: str = "head") -> None:
    """Run the migrations up to `to`. Of several processes that start together, one does it.

    Raises `ConfigurationError` for a catalog that a newer program has written, and for a database
    with somebody else's tables.
    """

    def work(connection: Connection) -> None:
        with _alone(connection):
            config = _config(connection)
            _check(connection, config, database.place)
            command.upgrade(config, to)

    database.write(work)


def downgrade(database: Database, to: str = "base") -> None:
    """Undo the migrations down to `to`."""

    def work(connection: Connection) -> None:
        with _alone(connection):
            command.downgrade(_config(connection), to)

    database.write(work)


def _config(connection: Connection) -> Config:
    config = Config()
    # A percent sign would be read as the beginning of a variable.
    place = str(Path(__file__).parent / "migrations").replace("%", "%%")
    config.set_main_option("script_location", place)
    config.attributes["connection"] = connection
    return config


def _check(connection: Connection, config: Config, place: str) -> None:
    found = current_revision(connection)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise ConfigurationError(
            f"the catalog {place} was written by a newer Barograph (its tables are at {found!r}, "
            "which this program does not know): install that version again, or restore a backup"
        )
    foreign = set(inspect(connection).get_table_names()) & set(metadata.tables)
    if found is None and foreign:
        raise ConfigurationError(
            f"the database {place} already has tables that Barograph did not finish making "
            f"({', '.join(sorted(foreign))}): give Barograph a database of its own, or, if its "
            "very first start was interrupted, empty this one"
        )


@contextlib.contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """Keep other processes from migrating meanwhile; SQLite's transaction does so by itself."""
    backend = connection.dialect.name
    if backend == "postgresql":
        # Released with the transaction.
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_POSTGRES_LOCK})"))
        yield
    elif backend in {"mysql", "mariadb"}:
        # Here a transaction ends with each change of a table; the lock does not.
        if connection.scalar(text(f"SELECT GET_LOCK({_MYSQL_LOCK}, 20)")) != 1:
            raise Unavailable("another process has been changing the catalog's tables for 20 s")
        try:
            yield
            # Who comes next must find the version that was noted last.
            connection.execute(text("COMMIT"))
        finally:
            connection.execute(text(f"SELECT RELEASE_LOCK({_MYSQL_LOCK})"))
    else:
        yield
