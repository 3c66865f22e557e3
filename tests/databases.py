"""Databases for tests: SQLite in a directory, and the servers that answer.

The servers are looked for at their usual addresses, or where `BAROGRAPH_TEST_POSTGRES_URL` and
`BAROGRAPH_TEST_MYSQL_URL` say; their user must be able to create databases. One that is missing
skips its tests, except under `CI=true`, where it fails them.
"""

import contextlib
import os
import secrets
from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import OperationalError

from barograph.stores.catalog.address import read_url

BACKENDS = ("sqlite", "postgresql", "mysql")

STORAGES = ("sqlite and duckdb", *BACKENDS)
"""Where a server under test may keep everything; the first is what it does by itself."""


on_every_database = [
    pytest.mark.parametrize("storage", STORAGES, indirect=True, scope="session"),
    pytest.mark.usefixtures("storage"),
]
"""For a module's `pytestmark`: its tests run once for each of `STORAGES`."""


class Storage:
    """Makes the settings that have a server keep catalog and readings in one kind of database."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._opened = contextlib.ExitStack()

    def __call__(self, directory) -> dict[str, str]:
        if self._kind == STORAGES[0]:
            return {}
        url = self._opened.enter_context(empty_database(self._kind, directory))
        readings = f"sqlite:///{directory}/readings.db" if self._kind == "sqlite" else url
        return {"BAROGRAPH_DATABASE_URL": url, "BAROGRAPH_READINGS_URL": readings}

    def close(self) -> None:
        self._opened.close()


SERVERS = {
    "postgresql": ("BAROGRAPH_TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/postgres"),
    "mysql": ("BAROGRAPH_TEST_MYSQL_URL", "mysql://root@127.0.0.1:3306/mysql"),
}


@contextlib.contextmanager
def empty_database(backend: str, directory) -> Iterator[str]:
    """The URL of a database without tables, gone afterwards."""
    if backend == "sqlite":
        yield f"sqlite:///{directory}/data.db"
        return
    variable, usual = SERVERS[backend]
    server = read_url(os.environ.get(variable, usual))
    name = f"barograph_test_{secrets.token_hex(6)}"
    admin = create_engine(server, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 3})
    try:
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
    except OperationalError as error:
        admin.dispose()
        reason = f"no {backend} at {server!r} (set {variable}): {error.orig}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    try:
        yield server.set(database=name).render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            force = " WITH (FORCE)" if backend == "postgresql" else ""
            connection.execute(text(f"DROP DATABASE {name}{force}"))
        admin.dispose()


class Places:
    """A database for each directory in which a test keeps readings.

    Making a database, and tables in it, takes longer than most tests: after a test they are only
    emptied, and serve another one. All are gone in the end.
    """

    TABLES = ("readings", "reading_series", "reading_store")

    def __init__(self) -> None:
        self._opened = contextlib.ExitStack()
        self._free: dict[str, list[str]] = {}
        self._urls: dict[tuple[str, object], str] = {}

    def url(self, backend: str, directory) -> str:
        key = backend, directory
        if key not in self._urls:
            free = self._free.setdefault(backend, [])
            self._urls[key] = free.pop() if free else self._new(backend)
        return self._urls[key]

    def _new(self, backend: str) -> str:
        return self._opened.enter_context(empty_database(backend, None))

    def end_test(self) -> None:
        for (backend, _), url in self._urls.items():
            engine = create_engine(read_url(url))
            with engine.begin() as connection:
                for table in {*self.TABLES} & {*inspect(connection).get_table_names()}:
                    connection.execute(text(f"DELETE FROM {table}"))
            engine.dispose()
            self._free[backend].append(url)
        self._urls.clear()

    def close(self) -> None:
        self._opened.close()
