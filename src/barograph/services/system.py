"""How the installation is doing: health, rates, what is stored, backups, and what to look after."""

import os
import shutil
import tarfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Literal

import msgspec

from barograph.domain.errors import BarographError, NotFound
from barograph.domain.limits import Limits
from barograph.domain.time import DAY, MINUTE, SECOND
from barograph.domain.user import Principal, require_admin
from barograph.ports.catalog import Catalog
from barograph.ports.clock import Clock
from barograph.ports.reading_store import Health, ReadingStore
from barograph.services.audit import Audit
from barograph.services.backups import MANIFEST, Backups, Manifest
from barograph.services.latest import Latest
from barograph.services.registry import Registry
from barograph.services.telemetry import Telemetry

SAMPLE_SECONDS = 10.0
_SAMPLES = 360
_RECENT = 10 * MINUTE
_AHEAD = 2 * MINUTE
_BACKUP_AGE = 7 * DAY
_DISK_LOW_SHARE = 0.10
_DISK_FULL_SHARE = 0.03
_BACKLOG_SHARE = 0.5
_PIECE_BYTES = 256 * 1024

Trouble = Literal[
    "store_not_writable",
    "catalog_away",
    "degraded",
    "disk_full",
    "disk_low",
    "store_behind",
    "writes_refused",
    "commits_failed",
    "clocks_ahead",
    "no_backup",
    "backup_old",
]


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to look after. `names` and `number` fill in the words that a page has for it."""

    trouble: Trouble
    grave: bool
    number: float = 0.0
    names: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class StoredBackup:
    """A backup on the disk of the server."""

    name: str
    path: Path
    created_time: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Stored:
    """What the series of one metric's name hold, over all devices."""

    metric: str
    devices: int
    readings: int


@dataclass(frozen=True, slots=True)
class Status:
    """Everything that the page of the system shows."""

    store: Health
    catalog_answers: bool
    disk_bytes: int
    disk_free_bytes: int
    data_bytes: int
    backlog: int
    committed: int
    per_second: float
    rates: Sequence[tuple[int, float]]
    """Readings per second over the last hour: the time (microseconds) where a sample ends."""
    stored: Sequence[Stored]
    devices: int
    warnings: Sequence[Notice] = field(default_factory=tuple)
    backups: Sequence[StoredBackup] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class _Sample:
    time: int
    committed: int
    refused: int
    failed: int


