"""Copies of everything that is kept, made beside running writes, and how they are checked.

A backup is a directory: the MQTT sessions, the readings, the catalog, and last a manifest with the
checksum of every file. It has its name only when all of it is on stable storage.

The readings are copied first. So every series in them is in the copy of the catalog, which is
younger; the other way round, a restored catalog could give the id of a series that it does not
know, but the readings do, to a new one.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import file_digest
from pathlib import Path
from threading import Lock
from typing import Final, Literal

import msgspec

from barograph import __version__
from barograph.domain.errors import Conflict, InvalidInput, StorageFull, Unavailable
from barograph.domain.user import Principal, require_admin
from barograph.ports.catalog import Catalog
from barograph.ports.clock import Clock
from barograph.ports.reading_store import ReadingStore

CATALOG = "data.db"
READINGS = "readings"
MQTT = "mqtt.db"
MANIFEST = "manifest.json"

_FORMAT: Final = 1
_PARTIAL = ".partial"


class File(msgspec.Struct, frozen=True):
    """A file of a backup: its path below the directory, and what must be found there."""

    path: str
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a backup consists of."""

    format: Literal[1]
    barograph: str
    """The version that made it."""
    created_time: str
    files: list[File]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True, slots=True)
class Backup:
    """A finished backup."""

    path: Path
    manifest: Manifest


class Backups:
    """Makes backups below one directory, one at a time."""

    def __init__(
        self,
        catalog: Catalog,
        store: ReadingStore,
        directory: Path,
        clock: Clock,
        copy_mqtt: Callable[[Path], None] = lambda _target: None,
    ) -> None:
        """`copy_mqtt` makes the file that it is given from the MQTT sessions, if there are any."""
        self._copy_mqtt = copy_mqtt
        self._catalog = catalog
        self._store = store
        self.directory = directory.absolute()
        """Where the backups are."""
        self._clock = clock
        self._lock = Lock()

    def create(self, principal: Principal) -> Backup:
        """A new backup; holds at least what was acknowledged before the call.

        For administrators. Raises `Forbidden`, `Conflict` while another one is being made,
        `Unavailable`, and `StorageFull`, after which nothing is left behind.
        """
        require_admin(principal, write=True)
        if not self._lock.acquire(blocking=False):
            raise Conflict("a backup is being made already: wait for it")
        try:
            return self._create()
        except OSError as error:
            raise StorageFull(f"the backup cannot be written: {error}") from error
        finally:
            self._lock.release()

    def _create(self) -> Backup:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=self._clock())
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left_over in self.directory.glob(f"*{_PARTIAL}"):
            shutil.rmtree(left_over)
        target = self.directory / f"{moment:%Y%m%dT%H%M%S.%fZ}"
        partial = target.with_name(target.name + _PARTIAL)
        partial.mkdir(mode=0o700)
        try:
            self._copy_mqtt(partial / MQTT)
            self._store.backup(partial / READINGS)
            self._catalog.backup(partial / CATALOG)
            manifest = Manifest(
                _FORMAT, __version__, f"{moment:%Y-%m-%dT%H:%M:%SZ}", list(_files(partial))
            )
            with (partial / MANIFEST).open("wb") as file:
                file.write(msgspec.json.format(msgspec.json.encode(manifest)))
            sync_tree(partial)
            if target.exists():
                raise Conflict(f"{target} exists already: try again")
            partial.rename(target)
            sync(self.directory)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        return Backup(target, manifest)


def verified(directory: Path) -> Manifest:
    """The manifest of a backup, all of whose files are as it says; raises `InvalidInput`."""
    at = str(directory)
    try:
        manifest = msgspec.json.decode((directory / MANIFEST).read_bytes(), type=Manifest)
    except FileNotFoundError:
        raise InvalidInput.of(
            at, f"this is no backup: there is no {MANIFEST}; give the directory of a whole backup"
        ) from None
    except (OSError, msgspec.DecodeError) as error:
        raise InvalidInput.of(at, f"{MANIFEST} cannot be read: {error}") from None
    if not any(file.path == CATALOG for file in manifest.files):
        raise InvalidInput.of(at, f"{MANIFEST} names no {CATALOG}: this is not a whole backup")
    expected = {file.path: file for file in manifest.files}
    found = {file.path: file for file in _files(directory)}
    for path in sorted(expected.keys() | found.keys()):
        if path not in found:
            raise InvalidInput.of(at, f"the file {path} is missing: use another backup")
        if path not in expected:
            raise InvalidInput.of(at, f"the file {path} does not belong there: remove it")
        if found[path] != expected[path]:
            raise InvalidInput.of(
                at, f"the file {path} is damaged (its checksum differs): use another backup"
            )
    return manifest


def _files(directory: Path) -> Iterator[File]:
    for path in sorted(directory.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise Unavailable(f"{path} is neither a file nor a directory")
        if path.is_file() and path != directory / MANIFEST:
            with path.open("rb") as file:
                digest = file_digest(file, "sha256").hexdigest()
            name = path.relative_to(directory).as_posix()
            yield File(name, path.stat().st_size, digest)


def sync_tree(directory: Path) -> None:
    """Have all of a directory on stable storage."""
    for path in directory.rglob("*"):
        sync(path)
    sync(directory)


def sync(path: Path) -> None:
    """Have a file, or a directory's names, on stable storage."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
