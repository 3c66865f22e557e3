"""The last messages of devices that could not be read."""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from barograph.domain.refusal import Refusal
from barograph.stores.catalog.engine import Database
from barograph.stores.catalog.schema import devices, refused_messages


class SqlRefusedMessages:
    """`ports.catalog.RefusedMessages` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, refused: Sequence[Refusal], most: int) -> None:
        ids = {one.device_id for one in refused}
        there = select(devices.c.id).where(devices.c.id.in_(ids))
        own = refused_messages.c.device_id

        def work(tx: Connection) -> None:
            known = set(tx.execute(there.with_for_update(read=True)).scalars())
            rows = [
                {
                    "device_id": one.device_id,
                    "time": one.time,
                    "topic": one.topic,
                    "message": one.message,
                    "payload": one.payload,
                    "size": one.size,
                }
                for one in refused
                if one.device_id in known
            ]
            if rows:
                tx.execute(refused_messages.insert(), rows)
            for device_id in known:
                newest = (
                    select(refused_messages.c.id)
                    .where(own == device_id)
                    .order_by(refused_messages.c.id.desc())
                    .offset(most)
                    .limit(1)
                )
                last = tx.execute(newest).scalar()
                if last is not None:
                    old = refused_messages.c.id <= last
                    tx.execute(refused_messages.delete().where(own == device_id, old))

        self._database.write(work)

    def of(self, device_id: int, limit: int) -> Sequence[Refusal]:
        query = (
            select(refused_messages)
            .where(refused_messages.c.device_id == device_id)
            .order_by(refused_messages.c.id.desc())
            .limit(limit)
        )
        found = self._database.read(lambda tx: tx.execute(query).all())
        return [
            Refusal(row.device_id, row.time, row.topic, row.message, bytes(row.payload), row.size)
            for row in found
        ]

    def expire(self, before: int) -> int:
        old = refused_messages.delete().where(refused_messages.c.time < before)
        return self._database.write(lambda tx: tx.execute(old).rowcount)
