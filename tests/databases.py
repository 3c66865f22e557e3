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
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from barograph.stores.catalog.address import read_url

BACKENDS = ("sqlite", "postgresql", "mysql")

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
    """A place for each directory that a test keeps something in, all gone afterwards.

    Databases take PostgreSQL long to make and to drop, so there they are schemas of one.
    """

    def __init__(self) -> None:
        self._all = contextlib.ExitStack()
        self._of_test = contextlib.ExitStack()
        self._urls: dict[tuple[str, object], str] = {}
        self._shared: str | None = None

    def url(self, backend: str, directory) -> str:
        key = backend, directory
        if key not in self._urls:
            place = (
                self._schema() if backend == "postgresql" else empty_database(backend, directory)
            )
            self._urls[key] = self._of_test.enter_context(place)
        return self._urls[key]

    @contextlib.contextmanager
    def _schema(self) -> Iterator[str]:
        if self._shared is None:
            self._shared = self._all.enter_context(empty_database("postgresql", None))
        shared = read_url(self._shared)
        name = f"test_{secrets.token_hex(6)}"
        with _run(shared) as run:
            run(f"CREATE SCHEMA {name}")
        options = {"options": f"-csearch_path={name}"}
        yield shared.update_query_dict(options).render_as_string(hide_password=False)
        with _run(shared) as run:
            run(f"DROP SCHEMA {name} CASCADE")

    def end_test(self) -> None:
        self._urls.clear()
        self._of_test.close()

    def close(self) -> None:
        self.end_test()
        self._all.close()


@contextlib.contextmanager
def _run(url):
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield lambda sql: connection.execute(text(sql))
    engine.dispose()
