"""A catalog on each database: SQLite in a directory, and the servers that answer.

The servers are looked for at their usual addresses, or where `BAROGRAPH_TEST_POSTGRES_URL` and
`BAROGRAPH_TEST_MYSQL_URL` say; their user must be able to create databases. One that is missing
skips its tests, except under `CI=true`, where it fails them.
"""

import contextlib
import hashlib
import itertools
import os
import secrets
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError

from barograph.domain.device import Device
from barograph.domain.user import User
from barograph.ports.catalog import Catalog
from barograph.stores.catalog.address import read_url
from barograph.stores.catalog.catalog import SqlCatalog
from barograph.stores.catalog.schema import metadata

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


@pytest.fixture(params=BACKENDS)
def empty_url(request, tmp_path) -> Iterator[str]:
    """The URL of a database of the test's own, without tables."""
    with empty_database(request.param, tmp_path) as url:
        yield url


@pytest.fixture(scope="session", params=BACKENDS)
def catalog_url(request, tmp_path_factory) -> Iterator[str]:
    """The URL of the database that the session's tests share."""
    with empty_database(request.param, tmp_path_factory.mktemp("catalog")) as url:
        yield url


@pytest.fixture(scope="session")
def opened(catalog_url) -> Iterator[tuple[Catalog, Engine]]:
    """The shared catalog, and a way around it."""
    engine = create_engine(read_url(catalog_url))
    with contextlib.closing(SqlCatalog(catalog_url, connections_max=20)) as catalog:
        yield catalog, engine
    engine.dispose()


@pytest.fixture
def catalog(opened) -> Catalog:
    """An empty catalog."""
    catalog, engine = opened
    with engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
    return catalog


@pytest.fixture
def sqlite_url(tmp_path) -> str:
    """The URL of a SQLite file that is not there yet."""
    return f"sqlite:///{tmp_path}/data.db"


@pytest.fixture
def digest() -> Callable[[], bytes]:
    """Makes digests, each another."""
    numbers = itertools.count()
    return lambda: hashlib.sha256(b"%d" % next(numbers)).digest()


@pytest.fixture
def user(catalog) -> User:
    return catalog.users.create("ann", "ann@example.org", "hash", "member", 1)


@pytest.fixture
def device(catalog, user) -> Device:
    return catalog.devices.create("kitchen", "Kitchen", user.id, None, {}, 2)
