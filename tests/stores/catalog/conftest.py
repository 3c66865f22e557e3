"""A catalog on each database: SQLite in a directory, and the servers that answer."""

import contextlib
import hashlib
import itertools
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine, create_engine, event
from tests.databases import BACKENDS, empty_database

from barograph.domain.device import Device
from barograph.domain.user import User
from barograph.ports.catalog import Catalog
from barograph.stores.catalog.address import read_url
from barograph.stores.catalog.catalog import SqlCatalog
from barograph.stores.catalog.schema import metadata


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
        hold_to_noting(catalog._database.engine)
        yield catalog, engine
    engine.dispose()


KEPT_IN_MEMORY = {"users", "devices", "tokens", "series", "metric_settings", "device_shares"}


def hold_to_noting(engine):
    """Fail whatever changes what other processes keep in memory and does not note it."""
    written = {}

    @event.listens_for(engine, "after_cursor_execute")
    def remember(connection, cursor, statement, parameters, context, executemany):
        words = statement.replace('"', "").replace("`", "").split()
        place = {"INSERT": 2, "DELETE": 2, "UPDATE": 1}.get(words[0].upper())
        # When a token was used last is told to nobody.
        if place is not None and " SET last_used_time" not in " ".join(words):
            written.setdefault(id(connection.connection.dbapi_connection), set()).add(words[place])

    @event.listens_for(engine, "commit")
    def judge(connection):
        tables = written.pop(id(connection.connection.dbapi_connection), set())
        assert not tables & KEPT_IN_MEMORY or "changes" in tables, f"not noted: {tables}"

    @event.listens_for(engine, "rollback")
    def forget(connection):
        written.pop(id(connection.connection.dbapi_connection), None)


@pytest.fixture
def catalog(opened) -> Catalog:
    """An empty catalog."""
    catalog, engine = opened
    with engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            if table.name != "counters":  # its rows are always there
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
