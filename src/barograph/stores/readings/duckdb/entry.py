"""What the journal says happened: readings came, or readings were deleted.

An entry's bytes: its kind, then for readings their number, the columns (series int32, times int64,
values float64, little-endian) and the texts as msgpack; for a deletion, msgpack.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from barograph.domain.batch import Batch
from barograph.domain.errors import InvalidInput
from barograph.domain.period import Period

Series = NDArray[np.int32]
Times = NDArray[np.int64]
Values = NDArray[np.float64]

_READINGS = struct.Struct("<BI")
_KIND_READINGS, _KIND_DELETION = 1, 2
_SERIES_MAX = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Readings:
    """Readings in arrival order, as in `domain.batch.Batch`."""

    series: Series
    times: Times
    values: Values
    texts: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.times)

    @classmethod
    def of(cls, batch: Batch) -> "Readings":
        """The columns of `batch`; raises `InvalidInput` for a series number out of range."""
        series = np.array(batch.series, np.int64)
        if len(series) and not (series.min() >= 0 and series.max() <= _SERIES_MAX):
            raise InvalidInput.of("series", "a series is numbered from 0 to 2147483647")
        return cls(
            series.astype(np.int32),
            np.array(batch.times, np.int64),
            np.array(batch.values, np.float64),
            dict(batch.texts),
        )


@dataclass(slots=True)
class Deletion:
    """The readings of `series` in `period` go."""

    series: Series
    period: Period
    removed: int = 0
    """How many there were, once it was applied."""

    def __len__(self) -> int:
        return 0


Entry = Readings | Deletion


def encode(entry: Entry) -> Sequence[bytes | memoryview]:
    """The bytes of `entry`, in pieces."""
    if isinstance(entry, Deletion):
        said = (entry.series.tobytes(), entry.period.start, entry.period.end)
        return (bytes([_KIND_DELETION]), msgspec.msgpack.encode(said))
    parts = [
        _READINGS.pack(_KIND_READINGS, len(entry)),
        entry.series.astype("<i4", copy=False).tobytes(),
        entry.times.astype("<i8", copy=False).tobytes(),
        entry.values.astype("<f8", copy=False).tobytes(),
    ]
    if entry.texts:
        parts.append(msgspec.msgpack.encode(entry.texts))
    return parts


def decode(data: bytes) -> Entry:
    """The entry whose bytes `data` are."""
    if data[0] == _KIND_DELETION:
        series, start, end = msgspec.msgpack.decode(
            data[1:], type=tuple[bytes, int | None, int | None]
        )
        return Deletion(np.frombuffer(series, "<i4").astype(np.int32), Period(start, end))
    _, count = _READINGS.unpack_from(data)
    at = _READINGS.size
    ends = [at + 4 * count, at + 12 * count, at + 20 * count]
    return Readings(
        np.frombuffer(data[at : ends[0]], "<i4").astype(np.int32, copy=False),
        np.frombuffer(data[ends[0] : ends[1]], "<i8").astype(np.int64, copy=False),
        np.frombuffer(data[ends[1] : ends[2]], "<f8").astype(np.float64, copy=False),
        msgspec.msgpack.decode(data[ends[2] :], type=dict[int, str]) if len(data) > ends[2] else {},
    )


def concatenate(entries: Sequence[Readings]) -> Readings:
    """All their readings, in order, as one."""
    if len(entries) == 1:
        return entries[0]
    texts: dict[int, str] = {}
    base = 0
    for entry in entries:
        texts.update((base + i, text) for i, text in entry.texts.items())
        base += len(entry)
    return Readings(
        np.concatenate([entry.series for entry in entries]),
        np.concatenate([entry.times for entry in entries]),
        np.concatenate([entry.values for entry in entries]),
        texts,
    )
