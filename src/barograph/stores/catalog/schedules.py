"""Reports that are made again and again.

What is due is leased as jobs are (`jobs.py`): by one conditional UPDATE, so that of many processes
one asks for the report, and another does if that one dies before it has noted so.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, or_, select, update

from barograph.domain.errors import Conflict
from barograph.domain.report import Schedule
from barograph.ports.page import Page
from barograph.stores.catalog import rows
from barograph.stores.catalog.engine import Database
from barograph.stores.catalog.schema import CRON_CHARS_MAX, NAME_CHARS_MAX, schedules, users
from barograph.stores.catalog.values import check_json, check_text, make_storable

_COLUMNS = tuple(field.name for field in fields(Schedule))
_LISTS = ("email", "webhook", "formats")
_FIXED = frozenset({"id", "user_id", "created_time", "lease_until"})


class SqlSchedules:
    """`ports.work.Schedules` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, schedule: Schedule, most: int) -> Schedule:
        values = {name: getattr(schedule, name) for name in _COLUMNS if name != "id"}

        def work(tx: Connection) -> Schedule:
            rows.require(tx, users, "user", "user_id", schedule.user_id)
            if rows.count(tx, rows.of_user(schedules.c.user_id, schedule.user_id)) >= most:
                raise Conflict(f"there are {most} schedules already: remove some")
            return _schedule(rows.insert(tx, schedules, _values(values)))

        return self._database.write(work)

    def get(self, schedule_id: int) -> Schedule | None:
        where = schedules.c.id == schedule_id
        row = self._database.read(lambda tx: rows.first(tx, schedules, where))
        return _schedule(row) if row else None

    def list(self, *, user_id: int | None = None, limit: int, offset: int = 0) -> Page[Schedule]:
        query = select(schedules)
        if user_id is not None:
            query = query.where(schedules.c.user_id == user_id)
        order = schedules.c.id
        return rows.page(self._database, query, _schedule, order, limit=limit, offset=offset)

    def update(self, schedule_id: int, changes: Mapping[str, Any]) -> Schedule:
        rows.check_fields(changes, [name for name in _COLUMNS if name not in _FIXED])
        values = _values(changes)
        if values:
            # Whoever is asking for the report of before must not write over the change.
            values["lease_until"] = None
        return self._database.write(
            lambda tx: _schedule(rows.change(tx, schedules, "schedule", schedule_id, values))
        )

    def delete(self, schedule_id: int) -> None:
        def work(tx: Connection) -> None:
            rows.remove(tx, schedules, "schedule", schedule_id)

        self._database.write(work)

    def take_due(self, now: int, lease: int) -> Schedule | None:
        due = select(schedules.c.id).where(_due(now)).order_by(schedules.c.next_time).limit(1)

        def work(tx: Connection) -> Schedule | None:
            while (candidate := tx.execute(due).scalar()) is not None:
                won = update(schedules).where(schedules.c.id == candidate, _due(now))
                if tx.execute(won.values(lease_until=now + lease)).rowcount:
                    return _schedule(rows.first(tx, schedules, schedules.c.id == candidate))
            return None

        # Most of the time nothing is due, and finding that out should lock nothing.
        if self._database.read(lambda tx: tx.execute(due).first()) is None:
            return None
        return self._database.write(work)

    def done(
        self,
        schedule: Schedule,
        *,
        last_time: int,
        next_time: int | None,
        job_id: int | None,
        error: str | None,
    ) -> bool:
        ours = and_(
            schedules.c.id == schedule.id,
            schedules.c.next_time == schedule.next_time,
            schedules.c.lease_until == schedule.lease_until,
        )
        values = {
            "last_time": last_time,
            "next_time": next_time,
            "last_job_id": job_id,
            "last_error": None if error is None else make_storable(error),
            "lease_until": None,
        }
        statement = update(schedules).where(ours).values(values)
        return self._database.write(lambda tx: tx.execute(statement).rowcount) > 0


def _due(now: int) -> ColumnElement[bool]:
    free = or_(schedules.c.lease_until.is_(None), schedules.c.lease_until <= now)
    return and_(schedules.c.enabled.is_(True), schedules.c.next_time <= now, free)


def _values(changes: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that follow from fields of `Schedule`."""
    values = dict(changes)
    for name, chars_max in (("name", NAME_CHARS_MAX), ("cron", CRON_CHARS_MAX)):
        if name in values:
            check_text(name, values[name], chars_max)
    for name in ("question", "asker"):
        if name in values:
            values[name] = check_json(name, dict(values[name]))
    for name in _LISTS:
        if name in values:
            values[name] = check_json(name, list(values[name]))
    return values


def _schedule(row: Row[Any] | None) -> Schedule:
    assert row is not None, "a row that is locked cannot go"
    values = {name: getattr(row, name) for name in _COLUMNS}
    return Schedule(**values | {name: tuple(values[name]) for name in _LISTS})
