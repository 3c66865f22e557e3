"""Removing what is old: whole partitions where there are any, the rest some rows at a time."""

from collections.abc import Iterator, Sequence
from functools import partial

from sqlalchemy import Connection, delete, func, literal, select

from barograph.stores.catalog.engine import Database
from barograph.stores.readings.sql.dialect import Dialect
from barograph.stores.readings.sql.reading import SERIES_AT_A_TIME, among
from barograph.stores.readings.sql.tables import known_series, readings


def drop_months(database: Database, dialect: Dialect, before: int) -> bool:
    """Drop whole partitions that are earlier; whether there were any to drop now."""
    drop = dialect.drop_months
    if drop is None:
        return False

    def work(tx: Connection) -> bool:
        with dialect.alone(tx):
            return drop(tx, before)

    return database.write(work)


def delete_rows(database: Database, before: int, rows_max: int) -> Iterator[None]:
    """Delete the readings that are earlier, in transactions of about `rows_max` at most."""
    series = database.read(
        lambda tx: list(tx.scalars(select(known_series.c.series).order_by(known_series.c.series)))
    )
    at, count = 0, SERIES_AT_A_TIME
    while at < len(series):
        some = series[at : at + count]
        removed = database.write(
            partial(_delete_some, series=some, before=before, rows_max=rows_max), repeatable=True
        )
        if removed is None:
            count = max(1, count // 4)
            continue
        if removed < rows_max:
            at += len(some)
            count = min(2 * count, SERIES_AT_A_TIME)
        if removed:
            yield


def _delete_some(tx: Connection, series: Sequence[int], before: int, rows_max: int) -> int | None:
    """How many rows were deleted; None where those of several series would be too many.

    Of one series the first `rows_max` go.
    """
    c = readings.c
    old = among(c.series, series), c.time < before
    if len(series) == 1:
        beyond = select(c.time).where(*old).order_by(c.time).offset(rows_max).limit(1)
        first_left = tx.scalar(beyond)
        if first_left is not None:
            old = old[0], c.time < first_left
    else:
        # Not counted to the end, which may be far.
        some = select(literal(1)).where(*old).limit(rows_max + 1).subquery()
        if (tx.scalar(select(func.count()).select_from(some)) or 0) > rows_max:
            return None
    return tx.execute(delete(readings).where(*old)).rowcount
