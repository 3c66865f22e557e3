"""Where a table's ids go on, on each database."""

from sqlalchemy import Connection, Table, func, select, text

_COUNTERS_OF_NOW = "SET @counters = 'now' /*!80000 , SESSION information_schema_stats_expiry = 0 */"
"""MySQL tells counters as they were up to a day ago, unless told. MariaDB skips what is in the comment."""


def last_id(tx: Connection, table: Table, backend: str) -> int:
    """The last id that the table has given; 0 for none."""
    name = table.name
    if backend == "sqlite":
        found = tx.scalar(text("SELECT seq FROM sqlite_sequence WHERE name = :n"), {"n": name})
    elif backend == "postgresql":
        sequence = tx.scalar(text("SELECT pg_get_serial_sequence(:n, 'id')"), {"n": name})
        found = tx.scalar(
            text(f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {sequence}")  # noqa: S608  # a name of our own schema
        )
    else:
        tx.execute(text(_COUNTERS_OF_NOW))
        found = tx.scalar(
            text(
                "SELECT AUTO_INCREMENT - 1 FROM information_schema.TABLES "
                "WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = :n"
            ),
            {"n": name},
        )
    highest = tx.scalar(select(func.max(table.c.id)))
    return max(int(found or 0), int(highest or 0))


def go_on_after(tx: Connection, table: Table, backend: str, reached: int) -> None:
    """Let the table give ids above `reached` only, which is at least its `last_id`."""
    name = table.name
    if backend == "sqlite":
        tx.execute(text("DELETE FROM sqlite_sequence WHERE name = :n"), {"n": name})
        tx.execute(text("INSERT INTO sqlite_sequence VALUES (:n, :s)"), {"n": name, "s": reached})
    elif backend == "postgresql":
        tx.execute(
            text("SELECT setval(pg_get_serial_sequence(:n, 'id'), :s)"), {"n": name, "s": reached}
        )
    else:
        tx.execute(text(f"ALTER TABLE {name} AUTO_INCREMENT = {reached + 1}"))
