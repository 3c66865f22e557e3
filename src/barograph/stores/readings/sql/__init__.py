"""Readings in PostgreSQL, MySQL, MariaDB or SQLite."""

from barograph.stores.readings.sql.sizes import Sizes
from barograph.stores.readings.sql.store import SqlReadingStore

__all__ = ["Sizes", "SqlReadingStore"]
