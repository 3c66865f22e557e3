"""Who does what only one process may do at a time."""

import contextlib
import fcntl
import os
from collections import defaultdict
from collections.abc import Iterator
from threading import Lock

from sqlalchemy import Connection, or_, text, update

from barograph.domain.errors import Unavailable
from barograph.stores.catalog.engine import Database
from barograph.stores.catalog.faults import PRIMARY_KEYS
from barograph.stores.catalog.schema import NAME_CHARS_MAX, turns
from barograph.stores.catalog.values import check_text, same

_WAIT_SECONDS_MAX = 10
_LOCK = {
    # A number of 64 bits made of the name; the lock is let go with the transaction.
    "postgresql": "SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))",
    "mysql": f"SELECT GET_LOCK(CONCAT('barograph.', MD5(CONCAT(DATABASE(), :name))), {_WAIT_SECONDS_MAX})",
}
_UNLOCK = "SELECT RELEASE_LOCK(CONCAT('barograph.', MD5(CONCAT(DATABASE(), :name))))"


class SqlTurns:
    """`ports.processes.Turns` in SQL; in SQLite `alone` locks a file beside the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # Of the threads of a process one at a time waits for the other processes, so that those
        # who wait do not hold all connections.
        self._here: defaultdict[str, Lock] = defaultdict(Lock)

    def take(self, name: str, owner: str, now: int, until: int) -> bool:
        check_text("owner", owner, NAME_CHARS_MAX)
        free = or_(same(turns.c.owner, owner), turns.c.until <= now)
        won = update(turns).where(turns.c.name == name, free).values(owner=owner, until=until)
        first = turns.insert().values(name=name, owner=owner, until=until)
        known = turns.select().where(turns.c.name == name)

        def work(tx: Connection) -> bool:
            if tx.execute(won).rowcount:
                return True
            if tx.execute(known).first() is not None:
                return False
            tx.execute(first)
            return True

        return self._database.write(work, again=PRIMARY_KEYS)

    @contextlib.contextmanager
    def alone(self, name: str) -> Iterator[None]:
        with self._here[name]:
            if self._database.backend == "sqlite":
                with self._locked_file(name):
                    yield
            else:
                with self._locked(name):
                    yield

    @contextlib.contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        backend = self._database.backend.replace("mariadb", "mysql")
        with self._database.reading() as connection:
            got = connection.execute(text(_LOCK[backend]), {"name": name}).scalar()
            if backend == "mysql" and got != 1:
                raise Unavailable("another process is busy with the same: try again")
            try:
                yield
            finally:
                if backend == "mysql":
                    connection.execute(text(_UNLOCK), {"name": name})

    @contextlib.contextmanager
    def _locked_file(self, name: str) -> Iterator[None]:
        path = f"{self._database.file}.{name}.lock"
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Unavailable(f"{path} cannot be made: {error.strerror}") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)
