"""A synced, append-only journal of records, kept in segment files.

A record is durable when `append` returns. Records are numbered from 1 without gaps. A segment file
is named after the number of its first record; what it holds beyond the first record of the next
segment does not count, so a file is abandoned, after a failed sync, by beginning the next.

A file is a magic word and then records: a header (payload length, CRC-32 of number and payload,
number) and the payload. One record is written at a time, so only the very last one can be torn.

Source of the rule never to sync a handle again that failed: Rebello et al., "Can Applications
Recover from fsync Failures?", USENIX ATC 2020.
"""

import errno
import logging
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from barograph.domain.errors import StorageFull, Unavailable

_MAGIC = b"barograph journal 1\n"
_HEADER = struct.Struct("<IIQ")
_NUMBER = struct.Struct("<Q")
RECORD_BYTES_MAX = 1 << 30
"""A longer length in a header is damage, not a record."""

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

_log = logging.getLogger(__name__)


def sync_directory(directory: Path) -> None:
    """Make the names of newly created, renamed and removed files in `directory` durable."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


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
        directory.mkdir(parents=True, exist_ok=True)
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
        for number, offset, payload in _records(path, self.damage):
            last, good = number, offset + _HEADER.size + len(payload)
        if good < whole:
            _log.warning(
                "%s: its last %d bytes are no whole record (a write that was never acknowledged); "
                "they are cut off",
                path,
                whole - good,
            )
            with path.open("r+b") as file:
                if whole < len(_MAGIC):
                    file.write(_MAGIC)
                file.truncate(good)
                os.fsync(file.fileno())
        return last

    def append(self, parts: Sequence[bytes | memoryview]) -> int:
        """Write `parts` as one record and sync it; its number.

        Raises `StorageFull` or `Unavailable`; the record then does not exist.
        """
        if self._handle < 0 or self._bytes >= self._segment_bytes_max:
            self.rotate()
        number = self.last + 1
        crc = zlib.crc32(_NUMBER.pack(number))
        length = 0
        for part in parts:
            crc = zlib.crc32(part, crc)
            length += len(part)
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
            for number, _, payload in _records(self._path(first), self.damage):
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
            self.damage.append(
                f"{self._directory}: records {expected} to {found - 1} are missing or damaged"
            )
            _log.critical(self.damage[-1])

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


def _records(path: Path, damage: list[str]) -> Iterator[tuple[int, int, bytes]]:
    """(number, offset, payload) of each good record; damage in the middle is skipped, loudly."""
    data = memoryview(path.read_bytes())
    offset = len(_MAGIC)
    if bytes(data[:offset]) != _MAGIC:
        if len(data) > offset:
            damage.append(f"{path} does not begin like a journal: nothing of it was read")
            _log.critical(damage[-1])
        return
    while True:
        found = _record_at(data, offset)
        if found is None:
            resumed = _resume(data, offset)
            if resumed is None:
                return
            damage.append(f"{path} is damaged between its bytes {offset} and {resumed}")
            _log.critical(damage[-1])
            offset = resumed
            continue
        number, payload = found
        yield number, offset, payload
        offset += _HEADER.size + len(payload)


def _record_at(data: memoryview, offset: int) -> tuple[int, bytes] | None:
    if offset + _HEADER.size > len(data):
        return None
    length, crc, number = _HEADER.unpack_from(data, offset)
    begin = offset + _HEADER.size
    if length > RECORD_BYTES_MAX or begin + length > len(data):
        return None
    payload = data[begin : begin + length]
    if zlib.crc32(payload, zlib.crc32(_NUMBER.pack(number))) != crc:
        return None
    return number, bytes(payload)


def _resume(data: memoryview, offset: int) -> int | None:
    """Where the next good record begins behind the bad one at `offset`, if its length is sane."""
    if offset + _HEADER.size > len(data):
        return None
    length = _HEADER.unpack_from(data, offset)[0]
    behind: int = offset + _HEADER.size + length
    return behind if _record_at(data, behind) is not None else None


def _unavailable(verb: str, error: OSError) -> Unavailable:
    if error.errno in _FULL:
        return StorageFull(f"the disk is full: could not {verb} the journal ({error.strerror})")
    return Unavailable(f"could not {verb} the journal: {error}")
