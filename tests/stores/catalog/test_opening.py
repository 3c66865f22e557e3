"""Opening, backing up and losing a catalog."""

import contextlib
import socket
import sqlite3
import stat
import subprocess
import sys
import threading

import pytest
from sqlalchemy import create_engine, text

from barograph.domain.errors import ConfigurationError, Conflict, Unavailable
from barograph.ports.catalog import Catalog
from barograph.stores.catalog.address import read_url
from barograph.stores.catalog.catalog import SqlCatalog
from barograph.stores.catalog.engine import Database
from barograph.stores.catalog.schema import metadata


def test_the_first_start_makes_the_file_with_all_tables_for_its_owner_only(tmp_path, sqlite_url):
    catalog: Catalog = SqlCatalog(sqlite_url)
    catalog.close()
    file = tmp_path / "data.db"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with contextlib.closing(sqlite3.connect(file)) as connection:
        names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    assert names >= set(metadata.tables)


def test_the_files_beside_a_catalog_are_for_its_owner_only_too(tmp_path, sqlite_url):
    with contextlib.closing(SqlCatalog(sqlite_url)) as catalog:
        catalog.users.create("ann", None, None, "admin", 1)
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert modes == {"data.db": 0o600, "data.db-wal": 0o600, "data.db-shm": 0o600}


def test_what_was_kept_is_there_after_opening_again(empty_url):
    with contextlib.closing(SqlCatalog(empty_url)) as catalog:
        user = catalog.users.create("ann", None, None, "admin", 1)
    with contextlib.closing(SqlCatalog(empty_url)) as catalog:
        assert catalog.users.get(user.id) == user
        catalog.check()


def test_a_catalog_that_is_up_to_date_opens_without_alembic(sqlite_url):
    SqlCatalog(sqlite_url).close()
    program = (
        "import sys\n"
        "from barograph.stores.catalog.catalog import SqlCatalog\n"
        f"SqlCatalog({sqlite_url!r}).close()\n"
        "assert 'sqlalchemy' in sys.modules\n"
        "assert 'alembic' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=200)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("not a url", "cannot be read: write it like sqlite:"),
        ("oracle://scott@tiger/x", "cannot be kept in 'oracle': use a URL like sqlite:"),
        ("postgresql+asyncpg://a@b/c", "cannot be kept in 'postgresql[+]asyncpg'"),
        ("sqlite://", "needs the path of its file"),
        ("sqlite:///:memory:", "needs the path of its file"),
        ("sqlite:///data.db?mode=memory", "needs the path of its file"),
        ("postgresql://user@host", "names no database"),
        ("mysql://user@host/", "names no database"),
    ],
)
def test_a_url_that_cannot_work_is_refused_with_what_is_right(url, message):
    with pytest.raises(ConfigurationError, match=message):
        SqlCatalog(url)


def test_a_missing_directory_is_told(tmp_path):
    with pytest.raises(ConfigurationError, match=r"absent/data\.db cannot be made .*directory"):
        SqlCatalog(f"sqlite:///{tmp_path}/absent/data.db")


def test_a_file_that_is_no_database_is_told(tmp_path):
    (tmp_path / "data.db").write_bytes(b"not a database" * 1000)
    with pytest.raises(Unavailable, match=r"file is not a database.*is one of Barograph"):
        SqlCatalog(f"sqlite:///{tmp_path}/data.db")


def test_a_password_is_in_no_message():
    with closed_port() as port, pytest.raises(Unavailable) as raised:
        SqlCatalog(f"postgresql://ann:s3cret@127.0.0.1:{port}/barograph")
    assert "s3cret" not in str(raised.value)


