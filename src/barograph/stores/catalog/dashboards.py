"""Dashboards, the links to them, and saved questions."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, or_, select, update

from barograph.domain.dashboard import Dashboard, DashboardLink, SavedQuestion
from barograph.domain.errors import Conflict, NotFound
from barograph.stores.catalog import rows
from barograph.stores.catalog.engine import Database
from barograph.stores.catalog.schema import (
    NAME_CHARS_MAX,
    dashboard_links,
    dashboard_shares,
    dashboards,
    saved_questions,
    users,
)
from barograph.stores.catalog.tokens import check_digest
from barograph.stores.catalog.values import check_json, check_text


class SqlDashboards:
    """`ports.catalog.Dashboards` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, dashboard: Dashboard, most: int) -> Dashboard:
        values = {
            **_values(dashboard.name, dashboard.panels),
            "user_id": dashboard.user_id,
            "revision": 1,
            "created_time": dashboard.created_time,
            "changed_time": dashboard.created_time,
        }

        def work(tx: Connection) -> Dashboard:
            rows.require(tx, users, "user", "user_id", dashboard.user_id)
            if rows.count(tx, rows.of_user(dashboards.c.user_id, dashboard.user_id)) >= most:
                raise Conflict(f"a user has at most {most} dashboards: delete one first")
            return _dashboard(rows.insert(tx, dashboards, values))

        return self._database.write(work)

    def get(self, dashboard_id: int) -> Dashboard | None:
        where = dashboards.c.id == dashboard_id
        row = self._database.read(lambda tx: rows.first(tx, dashboards, where))
        return _dashboard(row) if row else None

    def visible_to(self, user_id: int | None) -> Sequence[Dashboard]:
        query = select(dashboards).order_by(dashboards.c.name, dashboards.c.id)
        if user_id is not None:
            shared = select(dashboard_shares.c.dashboard_id).where(
                dashboard_shares.c.user_id == user_id
            )
            query = query.where(or_(dashboards.c.user_id == user_id, dashboards.c.id.in_(shared)))
        return self._database.read(lambda tx: [_dashboard(row) for row in tx.execute(query)])

    def update(
        self,
        dashboard_id: int,
        name: str,
        panels: Sequence[Mapping[str, Any]],
        revision: int,
        time: int,
    ) -> Dashboard:
        values = {**_values(name, panels), "revision": revision + 1, "changed_time": time}
        where = (dashboards.c.id == dashboard_id, dashboards.c.revision == revision)

        def work(tx: Connection) -> Dashboard:
            changed = tx.execute(update(dashboards).where(*where).values(values)).rowcount
            row = rows.first(tx, dashboards, dashboards.c.id == dashboard_id)
            if row is None:
                raise rows.missing("dashboard", dashboard_id)
            if not changed:
                raise Conflict(
                    "somebody else changed this dashboard meanwhile: reload it and change it again"
                )
            return _dashboard(row)

        return self._database.write(work)

    def delete(self, dashboard_id: int) -> None:
        def work(tx: Connection) -> None:
            rows.remove(tx, dashboards, "dashboard", dashboard_id)

        self._database.write(work)

    def add_link(self, link: DashboardLink, most: int) -> DashboardLink:
        values = {
            "dashboard_id": link.dashboard_id,
            "digest": check_digest(link.digest),
            "name": check_text("name", link.name, NAME_CHARS_MAX),
            "created_time": link.created_time,
            "expires_time": link.expires_time,
        }

        def work(tx: Connection) -> DashboardLink:
            rows.lock(tx, dashboards, "dashboard", link.dashboard_id)
            if rows.count(tx, dashboard_links.c.dashboard_id == link.dashboard_id) >= most:
                raise Conflict(f"a dashboard has at most {most} links: revoke one first")
            return _link(rows.insert(tx, dashboard_links, values))

        return self._database.write(
            work, taken={"uq_dashboard_links_digest": "this link exists already"}
        )

    def links(self, dashboard_id: int) -> Sequence[DashboardLink]:
        query = select(dashboard_links).where(dashboard_links.c.dashboard_id == dashboard_id)
        ordered = query.order_by(dashboard_links.c.id)
        return self._database.read(lambda tx: [_link(row) for row in tx.execute(ordered)])

    def find_link(self, digest: bytes) -> DashboardLink | None:
        where = dashboard_links.c.digest == digest
        row = self._database.read(lambda tx: rows.first(tx, dashboard_links, where))
        return _link(row) if row else None

    def remove_link(self, dashboard_id: int, link_id: int) -> None:
        statement = dashboard_links.delete().where(
            dashboard_links.c.id == link_id, dashboard_links.c.dashboard_id == dashboard_id
        )

        def work(tx: Connection) -> None:
            if not tx.execute(statement).rowcount:
                raise NotFound("there is no such link")

        self._database.write(work)


class SqlSavedQuestions:
    """`ports.catalog.SavedQuestions` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, saved: SavedQuestion, most: int) -> SavedQuestion:
        values = {
            "user_id": saved.user_id,
            "name": check_text("name", saved.name, NAME_CHARS_MAX),
            "question": check_json("question", dict(saved.question)),
            "created_time": saved.created_time,
        }

        def work(tx: Connection) -> SavedQuestion:
            rows.require(tx, users, "user", "user_id", saved.user_id)
            if rows.count(tx, rows.of_user(saved_questions.c.user_id, saved.user_id)) >= most:
                raise Conflict(f"a user saves at most {most} questions: remove one first")
            return _saved(rows.insert(tx, saved_questions, values))

        return self._database.write(work)

    def get(self, question_id: int) -> SavedQuestion | None:
        where = saved_questions.c.id == question_id
        row = self._database.read(lambda tx: rows.first(tx, saved_questions, where))
        return _saved(row) if row else None

    def of_user(self, user_id: int | None) -> Sequence[SavedQuestion]:
        where = rows.of_user(saved_questions.c.user_id, user_id)
        query = select(saved_questions).where(where).order_by(saved_questions.c.id)
        return self._database.read(lambda tx: [_saved(row) for row in tx.execute(query)])

    def delete(self, question_id: int) -> None:
        def work(tx: Connection) -> None:
            rows.remove(tx, saved_questions, "saved question", question_id)

        self._database.write(work)


def _values(name: str, panels: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "name": check_text("name", name, NAME_CHARS_MAX),
        "panels": check_json("panels", [dict(panel) for panel in panels]),
    }


def _dashboard(row: Row[Any]) -> Dashboard:
    return Dashboard(
        id=row.id,
        name=row.name,
        panels=row.panels,
        user_id=row.user_id,
        revision=row.revision,
        created_time=row.created_time,
        changed_time=row.changed_time,
    )


def _link(row: Row[Any]) -> DashboardLink:
    return DashboardLink(
        id=row.id,
        dashboard_id=row.dashboard_id,
        digest=row.digest,
        name=row.name,
        created_time=row.created_time,
        expires_time=row.expires_time,
    )


def _saved(row: Row[Any]) -> SavedQuestion:
    return SavedQuestion(
        id=row.id,
        name=row.name,
        question=row.question,
        user_id=row.user_id,
        created_time=row.created_time,
    )
