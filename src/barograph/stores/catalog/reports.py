"""Reports that were made, their figures, and where they are sent."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select, update

from barograph.domain.report import Delivery, DeliveryStatus, Form, Report, Way
from barograph.ports.page import Page
from barograph.stores.catalog import rows
from barograph.stores.catalog.engine import Database
from barograph.stores.catalog.schema import (
    KEY_CHARS_MAX,
    NAME_CHARS_MAX,
    deliveries,
    reports,
    schedules,
    users,
)
from barograph.stores.catalog.values import check_json, check_text, make_storable, same

# The figures may be megabytes, which a list has no use for.
_LIGHT = [column for column in reports.c if column.name != "document"]
_EXPIRED_AT_ONCE = 500


class SqlReports:
    """`ports.work.Reports` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        report: Report,
        document: bytes,
        deliveries: Sequence[tuple[Way, str, Sequence[Form]]] = (),
    ) -> Report:
        values = {
            "key": check_text("key", report.key, KEY_CHARS_MAX),
            "name": check_text("name", report.name, NAME_CHARS_MAX),
            "question": check_json("question", dict(report.question)),
            "user_id": report.user_id,
            "created_time": report.created_time,
            "document": document,
            "document_bytes": len(document),
        }

        def work(tx: Connection) -> Report:
            rows.require(tx, users, "user", "user_id", report.user_id)
            there = tx.execute(select(*_LIGHT).where(same(reports.c.key, report.key))).first()
            if there is not None:
                return _report(there)
            # The schedule may have been removed while its report was being made.
            schedule = rows.first(tx, schedules, schedules.c.id == (report.schedule_id or -1))
            values["schedule_id"] = None if schedule is None else schedule.id
            made = rows.insert(tx, reports, values)
            for way, target, formats in deliveries:
                rows.insert(tx, _DELIVERIES, _delivery_values(made, way, target, formats))
            return _report(made)

        # Who kept it at the same moment has won: then it is there.
        return self._database.write(work, again={"uq_reports_key"})

    def get(self, report_id: int) -> Report | None:
        query = select(*_LIGHT).where(reports.c.id == report_id)
        row = self._database.read(lambda tx: tx.execute(query).first())
        return _report(row) if row else None

    def document(self, report_id: int) -> bytes | None:
        query = select(reports.c.document).where(reports.c.id == report_id)
        found = self._database.read(lambda tx: tx.execute(query).scalar())
        return None if found is None else bytes(found)

    def list(
        self,
        *,
        user_id: int | None = None,
        schedule_id: int | None = None,
        limit: int,
        offset: int = 0,
    ) -> Page[Report]:
        query = select(*_LIGHT)
        if user_id is not None:
            query = query.where(reports.c.user_id == user_id)
        if schedule_id is not None:
            query = query.where(reports.c.schedule_id == schedule_id)
        newest = reports.c.id.desc()
        return rows.page(self._database, query, _report, newest, limit=limit, offset=offset)

    def delete(self, report_id: int) -> None:
        def work(tx: Connection) -> None:
            rows.remove(tx, reports, "report", report_id)

        self._database.write(work)

    def expire(self, before: int, kept_max: int) -> int:
        old = select(reports.c.id).where(reports.c.created_time < before).limit(_EXPIRED_AT_ONCE)
        place = func.row_number().over(partition_by=reports.c.user_id, order_by=reports.c.id.desc())
        ranked = select(reports.c.id, place.label("place")).subquery()
        many = select(ranked.c.id).where(ranked.c.place > kept_max).limit(_EXPIRED_AT_ONCE)

        def work(tx: Connection) -> int:
            ids = {*tx.execute(old).scalars(), *tx.execute(many).scalars()}
            if not ids:
                return 0
            return tx.execute(delete(reports).where(reports.c.id.in_(ids))).rowcount

        return self._database.write(work)

    def deliveries(self, report_id: int) -> Sequence[Delivery]:
        query = select(deliveries).where(deliveries.c.report_id == report_id)
        query = query.order_by(deliveries.c.id)
        return [_delivery(row) for row in self._database.read(lambda tx: tx.execute(query).all())]

    def delivery(self, delivery_id: int) -> Delivery | None:
        where = deliveries.c.id == delivery_id
        row = self._database.read(lambda tx: rows.first(tx, deliveries, where))
        return _delivery(row) if row else None

    def take_delivery(self, now: int, until: int) -> Delivery | None:
        due = deliveries.c.next_time <= now
        first = select(deliveries.c.id).where(due).order_by(deliveries.c.next_time).limit(1)

        def work(tx: Connection) -> Delivery | None:
            while (candidate := tx.execute(first).scalar()) is not None:
                won = update(deliveries).where(deliveries.c.id == candidate, due)
                if tx.execute(won.values(next_time=until)).rowcount:
                    row = rows.first(tx, deliveries, deliveries.c.id == candidate)
                    return None if row is None else _delivery(row)
            return None

        if self._database.read(lambda tx: tx.execute(first).first()) is None:
            return None
        return self._database.write(work)

    def tried(
        self,
        delivery_id: int,
        status: DeliveryStatus,
        error: str | None,
        next_time: int | None,
        time: int,
    ) -> None:
        statement = (
            update(deliveries)
            .where(deliveries.c.id == delivery_id, deliveries.c.status != "sent")
            .values(
                status=status,
                attempts=deliveries.c.attempts + 1,
                error=None if error is None else make_storable(error),
                next_time=next_time,
                ended_time=None if status == "waiting" else time,
            )
        )
        self._database.write(lambda tx: tx.execute(statement))


_DELIVERIES = deliveries


def _delivery_values(
    report: Row[Any], way: Way, target: str, formats: Sequence[Form]
) -> dict[str, Any]:
    return {
        "report_id": report.id,
        "way": way,
        "target": check_text("target", target, NAME_CHARS_MAX),
        "formats": check_json("formats", list(formats)),
        "status": "waiting",
        "attempts": 0,
        "next_time": report.created_time,
    }


def _report(row: Row[Any]) -> Report:
    return Report(
        id=row.id,
        key=row.key,
        name=row.name,
        question=row.question,
        user_id=row.user_id,
        schedule_id=row.schedule_id,
        created_time=row.created_time,
        document_bytes=row.document_bytes,
    )


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        id=row.id,
        report_id=row.report_id,
        way=row.way,
        target=row.target,
        formats=tuple(row.formats),
        status=row.status,
        attempts=row.attempts,
        next_time=row.next_time,
        ended_time=row.ended_time,
        error=row.error,
    )