@contextlib.contextmanager
def closed_port():
    """A port of this machine where nobody listens, held so that nobody begins to."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.mark.parametrize("scheme", ["postgresql", "mysql", "mariadb"])
def test_a_server_that_is_away_is_unavailable_and_the_message_says_what_to_check(scheme):
    with (
        closed_port() as port,
        pytest.raises(
            Unavailable, match=f"127.0.0.1:{port}/x.*check that the database server runs"
        ),
    ):
        SqlCatalog(f"{scheme}://root@127.0.0.1:{port}/x")


class Relay:
    """A TCP relay that can be cut, as a database server that goes away and comes back."""

    def __init__(self, host, port):
        self._target = (host, port)
        self._listener = None
        self._pipes = []
        self.port = 0
        self.start()

    def start(self):
        self._listener = socket.create_server(("127.0.0.1", self.port), reuse_port=True)
        self.port = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, args=(self._listener,))
        self._accepting.start()

    def cut(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()
        for thread, ends in self._pipes:
            for end in ends:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            thread.join()
            ends[0].close()
        self._pipes.clear()

    def _accept(self, listener):
        with contextlib.suppress(OSError):
            while True:
                near = listener.accept()[0]
                far = socket.create_connection(self._target)
                for ends in ((near, far), (far, near)):
                    thread = threading.Thread(target=self._pump, args=ends)
                    thread.start()
                    self._pipes.append((thread, ends))

    @staticmethod
    def _pump(source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("catalog_url", ["postgresql", "mysql"], indirect=True)
def test_a_catalog_whose_server_went_away_is_unavailable_and_comes_back(catalog_url):
    url = read_url(catalog_url)
    relay = Relay(url.host, url.port)
    relayed = url.set(host="127.0.0.1", port=relay.port).render_as_string(hide_password=False)
    catalog = SqlCatalog(relayed)
    try:
        user = catalog.users.create(f"ann {relay.port}", None, None, "member", 1)
        relay.cut()
        for call in (
            catalog.check,
            lambda: catalog.users.get(user.id),
            lambda: catalog.users.update(user.id, {"role": "viewer"}),
            lambda: list(catalog.devices.all()),
        ):
            with pytest.raises(Unavailable, match="check that the database server runs"):
                call()
        relay.start()
        catalog.check()
        assert catalog.users.get(user.id) == user
    finally:
        catalog.close()
        relay.cut()


def test_a_catalog_that_lost_its_tables_is_unavailable_not_a_drivers_error(empty_url):
    with contextlib.closing(SqlCatalog(empty_url)) as catalog:
        engine = create_engine(read_url(empty_url))
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE secrets RENAME TO gone"))
        engine.dispose()
        with pytest.raises(Unavailable, match="secrets"):
            catalog.secrets.get("key")
        catalog.check()


def test_a_write_waits_for_another_program_that_is_writing(tmp_path, sqlite_url):
    with contextlib.closing(SqlCatalog(sqlite_url)) as catalog:
        other = sqlite3.connect(tmp_path / "data.db", check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        release = threading.Timer(0.3, other.rollback)
        release.start()
        assert catalog.users.create("ann", None, None, "member", 1).id == 1
        release.join()
        other.close()


def test_a_catalog_that_another_program_keeps_locked_is_read_but_not_written(tmp_path, sqlite_url):
    with (
        contextlib.closing(SqlCatalog(f"{sqlite_url}?timeout=0.05")) as catalog,
        contextlib.closing(sqlite3.connect(tmp_path / "data.db")) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        assert catalog.users.list(limit=1).total == 0
        with pytest.raises(Unavailable, match=r"locked.*no other program keeps it locked"):
            catalog.users.create("ann", None, None, "member", 1)
        other.rollback()
        assert catalog.users.create("ann", None, None, "member", 1).id == 1


@pytest.mark.parametrize("catalog_url", ["mysql"], indirect=True)
def test_a_mariadb_url_opens_what_a_mysql_url_made(catalog, catalog_url):
    user = catalog.users.create("ann", None, None, "member", 1)
    with contextlib.closing(
        SqlCatalog(f"mariadb{catalog_url.removeprefix('mysql+pymysql')}")
    ) as same:
        assert same.users.get(user.id) == user
        assert same.users.create("Ann ", None, None, "member", 1).id > user.id
        with pytest.raises(Conflict, match="'ANN' is taken"):
            same.users.create("ANN", None, None, "member", 1)


# Only PostgreSQL lets a test choose this for its own connections.
@pytest.mark.parametrize("catalog_url", ["postgresql"], indirect=True)
def test_a_server_that_does_not_sync_commits_is_warned_of(catalog_url, caplog):
    url = read_url(catalog_url)
    unsynced = url.update_query_dict({"options": "-c synchronous_commit=off"})
    SqlCatalog(unsynced.render_as_string(hide_password=False)).close()
    assert "does not sync commits (synchronous_commit = off)" in caplog.text
    assert "Set synchronous_commit = on" in caplog.text


def test_a_server_that_syncs_commits_is_not_warned_of(catalog_url, caplog):
    SqlCatalog(catalog_url).close()
    assert "does not sync" not in caplog.text


def test_a_backup_is_a_whole_catalog_for_its_owner_only(tmp_path, sqlite_url):
    copy = tmp_path / "copy 'of' it.db"
    with contextlib.closing(SqlCatalog(sqlite_url)) as catalog:
        user = catalog.users.create("ann", None, None, "admin", 1)
        gone = catalog.devices.create("gone", "Gone", user.id, None, {}, 2)
        catalog.devices.delete(gone.id)
        catalog.backup(copy)
        catalog.users.create("later", None, None, "member", 3)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with contextlib.closing(SqlCatalog(f"sqlite:///{copy}")) as restored:
        assert list(restored.users.list(limit=9).items) == [user]
        assert restored.devices.create(None, "new", None, None, {}, 4).id > gone.id


def test_a_backup_does_not_overwrite(tmp_path, sqlite_url):
    existing = tmp_path / "existing"
    existing.write_text("precious")
    with contextlib.closing(SqlCatalog(sqlite_url)) as catalog:
        with pytest.raises(Conflict, match="existing exists already"):
            catalog.backup(existing)
        with pytest.raises(Unavailable, match="cannot be made: No such file"):
            catalog.backup(tmp_path / "absent" / "copy")
    assert existing.read_text() == "precious"


@pytest.mark.parametrize("catalog_url", ["postgresql", "mysql"], indirect=True)
def test_a_catalog_on_a_server_is_not_backed_up_here(catalog, tmp_path):
    with pytest.raises(Unavailable, match="use pg_dump or mariadb-dump"):
        catalog.backup(tmp_path / "copy")


def test_a_password_in_the_query_of_a_url_is_told_nobody():
    url = read_url("postgresql://host/db?user=ann&password=GEHEIM&sslmode=require")
    assert "GEHEIM" not in Database(url, 1).place