class System:
    """Answers for administrators; `sample` is to be called every `SAMPLE_SECONDS`."""

    def __init__(
        self,
        catalog: Catalog,
        store: ReadingStore,
        registry: Registry,
        latest: Latest,
        telemetry: Telemetry,
        backlog: Callable[[], int],
        backups: Backups,
        clock: Clock,
        limits: Limits,
        directory: Path,
        degradations: Sequence[Callable[[], str | None]] = (),
    ) -> None:
        """`backlog` tells how many readings wait to be committed; `directory` has the data.

        Each of `degradations` says what is away without which the program goes on, or None.
        """
        self._catalog = catalog
        self._store = store
        self._registry = registry
        self._latest = latest
        self._telemetry = telemetry
        self._backlog = backlog
        self._backups = backups
        self._clock = clock
        self._limits = limits
        self._directory = directory
        self._degradations = tuple(degradations)
        self._audit = Audit(catalog, registry, clock)
        self._samples: deque[_Sample] = deque(maxlen=_SAMPLES)

    def sample(self) -> None:
        """Note the counters as they are now."""
        seen = self._telemetry
        self._samples.append(
            _Sample(
                self._clock(),
                seen.readings_committed,
                seen.writes_overloaded,
                seen.commits_failed,
            )
        )

    def status(self, principal: Principal) -> Status:
        """How things are now; raises `Forbidden`."""
        require_admin(principal)
        usage = shutil.disk_usage(self._directory)
        store = self._health()
        answers = self._catalog_answers()
        rates = self._rates()
        backups = self.backups(principal)
        return Status(
            store=store,
            catalog_answers=answers,
            disk_bytes=usage.total,
            disk_free_bytes=usage.free,
            data_bytes=_size(self._directory),
            backlog=self._backlog(),
            committed=self._telemetry.readings_committed,
            per_second=rates[-1][1] if rates else 0.0,
            rates=rates,
            stored=self._stored() if store.writable else (),
            devices=len(self._registry.devices()),
            warnings=list(
                self._warnings(store, usage.free / usage.total, backups, answers=answers)
            ),
            backups=backups,
        )

    def _health(self) -> Health:
        try:
            return self._store.health()
        except BarographError as error:
            return Health(writable=False, detail=str(error))

    def _catalog_answers(self) -> bool:
        try:
            self._catalog.check()
        except BarographError:
            return False
        return True

    def _rates(self) -> list[tuple[int, float]]:
        samples = list(self._samples)
        return [
            (
                after.time,
                (after.committed - before.committed) / ((after.time - before.time) / SECOND),
            )
            for before, after in pairwise(samples)
            if after.time > before.time
        ]

    def _stored(self) -> list[Stored]:
        counts = self._store.counts()
        readings: dict[str, int] = {}
        devices: dict[str, int] = {}
        for device in self._registry.devices():
            for metric, series in self._registry.series_of(device.id).items():
                devices[metric] = devices.get(metric, 0) + 1
                readings[metric] = readings.get(metric, 0) + counts.get(series, 0)
        found = [Stored(metric, devices[metric], count) for metric, count in readings.items()]
        return sorted(found, key=lambda one: (-one.readings, one.metric))

    def _warnings(
        self, store: Health, free: float, backups: Sequence[StoredBackup], *, answers: bool
    ) -> Iterator[Notice]:
        now = self._clock()
        if not store.writable:
            yield Notice("store_not_writable", grave=True, names=(store.detail,))
        if not answers:
            yield Notice("catalog_away", grave=True)
        missing = [text for look in self._degradations if (text := look())]
        if missing:
            yield Notice("degraded", grave=False, names=missing)
        if free < _DISK_FULL_SHARE:
            yield Notice("disk_full", grave=True, number=100 * free)
        elif free < _DISK_LOW_SHARE:
            yield Notice("disk_low", grave=False, number=100 * free)
        backlog = self._backlog()
        if backlog > _BACKLOG_SHARE * self._limits.backlog_readings_max:
            yield Notice("store_behind", grave=True, number=backlog)
        earlier = next((one for one in self._samples if one.time >= now - _RECENT), None)
        if earlier is not None:
            refused = self._telemetry.writes_overloaded - earlier.refused
            failed = self._telemetry.commits_failed - earlier.failed
            if refused > 0:
                yield Notice("writes_refused", grave=True, number=refused)
            if failed > 0:
                yield Notice("commits_failed", grave=True, number=failed)
        ahead = self._ahead(now + _AHEAD)
        if ahead:
            yield Notice("clocks_ahead", grave=False, number=len(ahead), names=ahead[:3])
        yield from self._about_backups(store, backups, now)

    def _about_backups(
        self, store: Health, backups: Sequence[StoredBackup], now: int
    ) -> Iterator[Notice]:
        if not store.readings and not self._registry.devices():
            return  # there is nothing to lose yet
        newest = max((one.path.stat().st_mtime for one in backups), default=None)
        if newest is None:
            yield Notice("no_backup", grave=False)
        elif now - newest * SECOND > _BACKUP_AGE:
            yield Notice("backup_old", grave=False, number=(now - newest * SECOND) // DAY)

    def _ahead(self, limit: int) -> list[str]:
        """The devices whose newest reading is from the future."""
        found = []
        for device in self._registry.devices():
            seen = self._latest.seen(self._registry.series_of(device.id).values())
            if seen is not None and seen > limit:
                found.append(device.name)
        return found

    # Backups

    def backups(self, principal: Principal) -> list[StoredBackup]:
        """The backups beside the data, the newest first; raises `Forbidden`."""
        require_admin(principal)
        found = []
        for path in self._backups.directory.glob("*Z"):
            try:
                manifest = msgspec.json.decode((path / MANIFEST).read_bytes(), type=Manifest)
            except (OSError, msgspec.DecodeError):
                continue  # what is no whole backup is not one to offer
            found.append(StoredBackup(path.name, path, manifest.created_time, manifest.size))
        return sorted(found, key=lambda one: one.name, reverse=True)

    @property
    def left_out(self) -> Sequence[str]:
        """What backups have not, and what copies it."""
        return self._backups.left_out

    def make_backup(self, principal: Principal) -> StoredBackup:
        """A new backup; raises what `Backups.create` does."""
        made = self._backups.create(principal)
        name = made.path.name
        self._audit.note(principal, "system.backup", name)
        return StoredBackup(name, made.path, made.manifest.created_time, made.manifest.size)

    def download(self, principal: Principal, name: str) -> Iterator[bytes]:
        """The backup as a tar archive, in pieces; raises `NotFound` before the first one."""
        require_admin(principal, write=True)
        for backup in self.backups(principal):
            if backup.name == name:
                self._audit.note(principal, "system.download", name)
                return _archive(backup.path)
        raise NotFound("there is no such backup")

    def delete_backup(self, principal: Principal, name: str) -> None:
        """Remove a backup; raises `NotFound`."""
        require_admin(principal, write=True)
        for backup in self.backups(principal):
            if backup.name == name:
                self._backups.remove(backup.name)
                self._audit.note(principal, "system.delete_backup", name)
                return
        raise NotFound("there is no such backup")


def _size(directory: Path) -> int:
    total = 0
    for root, _, files in os.walk(directory):
        for name in files:
            try:
                total += (Path(root) / name).stat().st_size
            except OSError:
                continue  # it was removed meanwhile
    return total


def _archive(directory: Path) -> Iterator[bytes]:
    """The files below `directory` as POSIX tar, with bounded memory whatever their size."""
    for path in sorted(directory.rglob("*")):
        if not path.is_file():
            continue
        entry = tarfile.TarInfo(f"{directory.name}/{path.relative_to(directory).as_posix()}")
        with path.open("rb") as file:
            stat = os.fstat(file.fileno())
            entry.size, entry.mtime, entry.mode = stat.st_size, int(stat.st_mtime), 0o600
            yield entry.tobuf(tarfile.PAX_FORMAT)
            left = entry.size
            while left:
                piece = file.read(min(_PIECE_BYTES, left))
                if not piece:
                    raise NotFound("the backup changed while it was read")
                left -= len(piece)
                yield piece
        yield b"\0" * (-entry.size % tarfile.BLOCKSIZE)
    yield b"\0" * 2 * tarfile.BLOCKSIZE
