"""Readings in DuckDB."""

from barograph.stores.readings.duckdb.maintenance import Sizes
from barograph.stores.readings.duckdb.store import DuckDBReadingStore

__all__ = ["DuckDBReadingStore", "Sizes"]
