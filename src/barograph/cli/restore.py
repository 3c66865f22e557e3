"""`barograph restore`: what a backup holds becomes the installation again."""

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import make_url

from barograph.cli.output import say
from barograph.cli.running import FILE as RUNNING_FILE
from barograph.cli.target import ConfigFile, DataDir, Target, local
from barograph.config import Settings
from barograph.domain.errors import ConfigurationError, StorageFull
from barograph.services.backups import (
    CATALOG,
    MANIFEST,
    MQTT,
    READINGS,
    Manifest,
    sync,
    sync_tree,
    verified,
)
from barograph.stores.readings.duckdb.connection import DirectoryLock
from barograph.wiring.stores import (
    CATALOG_FILE,
    MQTT_FILE,
    READINGS_DIRECTORY,
    is_on_server,
    prepare,
)

_RESTORING = "restoring"
_ARRIVING = ".restoring"
_READINGS_FILE = "readings.db"
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
    manifest = verified(directory)
    readings_file = _fitting(manifest, target.settings())
    running = local(target)
    if running is not None:
        raise ConfigurationError(
            f"a server is running on this data directory (process {running.pid}): stop it first"
        )
    place = prepare(target.settings().data_dir)
    held = [*_held(place), *_files_of(readings_file)]
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
        _replace(directory, place, held, readings_file)
    finally:
        if lock is not None:
            lock.release()
    say(f"{place} holds what was kept at {manifest.created_time}: barograph serve")
    for one in manifest.left_out:
        say(f"not in the backup, to be restored with the server's own tools: {one}")


def _fitting(manifest: Manifest, settings: Settings) -> Path | None:
    """The file to which readings in SQLite go; raises `ConfigurationError` where nothing fits."""
    url = settings.readings_url
    for setting, value, name, what in (
        ("database_url", settings.database_url, CATALOG, "a catalog"),
        ("readings_url", url, READINGS, "readings"),
    ):
        if is_on_server(value) and manifest.has(name):
            raise ConfigurationError(
                f"{setting} names a server, and the backup has {what} in files: restore without the "
                "setting, and bring it there with barograph move"
            )
        if not is_on_server(value) and not manifest.has(name):
            raise ConfigurationError(
                f"the backup has not {what}, which lay on a server: set {setting} to that server"
            )
    if settings.database_url and manifest.has(CATALOG):
        raise ConfigurationError(
            "database_url is set, and the catalog goes into the data directory: restore without the "
            "setting"
        )
    in_sqlite = manifest.has(f"{READINGS}/{_READINGS_FILE}")
    if manifest.has(READINGS) and in_sqlite != bool(url):
        there = (
            f"SQLite: set readings_url to sqlite:////path/to/{_READINGS_FILE}"
            if in_sqlite
            else "DuckDB"
        )
        raise ConfigurationError(
            f"readings_url is {'set' if url else 'not set'}, and the backup has readings in {there}"
            f"{'' if in_sqlite else ': restore without the setting'}"
        )
    return Path(make_url(url).database or "").absolute() if in_sqlite else None


def _files_of(path: Path | None) -> list[Path]:
    """A file of SQLite's, and what belongs to it, as far as they are there."""
    if path is None:
        return []
    return [one for end in ("", "-wal", "-shm") if (one := Path(f"{path}{end}")).exists()]


def _held(place: Path) -> list[Path]:
    """What belongs to an installation that is there already."""
    files = [file for name in (CATALOG_FILE, MQTT_FILE) for file in sorted(place.glob(name + "*"))]
    readings = place / READINGS_DIRECTORY
    return [*files, readings] if readings.exists() else files


def _locked(place: Path) -> DirectoryLock | None:
    """Keeps servers away; raises `ConfigurationError` where one has the readings."""
    readings = place / READINGS_DIRECTORY
    return DirectoryLock(readings) if readings.is_dir() else None


def _replace(backup: Path, place: Path, held: list[Path], readings_file: Path | None) -> None:
    """Copy, put the old aside, then let the new have their places.

    The catalog goes first: an installation that stops halfway has no readings, which shows, while
    readings without their catalog would be given to others.
    """
    fresh = place / _RESTORING
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(backup, fresh)
    verified(fresh)
    sync_tree(fresh)
    if readings_file is not None:
        readings_file.parent.mkdir(parents=True, exist_ok=True)
        arrived = readings_file.with_name(readings_file.name + _ARRIVING)
        shutil.move(fresh / READINGS / _READINGS_FILE, arrived)
        arrived.chmod(0o600)
        sync(arrived)
        (fresh / READINGS).rmdir()
    if held:
        aside = place / f"before-restore-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        aside.mkdir(mode=0o700)
        for old in held:
            shutil.move(old, aside / old.name)
        sync(aside)
        say(f"what was there is in {aside}")
    (place / RUNNING_FILE).unlink(missing_ok=True)
    for name, file in (
        (CATALOG, CATALOG_FILE),
        (READINGS, READINGS_DIRECTORY),
        (MQTT, MQTT_FILE),
    ):
        if (fresh / name).exists():
            (fresh / name).rename(place / file)
    if readings_file is not None:
        readings_file.with_name(readings_file.name + _ARRIVING).rename(readings_file)
        sync(readings_file.parent)
    (fresh / MANIFEST).unlink()
    fresh.rmdir()
    sync(place)
