"""The DuckDB database: opening it, its settings, its transactions, its errors in our words."""

import errno
import fcntl
import logging
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
from numpy.typing import NDArray

from barograph.domain.errors import BarographError, ConfigurationError, StorageFull, Unavailable

Columns = Mapping[str, NDArray[Any]]
Answer = dict[str, NDArray[Any]]

_SIGNS_OF_A_FULL_DISK = (
    "no space left",
    "disk quota",
    "file too large",
    "disk full",
    "autocheckpoint failed",
)
_SIGNS_OF_TOO_LARGE_A_QUESTION = ("max_temp_directory_size", "out of memory")
_IDLE_CURSORS_MAX = 8

_log = logging.getLogger(__name__)


def in_our_words(error: duckdb.Error | OSError) -> BarographError:
    """The domain's error for one of DuckDB's or the operating system's."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    if any(sign in text.lower() for sign in _SIGNS_OF_TOO_LARGE_A_QUESTION):
        return Unavailable(
            "this needs more working memory than the readings' database has: ask for fewer series "
            "or a shorter period at a time, or raise its memory limit"
        )
    full = isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
    if full or any(sign in text.lower() for sign in _SIGNS_OF_A_FULL_DISK):
        return StorageFull(f"the disk is full: {text}")
    return Unavailable(f"the readings' database cannot do this now: {text}")


@contextmanager
def translated() -> Iterator[None]:
    """Let no error of DuckDB's or of the operating system's through."""
    try:
        yield
    except (duckdb.Error, OSError) as error:
        raise in_our_words(error) from error


class DirectoryLock:
    """Keeps a data directory to one process, with a message of our own."""

    def __init__(self, directory: Path) -> None:
        self._handle = os.open(directory / "readings.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._handle)
            raise ConfigurationError(
                f"the readings in {directory} are open in another process: stop it, or give this "
                "one another data directory (readings in DuckDB belong to one process only)"
            ) from error

    def release(self) -> None:
        """Let another process have the directory."""
        os.close(self._handle)


class Database:
    """One open DuckDB file. Cursors are borrowed and given back; any thread may."""

    def __init__(self, file: Path, *, memory_mb: int, threads: int, temp_mb: int) -> None:
        self._file = file
        self._settings: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": f"{memory_mb}MB",
            "threads": threads,
            "temp_directory": str(file.with_suffix(".tmp")),
            "max_temp_directory_size": f"{temp_mb}MB",
        }
        self._lock = threading.Lock()
        self._idle: list[duckdb.DuckDBPyConnection] = []
        self._main = self._open()

    def _open(self) -> duckdb.DuckDBPyConnection:
        wal = self._file.with_name(self._file.name + ".wal")
        try:
            main = self._connect()
        except duckdb.Error as error:
            if "WAL" not in str(error) or not wal.exists():
                raise
            aside = _free_name(wal)
            _log.critical(
                "DuckDB cannot replay its log %s (%s). It is set aside as %s; what it held is "
                "taken from the journal instead",
                wal,
                str(error).splitlines()[0],
                aside,
            )
            wal.rename(aside)
            main = self._connect()
        for setting in (
            # A checkpoint happens when we say so, where its failure is handled.
            "checkpoint_threshold = '1TB'",
            "auto_checkpoint_skip_wal_threshold = 1000000000000",
            # A transaction sees the database as it was at its BEGIN, not at its first question.
            "immediate_transaction_mode = true",
            "enable_progress_bar = false",
            "python_enable_replacements = false",
            # SQL text must reach neither files nor these settings; memory_limit stays ours to
            # move, to give memory back when idle.
            "enable_external_access = false",
            "allowed_configs = ['memory_limit']",
            "lock_configuration = true",
        ):
            main.execute(f"SET {setting}")
        return main

    def _connect(self) -> duckdb.DuckDBPyConnection:
        return duckdb.connect(str(self._file), config=self._settings)

    def borrow(self) -> duckdb.DuckDBPyConnection:
        """A cursor, the caller's alone until it is given back."""
        with self._lock:
            return self._idle.pop() if self._idle else self._main.cursor()

    def give_back(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """The cursor is not in a transaction, or is thrown away."""
        with self._lock:
            if len(self._idle) < _IDLE_CURSORS_MAX:
                self._idle.append(cursor)
                return
        cursor.close()

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor in a transaction that commits at the end; any error rolls it back."""
        cursor = self.borrow()
        try:
            cursor.begin()
            yield cursor
            cursor.commit()
        except BaseException:
            cursor.close()  # rolls back, whatever state it is in
            raise
        self.give_back(cursor)

    def checkpoint(self) -> None:
        """Write everything into the file and empty DuckDB's log."""
        self._main.execute("CHECKPOINT")

    def give_memory_back(self, memory_mb: int) -> None:
        """Drop cached blocks beyond `memory_mb`, then allow the usual limit again."""
        with self._lock:
            try:
                self._main.execute(f"SET memory_limit = '{memory_mb}MB'")
            except duckdb.OutOfMemoryException:
                _log.debug("more than %d MB is in use and cannot be given back now", memory_mb)
            self._main.execute(f"SET memory_limit = '{self._settings['memory_limit']}'")

    def size_bytes(self) -> int:
        """What the files take."""
        return self._file.stat().st_size + self.wal_bytes()

    def wal_bytes(self) -> int:
        """What DuckDB's log takes."""
        try:
            return self._file.with_name(self._file.name + ".wal").stat().st_size
        except FileNotFoundError:
            return 0

    def close(self) -> None:
        """Close every cursor and the file; checkpoints as DuckDB does on closing."""
        with self._lock:
            idle, self._idle = self._idle, []
            for cursor in idle:
                cursor.close()
            self._main.close()


def _free_name(path: Path) -> Path:
    number = 1
    while (found := path.with_name(f"{path.name}.unreadable-{number}")).exists():
        number += 1
    return found


@contextmanager
def registered(cursor: duckdb.DuckDBPyConnection, **tables: Columns) -> Iterator[None]:
    """Let SQL on this cursor see columns as tables of these names.

    After an error the cursor keeps them, and is to be closed.
    """
    for name, columns in tables.items():
        cursor.register(name, dict(columns))
    yield
    for name in tables:
        cursor.unregister(name)


def ask(
    cursor: duckdb.DuckDBPyConnection, sql: str, parameters: Sequence[Any] = (), **tables: Columns
) -> Answer:
    """The columns of the answer, by name."""
    with registered(cursor, **tables):
        found: Answer = cursor.execute(sql, list(parameters)).fetchnumpy()
        return found
