"""Copies of everything that is kept, made beside running writes, and how they are checked.

A backup is a directory: the MQTT sessions, the readings, the catalog, and last a manifest with the
checksum of every file. It has its name only when all of it is on stable storage. What lies on a
database server is not in it, and the manifest says so.

The readings are copied first. So every series in them is in the copy of the catalog, which is
younger; the other way round, a restored catalog could give the id of a series that it does not
know, but the readings do, to a new one.
"""

import errno
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
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
    left_out: list[str] = []
    """What is not in it, and what copies that."""

    def has(self, name: str) -> bool:
        """Whether the file, or something in the directory of this name, is in it."""
        return any(one.path == name or one.path.startswith(f"{name}/") for one in self.files)

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
        catalog: Catalog | None,
        store: ReadingStore | None,
        directory: Path,
        clock: Clock,
        copy_mqtt: Callable[[Path], None] = lambda _target: None,
        left_out: Sequence[str] = (),
    ) -> None:
        """`copy_mqtt` makes the file that it is given from the MQTT sessions, if there are any.

        Catalog or store are None where they lie on a server; `left_out` says so, and what copies them.
        """
        self._copy_mqtt = copy_mqtt
        self.left_out = tuple(left_out)
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
            raise _in_our_words(error) from error
        finally:
            self._lock.release()

    def _create(self) -> Backup:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=self._clock())
        if not self.directory.is_dir():
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            sync(self.directory.parent)
        for left_over in self.directory.glob(f"*{_PARTIAL}"):
            shutil.rmtree(left_over, ignore_errors=True)
        target = self.directory / f"{moment:%Y%m%dT%H%M%S.%fZ}"
        partial = target.with_name(target.name + _PARTIAL)
        partial.mkdir(mode=0o700)
        try:
            self._copy_mqtt(partial / MQTT)
            if self._store is not None:
                self._store.backup(partial / READINGS)
            if self._catalog is not None:
                self._catalog.backup(partial / CATALOG)
            manifest = Manifest(
                _FORMAT,
                __version__,
                f"{moment:%Y-%m-%dT%H:%M:%SZ}",
                list(_files(partial)),
                list(self.left_out),
            )
            if not manifest.files:
                raise Unavailable("; ".join(["nothing lies in files", *self.left_out]))
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

    def remove(self, name: str) -> None:
        """Remove a backup; raises `Unavailable`.

        It loses its name first: what a crash leaves of it is no backup, and goes with the next one.
        """
        partial = self.directory / f"{name}{_PARTIAL}"
        try:
            (self.directory / name).rename(partial)
        except OSError as error:
            raise Unavailable(f"the backup {name} cannot be removed: {error.strerror}") from error
        shutil.rmtree(partial, ignore_errors=True)


def _in_our_words(error: OSError) -> Unavailable:
    full = error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
    return (StorageFull if full else Unavailable)(f"the backup cannot be written: {error}")


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
    if not manifest.left_out and not manifest.has(CATALOG):
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
