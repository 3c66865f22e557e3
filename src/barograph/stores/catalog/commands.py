"""What devices are told, and what they answer."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, func, select, update

from barograph.domain.command import Command
from barograph.domain.errors import Conflict
from barograph.ports.page import Page
from barograph.stores.catalog import rows
from barograph.stores.catalog.engine import Database
from barograph.stores.catalog.schema import commands, devices
from barograph.stores.catalog.values import check_json


class SqlCommands:
    """`ports.catalog.Commands` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self, device_id: int, command: Any, time: int, expires_time: int, most: int
    ) -> Command:
        values = {
            "device_id": device_id,
            "command": check_json("command", command),
            "created_time": time,
            "expires_time": expires_time,
        }
        theirs = and_(commands.c.device_id == device_id, _waiting(time))
        counting = select(func.count()).select_from(commands).where(theirs)

        def work(tx: Connection) -> Command:
            rows.lock(tx, devices, "device", device_id)
            if tx.execute(counting).scalar_one() >= most:
                raise Conflict(f"{most} commands wait for this device already")
            return _command(rows.insert(tx, commands, values))

        return self._database.write(work)

    def get(self, command_id: int) -> Command | None:
        row = self._database.read(lambda tx: rows.first(tx, commands, commands.c.id == command_id))
        return _command(row) if row else None

    def list(self, device_id: int, *, limit: int, offset: int = 0) -> Page[Command]:
        query = select(commands).where(commands.c.device_id == device_id)
        newest = commands.c.id.desc()
        return rows.page(self._database, query, _command, newest, limit=limit, offset=offset)

    def waiting(self, now: int) -> Sequence[Command]:
        query = select(commands).where(_waiting(now)).order_by(commands.c.id)
        return self._database.read(lambda tx: [_command(row) for row in tx.execute(query)])

    def deliver(self, command_id: int, time: int) -> None:
        first = and_(commands.c.id == command_id, commands.c.delivered_time.is_(None))
        statement = update(commands).where(first).values(delivered_time=time)
        self._database.write(lambda tx: tx.execute(statement))

    def cancel(self, command_id: int, time: int) -> bool:
        waiting = and_(commands.c.id == command_id, _waiting(time))
        statement = update(commands).where(waiting).values(cancelled_time=time)
        return self._database.write(lambda tx: tx.execute(statement).rowcount > 0)

    def answer(self, command_id: int, device_id: int, reply: Any, time: int) -> Command:
        theirs = and_(commands.c.id == command_id, commands.c.device_id == device_id)
        values = {
            "reply": check_json("reply", reply),
            "answered_time": time,
            "delivered_time": func.coalesce(commands.c.delivered_time, time),
        }

        def work(tx: Connection) -> Command:
            tx.execute(update(commands).where(theirs).values(values))
            row = rows.first(tx, commands, theirs)
            if row is None:
                raise rows.missing("command", command_id)
            return _command(row)

        return self._database.write(work)

    def expire(self, before: int) -> int:
        old = commands.delete().where(commands.c.created_time < before)
        return self._database.write(lambda tx: tx.execute(old).rowcount)


def _waiting(now: int) -> ColumnElement[bool]:
    return and_(
        commands.c.delivered_time.is_(None),
        commands.c.cancelled_time.is_(None),
        commands.c.expires_time > now,
    )


def _command(row: Row[Any]) -> Command:
    return Command(
        id=row.id,
        device_id=row.device_id,
        command=row.command,
        created_time=row.created_time,
        expires_time=row.expires_time,
        delivered_time=row.delivered_time,
        answered_time=row.answered_time,
        reply=row.reply,
        cancelled_time=row.cancelled_time,
    )
