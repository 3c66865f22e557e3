"""Database servers of the tests' own, which may be killed, filled and restarted.

They run from the programs of the Debian packages in directories that are gone afterwards. Where the
programs are missing the tests are skipped, except under `CI=true`, where they fail.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError
from tests.waiting import PATIENCE_SECONDS, free_port

from barograph.stores.catalog.address import read_url

_START_SECONDS_MAX = 120


def _program(name: str) -> str:
    places = os.pathsep.join(
        [*map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"))), "/usr/sbin", "/usr/bin"]
    )
    found = shutil.which(name, path=places) or shutil.which(name)
    if found is None:
        reason = f"there is no program {name} to start a server of our own"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


class PrivateServer:
    """A server that a test may do anything to; `start` after `kill` recovers it."""

    admin = ""
    """The URL that makes databases."""

    def __init__(self, directory: Path, data: Path | None = None) -> None:
        """What is stored lies in `data`, everything else in `directory`."""
        self.directory = directory
        self.data = data or directory / "data"
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def run(self, *statements: str, database: str | None = None) -> list[tuple[object, ...]]:
        """What the last statement answers, each in its own transaction."""
        url = read_url(self.admin.format(port=self.port))
        engine = create_engine(
            url if database is None else url.set(database=database),
            isolation_level="AUTOCOMMIT",
            connect_args={"connect_timeout": 5},
        )
        try:
            with engine.connect() as connection:
                rows = []
                for statement in statements:
                    answer = connection.execute(text(statement))
                    rows = [tuple(row) for row in answer] if answer.returns_rows else []
                return rows
        finally:
            engine.dispose()

    def url(self, database: str) -> str:
        url = read_url(self.admin.format(port=self.port))
        return url.set(database=database).render_as_string(hide_password=False)

    def start(self) -> None:
        log = (self.directory / "server.log").open("ab")
        with log:
            self.process = subprocess.Popen(
                self.command(), stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        deadline = time.monotonic() + _START_SECONDS_MAX
        while True:
            try:
                self.run("SELECT 1")
            except OperationalError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    pytest.fail((self.directory / "server.log").read_text()[-3000:])
                time.sleep(0.05)
            else:
                return

    def kill(self) -> None:
        """As a power cut does it: all of its processes at once."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            ids = [self.process.pid, *map(int, children.read_text().split())]
            for id in ids:
                os.kill(id, signal.SIGKILL)
        self.process.wait(PATIENCE_SECONDS)

    def cut(self, database: str) -> int:
        """End every connection to the database; how many there were."""
        raise NotImplementedError


class PrivatePostgres(PrivateServer):
    admin = "postgresql://postgres@127.0.0.1:{port}/postgres"

    def __init__(self, directory: Path, data: Path | None = None) -> None:
        super().__init__(directory, data)
        self.own(directory)
        run = [*self._as_owner(), _program("initdb"), "--no-sync", "--auth=trust"]
        subprocess.run(
            [*run, "--username=postgres", "-D", str(self.data)],
            check=True,
            capture_output=True,
        )

    @staticmethod
    def own(directory: Path) -> None:
        """Let the server write there."""
        if os.geteuid() == 0:
            shutil.chown(directory, "postgres")

    @staticmethod
    def _as_owner() -> list[str]:
        """PostgreSQL refuses to run as root."""
        return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] * (
            os.geteuid() == 0
        )

    def command(self) -> list[str]:
        settings = (
            f"port={self.port}",
            "listen_addresses=127.0.0.1",
            f"unix_socket_directories={self.directory}",
            "shared_buffers=16MB",
        )
        return [
            *(*self._as_owner(), _program("postgres"), "-D", str(self.data)),
            *(part for one in settings for part in ("-c", one)),
        ]

    def cut(self, database: str) -> int:
        [(count,)] = self.run(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            f" WHERE datname = '{database}' AND pid <> pg_backend_pid()"
        )
        return int(str(count))


class PrivateMariaDB(PrivateServer):
    admin = "mysql://root@127.0.0.1:{port}/mysql"

    def __init__(self, directory: Path, data: Path | None = None) -> None:
        super().__init__(directory, data)
        subprocess.run(
            [
                _program("mariadb-install-db"),
                *("--no-defaults", f"--datadir={self.data}", "--skip-test-db"),
                *("--auth-root-authentication-method=normal", f"--user={_user()}"),
            ],
            check=True,
            capture_output=True,
        )

    def command(self) -> list[str]:
        return [
            *(_program("mariadbd"), "--no-defaults", f"--datadir={self.data}"),
            *(f"--port={self.port}", "--bind-address=127.0.0.1", f"--user={_user()}"),
            *(f"--socket={self.directory / 'socket'}", "--innodb-buffer-pool-size=32M"),
            *("--innodb-log-file-size=8M", f"--pid-file={self.directory / 'pid'}"),
        ]

    def cut(self, database: str) -> int:
        ids = self.run(
            "SELECT id FROM information_schema.processlist"
            f" WHERE db = '{database}' AND id <> CONNECTION_ID()"
        )
        for (id,) in ids:
            with contextlib.suppress(OperationalError):  # it has ended by itself
                self.run(f"KILL {id}")
        return len(ids)


def _user() -> str:
    return "root" if os.geteuid() == 0 else os.environ.get("USER", "nobody")


KINDS = {"postgresql": PrivatePostgres, "mariadb": PrivateMariaDB}


@contextlib.contextmanager
def private_server(kind: str, data: Path | None = None) -> Iterator[PrivateServer]:
    """A running server of our own, whose data may be elsewhere."""
    directory = Path(tempfile.mkdtemp(prefix="barograph-test-"))
    try:
        server = KINDS[kind](directory, data)
        server.start()
        try:
            yield server
        finally:
            server.kill()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def small_disk(place: Path, megabytes: int) -> Iterator[Path]:
    """A file system with little room, where this user may mount one."""
    place.mkdir(parents=True)
    mount = shutil.which("mount")
    made = mount is not None and subprocess.run(
        [mount, "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0777", "tmpfs", str(place)],
        check=False,
        capture_output=True,
    )
    if not made or made.returncode:
        pytest.skip("a small file system cannot be mounted by this user")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)
