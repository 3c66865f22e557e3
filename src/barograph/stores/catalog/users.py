"""The users."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, func, or_, select

from barograph.domain.errors import Conflict
from barograph.domain.user import Role, Token, User
from barograph.ports.page import Page
from barograph.stores.catalog import rows
from barograph.stores.catalog.changes import note
from barograph.stores.catalog.engine import Database
from barograph.stores.catalog.schema import (
    EMAIL_CHARS_MAX,
    NAME_CHARS_MAX,
    device_shares,
    devices,
    tokens,
    users,
)
from barograph.stores.catalog.tokens import token_values
from barograph.stores.catalog.values import check_text, contains, fold, same

_FIELDS = ("username", "email", "role", "password_hash")


class SqlUsers:
    """`ports.catalog.Users` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        username: str,
        email: str | None,
        password_hash: str | None,
        role: Role,
        time: int,
        token: Token | None = None,
    ) -> User:
        changes = {
            "username": username,
            "email": email,
            "password_hash": password_hash,
            "role": role,
        }
        values = {**_values(changes), "created_time": time}
        held = None if token is None else token_values(token)

        def work(tx: Connection) -> User:
            user = _user(rows.insert(tx, users, values))
            if held is not None:
                rows.insert(tx, tokens, {**held, "user_id": user.id})
            note(tx, "user", [user.id])
            return user

        return self._database.write(work, taken=_taken(changes))

    def get(self, user_id: int) -> User | None:
        row = self._database.read(lambda tx: rows.first(tx, users, users.c.id == user_id))
        return _user(row) if row else None

    def find(self, username: str) -> User | None:
        folded = fold(username)
        query = select(users).where(
            or_(same(users.c.username_folded, folded), same(users.c.email_folded, folded))
        )
        found = self._database.read(lambda tx: tx.execute(query).all())
        # Where one user's name is another's address, the name counts.
        best = max(found, key=lambda row: row.username_folded == folded, default=None)
        return _user(best) if best else None

    def list(self, *, search: str = "", limit: int, offset: int = 0) -> Page[User]:
        query = select(users)
        if search:
            query = query.where(contains(search, users.c.username_folded, users.c.email_folded))
        return rows.page(self._database, query, _user, users.c.id, limit=limit, offset=offset)

    def update(self, user_id: int, changes: Mapping[str, Any]) -> User:
        rows.check_fields(changes, _FIELDS)
        values = _values(changes)

        def work(tx: Connection) -> User:
            user = _user(rows.change(tx, users, "user", user_id, values))
            note(tx, "user", [user_id])
            return user

        return self._database.write(work, taken=_taken(changes))

    def delete(self, user_id: int) -> None:
        def work(tx: Connection) -> None:
            user = rows.lock(tx, users, "user", user_id)
            owned = select(func.count()).where(devices.c.user_id == user_id)
            if count := tx.execute(owned).scalar_one():
                raise Conflict(
                    f"the user {user.username!r} still owns {count} device(s): "
                    "remove them or hand them over first"
                )
            seen = select(device_shares.c.device_id).where(device_shares.c.user_id == user_id)
            shared = tx.execute(seen).scalars().all()
            rows.remove(tx, users, "user", user_id)
            note(tx, "user", [user_id])
            note(tx, "device", shared)

        self._database.write(work)

    def any_admin(self) -> bool:
        query = select(users.c.id).where(users.c.role == "admin").limit(1)
        return self._database.read(lambda tx: tx.execute(query).first()) is not None


def _values(changes: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that follow from fields of `User`."""
    values = dict(changes)
    if "username" in values:
        check_text("username", values["username"], NAME_CHARS_MAX)
        values["username_folded"] = fold(values["username"])
    if "email" in values:
        email = values["email"]
        values["email_folded"] = None
        if email is not None:
            values["email_folded"] = fold(check_text("email", email, EMAIL_CHARS_MAX))
    return values


def _taken(changes: Mapping[str, Any]) -> dict[str, str]:
    return {
        "uq_users_username_folded": f"the username {changes.get('username')!r} is taken",
        "uq_users_email_folded": f"the e-mail address {changes.get('email')!r} is taken",
    }


def _user(row: Row[Any]) -> User:
    return User(
        id=row.id,
        username=row.username,
        email=row.email,
        role=row.role,
        created_time=row.created_time,
        password_hash=row.password_hash,
    )
