"""The credentials."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, or_, select, update

from barograph.domain.errors import InvalidInput
from barograph.domain.user import Token
from barograph.stores.catalog import rows
from barograph.stores.catalog.changes import note
from barograph.stores.catalog.engine import Database
from barograph.stores.catalog.schema import NAME_CHARS_MAX, devices, tokens, users
from barograph.stores.catalog.values import check_text

_TAKEN = {"uq_tokens_digest": "this token exists already"}
_DIGEST_BYTES = 32


class SqlTokens:
    """`ports.catalog.Tokens` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, token: Token) -> Token:
        if (token.user_id is None) == (token.device_id is None):
            raise InvalidInput.of("user_id", "a token belongs to one user or to one device")
        values = token_values(token)

        def work(tx: Connection) -> Token:
            rows.require(tx, users, "user", "user_id", token.user_id)
            rows.require(tx, devices, "device", "device_id", token.device_id)
            made = _token(rows.insert(tx, tokens, values))
            _note_owner(tx, made)
            return made

        return self._database.write(work, taken=_TAKEN)

    def rotate_device(self, device_id: int, digest: bytes, time: int) -> Token:
        values = device_token(device_id, check_digest(digest), time)

        def work(tx: Connection) -> Token:
            rows.lock(tx, devices, "device", device_id)
            tx.execute(tokens.delete().where(tokens.c.device_id == device_id))
            made = _token(rows.insert(tx, tokens, values))
            _note_owner(tx, made)
            return made

        return self._database.write(work, taken=_TAKEN)

    def find(self, digest: bytes) -> Token | None:
        row = self._database.read(lambda tx: rows.first(tx, tokens, tokens.c.digest == digest))
        return _token(row) if row else None

    def of_user(self, user_id: int) -> Sequence[Token]:
        query = select(tokens).where(tokens.c.user_id == user_id).order_by(tokens.c.id)
        return self._database.read(lambda tx: [_token(row) for row in tx.execute(query)])

    def of_device(self, device_id: int) -> Sequence[Token]:
        query = select(tokens).where(tokens.c.device_id == device_id).order_by(tokens.c.id)
        return self._database.read(lambda tx: [_token(row) for row in tx.execute(query)])

    def all(self) -> Iterator[Token]:
        return rows.stream(self._database, tokens, _token)

    def revoke(self, token_id: int) -> None:
        def work(tx: Connection) -> None:
            token = _token(rows.lock(tx, tokens, "token", token_id))
            rows.remove(tx, tokens, "token", token_id)
            _note_owner(tx, token)

        self._database.write(work)

    def touch(self, used: Mapping[int, int]) -> None:
        if not used:
            return
        statement = (
            update(tokens)
            .where(tokens.c.id == bindparam("token"))
            .where(
                or_(tokens.c.last_used_time.is_(None), tokens.c.last_used_time < bindparam("at"))
            )
            .values(last_used_time=bindparam("at"))
        )
        # In order of id, so that two of these lock the rows in the same order.
        parameters = [{"token": token, "at": used[token]} for token in sorted(used)]

        def work(tx: Connection) -> None:
            tx.execute(statement, parameters)

        self._database.write(work)


def _note_owner(tx: Connection, token: Token) -> None:
    if token.user_id is not None:
        note(tx, "user", [token.user_id])
    if token.device_id is not None:
        note(tx, "device", [token.device_id])


def check_digest(digest: bytes) -> bytes:
    """`digest` if it is a SHA-256; raises `InvalidInput`."""
    if len(digest) != _DIGEST_BYTES:
        raise InvalidInput.of("digest", f"is a SHA-256 of 32 bytes, not {len(digest)} bytes")
    return digest


def token_values(token: Token) -> dict[str, Any]:
    """The row of a token."""
    return {
        "digest": check_digest(token.digest),
        "user_id": token.user_id,
        "device_id": token.device_id,
        "name": check_text("name", token.name, NAME_CHARS_MAX),
        "created_time": token.created_time,
        "last_used_time": token.last_used_time,
        "expires_time": token.expires_time,
        "reads_only": token.reads_only,
    }


def device_token(device_id: int, digest: bytes, time: int) -> dict[str, Any]:
    """The row of a device's own token."""
    return {"digest": digest, "device_id": device_id, "name": "", "created_time": time}


def _token(row: Row[Any]) -> Token:
    return Token(
        id=row.id,
        digest=row.digest,
        user_id=row.user_id,
        device_id=row.device_id,
        name=row.name,
        created_time=row.created_time,
        last_used_time=row.last_used_time,
        expires_time=row.expires_time,
        reads_only=row.reads_only,
    )
