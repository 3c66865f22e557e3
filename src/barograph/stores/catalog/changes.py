"""The feed of changes: what other processes that keep the catalog in memory must read anew.

A change is noted in the transaction that makes it, last of all: whoever has the counter's row locks
it until the commit, so numbers are in the order of the commits and without gaps. Who has read up to
a number has missed nothing.
"""

from collections.abc import Iterable, Sequence
from typing import Literal

from sqlalchemy import Connection, func, select, update

from barograph.ports.processes import Change
from barograph.stores.catalog.engine import Database
from barograph.stores.catalog.schema import changes, counters

_CHANGES = "changes"


def advance(tx: Connection, name: str, by: int) -> int:
    """Grow a counter, and lock it until the transaction ends; what it was before."""
    tx.execute(update(counters).where(counters.c.name == name).values(value=counters.c.value + by))
    value: int = tx.execute(select(counters.c.value).where(counters.c.name == name)).scalar_one()
    return value - by


def note(tx: Connection, kind: Literal["user", "device"], ids: Iterable[int]) -> None:
    """Say that these changed. To be called last in a transaction, for the lock that it takes."""
    of = sorted(set(ids))
    if of:
        first = advance(tx, _CHANGES, len(of)) + 1
        tx.execute(
            changes.insert(),
            [{"id": first + i, "kind": kind, "ref": one} for i, one in enumerate(of)],
        )


class SqlChanges:
    """`ports.processes.Changes` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def number(self) -> int:
        query = select(counters.c.value).where(counters.c.name == _CHANGES)
        number: int = self._database.read(lambda tx: tx.execute(query).scalar_one())
        return number

    def since(self, number: int, limit: int) -> Sequence[Change]:
        query = select(changes).where(changes.c.id > number).order_by(changes.c.id).limit(limit)
        found = self._database.read(lambda tx: tx.execute(query).all())
        return [Change(row.id, row.kind, row.ref) for row in found]

    def expire(self, keep: int) -> None:
        last = select(func.max(changes.c.id))

        def work(tx: Connection) -> None:
            newest = tx.execute(last).scalar()
            if newest is not None:
                tx.execute(changes.delete().where(changes.c.id <= newest - keep))

        self._database.write(work)
