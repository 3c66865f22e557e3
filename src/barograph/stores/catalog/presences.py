"""Which devices are connected, as the processes tell each other.

Rows are numbered in the order of the commits (`changes.advance`), so who has read up to a number has
missed nothing.
"""

from collections.abc import Mapping

from sqlalchemy import Connection, select, update

from barograph.domain.presence import Presence
from barograph.stores.catalog.changes import advance
from barograph.stores.catalog.engine import Database
from barograph.stores.catalog.schema import devices, presences

_PRESENCES = "presences"
_SOME = 500
"""Rows of a statement; databases bound how many parameters one has."""


class SqlPresences:
    """`ports.processes.PresenceFeed` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def tell(self, server: str, found: Mapping[int, Presence]) -> None:
        ids = sorted(found)
        for begin in range(0, len(ids), _SOME):
            self._tell(server, {one: found[one] for one in ids[begin : begin + _SOME]})

    def _tell(self, server: str, found: Mapping[int, Presence]) -> None:
        there = select(devices.c.id).where(devices.c.id.in_(found)).with_for_update(read=True)

        def work(tx: Connection) -> None:
            known = list(tx.execute(there).scalars())
            if not known:
                return
            number = advance(tx, _PRESENCES, 1) + 1
            tx.execute(presences.delete().where(presences.c.device_id.in_(known)))
            tx.execute(
                presences.insert(),
                [
                    {
                        "device_id": one,
                        "server": server,
                        "online": int(found[one].status == "online"),
                        "since": found[one].since,
                        "detail": found[one].detail,
                        "number": number,
                    }
                    for one in known
                ],
            )

        self._database.write(work)

    def lost(self, server: str, time: int, why: str) -> None:
        theirs = (presences.c.server == server) & (presences.c.online == 1)

        def work(tx: Connection) -> None:
            number = advance(tx, _PRESENCES, 1) + 1
            values = {"online": 0, "since": time, "detail": why, "number": number}
            tx.execute(update(presences).where(theirs).values(values))

        self._database.write(work)

    def since(self, number: int) -> tuple[Mapping[int, Presence], int]:
        query = select(presences).where(presences.c.number > number)
        found = self._database.read(lambda tx: tx.execute(query).all())
        last = max((row.number for row in found), default=number)
        return {
            row.device_id: Presence("online" if row.online else "offline", row.since, row.detail)
            for row in found
        }, last
