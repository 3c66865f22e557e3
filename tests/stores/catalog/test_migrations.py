"""The migrations make what the tables in the program say, on every database, there and back."""

import contextlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text

from barograph.domain.errors import ConfigurationError
from barograph.stores.catalog.address import read_url
from barograph.stores.catalog.catalog import SqlCatalog
from barograph.stores.catalog.engine import Database
from barograph.stores.catalog.migrate import downgrade, upgrade
from barograph.stores.catalog.schema import HEAD, current_revision, metadata


@pytest.fixture
def database(empty_url):
    database = Database(read_url(empty_url), 2)
    yield database
    database.close()


def reflected(connection):
    """All that the database says of its tables, in an order of no importance made firm."""
    inspector = inspect(connection)

    def of(table):
        return {
            "columns": [
                {key: str(value) for key, value in column.items()}
                for column in inspector.get_columns(table)
            ],
            "key": inspector.get_pk_constraint(table),
            "references": sorted(inspector.get_foreign_keys(table), key=str),
            "unique": sorted(inspector.get_unique_constraints(table), key=str),
            "indexes": sorted(inspector.get_indexes(table), key=str),
            "options": inspector.get_table_options(table),
        }

    return {table: of(table) for table in inspector.get_table_names() if table != "alembic_version"}


def test_the_migrated_tables_are_those_of_the_program(database):
    upgrade(database)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert current_revision(connection) == HEAD


def test_tables_made_from_scratch_equal_the_migrated_ones(database):
    database.write(metadata.create_all)
    scratch = database.read(reflected)
    database.write(metadata.drop_all)
    upgrade(database)
    migrated = database.read(reflected)
    assert set(migrated) == set(metadata.tables)
    assert without_counters(migrated) == without_counters(scratch)


def without_counters(tables):
    """MySQL tells the next id among a table's options."""
    return {
        table: {
            **said,
            "options": {
                name: value for name, value in said["options"].items() if "auto" not in name
            },
        }
        for table, said in tables.items()
    }


def test_the_migrations_go_up_down_and_up_again(database):
    upgrade(database)
    first = database.read(reflected)
    downgrade(database)
    assert database.read(reflected) == {}
    assert database.read(current_revision) is None
    upgrade(database)
    assert database.read(reflected) == first


def test_upgrading_what_is_up_to_date_changes_nothing(empty_url, database):
    with contextlib.closing(SqlCatalog(empty_url)) as catalog:
        user = catalog.users.create("ann", None, None, "admin", 1)
        upgrade(database)
        assert catalog.users.get(user.id) == user


def test_a_catalog_newer_than_the_program_is_refused_and_left_alone(empty_url, database):
    upgrade(database)
    database.write(
        lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = '9'"))
    )
    with pytest.raises(ConfigurationError, match=r"written by a newer Barograph .*'9'"):
        SqlCatalog(empty_url)
    assert database.read(current_revision) == "9"


def test_a_database_with_tables_of_somebody_else_is_refused(empty_url):
    engine = create_engine(read_url(empty_url))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE users (id INTEGER)"))
    with pytest.raises(
        ConfigurationError, match=r"\(users\): give Barograph a database of its own"
    ):
        SqlCatalog(empty_url)
    with engine.connect() as connection:
        assert inspect(connection).get_table_names() == ["users"]
    engine.dispose()


def test_of_many_who_start_at_once_one_makes_the_tables(empty_url):
    with ThreadPoolExecutor(4) as threads:
        catalogs = list(threads.map(lambda _: SqlCatalog(empty_url), range(4)))
    for number, catalog in enumerate(catalogs):
        catalog.users.create(f"u{number}", None, None, "member", 1)
        assert catalog.users.list(limit=1).total == number + 1
    for catalog in catalogs:
        catalog.close()
