"""Small values that the installation keeps."""

from sqlalchemy import Connection, select, update

from barograph.domain.errors import NotFound
from barograph.stores.catalog.engine import Database
from barograph.stores.catalog.schema import KEY_CHARS_MAX, secrets
from barograph.stores.catalog.values import check_text, same

_AGAIN = {"pk_secrets", "PRIMARY"}
"""The key's constraint: MySQL calls every primary key PRIMARY."""


class SqlSecrets:
    """`ports.catalog.Secrets` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get_or_create(self, name: str, value: bytes) -> bytes:
        check_text("name", name, KEY_CHARS_MAX)

        def work(tx: Connection) -> bytes:
            stored = _stored(tx, name)
            if stored is None:
                tx.execute(secrets.insert().values(name=name, value=value))
            return value if stored is None else stored

        stored = self.get(name)
        return self._database.write(work, again=_AGAIN) if stored is None else stored

    def get(self, name: str) -> bytes | None:
        return self._database.read(lambda tx: _stored(tx, name))

    def put(self, name: str, value: bytes) -> None:
        check_text("name", name, KEY_CHARS_MAX)

        def work(tx: Connection) -> None:
            changed = update(secrets).where(secrets.c.name == name).values(value=value)
            if not tx.execute(changed).rowcount:
                tx.execute(secrets.insert().values(name=name, value=value))

        self._database.write(work, again=_AGAIN)

    def delete(self, name: str) -> None:
        def work(tx: Connection) -> None:
            if not tx.execute(secrets.delete().where(same(secrets.c.name, name))).rowcount:
                raise NotFound(f"there is no secret {name!r}")

        self._database.write(work)


def _stored(tx: Connection, name: str) -> bytes | None:
    query = select(secrets.c.value).where(same(secrets.c.name, name))
    value: bytes | None = tx.execute(query).scalar_one_or_none()
    return value
