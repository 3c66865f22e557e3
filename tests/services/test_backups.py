"""Backups on real stores."""

import json

import pytest

from barograph.domain.errors import Conflict, Forbidden, InvalidInput, StorageFull, Unavailable
from barograph.domain.user import OPERATOR, Principal
from barograph.services.backups import Backups, verified


class Store:
    """Readings that are one file."""

    def __init__(self, during=lambda: None):
        self._during = during

    def backup(self, target):
        target.mkdir()
        (target / "readings").write_text("readings")
        self._during()


def test_a_backup_is_whole_and_checked(catalog, clock, tmp_path):
    backups = Backups(catalog, Store(), tmp_path / "backups", clock)
    made = backups.create(OPERATOR)
    assert made.path.parent == tmp_path / "backups"
    assert verified(made.path) == made.manifest
    assert {file.path for file in made.manifest.files} == {"data.db", "readings/readings"}
    assert json.loads((made.path / "manifest.json").read_text())["format"] == 1


def test_only_administrators_make_one(catalog, clock, tmp_path):
    backups = Backups(catalog, Store(), tmp_path / "backups", clock)
    with pytest.raises(Forbidden):
        backups.create(Principal("user", 7))
    assert not (tmp_path / "backups").exists()


def test_one_is_made_at_a_time(catalog, clock, tmp_path):
    refused = []

    def again():
        with pytest.raises(Conflict) as caught:
            backups.create(OPERATOR)
        refused.append(str(caught.value))

    backups = Backups(catalog, Store(again), tmp_path / "backups", clock)
    backups.create(OPERATOR)
    assert refused == ["a backup is being made already: wait for it"]


def test_a_backup_that_fails_leaves_nothing_behind(catalog, clock, tmp_path):
    def full():
        raise OSError(28, "No space left on device")

    failing = Backups(catalog, Store(full), tmp_path / "backups", clock)
    with pytest.raises(StorageFull, match="No space left"):
        failing.create(OPERATOR)
    assert list((tmp_path / "backups").iterdir()) == []


def test_only_a_full_disk_is_called_full(catalog, clock, tmp_path):
    def forbidden():
        raise PermissionError(13, "Permission denied")

    failing = Backups(catalog, Store(forbidden), tmp_path / "backups", clock)
    with pytest.raises(Unavailable, match="Permission denied") as caught:
        failing.create(OPERATOR)
    assert not isinstance(caught.value, StorageFull)


def test_what_a_crash_left_behind_is_removed_by_the_next(catalog, clock, tmp_path):
    left_over = tmp_path / "backups" / "20260101T000000.000000Z.partial"
    (left_over / "readings").mkdir(parents=True)
    made = Backups(catalog, Store(), tmp_path / "backups", clock).create(OPERATOR)
    assert list((tmp_path / "backups").iterdir()) == [made.path]


def test_another_format_is_refused(catalog, clock, tmp_path):
    made = Backups(catalog, Store(), tmp_path / "backups", clock).create(OPERATOR)
    manifest = made.path / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(InvalidInput, match=r"manifest\.json cannot be read"):
        verified(made.path)
