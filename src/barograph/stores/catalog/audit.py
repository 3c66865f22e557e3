"""The log of who did what."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy import Connection, Row, select

from barograph.domain.audit import AuditEntry
from barograph.domain.period import ALL_TIME, Period
from barograph.ports.page import Page
from barograph.stores.catalog import rows
from barograph.stores.catalog.engine import Database
from barograph.stores.catalog.schema import NAME_CHARS_MAX, audit_entries
from barograph.stores.catalog.values import check_json, contains, fold, make_storable, same


class SqlAudit:
    """`ports.catalog.AuditLog` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, entry: AuditEntry) -> None:
        values = _values(entry)
        self._database.write(lambda tx: _insert(tx, values))

    def along(self, tell: Callable[[Any], AuditEntry]) -> AbstractContextManager[None]:
        def keep(tx: Connection, made: Any) -> None:
            if made is not False:  # a change that says so found nothing to do
                _insert(tx, _values(tell(made)))

        return self._database.beside(keep)

    def list(
        self,
        *,
        actor: str | None = None,
        action: str | None = None,
        search: str = "",
        period: Period = ALL_TIME,
        limit: int,
        offset: int = 0,
    ) -> Page[AuditEntry]:
        columns = audit_entries.c
        query = select(audit_entries)
        if actor is not None:
            query = query.where(same(columns.actor, actor))
        if action is not None:
            query = query.where(columns.action.startswith(f"{action}.", autoescape=True))
        if search:
            query = query.where(contains(search, columns.subject_folded))
        if period.start is not None:
            query = query.where(columns.time >= period.start)
        if period.end is not None:
            query = query.where(columns.time < period.end)
        newest_first = columns.id.desc()
        return rows.page(self._database, query, _entry, newest_first, limit=limit, offset=offset)

    def expire(self, before: int) -> int:
        statement = audit_entries.delete().where(audit_entries.c.time < before)
        return self._database.write(lambda tx: tx.execute(statement).rowcount)


def _insert(tx: Connection, values: Mapping[str, Any]) -> None:
    tx.execute(audit_entries.insert().values(values))


def _values(entry: AuditEntry) -> dict[str, Any]:
    subject = make_storable(entry.subject)[:NAME_CHARS_MAX]
    return {
        "time": entry.time,
        "actor": make_storable(entry.actor)[:NAME_CHARS_MAX],
        "actor_id": entry.actor_id,
        "action": entry.action,
        "subject": subject,
        "subject_folded": fold(subject),
        "subject_id": entry.subject_id,
        "detail": check_json("detail", dict(entry.detail)),
    }


def _entry(row: Row[Any]) -> AuditEntry:
    return AuditEntry(
        id=row.id,
        time=row.time,
        actor=row.actor,
        action=row.action,
        subject=row.subject,
        actor_id=row.actor_id,
        subject_id=row.subject_id,
        detail=row.detail,
    )
