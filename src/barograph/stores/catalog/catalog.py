"""The catalog in SQLite, PostgreSQL, MySQL or MariaDB: `ports.catalog.Catalog`."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import select

from barograph.domain.errors import Conflict, Unavailable
from barograph.ports import catalog as ports
from barograph.ports import work
from barograph.ports.processes import Changes, PresenceFeed, Relay, Tries, Turns
from barograph.stores.catalog.address import read_url
from barograph.stores.catalog.assets import SqlAssets
from barograph.stores.catalog.audit import SqlAudit
from barograph.stores.catalog.changes import SqlChanges
from barograph.stores.catalog.commands import SqlCommands
from barograph.stores.catalog.dashboards import SqlDashboards, SqlSavedQuestions
from barograph.stores.catalog.devices import SqlDevices
from barograph.stores.catalog.engine import Database
from barograph.stores.catalog.jobs import SqlJobs
from barograph.stores.catalog.presences import SqlPresences
from barograph.stores.catalog.refused import SqlRefusedMessages
from barograph.stores.catalog.relay import SqlRelay
from barograph.stores.catalog.reports import SqlReports
from barograph.stores.catalog.schedules import SqlSchedules
from barograph.stores.catalog.schema import (
    HEAD,
    current_revision,
    dashboard_shares,
    dashboards,
    device_shares,
    devices,
    users,
)
from barograph.stores.catalog.secrets import SqlSecrets
from barograph.stores.catalog.series import SqlSeriesIndex
from barograph.stores.catalog.sessions import SqlSessions
from barograph.stores.catalog.shares import SqlShares
from barograph.stores.catalog.tokens import SqlTokens
from barograph.stores.catalog.tries import SqlTries
from barograph.stores.catalog.turns import SqlTurns
from barograph.stores.catalog.users import SqlUsers


class SqlCatalog:
    """The catalog at a URL, its tables made or brought up to date when it is opened.

    At most `connections_max` connections are open at a time. Raises `ConfigurationError` for a URL
    or a database that cannot work, `Unavailable` while the database is away.
    """

    def __init__(self, url: str, *, connections_max: int = 10) -> None:
        self._database = Database(read_url(url), connections_max)
        try:
            self._open()
        except BaseException:
            self._database.close()
            raise
        self.users: ports.Users = SqlUsers(self._database)
        self.devices: ports.Devices = SqlDevices(self._database)
        self.tokens: ports.Tokens = SqlTokens(self._database)
        self.series: ports.SeriesIndex = SqlSeriesIndex(self._database)
        self.assets: ports.Assets = SqlAssets(self._database)
        self.jobs: work.Jobs = SqlJobs(self._database)
        self.schedules: work.Schedules = SqlSchedules(self._database)
        self.reports: work.Reports = SqlReports(self._database)
        self.secrets: ports.Secrets = SqlSecrets(self._database)
        self.sessions: ports.Sessions = SqlSessions(self._database)
        self.device_shares: ports.Shares = SqlShares(
            self._database, device_shares, devices, "device"
        )
        self.audit: ports.AuditLog = SqlAudit(self._database)
        self.commands: ports.Commands = SqlCommands(self._database)
        self.refused: ports.RefusedMessages = SqlRefusedMessages(self._database)
        self.dashboards: ports.Dashboards = SqlDashboards(self._database)
        self.dashboard_shares: ports.Shares = SqlShares(
            self._database, dashboard_shares, dashboards, "dashboard"
        )
        self.questions: ports.SavedQuestions = SqlSavedQuestions(self._database)

        self.changes: Changes = SqlChanges(self._database)
        self.turns: Turns = SqlTurns(self._database)
        self.presences: PresenceFeed = SqlPresences(self._database)
        self.tries: Tries = SqlTries(self._database)

    def relay(self, keep: int) -> Relay:
        return SqlRelay(self._database, keep)

    def _open(self) -> None:
        if self._database.read(current_revision) != HEAD:
            from barograph.stores.catalog.migrate import upgrade  # noqa: PLC0415  # Alembic takes 0.2 s

            upgrade(self._database)
        self._database.warn_of_lost_commits()

    def check(self) -> None:
        self._database.read(lambda tx: tx.execute(select(users.c.id).limit(1)).first())

    def backup(self, target: Path) -> None:
        if self._database.backend != "sqlite":
            raise Unavailable(
                "only a catalog in SQLite is copied by Barograph: "
                "use pg_dump or mariadb-dump for one on a server"
            )
        with _new_file(target) as path, self._database.driver_connection() as connection:
            connection.execute("VACUUM INTO ?", (path,))

    def close(self) -> None:
        self._database.close()


@contextlib.contextmanager
def _new_file(target: Path) -> Iterator[str]:
    """The path of a new file for its owner only: synced afterwards, removed after an error."""
    path = str(target.absolute())
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        raise Conflict(f"{path} exists already: a backup needs a new file") from None
    except OSError as error:
        raise Unavailable(f"the backup {path} cannot be made: {error.strerror}") from error
    try:
        yield path
        for place in (path, target.absolute().parent):
            handle = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
