"""Committed readings for those who watch live, passed on between processes by a table."""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from barograph.ports.processes import Relayed
from barograph.stores.catalog.changes import advance
from barograph.stores.catalog.engine import Database
from barograph.stores.catalog.schema import counters, relayed

_LIVE = "live"
_ROWS = 64
_EXPIRE_EVERY = 50


class SqlRelay:
    """`ports.processes.Relay` in SQL. Who receives asks again and again."""

    def __init__(self, database: Database, keep: int) -> None:
        """At least the last `keep` readings are kept."""
        self._database = database
        self._keep = keep
        self._sent = 0

    def send(self, parts: Sequence[tuple[int, bytes]]) -> None:
        def work(tx: Connection) -> None:
            first = advance(tx, _LIVE, sum(count for count, _ in parts))
            rows = []
            for count, payload in parts:
                rows.append({"first": first, "readings": count, "payload": payload})
                first += count
            tx.execute(relayed.insert(), rows)
            if self._sent % _EXPIRE_EVERY == 0:
                tx.execute(relayed.delete().where(relayed.c.first < first - self._keep))

        self._sent += 1
        self._database.write(work)

    def next_number(self) -> int:
        query = select(counters.c.value).where(counters.c.name == _LIVE)
        number: int = self._database.read(lambda tx: tx.execute(query).scalar_one())
        return number

    def receive(self, number: int) -> Sequence[Relayed]:
        query = (
            select(relayed).where(relayed.c.first >= number).order_by(relayed.c.first).limit(_ROWS)
        )
        found = self._database.read(lambda tx: tx.execute(query).all())
        return [Relayed(row.first, row.readings, bytes(row.payload)) for row in found]
