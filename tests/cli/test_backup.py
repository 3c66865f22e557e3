"""`barograph backup` and `barograph restore`."""

import json
import threading

import pytest
from sqlalchemy import make_url
from tests.databases import empty_database
from tests.waiting import PATIENCE_SECONDS

from barograph.client import Client, Unauthenticated


def test_a_backup_under_load_holds_what_was_acknowledged_before_it(barograph, serve, tmp_path):
    server = serve()
    here = ("--data-dir", server.directory / "data")
    stop = threading.Event()
    acknowledged = []
    with Client(server.url, timeout=PATIENCE_SECONDS) as client:
        ada = client.create_user("ada", "ada@example.org")
        client.create_device("Load", key="load", user_id=ada.id)

        def load():
            with Client(server.url, ada.token, timeout=PATIENCE_SECONDS) as hers:
                while not stop.is_set():
                    first = 100 * len(acknowledged)
                    ts = [1_700_000_000 + first + i for i in range(100)]
                    hers.write("load", {"ts": ts, "x": ts, f"m{len(acknowledged) % 50}": ts})
                    acknowledged.append(ts)

        thread = threading.Thread(target=load)
        thread.start()
        try:
            while len(acknowledged) < 20:
                stop.wait(0.01)
            before = len(acknowledged)
            ran = barograph("backup", tmp_path / "kept", *here)
            later = client.create_token("after the backup", ada.id)
        finally:
            stop.set()
            thread.join()
    assert ran.status == 0, ran.err
    assert not list((server.directory / "data" / "backups").iterdir())

    in_use = barograph("restore", tmp_path / "kept", "--force", *here)
    assert in_use.status == 2
    assert "a server is running" in in_use.err

    there = ("--data-dir", tmp_path / "there")
    assert barograph("restore", tmp_path / "kept", *there).status == 0
    restored = barograph("summary", "load", "--stats", "count,min,max,sum", "--json", *there)
    metrics = json.loads(restored.out)["metrics"]
    held = metrics["x"]["count"]
    assert held % 100 == 0
    assert held >= 100 * before
    assert metrics["x"]["sum"] == sum(range(1_700_000_000, 1_700_000_000 + held))
    assert sum(one["count"] for name, one in metrics.items() if name != "x") == held
    server.stop()

    # Over what is there: it is put aside, and what came after the backup is gone.
    refused = barograph("restore", tmp_path / "kept", *here)
    assert "is not empty" in refused.err
    assert barograph("restore", tmp_path / "kept", "--force", *here).status == 0
    again = serve("--auth", "required")
    with Client(again.url, ada.token) as hers:
        assert hers.summary("load", stats="count", metrics="x")["x"]["count"] == held
    with Client(again.url, later.token) as hers, pytest.raises(Unauthenticated):
        hers.me()


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A backup of a small installation."""
    from barograph.cli import main

    directory = tmp_path_factory.mktemp("kept")
    here = ["--data-dir", str(directory / "data")]
    for arguments in (["device", "create", "Kitchen"], ["backup", str(directory / "kept")]):
        with pytest.raises(SystemExit) as ended:
            main([*arguments, *here])
        assert not ended.value.code
    return directory / "kept"


def damaged(kept, tmp_path, damage):
    import shutil

    copy = shutil.copytree(kept, tmp_path / "copy")
    damage(copy)
    return copy


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda copy: (copy / "manifest.json").unlink(), "there is no manifest.json"),
        (lambda copy: (copy / "manifest.json").write_text("{"), "manifest.json cannot be read"),
        (lambda copy: (copy / "data.db").unlink(), "the file data.db is missing"),
        (lambda copy: (copy / "more").touch(), "the file more does not belong there"),
        (
            lambda copy: (copy / "data.db").write_bytes(b"x" + (copy / "data.db").read_bytes()[1:]),
            "the file data.db is damaged",
        ),
    ],
)
def test_a_damaged_backup_changes_nothing(barograph, kept, tmp_path, damage, message):
    copy = damaged(kept, tmp_path, damage)
    ran = barograph("restore", copy, "--data-dir", tmp_path / "data")
    assert ran.status == 2
    assert message in ran.err
    assert not (tmp_path / "data").exists()


def test_a_backup_needs_a_new_directory(barograph, tmp_path):
    here = ("--data-dir", tmp_path / "data")
    assert "exists already" in barograph("backup", tmp_path, *here).err
    assert "there is no directory" in barograph("backup", tmp_path / "a" / "b", *here).err


def test_a_member_may_not_make_a_backup(barograph, server, client):
    eve = client.create_user("eve", "eve@example.org")
    ran = barograph("backup", server.directory / "b", "--url", server.url, "--token", eve.token)
    assert ran.status == 1
    assert "administrator" in ran.err


def test_readings_in_sqlite_are_copied_and_come_back_where_they_were(
    barograph, serve, tmp_path, monkeypatch
):
    place = tmp_path / "elsewhere" / "readings.db"
    place.parent.mkdir()
    url = f"sqlite:///{place}"
    server = serve(BAROGRAPH_READINGS_URL=url)
    here = ("--data-dir", server.directory / "data")
    with Client(server.url, timeout=PATIENCE_SECONDS) as client:
        client.create_device("Kitchen", key="kitchen")
        client.write("kitchen", {"ts": [1_700_000_000 + n for n in range(500)], "x": [1.0] * 500})
        ran = barograph("backup", tmp_path / "kept", *here)
        assert ran.status == 0, ran.err
        client.write("kitchen", {"ts": 1_750_000_000, "x": 2})
    assert server.stop() == 0

    without = barograph("restore", tmp_path / "kept", "--force", *here)
    assert without.status == 2
    assert "set readings_url" in without.err
    monkeypatch.setenv("BAROGRAPH_READINGS_URL", url)
    done = barograph("restore", tmp_path / "kept", "--force", *here)
    assert done.status == 0, done.err
    (aside,) = (server.directory / "data").glob("before-restore-*")
    assert (aside / "readings.db").exists()
    again = serve(BAROGRAPH_READINGS_URL=url)
    with Client(again.url) as client:
        assert client.summary("kitchen", stats="count")["x"]["count"] == 500


@pytest.mark.parametrize(
    ("backend", "tool"), [("postgresql", "pg_dump"), ("mysql", "mariadb-dump")]
)
def test_what_lies_on_a_server_is_left_out_and_it_is_said_what_copies_it(
    barograph, serve, tmp_path, monkeypatch, backend, tool
):
    with empty_database(backend, tmp_path) as url:
        server = serve(BAROGRAPH_READINGS_URL=url)
        here = ("--data-dir", server.directory / "data")
        with Client(server.url, timeout=PATIENCE_SECONDS) as client:
            client.create_device("Kitchen", key="kitchen")
        ran = barograph("backup", tmp_path / "kept", *here)
        assert ran.status == 0, ran.err
        assert f"not in it: readings: copy the database {make_url(url).database} with {tool}" in (
            " ".join(ran.out.split())
        )
        kept = json.loads((tmp_path / "kept" / "manifest.json").read_text())
        assert {one["path"] for one in kept["files"]} == {"data.db", "mqtt.db"}
        assert server.stop() == 0

        without = barograph("restore", tmp_path / "kept", "--data-dir", tmp_path / "there")
        assert without.status == 2
        assert "set readings_url to that server" in without.err
        monkeypatch.setenv("BAROGRAPH_READINGS_URL", url)
        done = barograph("restore", tmp_path / "kept", "--data-dir", tmp_path / "there")
        assert done.status == 0, done.err
        assert "not in the backup, to be restored with the server's own tools: readings" in (
            " ".join(done.out.split())
        )
        assert (tmp_path / "there" / "data.db").exists()
