"""A catalog on each database: SQLite in a directory, and the servers that answer."""

import contextlib
import hashlib
import itertools
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine, create_engine
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
