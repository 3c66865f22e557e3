"""What the catalog's parts do alike with rows: find, check, change, list and stream them."""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, func, select, update

from barograph.domain.errors import InvalidInput, NotFound
from barograph.ports.page import Page
from barograph.stores.catalog.engine import Database

T = TypeVar("T")

_STREAM_ROWS = 1_000
_NUMBER_MAX = 2**63 - 1


def first(tx: Connection, table: Table, *where: ColumnElement[bool]) -> Row[Any] | None:
    """The only row that meets `where`, or None."""
    return tx.execute(select(table).where(*where)).first()


def insert(tx: Connection, table: Table, values: Mapping[str, Any]) -> Row[Any]:
    """A new row of a table with an `id`, as it stands there now; raises `InvalidInput`."""
    _check_numbers(values)
    result = tx.execute(table.insert().values(values))
    key = result.inserted_primary_key
    assert key is not None, "a single row was inserted"
    return tx.execute(select(table).where(table.c.id == key[0])).one()


def change(
    tx: Connection, table: Table, noun: str, row_id: int, values: Mapping[str, Any]
) -> Row[Any]:
    """The row after `values` were set; raises `NotFound` and `InvalidInput`."""
    _check_numbers(values)
    if values:
        tx.execute(update(table).where(table.c.id == row_id).values(values))
    row = first(tx, table, table.c.id == row_id)
    if row is None:
        raise missing(noun, row_id)
    return row


def _check_numbers(values: Mapping[str, Any]) -> None:
    """Refuse what does not fit 64 bits, which every driver would refuse in its own way."""
    for name, value in values.items():
        if isinstance(value, int) and not -_NUMBER_MAX <= value <= _NUMBER_MAX:
            raise InvalidInput.of(name, f"{value} is too large a number")


def lock(tx: Connection, table: Table, noun: str, row_id: int) -> Row[Any]:
    """The row, which nobody else changes or refers to until this ends; raises `NotFound`."""
    row = tx.execute(select(table).where(table.c.id == row_id).with_for_update()).first()
    if row is None:
        raise missing(noun, row_id)
    return row


def remove(tx: Connection, table: Table, noun: str, row_id: int) -> None:
    """Delete the row; raises `NotFound`."""
    if not tx.execute(table.delete().where(table.c.id == row_id)).rowcount:
        raise missing(noun, row_id)


def require(tx: Connection, table: Table, noun: str, at: str, row_id: int | None) -> None:
    """Raise `InvalidInput` naming `at` unless the row that is referred to is there, and stays."""
    if row_id is None:
        return
    query = select(table.c.id).where(table.c.id == row_id)
    if tx.execute(query.with_for_update(read=True, key_share=True)).first() is None:
        raise InvalidInput.of(at, f"there is no {noun} {row_id}")


def of_user(column: ColumnElement[Any], user_id: int | None) -> ColumnElement[bool]:
    """That a row is the user's; for None that it is nobody's."""
    return column.is_(None) if user_id is None else column == user_id


def count(tx: Connection, *where: ColumnElement[bool]) -> int:
    """How many rows meet `where`, which names their table."""
    found: int = tx.execute(select(func.count()).where(*where)).scalar_one()
    return found


def missing(noun: str, row_id: int) -> NotFound:
    """The error for a row that is not there."""
    return NotFound(f"there is no {noun} {row_id}")


def check_fields(changes: Mapping[str, Any], allowed: Iterable[str]) -> None:
    """Raise `InvalidInput` for a field that cannot be changed."""
    for name in changes:
        if name not in allowed:
            raise InvalidInput.of(name, f"cannot be changed: only {', '.join(allowed)} can")


def page(
    database: Database,
    query: Select[Any],
    make: Callable[[Row[Any]], T],
    *order: ColumnElement[Any],
    limit: int,
    offset: int,
) -> Page[T]:
    """Items `offset` … `offset + limit` of a query on one table, and how many there are."""
    counting = query.with_only_columns(func.count(), maintain_column_froms=True)
    some = query.order_by(*order).limit(_bounded(limit)).offset(_bounded(offset))

    def work(tx: Connection) -> Page[T]:
        return Page([make(row) for row in tx.execute(some)], tx.execute(counting).scalar_one())

    return database.read(work)


def _all(query: Select[Any], tx: Connection) -> Sequence[Row[Any]]:
    return tx.execute(query).all()


def _bounded(number: int) -> int:
    return max(0, min(number, _NUMBER_MAX))


def stream(database: Database, table: Table, make: Callable[[Row[Any]], T]) -> Iterator[T]:
    """Every row in order of id, some at a time, each some in a transaction of its own."""
    after = 0
    while True:
        query = select(table).where(table.c.id > after).order_by(table.c.id).limit(_STREAM_ROWS)
        rows = database.read(functools.partial(_all, query))
        for row in rows:
            yield make(row)
        if len(rows) < _STREAM_ROWS:
            return
        after = rows[-1].id
