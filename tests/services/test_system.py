"""How the installation says that it is doing."""

import io
import json
import shutil
import tarfile

import pytest

from barograph.domain.errors import Forbidden, NotFound, Unavailable
from barograph.domain.time import DAY, HOUR, MINUTE, SECOND
from barograph.domain.user import OPERATOR, Principal
from barograph.services.backups import Backups
from barograph.services.system import System
from barograph.stores.readings.duckdb.store import DuckDBReadingStore


@pytest.fixture
def backlog():
    return [0]


@pytest.fixture
def system(core, tmp_path, backlog):
    (tmp_path / "data").mkdir()
    return System(
        core.catalog,
        core.store,
        core.registry,
        core.latest,
        core.telemetry,
        lambda: backlog[0],
        Backups(core.catalog, core.store, tmp_path / "data" / "backups", core.clock),
        core.clock,
        core.limits,
        tmp_path / "data",
    )


def troubles(system):
    return {notice.trouble for notice in system.status(OPERATOR).warnings} - {
        "disk_low",
        "disk_full",  # of the machine that runs the tests
    }


def test_an_empty_installation_has_nothing_to_look_after(system):
    assert troubles(system) == set()


def test_only_administrators_look_into_the_system(system, fleet):
    reader = Principal("user", 1, role="admin", token_reads_only=True)
    assert system.status(reader)
    for act in (
        lambda: system.status(fleet.user("member")),
        lambda: system.backups(fleet.user("viewer", role="viewer")),
        lambda: system.make_backup(reader),
        lambda: system.download(reader, "x"),
        lambda: system.delete_backup(reader, "x"),
    ):
        with pytest.raises(Forbidden):
            act()


def test_what_is_stored_is_told_by_metric_the_most_first(system, fleet):
    one, two = fleet.device("one"), fleet.device("two")
    fleet.send(one, "x", [(1, 1.0), (2, 2.0)])
    fleet.send(two, "x", [(1, 1.0)])
    fleet.send(two, "y", [(1, 1.0)])
    stored = system.status(OPERATOR).stored
    assert [(s.metric, s.devices, s.readings) for s in stored] == [("x", 2, 3), ("y", 1, 1)]


def test_the_rate_is_what_came_in_between_two_samples(system, core, clock):
    system.sample()
    for readings in (500, 0):
        clock.now += 10 * SECOND
        core.telemetry.readings_committed += readings
        system.sample()
    status = system.status(OPERATOR)
    assert [rate for _, rate in status.rates] == [50.0, 0.0]
    assert status.per_second == 0.0
    assert status.rates[-1][0] == clock.now


def test_samples_reach_back_an_hour_and_no_further(system, clock):
    for _ in range(1000):
        system.sample()
        clock.now += 10 * SECOND
    rates = system.status(OPERATOR).rates
    assert HOUR - 20 * SECOND <= rates[-1][0] - rates[0][0] <= HOUR


def test_each_trouble_is_told_while_it_lasts(system, core, clock, fleet, backlog):
    system.sample()
    backlog[0] = core.limits.backlog_readings_max
    core.telemetry.writes_overloaded += 3
    core.telemetry.commits_failed += 1
    assert troubles(system) == {"store_behind", "writes_refused", "commits_failed"}
    backlog[0] = 0
    clock.now += 11 * MINUTE
    system.sample()
    assert troubles(system) == set()


def test_a_device_whose_readings_come_from_the_future_is_named(system, clock, fleet):
    device = fleet.device("racing")
    fleet.send(device, "x", [(clock.now + HOUR, 1.0)])
    (notice,) = [n for n in system.status(OPERATOR).warnings if n.trouble == "clocks_ahead"]
    assert (notice.names, notice.number) == (["racing"], 1)
    clock.now += HOUR
    assert "clocks_ahead" not in troubles(system)


class Away:
    """Readings whose database is away."""

    def __getattr__(self, name):
        def ask(*given):
            raise Unavailable("the database is away")

        return ask


def test_a_store_that_is_away_is_told_and_the_rest_is_shown(core, system):
    core.devices.create(OPERATOR, "Greenhouse")
    system._store = Away()
    status = system.status(OPERATOR)
    assert (status.devices, status.stored, status.store.writable) == (1, (), False)
    assert troubles(system) == {"store_not_writable", "no_backup"}


def test_the_store_is_asked_about_no_device_by_itself(core, system, fleet, monkeypatch):
    fleet.send(fleet.device("racing"), "x", [(core.clock.now + HOUR, 1.0)])
    monkeypatch.setattr(core.latest, "of_series", Away().of_series)  # asks where several write
    assert "clocks_ahead" in troubles(system)


def test_a_backup_that_is_half_removed_is_none(core, system, clock, tmp_path, monkeypatch):
    directory = tmp_path / "data" / "backups" / "20260101T000000.000000Z"
    directory.mkdir(parents=True)
    manifest = {"format": 1, "barograph": "1", "created_time": "2026-01-01T00:00:00Z", "files": []}
    (directory / "manifest.json").write_text(json.dumps(manifest))
    assert len(system.backups(OPERATOR)) == 1
    monkeypatch.setattr(shutil, "rmtree", lambda path, **_: None)  # it died there
    system.delete_backup(OPERATOR, directory.name)
    assert system.backups(OPERATOR) == []


def test_a_backup_is_missed_made_downloaded_and_deleted(core, system, clock, tmp_path):
    core.devices.create(OPERATOR, "Greenhouse")
    assert troubles(system) == {"no_backup"}
    store = DuckDBReadingStore(tmp_path / "readings", memory_mb=64, threads=1)
    backups = Backups(core.catalog, store, tmp_path / "data" / "backups", clock)
    system._backups = backups  # its store can be copied; the one in memory cannot
    made = system.make_backup(OPERATOR)
    store.close()
    assert [backup.name for backup in system.backups(OPERATOR)] == [made.name]
    archive = io.BytesIO(b"".join(system.download(OPERATOR, made.name)))
    with tarfile.open(fileobj=archive) as tar:
        found = {member.name: tar.extractfile(member).read() for member in tar}
    assert found == {
        f"{made.name}/{path.relative_to(made.path).as_posix()}": path.read_bytes()
        for path in made.path.rglob("*")
        if path.is_file()
    }
    for wrong in ("..", "../data", made.name + "x", ""):
        with pytest.raises(NotFound):
            system.download(OPERATOR, wrong)
    system.delete_backup(OPERATOR, made.name)
    assert system.backups(OPERATOR) == []
    with pytest.raises(NotFound):
        system.delete_backup(OPERATOR, made.name)


def test_an_old_backup_is_told(core, system, clock, tmp_path):
    core.devices.create(OPERATOR, "Greenhouse")
    folder = tmp_path / "data" / "backups" / "20250101T000000.000000Z"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(
        '{"format": 1, "barograph": "1", "created_time": "2025-01-01T00:00:00Z", "files": []}'
    )
    clock.now = int(folder.stat().st_mtime) * SECOND + 9 * DAY
    assert troubles(system) == {"backup_old"}
