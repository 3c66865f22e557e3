"""`barograph doctor`: what could keep Barograph from working, and what to do about it."""

import os
import shutil
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import typer

from barograph.cli.output import print_table
from barograph.cli.running import Running
from barograph.cli.target import ConfigFile, DataDir, Target, local
from barograph.client import BarographClientError, Client
from barograph.config import Settings
from barograph.domain.errors import BarographError, ConfigurationError
from barograph.stores.catalog.address import read_url
from barograph.stores.catalog.engine import Database
from barograph.stores.catalog.schema import HEAD, current_revision
from barograph.transport.http.server import bind
from barograph.transport.mqtt.bridge_line import NotNow
from barograph.transport.mqtt.broker_address import BrokerAddress
from barograph.transport.mqtt.broker_check import BrokerRefuses
from barograph.wiring.mqtt import certificate_of, check_bridge
from barograph.wiring.stores import CATALOG_FILE, READINGS_DIRECTORY, open_readings

_GIB = 1 << 30
_MIB = 1 << 20
_FREE_BYTES_LOW = 2 * _GIB
_FREE_BYTES_MIN = 200 * _MIB
_FSYNCS = 20
_FSYNC_MS_HIGH = 50.0
_FSYNC_MS_NONE = 0.02
_RELEASED = datetime(2026, 11, 1, tzinfo=UTC)
_ODD_AFTER_YEARS = 30


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found."""

    check: str
    state: Literal["ok", "warning", "wrong"]
    found: str
    advice: str = ""


def doctor(data_dir: DataDir = None, config_file: ConfigFile = None) -> None:
    """Check the installation on this machine; the status is 1 where something is wrong.

    [dim]Example:[/dim] barograph doctor --data-dir /var/lib/barograph
    """
    target = Target(data_dir=data_dir, config_file=config_file)
    settings = target.settings()
    settings.bounds()
    findings = list(examine(settings, local(target)))
    print_table(
        ("check", "state", "found", "what to do"),
        [(one.check, one.state, one.found, one.advice) for one in findings],
    )
    if any(one.state == "wrong" for one in findings):
        raise typer.Exit(1)


def examine(settings: Settings, running: Running | None) -> Iterator[Finding]:
    """Every check of an installation, and of the server that runs on it."""
    yield _directory(settings.data_dir)
    if os.access(settings.data_dir, os.W_OK):
        yield _space(settings.data_dir)
        yield _syncing(settings.data_dir)
    if running is not None:
        yield _server(running)
    else:
        yield _port(settings)
        yield from _stored(settings)
    if settings.mqtt_tls_certificate or settings.mqtt_tls_key:
        yield _certificate(settings)
    if settings.mqtt_bridge:
        yield _broker(settings)
    yield _clock(datetime.now(UTC))
    yield _zones(settings.timezone)
    yield from _memory(settings)


def _directory(directory: Path) -> Finding:
    check = "data directory"
    where = str(directory.absolute())
    if not directory.exists():
        return Finding(check, "ok", f"{where} is not there yet", "barograph serve makes it")
    if not directory.is_dir() or not os.access(directory, os.W_OK | os.X_OK):
        return Finding(
            check,
            "wrong",
            f"{where} cannot be written by this user",
            "change its owner, or --data-dir",
        )
    mode = directory.stat().st_mode & 0o777
    if mode & 0o077:
        return Finding(
            check, "warning", f"{where} is open to others (mode {mode:o})", f"chmod 700 {where}"
        )
    return Finding(check, "ok", where)


def _space(directory: Path) -> Finding:
    free = shutil.disk_usage(directory).free
    found = f"{free / _GIB:.1f} GiB free"
    if free < _FREE_BYTES_MIN:
        return Finding("disk space", "wrong", found, "make room: soon nothing can be stored")
    if free < _FREE_BYTES_LOW:
        return Finding("disk space", "warning", found, "make room, or set retention")
    return Finding("disk space", "ok", found)


def _syncing(directory: Path) -> Finding:
    """How long stable storage takes: each acknowledgement waits for it."""
    path = directory / "doctor.probe"
    took = []
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        for _ in range(_FSYNCS):
            os.write(handle, b"\0" * 4096)
            begun = time.perf_counter()
            os.fsync(handle)
            took.append((time.perf_counter() - begun) * 1000)
    finally:
        os.close(handle)
        path.unlink()
    median = statistics.median(took)
    found = f"fsync takes {median:.2f} ms, at most {max(took):.1f} ms"
    if median < _FSYNC_MS_NONE:
        return Finding(
            "syncing",
            "warning",
            found,
            "this is too quick for a disk: in memory or with syncing off, nothing survives a power cut",
        )
    if median > _FSYNC_MS_HIGH:
        return Finding(
            "syncing", "warning", found, "each acknowledgement waits as long: use a quicker disk"
        )
    return Finding("syncing", "ok", found)


def _server(running: Running) -> Finding:
    found = f"runs at {running.url} (process {running.pid})"
    with Client(running.url, running.token) as client:
        try:
            client.ready()
        except BarographClientError as error:
            return Finding("server", "wrong", f"{found}: {error}", "see its log")
    return Finding("server", "ok", f"{found}, can store and answer")


def _port(settings: Settings) -> Finding:
    try:
        sockets = bind(settings.host, settings.port)
    except BarographError as error:
        return Finding("port", "wrong", str(error), "choose another --port")
    for one in sockets:
        one.close()
    return Finding("port", "ok", f"{settings.host}:{settings.port} is free")


def _certificate(settings: Settings) -> Finding:
    try:
        certificate_of(settings)
    except BarographError as error:
        return Finding("TLS", "wrong", str(error), "set mqtt_tls_certificate and mqtt_tls_key")
    return Finding("TLS", "ok", f"{settings.mqtt_tls_certificate} and its key can be used")


def _broker(settings: Settings) -> Finding:
    where = str(BrokerAddress.parse(settings.mqtt_bridge))
    try:
        version = check_bridge(settings)
    except ConfigurationError as error:
        return Finding("MQTT broker", "wrong", str(error), "name a file of PEM certificates")
    except NotNow as error:
        return Finding(
            "MQTT broker",
            "wrong",
            f"{where}: {error}",
            "see that it runs, and that mqtt_bridge has its address and port",
        )
    except BrokerRefuses as error:
        return Finding("MQTT broker", "wrong", f"{where}: {error}", error.advice)
    return Finding("MQTT broker", "ok", f"{where} lets us in (MQTT {version})")


def _stored(settings: Settings) -> Iterator[Finding]:
    catalog = settings.data_dir / CATALOG_FILE
    if settings.database_url:
        yield _tried("catalog", lambda: _database(settings.database_url))
    elif catalog.exists():
        yield _catalog(catalog)
    readings = settings.data_dir / READINGS_DIRECTORY
    if settings.readings_url or readings.exists():
        yield _tried("readings", lambda: _readings(settings))


def _catalog(path: Path) -> Finding:
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            (state,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        finally:
            connection.close()
    except (sqlite3.Error, TypeError) as error:
        return Finding("catalog", "wrong", f"cannot be read: {error}", "restore a backup")
    if state != "ok":
        return Finding("catalog", "wrong", f"is damaged: {state}", "restore a backup")
    return _migration(revision)


def _database(url: str) -> Finding:
    database = Database(read_url(url), 1)
    try:
        return _migration(database.read(current_revision))
    finally:
        database.close()


def _migration(revision: str | None) -> Finding:
    if revision != HEAD:
        return Finding(
            "catalog",
            "warning",
            f"is at migration {revision}, this program at {HEAD}",
            "make a backup; barograph serve brings an older one up to date",
        )
    return Finding("catalog", "ok", f"sound, at migration {revision}")


def _readings(settings: Settings) -> Finding:
    store = open_readings(settings)
    try:
        health = store.health()
    finally:
        store.close()
    found = f"{(health.size_bytes or 0) / _MIB:.1f} MiB"
    if health.readings is not None:
        found = f"{health.readings:,} readings, {found}"
    if not health.writable:
        return Finding("readings", "wrong", health.detail, "make room, or restore a backup")
    if health.detail != "ok":
        return Finding("readings", "warning", f"{found}; {health.detail}", "see the log")
    return Finding("readings", "ok", found)


def _tried(check: str, find: Callable[[], Finding]) -> Finding:
    try:
        return find()
    except BarographError as error:
        return Finding(check, "wrong", str(error), "stop what uses it, or restore a backup")


def _clock(now: datetime) -> Finding:
    found = now.isoformat(" ", "seconds")
    if now < _RELEASED or now.year > _RELEASED.year + _ODD_AFTER_YEARS:
        return Finding(
            "clock", "wrong", found, "set the clock: readings without a time get the server's"
        )
    return Finding("clock", "ok", found)


def _zones(name: str) -> Finding:
    try:
        offset = datetime(2026, 7, 1, tzinfo=ZoneInfo("Europe/Berlin")).utcoffset()
        ZoneInfo(name)
    except (OSError, LookupError, ValueError) as error:
        return Finding("time zones", "wrong", str(error), "pip install tzdata")
    if offset is None or offset.total_seconds() != 2 * 3600:
        return Finding(
            "time zones", "wrong", f"Berlin's summer is {offset}", "pip install -U tzdata"
        )
    return Finding("time zones", "ok", f"timezone is {name}")


def _memory(settings: Settings) -> Iterator[Finding]:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return  # there is none but on Linux
    kib = dict(line.split(":", 1) for line in lines if ":" in line)
    available = int(kib["MemAvailable"].split()[0]) / 1024
    found = f"{available:,.0f} MiB available"
    if available < settings.memory_limit_mb:
        advice = f"memory_limit_mb is {settings.memory_limit_mb}: lower it"
        yield Finding("memory", "warning", found, advice)
    else:
        yield Finding("memory", "ok", found)
