"""A synced, append-only journal of records, kept in segment files.

A record is durable when `append` returns. Records are numbered from 1 without gaps. A segment file
is named after the number of its first record; what it holds beyond the first record of the next
segment does not count, so a file is abandoned, after a failed sync, by beginning the next.

A file is a magic word and then records: a header (payload length, CRC-32 of number and payload,
number) and the payload. One record is written at a time, so only the very last one can be torn.
Anything else that is wrong is damage: what is whole around it counts, and the file is also kept
under the ending `.damaged`, which nothing here reads or removes.

Source of the rule never to sync a handle again that failed: Rebello et al., "Can Applications
Recover from fsync Failures?", USENIX ATC 2020.
"""

import errno
import logging
import os
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from barograph.domain.errors import Overloaded, StorageFull, Unavailable

_MAGIC = b"barograph journal 1\n"
_HEADER = struct.Struct("<IIQ")
_NUMBER = struct.Struct("<Q")
RECORD_BYTES_MAX = 1 << 30
"""A longer length in a header is damage, not a record."""

_DAMAGED_RECORDS_MAX = 64
"""How many records in a row may be damaged for those behind them to be found again."""

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

_log = logging.getLogger(__name__)


def sync_directory(directory: Path) -> None:
    """Make the names of newly created, renamed and removed files in `directory` durable."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_directory(directory: Path, mode: int = 0o777) -> None:
    """Make the directory where it is missing, and every name on the way to it durable."""
    missing = [directory, *directory.parents]
    missing = missing[: next(i for i, path in enumerate(missing) if path.exists())]
    directory.mkdir(mode, parents=True, exist_ok=True)
    for made in missing:
        sync_directory(made.parent)


class Journal:
    """The journal in `directory`. Not thread-safe: one caller at a time.

    `last` is the number of the newest durable record, at least `floor`: the number up to which its
    owner has everything elsewhere. Opening cuts off a torn tail; `damage` tells what else was
    found to be wrong, in words, or is empty.
    """

    def __init__(
        self, directory: Path, *, floor: int = 0, segment_bytes_max: int = 64 << 20
    ) -> None:
        self._directory = directory
        self._segment_bytes_max = segment_bytes_max
        self._handle = -1
        self._bytes = 0
        self.damage: list[str] = []
        make_directory(directory)
        self._firsts = sorted(
            int(path.stem) for path in directory.glob("*.journal") if path.stem.isdigit()
        )
        self.last = floor
        if self._firsts:
            self.last = max(floor, self._mend())

    def _path(self, first: int) -> Path:
        return self._directory / f"{first:020d}.journal"

    def _mend(self) -> int:
        """Cut the torn tail off the newest segment; the number of the last good record."""
        first = self._firsts[-1]
        path = self._path(first)
        good, last, whole = len(_MAGIC), first - 1, path.stat().st_size
        for number, offset, payload in self._read(first):
            last, good = number, offset + _HEADER.size + len(payload)
        if good >= whole:
            return last
        if not _is_torn(path, good, last + 1):
            self._note(f"{path}: its last {whole - good} bytes are no record")
            self._set_aside(path)
            if last < first:  # the next record would begin a file of this name
                path.unlink()
                self._firsts.pop()
            return last
        _log.warning(
            "%s: its last %d bytes are no whole record (a write that was never acknowledged); "
            "they are cut off",
            path,
            whole - good,
        )
        with path.open("r+b") as file:
            file.truncate(good)
            os.fsync(file.fileno())
        return last

    def _read(self, first: int) -> Iterator[tuple[int, int, bytes]]:
        """`_records` of the segment; sets a damaged one aside."""
        path, before = self._path(first), len(self.damage)
        yield from _records(path, first, self._note)
        if len(self.damage) > before:
            self._set_aside(path)

    def _note(self, damage: str) -> None:
        self.damage.append(damage)
        _log.critical(damage)

    def _set_aside(self, path: Path) -> None:
        kept = path.with_suffix(".damaged")
        try:
            kept.hardlink_to(path)
        except FileExistsError:
            return
        except OSError as error:
            _log.critical("%s cannot be kept as %s: %s", path, kept.name, error)
            return
        _log.critical("%s is kept as %s", path, kept.name)
        sync_directory(self._directory)

    def append(self, parts: Sequence[bytes | memoryview]) -> int:
        """Write `parts` as one record and sync it; its number.

        Raises `StorageFull` or `Unavailable`; the record then does not exist.
        """
        length = sum(map(len, parts))
        if length > RECORD_BYTES_MAX:  # read back, it would be taken for damage
            raise Overloaded(f"{length >> 20} MiB of readings came at once: send again later")
        if self._handle < 0 or self._bytes >= self._segment_bytes_max:
            self.rotate()
        number = self.last + 1
        crc = zlib.crc32(_NUMBER.pack(number))
        for part in parts:
            crc = zlib.crc32(part, crc)
        record = b"".join((_HEADER.pack(length, crc, number), *parts))
        try:
            written = os.write(self._handle, record)
            while written < len(record):
                written += os.write(self._handle, memoryview(record)[written:])
        except OSError as error:
            self._take_back()
            raise _unavailable("write", error) from error
        try:
            os.fdatasync(self._handle)
        except OSError as error:
            # What the kernel kept of it is unknown: the next record begins a new file, by whose
            # name this one no longer counts.
            self._abandon()
            raise _unavailable("sync", error) from error
        self._bytes += len(record)
        self.last = number
        return number

    def _take_back(self) -> None:
        try:
            os.ftruncate(self._handle, self._bytes)
        except OSError:
            self._abandon()

    def _abandon(self) -> None:
        handle, self._handle = self._handle, -1
        try:
            os.close(handle)
        except OSError as error:
            _log.warning("closing an abandoned journal file failed: %s", error)

    def rotate(self) -> None:
        """Begin a new segment file, unless the present one is still empty."""
        first = self.last + 1
        if self._handle >= 0 and self._firsts[-1] == first:
            return
        if self._handle >= 0:
            self._abandon()
        path = self._path(first)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
            try:
                if os.write(handle, _MAGIC) != len(_MAGIC):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(handle)
                sync_directory(self._directory)
            except OSError:
                os.close(handle)
                raise
        except OSError as error:
            raise _unavailable("begin", error) from error
        self._handle, self._bytes = handle, len(_MAGIC)
        if not self._firsts or self._firsts[-1] != first:
            self._firsts.append(first)

    def records(self, after: int) -> Iterator[tuple[int, bytes]]:
        """The records numbered above `after`, oldest first.

        Where records are missing or damaged, `damage` says so and reading goes on behind them.
        """
        expected = after + 1
        for first, following in pairwise([*self._firsts, self.last + 1]):
            if following <= expected:
                continue
            for number, _, payload in self._read(first):
                if number >= following:
                    break
                if number < expected:
                    continue
                self._note_gap(expected, number)
                yield number, payload
                expected = number + 1
        self._note_gap(expected, self.last + 1)

    def _note_gap(self, expected: int, found: int) -> None:
        if found > expected:
            self._note(
                f"{self._directory}: records {expected} to {found - 1} are missing or damaged"
            )

    def forget(self, through: int) -> None:
        """Remove the segment files that hold only records numbered up to `through`."""
        if self.last <= through and self._firsts:
            self.rotate()
        while len(self._firsts) > 1 and self._firsts[1] <= through + 1:
            self._path(self._firsts[0]).unlink(missing_ok=True)
            del self._firsts[0]

    def size_bytes(self) -> int:
        """What the files take."""
        return sum(
            path.stat().st_size for first in self._firsts if (path := self._path(first)).exists()
        )

    def close(self) -> None:
        """Release the file. Every record is synced already."""
        if self._handle >= 0:
            self._abandon()


def _records(
    path: Path, first: int, note: Callable[[str], None]
) -> Iterator[tuple[int, int, bytes]]:
    """(number, offset, payload) of each good record; damage in the middle is skipped, loudly."""
    data = path.read_bytes()
    offset, last = len(_MAGIC), first - 1
    if len(data) <= offset:
        return
    if data[:offset] != _MAGIC:
        note(f"{path} does not begin like a journal")
    while True:
        found = _record_at(data, offset)
        if found is None:
            resumed = _resume(data, offset, last)
            if resumed is None:
                return
            note(f"{path} is damaged between its bytes {offset} and {resumed}")
            offset = resumed
            continue
        last, payload = found
        yield last, offset, payload
        offset += _HEADER.size + len(payload)


def _record_at(data: bytes, offset: int) -> tuple[int, bytes] | None:
    if offset + _HEADER.size > len(data):
        return None
    length, crc, number = _HEADER.unpack_from(data, offset)
    begin = offset + _HEADER.size
    if length > RECORD_BYTES_MAX or begin + length > len(data):
        return None
    payload = data[begin : begin + length]
    if zlib.crc32(payload, zlib.crc32(_NUMBER.pack(number))) != crc:
        return None
    return number, payload


def _resume(data: bytes, offset: int, last: int) -> int | None:
    """Where the first good record behind the bad one at `offset` begins, after record `last`.

    It is looked for by its number, because the bad one's length may be what is wrong with it.
    """
    found = (
        _find(data, number, offset) for number in range(last + 1, last + 1 + _DAMAGED_RECORDS_MAX)
    )
    return next((at for at in found if at is not None), None)


def _find(data: bytes, number: int, offset: int) -> int | None:
    """Where the good record of that number begins."""
    pattern, before = _NUMBER.pack(number), _HEADER.size - _NUMBER.size
    at = data.find(pattern, offset + before)
    while at >= 0:
        record = _record_at(data, at - before)
        if record is not None and record[0] == number:
            return at - before
        at = data.find(pattern, at + 1)
    return None


def _is_torn(path: Path, offset: int, number: int) -> bool:
    """Whether what follows from `offset` may be a record `number` that was being written."""
    with path.open("rb") as file:
        file.seek(offset)
        rest = file.read()
    if len(rest) < _HEADER.size or not any(rest):  # a file may grow before it is filled
        return True
    length, _, found = _HEADER.unpack_from(rest)
    return bool(found == number and _HEADER.size + length >= len(rest))


def _unavailable(verb: str, error: OSError) -> Unavailable:
    if error.errno in _FULL:
        return StorageFull(f"the disk is full: could not {verb} the journal ({error.strerror})")
    return Unavailable(f"could not {verb} the journal: {error}")
