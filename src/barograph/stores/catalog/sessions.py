"""Refresh tokens: one row per sign-in, rotated at each use."""

from typing import Any

from sqlalchemy import Connection, Row, select, update

from barograph.stores.catalog import rows
from barograph.stores.catalog.engine import Database
from barograph.stores.catalog.schema import replaced_digests, sessions, users
from barograph.stores.catalog.tokens import check_digest

_TAKEN = {"uq_sessions_digest": "this refresh token exists already"}


class SqlSessions:
    """`ports.catalog.Sessions` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, user_id: int, digest: bytes, expires: int, time: int) -> None:
        values = {
            "user_id": user_id,
            "digest": check_digest(digest),
            "expires_time": expires,
            "created_time": time,
        }

        def work(tx: Connection) -> None:
            rows.require(tx, users, "user", "user_id", user_id)
            for table in (replaced_digests, sessions):
                tx.execute(table.delete().where(table.c.expires_time <= time))
            rows.insert(tx, sessions, values)

        self._database.write(work, taken=_TAKEN)

    def rotate(self, digest: bytes, new_digest: bytes, expires: int, time: int) -> int | None:
        check_digest(new_digest)

        def work(tx: Connection) -> int | None:
            current = select(sessions).where(sessions.c.digest == digest).with_for_update()
            session = tx.execute(current).first()
            if session is None:
                _end_replaced(tx, digest)
                return None
            if session.expires_time <= time:
                return None
            _replace(tx, session, new_digest, expires, time)
            return int(session.user_id)

        return self._database.write(work, taken=_TAKEN)

    def end(self, digest: bytes) -> None:
        def work(tx: Connection) -> None:
            tx.execute(sessions.delete().where(sessions.c.digest == digest))
            _end_replaced(tx, digest)

        self._database.write(work)

    def end_all(self, user_id: int) -> None:
        def work(tx: Connection) -> None:
            tx.execute(sessions.delete().where(sessions.c.user_id == user_id))

        self._database.write(work)


def _replace(tx: Connection, session: Row[Any], new_digest: bytes, expires: int, time: int) -> None:
    # A session may be rotated for years without a new sign-in: forget what expired here too.
    past = replaced_digests.c
    tx.execute(
        replaced_digests.delete().where(past.session_id == session.id, past.expires_time <= time)
    )
    tx.execute(
        replaced_digests.insert().values(
            digest=session.digest, session_id=session.id, expires_time=session.expires_time
        )
    )
    tx.execute(
        update(sessions)
        .where(sessions.c.id == session.id)
        .values(digest=new_digest, expires_time=expires)
    )


def _end_replaced(tx: Connection, digest: bytes) -> None:
    """End the session that had this digest before, if there is one."""
    before = select(replaced_digests.c.session_id).where(replaced_digests.c.digest == digest)
    session_id = tx.execute(before).scalar_one_or_none()
    if session_id is not None:
        tx.execute(sessions.delete().where(sessions.c.id == session_id))
