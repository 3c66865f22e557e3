"""One database: its connections, its transactions, and its errors told in our own words."""

import contextlib
import logging
import operator
import sqlite3
import threading
import time
from collections.abc import Callable, Container, Iterator, Mapping
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, create_engine, event, text
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.exc import DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from barograph.domain.errors import (
    BarographError,
    ConfigurationError,
    Conflict,
    InvalidInput,
    StorageFull,
    Unavailable,
)
from barograph.stores.catalog.address import EXTRAS, connect_arguments, make_file
from barograph.stores.catalog.faults import Fault, read_fault

T = TypeVar("T")

_ATTEMPTS_MAX = 20
"""How often a transaction that lost a race is done over. Each time somebody else has won."""

_POOL_SECONDS_MAX = 10
_CONNECTIONS_KEPT = 5

_log = logging.getLogger(__name__)


class _Beside(threading.local):
    """What this thread wants done in the transaction of its next write."""

    works: tuple[Callable[[Connection, Any], None], ...] = ()


class Database:
    """Runs functions of a connection as transactions. Thread-safe."""

    def __init__(
        self,
        url: URL,
        connections_max: int,
        *,
        what: str = "catalog",
        isolation: str = "READ COMMITTED",
        driver_options: Mapping[str, Any] | None = None,
        autocommit: bool = False,
    ) -> None:
        """`what` names the database in messages; SQLite has an isolation of its own.

        With `autocommit` every statement is a transaction by itself, for work of one statement by
        the driver's own means; nothing else is sent then, not to begin, nor to end, nor to try
        whether the connection still lives. Not for SQLite.
        """
        self.backend = url.get_backend_name()
        self.what = what
        self.file = url.database if self.backend == "sqlite" else None
        shown = url.difference_update_query(["password", "sslpassword"])
        self.place = shown.render_as_string(hide_password=True)
        if self.backend == "sqlite":
            make_file(url)
        kept = min(_CONNECTIONS_KEPT, connections_max)
        options: dict[str, Any] = {} if self.backend == "sqlite" else {"isolation_level": isolation}
        if autocommit:
            options = {"isolation_level": "AUTOCOMMIT", "pool_reset_on_return": None}
        try:
            self.engine = create_engine(
                url,
                connect_args={**connect_arguments(url), **(driver_options or {})},
                pool_pre_ping=not autocommit,
                pool_size=kept,
                max_overflow=connections_max - kept,
                pool_timeout=_POOL_SECONDS_MAX,
                **options,
            )
        except (ModuleNotFoundError, NoSuchModuleError) as error:
            raise ConfigurationError(
                f"the driver of {self.backend} is not installed: "
                f"install barograph[{EXTRAS.get(self.backend, self.backend)}]"
            ) from error
        self._writing = self.engine.execution_options(begin="BEGIN IMMEDIATE")
        self._beside = _Beside()
        self._begin = self.engine.connect if autocommit else self._writing.begin
        self._turn: contextlib.AbstractContextManager[Any] = contextlib.nullcontext()
        if self.backend == "sqlite":
            # SQLite has one writer; threads of one process wait here, in turn and without polling.
            self._turn = threading.Lock()
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)

    def read(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns, of one transaction that changes nothing."""
        with self.reading() as connection:
            return work(connection)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection in a transaction that changes nothing."""
        try:
            with self.engine.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise self._explain(error, read_fault(error), {}) from error

    def write(
        self,
        work: Callable[[Connection], T],
        *,
        taken: Mapping[str, str] | None = None,
        again: Container[str] = (),
        repeatable: bool = False,
    ) -> T:
        """What `work` returns, committed; nothing is changed when it raises.

        `work` may be called several times: after a deadlock, and when one of the unique constraints
        named in `again` was violated; where it is `repeatable`, also once more after the connection
        was lost, when it may have been committed already. `taken` is the `Conflict` message of the
        other constraints, by name.
        """
        for attempt in range(_ATTEMPTS_MAX):
            try:
                with self._turn, self._begin() as connection:
                    result = work(connection)
                    for also in self._beside.works:
                        also(connection, result)
            except SQLAlchemyError as error:
                fault = read_fault(error)
                lost_race = fault.kind == "again" or fault.constraint in again
                if lost_race and attempt < _ATTEMPTS_MAX - 1:
                    continue
                if isinstance(error, DBAPIError) and error.connection_invalidated:
                    self.engine.dispose()  # the others are hardly better
                    if repeatable:
                        repeatable = False
                        continue
                raise self._explain(error, fault, taken or {}) from error
            else:
                self._beside.works = ()
                return result
        raise AssertionError("unreachable: the last attempt returns or raises")

    @contextlib.contextmanager
    def beside(self, work: Callable[[Connection, Any], None]) -> Iterator[None]:
        """Have `work` done in the same transaction as the first `write` of this thread within.

        It is given what that write returns.
        """
        self._beside.works = (work,)
        try:
            yield
        finally:
            self._beside.works = ()

    @contextlib.contextmanager
    def driver_connection(self) -> Iterator[Any]:
        """The driver's own connection, for what SQL in a transaction cannot do."""
        try:
            connection = self.engine.raw_connection()
        except SQLAlchemyError as error:
            raise self._explain(error, read_fault(error), {}) from error
        try:
            yield connection.driver_connection
        except self.engine.dialect.loaded_dbapi.Error as error:
            wrapped = DBAPIError(None, None, error)
            raise self._explain(wrapped, read_fault(wrapped), {}) from error
        finally:
            connection.close()

    def warn_of_lost_commits(self) -> None:
        """Log a warning if the server acknowledges commits before they are on disk."""
        for query, safe, name in _SYNC_SETTINGS.get(self.backend, ()):
            value = str(self.read(operator.methodcaller("scalar", text(query))))
            if value not in safe:
                _log.warning(_UNSYNCED, self.what, self.place, name, value, name, safe[0])

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    def _explain(
        self, error: SQLAlchemyError, fault: Fault, taken: Mapping[str, str]
    ) -> BarographError:
        if fault.kind == "taken":
            return Conflict(taken.get(fault.constraint, "this exists already"))
        if fault.kind == "dangling":
            return Conflict("something this refers to, or that refers to it, changed meanwhile")
        reason = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
        if fault.kind == "invalid":
            return InvalidInput.of("", f"the {self.what} cannot keep this value: {reason}")
        if fault.kind == "full":
            return StorageFull(f"the disk of the {self.what} {self.place} is full: free some space")
        if fault.kind == "slow":
            return Unavailable(
                f"the {self.what} took longer than its time limit: ask for fewer series or a shorter "
                "period at a time"
            )
        check = _CHECKS["sqlite" if self.backend == "sqlite" else "server"]
        return Unavailable(f"the {self.what} {self.place} cannot be used ({reason}): {check}")


_CHECKS = {
    "sqlite": "check that its disk is there, writable and not full, that the file is one of Barograph's, "
    "and that no other program keeps it locked",
    "server": "check that the database server runs and can be reached, that its address, user and "
    "password are right, and that the user may use the tables",
}

_FLUSH_LOG = (
    ("SELECT @@innodb_flush_log_at_trx_commit", ("1",), "innodb_flush_log_at_trx_commit"),
)
_SYNC_SETTINGS = {
    "postgresql": (
        (
            "SHOW synchronous_commit",
            ("on", "local", "remote_write", "remote_apply"),
            "synchronous_commit",
        ),
        ("SHOW fsync", ("on",), "fsync"),
    ),
    "mysql": _FLUSH_LOG,
    "mariadb": _FLUSH_LOG,
}
"""Per database: how to ask, the safe answers (the best first), the setting's name."""

_UNSYNCED = (
    "the %s %s does not sync commits (%s = %s): after a power failure what was already confirmed may "
    "be gone. Set %s = %s on the server."
)


def _prepare_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    # Transactions begin where `_begin_sqlite` says, not where the driver guesses.
    connection.isolation_level = None
    cursor = connection.cursor()
    _use_write_ahead_log(cursor)
    # Nothing less syncs the log at each commit.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _use_write_ahead_log(cursor: DBAPICursor) -> None:
    """Let readers and the writer not wait for each other. The file remembers it.

    Of several who open a new file at once, SQLite refuses all but one without any waiting, so the
    waiting is done here.
    """
    cursor.execute("PRAGMA busy_timeout")
    deadline = time.monotonic() + cursor.fetchall()[0][0] / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.005)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that means to write takes the lock at once: one that read first and then finds
    # another writer ahead of it would fail without waiting.
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))
