"""Where a database is: what a URL may say, and what each database's driver is told."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from barograph.domain.errors import ConfigurationError

BUSY_SECONDS_MAX = 15
"""How long SQLite waits for another process that is writing."""

_DRIVERS = {
    "sqlite": "sqlite+pysqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}

EXTRAS = {"postgresql": "postgres", "mysql": "mysql", "mariadb": "mysql"}
"""Database to the extra of the package that brings its driver."""

_EXAMPLES = (
    "sqlite:////var/lib/barograph/data.db, postgresql://user:password@host/database or "
    "mysql://user:password@host/database"
)

_CONNECT: Mapping[str, Mapping[str, Any]] = {
    "sqlite": {"timeout": BUSY_SECONDS_MAX},
    # A server that vanished without a word is noticed within half a minute.
    "postgresql": {
        "connect_timeout": 5,
        "tcp_user_timeout": 30_000,
        "application_name": "barograph",
    },
    "mysql": {"connect_timeout": 5, "read_timeout": 30, "write_timeout": 30, "charset": "utf8mb4"},
}


def read_url(text: str, what: str = "catalog") -> URL:
    """The URL of `what` with the driver that Barograph uses; raises `ConfigurationError`."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ConfigurationError(
            f"the URL of the {what} cannot be read: write it like {_EXAMPLES}"
        ) from None
    if url.drivername not in {*_DRIVERS, *_DRIVERS.values()}:
        raise ConfigurationError(
            f"the {what} cannot be kept in {url.drivername!r}: use a URL like {_EXAMPLES}"
        )
    url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
    if url.get_backend_name() == "sqlite":
        if not url.database or url.database == ":memory:" or set(url.query) - {"timeout"}:
            raise ConfigurationError(
                f"the {what} in SQLite needs the path of its file, and at most how many seconds to "
                "wait for other programs: sqlite:////var/lib/barograph/data.db?timeout=15"
            )
    elif not url.database:
        raise ConfigurationError(
            f"the URL of the {what} names no database: write it like {_EXAMPLES}"
        )
    return url


def connect_arguments(url: URL) -> dict[str, Any]:
    """What the driver is told, except where the URL says so itself."""
    backend = url.get_backend_name().replace("mariadb", "mysql")
    return {name: value for name, value in _CONNECT[backend].items() if name not in url.query}


def make_file(url: URL) -> None:
    """Make the SQLite file, readable by its owner only, if there is none."""
    path = Path(url.database or "")
    if path.exists():
        # Not to be opened here: closing it would end the locks that this process has on it.
        return
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        raise ConfigurationError(
            f"the database file {path} cannot be made ({error.strerror}): "
            "its directory must be there, and be writable for this program"
        ) from error
