"""The jobs: the queue is these rows, leased.

A lease is taken by one conditional UPDATE, which every database decides row by row: of all who saw
the same free job, one changes it and the others look for the next. So no taker waits for another's
work, and the three databases run one path.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Update,
    and_,
    func,
    null,
    or_,
    select,
    update,
)

from barograph.domain.errors import InvalidInput
from barograph.domain.job import ENDED, Job, Status
from barograph.ports.page import Page
from barograph.stores.catalog import rows
from barograph.stores.catalog.engine import Database
from barograph.stores.catalog.schema import KIND_CHARS_MAX, NAME_CHARS_MAX, jobs, users
from barograph.stores.catalog.values import check_json, check_text, make_storable, same

# The results may be megabytes each, which a list has no use for.
_LIGHT = [null().label("result") if one is jobs.c.result else one for one in jobs.c]

_UNLEASED: Mapping[str, Any] = {"lease_owner": None, "lease_until": None}


class SqlJobs:
    """`ports.work.Jobs` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, kind: str, question: Mapping[str, Any], user_id: int | None, time: int) -> Job:
        values = {
            "kind": check_text("kind", kind, KIND_CHARS_MAX),
            "question": check_json("question", dict(question)),
            "user_id": user_id,
            "status": "queued",
            "progress": 0.0,
            "cancel_asked": False,
            "attempts": 0,
            "created_time": time,
        }

        def work(tx: Connection) -> Job:
            rows.require(tx, users, "user", "user_id", user_id)
            return _job(rows.insert(tx, jobs, values))

        return self._database.write(work)

    def get(self, job_id: int) -> Job | None:
        row = self._database.read(lambda tx: rows.first(tx, jobs, jobs.c.id == job_id))
        return _job(row) if row else None

    def list(self, *, user_id: int | None = None, limit: int, offset: int = 0) -> Page[Job]:
        query = select(*_LIGHT)
        if user_id is not None:
            query = query.where(jobs.c.user_id == user_id)
        newest = jobs.c.id.desc()
        return rows.page(self._database, query, _job, newest, limit=limit, offset=offset)

    def queued(self, user_id: int | None) -> int:
        theirs = jobs.c.status == "queued", rows.of_user(jobs.c.user_id, user_id)
        return self._database.read(lambda tx: rows.count(tx, *theirs))

    def take(self, owner: str, now: int, lease: int, job_id: int | None = None) -> Job | None:
        check_text("owner", owner, NAME_CHARS_MAX)
        waiting = select(jobs.c.id).where(_waiting(now))
        if job_id is not None:
            waiting = waiting.where(jobs.c.id == job_id)
        oldest = waiting.where(jobs.c.cancel_asked.is_(False)).order_by(jobs.c.id).limit(1)

        def work(tx: Connection) -> Job | None:
            tx.execute(_end_abandoned(now))
            while (candidate := tx.execute(oldest).scalar()) is not None:
                won = (
                    update(jobs)
                    .where(jobs.c.id == candidate, _waiting(now))
                    .values(
                        status="running",
                        progress=0.0,
                        attempts=jobs.c.attempts + 1,
                        lease_owner=owner,
                        lease_until=now + lease,
                        started_time=func.coalesce(jobs.c.started_time, now),
                    )
                )
                if tx.execute(won).rowcount:
                    return _job(tx.execute(select(jobs).where(jobs.c.id == candidate)).one())
            return None

        # Most of the time there is nothing to take, and finding that out should lock nothing.
        if self._database.read(lambda tx: tx.execute(waiting.limit(1)).first()) is None:
            return None
        return self._database.write(work)

    def renew(self, job_id: int, owner: str, until: int, progress: float) -> bool:
        held = and_(_held(job_id, owner), jobs.c.cancel_asked.is_(False))
        return self._change(held, {"lease_until": until, "progress": progress})

    def give_back(self, job_id: int, owner: str) -> bool:
        values = {**_UNLEASED, "status": "queued", "attempts": jobs.c.attempts - 1}
        return self._change(_held(job_id, owner), values)

    def finish(
        self, job_id: int, owner: str, status: Status, result: Any, error: str | None, time: int
    ) -> bool:
        if status not in ENDED:
            raise InvalidInput.of("status", f"{status!r} does not end a job: use {sorted(ENDED)}")
        values = {
            **_UNLEASED,
            "status": status,
            "result": check_json("result", result),
            "error": None if error is None else make_storable(error),
            "ended_time": time,
        }
        if status == "done":
            values["progress"] = 1.0
        return self._change(_held(job_id, owner), values)

    def _change(self, where: ColumnElement[bool], values: Mapping[str, Any]) -> bool:
        statement = update(jobs).where(where).values(values)
        return self._database.write(lambda tx: tx.execute(statement).rowcount) > 0

    def cancel(self, job_id: int, time: int) -> Job:
        def work(tx: Connection) -> Job:
            job = rows.lock(tx, jobs, "job", job_id)
            values: Mapping[str, Any] = {}
            if job.status == "queued":
                values = _cancelled(time)
            elif job.status == "running":
                values = {"cancel_asked": True}
            return _job(rows.change(tx, jobs, "job", job_id, values))

        return self._database.write(work)

    def expire(self, before: int) -> int:
        ended = jobs.delete().where(jobs.c.status.in_(ENDED), jobs.c.ended_time < before)
        return self._database.write(lambda tx: tx.execute(ended).rowcount)


def _waiting(now: int) -> ColumnElement[bool]:
    """That nobody works on the job: it is queued, or who ran it died."""
    died = and_(jobs.c.status == "running", jobs.c.lease_until <= now)
    return or_(jobs.c.status == "queued", died)


def _held(job_id: int, owner: str) -> ColumnElement[bool]:
    return and_(jobs.c.id == job_id, jobs.c.status == "running", same(jobs.c.lease_owner, owner))


def _end_abandoned(now: int) -> Update:
    """End the jobs whose runner died after they were asked to stop: there is nobody else to."""
    asked = jobs.c.cancel_asked.is_(True)
    return update(jobs).where(_waiting(now), asked).values(_cancelled(now))


def _cancelled(time: int) -> dict[str, Any]:
    return {**_UNLEASED, "status": "cancelled", "cancel_asked": True, "ended_time": time}


def _job(row: Row[Any]) -> Job:
    return Job(
        id=row.id,
        kind=row.kind,
        question=row.question,
        user_id=row.user_id,
        status=row.status,
        progress=row.progress,
        result=row.result,
        error=row.error,
        cancel_asked=row.cancel_asked,
        attempts=row.attempts,
        lease_owner=row.lease_owner,
        lease_until=row.lease_until,
        created_time=row.created_time,
        started_time=row.started_time,
        ended_time=row.ended_time,
    )
