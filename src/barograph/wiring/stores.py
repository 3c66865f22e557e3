"""The data directory and the stores that the settings name."""

import logging
import os
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path

from sqlalchemy import make_url

from barograph.config import Settings
from barograph.domain.batch import Batch
from barograph.domain.errors import ConfigurationError
from barograph.ports.reading_store import ReadingStore
from barograph.stores.catalog.catalog import SqlCatalog
from barograph.stores.catalog.copying import CatalogCopy
from barograph.stores.readings.journal import make_directory

logger = logging.getLogger(__name__)

CATALOG_FILE = "data.db"
MQTT_FILE = "mqtt.db"
READINGS_DIRECTORY = "readings"
BACKUPS_DIRECTORY = "backups"
_HELD_READING_BYTES = 32
_DUMPS = {
    "postgresql": "with pg_dump",
    "mysql": "with mariadb-dump --single-transaction (or mysqldump)",
    "mariadb": "with mariadb-dump --single-transaction",
}


def prepare(directory: Path) -> Path:
    """The data directory, made where missing, for its owner's eyes only."""
    try:
        make_directory(directory, 0o700)
    except OSError as error:
        raise ConfigurationError(
            f"--data-dir {directory}: cannot be made ({error.strerror})"
        ) from None
    if not os.access(directory, os.W_OK | os.X_OK):
        raise ConfigurationError(
            f"--data-dir {directory}: this user may not write there; choose another or change "
            "its owner"
        )
    return directory


def catalog_url(settings: Settings) -> str:
    """Where the catalog is."""
    return settings.database_url or f"sqlite:///{settings.data_dir.absolute() / CATALOG_FILE}"


def left_out(settings: Settings) -> list[str]:
    """What `barograph backup` cannot copy, and what copies it."""
    return [
        f"{what}: copy the database {make_url(url).database} {_DUMPS[backend]}"
        for what, url in (
            ("users, devices, tokens and the inventory", settings.database_url),
            ("readings", settings.readings_url),
        )
        if (backend := _server_of(url))
    ]


def _server_of(url: str) -> str:
    """The kind of server that a URL names; empty for a file."""
    backend = make_url(url).get_backend_name() if url else ""
    return backend if backend in _DUMPS else ""


def is_on_server(url: str) -> bool:
    """Whether what lies at the URL (empty: the data directory) is copied by a server's own tools."""
    return bool(_server_of(url))


def open_catalog(settings: Settings) -> SqlCatalog:
    """The catalog that the settings name, in a prepared data directory."""
    return SqlCatalog(catalog_url(settings))


def catalog_copy(source: Settings, target: Settings) -> CatalogCopy:
    """Copies the catalog of one installation to that of another."""
    return CatalogCopy(catalog_url(source), catalog_url(target))


def series_ids(settings: Settings) -> list[int]:
    """The series that the catalog knows, in order."""
    with closing(open_catalog(settings)) as catalog:
        return [series.id for series in catalog.series.all()]


def keep_apart(catalog: SqlCatalog, store: ReadingStore) -> None:
    """Let no new series take an id under which there are readings already.

    There are some where the catalog was removed, or restored without the readings.
    """
    stored = store.newest().series
    highest = int(max(stored, default=0))
    given = catalog.series.reserve(highest)
    if given < highest:
        logger.error(
            "there are readings of series up to number %d, but the catalog has given numbers up to "
            "%d only: was it removed, or restored without the readings? Readings that it does not "
            "know belong to no device and are not shown",
            highest,
            given,
        )


def open_readings(settings: Settings) -> ReadingStore:
    """The store of readings that the settings name, in a prepared data directory."""
    if settings.readings_url:
        from barograph.stores.readings.sql import Sizes, SqlReadingStore  # noqa: PLC0415  # if used

        return SqlReadingStore(
            settings.readings_url,
            sizes=Sizes(held=(settings.memory_limit_mb << 20) // _HELD_READING_BYTES),
        )
    from barograph.stores.readings.duckdb.store import DuckDBReadingStore  # noqa: PLC0415  # megabytes

    return DuckDBReadingStore(
        settings.data_dir / READINGS_DIRECTORY,
        memory_mb=settings.memory_limit_mb,
        threads=settings.store_threads or os.cpu_count() or 1,
    )


def write_parquet(
    target: Path, metrics: Mapping[int, str], texts: frozenset[int], batches: Iterable[Batch]
) -> None:
    """Write readings to a file; see `stores.readings.parquet`."""
    from barograph.stores.readings import parquet  # noqa: PLC0415  # as DuckDB

    parquet.write_parquet(target, metrics, texts, batches)
