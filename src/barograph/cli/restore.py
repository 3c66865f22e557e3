"""`barograph restore`: what a backup holds becomes the installation again."""

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from barograph import wiring
from barograph.cli.output import say
from barograph.cli.running import FILE as RUNNING_FILE
from barograph.cli.target import ConfigFile, DataDir, Target, local
from barograph.domain.errors import ConfigurationError, StorageFull
from barograph.services.backups import CATALOG, MANIFEST, MQTT, READINGS, sync, sync_tree, verified
from barograph.stores.readings.duckdb.connection import DirectoryLock

_RESTORING = "restoring"
_DISK_BYTES_SPARE = 64 << 20


def restore(
    *,
    directory: Annotated[
        Path, typer.Argument(metavar="DIRECTORY", help="What barograph backup made.")
    ],
    force: Annotated[
        bool,
        typer.Option("--force", help="Put aside what the data directory has, and replace it."),
    ] = False,
    data_dir: DataDir = None,
    config_file: ConfigFile = None,
) -> None:
    """Put a backup into the data directory. The server must not run.

    Users, passwords and tokens are then as they were when the backup was made: what was revoked
    later is valid again, so revoke it again.

    [dim]Example:[/dim] barograph restore /mnt/backups/2026-11-21 --data-dir data
    """
    target = Target(data_dir=data_dir, config_file=config_file)
    if target.settings().database_url:
        raise ConfigurationError(
            "database_url is set, and backups hold a catalog in SQLite: restore with the tools of "
            "that database, or without the setting"
        )
    manifest = verified(directory)
    running = local(target)
    if running is not None:
        raise ConfigurationError(
            f"a server is running on this data directory (process {running.pid}): stop it first"
        )
    place = wiring.prepare(target.settings().data_dir)
    held = _held(place)
    if held and not force:
        raise ConfigurationError(
            f"{place} is not empty: name another --data-dir, or put what is there aside with "
            "--force"
        )
    free = shutil.disk_usage(place).free
    if free < manifest.size + _DISK_BYTES_SPARE:
        raise StorageFull(f"the backup needs {manifest.size:,} bytes, and {free:,} are free")
    lock = _locked(place)
    try:
        _replace(directory, place, held)
    finally:
        if lock is not None:
            lock.release()
    say(f"{place} holds what was kept at {manifest.created_time}: barograph serve")


def _held(place: Path) -> list[Path]:
    """What belongs to an installation that is there already."""
    files = [
        file
        for name in (wiring.CATALOG_FILE, wiring.MQTT_FILE)
        for file in sorted(place.glob(name + "*"))
    ]
    readings = place / wiring.READINGS_DIRECTORY
    return [*files, readings] if readings.exists() else files


def _locked(place: Path) -> DirectoryLock | None:
    """Keeps servers away; raises `ConfigurationError` where one has the readings."""
    readings = place / wiring.READINGS_DIRECTORY
    return DirectoryLock(readings) if readings.is_dir() else None


def _replace(backup: Path, place: Path, held: list[Path]) -> None:
    """Copy, put the old aside, then let the new have their places.

    The catalog goes first: an installation that stops halfway has no readings, which shows, while
    readings without their catalog would be given to others.
    """
    fresh = place / _RESTORING
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(backup, fresh)
    verified(fresh)
    sync_tree(fresh)
    if held:
        aside = place / f"before-restore-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        aside.mkdir(mode=0o700)
        for old in held:
            old.rename(aside / old.name)
        sync(aside)
        say(f"what was there is in {aside}")
    (place / RUNNING_FILE).unlink(missing_ok=True)
    (fresh / CATALOG).rename(place / wiring.CATALOG_FILE)
    (fresh / READINGS).rename(place / wiring.READINGS_DIRECTORY)
    if (fresh / MQTT).exists():
        (fresh / MQTT).rename(place / wiring.MQTT_FILE)
    (fresh / MANIFEST).unlink()
    fresh.rmdir()
    sync(place)
