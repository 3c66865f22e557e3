"""Who sees what is another user's: the same for devices and dashboards."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Column, Connection, Row, Table, func, select

from barograph.domain.errors import Conflict, NotFound
from barograph.domain.sharing import Share
from barograph.stores.catalog import rows
from barograph.stores.catalog.changes import note
from barograph.stores.catalog.engine import Database
from barograph.stores.catalog.schema import users


class SqlShares:
    """`ports.catalog.Shares` in SQL, in a table whose first column says what is shared."""

    def __init__(self, database: Database, table: Table, subjects: Table, noun: str) -> None:
        self._database = database
        self._table = table
        self._subject: Column[int] = table.c[f"{noun}_id"]
        self._subjects = subjects
        self._noun = noun

    def put(self, share: Share, most: int) -> None:
        table = self._table
        where = (self._subject == share.subject_id, table.c.user_id == share.user_id)
        values = {
            self._subject.name: share.subject_id,
            "user_id": share.user_id,
            "writes": share.writes,
            "created_time": share.created_time,
        }

        def work(tx: Connection) -> None:
            rows.lock(tx, self._subjects, self._noun, share.subject_id)
            rows.require(tx, users, "user", "user_id", share.user_id)
            tx.execute(table.delete().where(*where))
            counting = select(func.count()).where(self._subject == share.subject_id)
            if tx.execute(counting).scalar_one() >= most:
                raise Conflict(f"a {self._noun} is shared with at most {most} users")
            tx.execute(table.insert().values(values))
            self._note(tx, share.subject_id)

        self._database.write(work)

    def remove(self, subject_id: int, user_id: int) -> None:
        where = (self._subject == subject_id, self._table.c.user_id == user_id)

        def work(tx: Connection) -> None:
            if not tx.execute(self._table.delete().where(*where)).rowcount:
                raise NotFound(f"this {self._noun} is not shared with this user")
            self._note(tx, subject_id)

        self._database.write(work)

    def _note(self, tx: Connection, subject_id: int) -> None:
        if self._noun == "device":
            note(tx, "device", [subject_id])

    def of_subject(self, subject_id: int) -> Sequence[Share]:
        return self._where(self._subject == subject_id)

    def of_user(self, user_id: int) -> Sequence[Share]:
        return self._where(self._table.c.user_id == user_id)

    def all(self) -> Iterator[Share]:
        yield from self._where()

    def _where(self, *where: Any) -> Sequence[Share]:
        query = select(self._table).where(*where).order_by(self._subject, self._table.c.user_id)
        return self._database.read(lambda tx: [self._share(row) for row in tx.execute(query)])

    def _share(self, row: Row[Any]) -> Share:
        return Share(row[0], row.user_id, row.writes, row.created_time)
