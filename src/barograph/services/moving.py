"""Copies readings from one store to another, and makes sure that they are all there.

Series go over some at a time. What the target has of them already is compared first, so a move
that was interrupted goes on where it was; every group is compared when it is copied, by the number
of its readings and a sum over all of them that does not depend on their order.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from barograph.domain.batch import Batch
from barograph.domain.errors import Conflict
from barograph.ports.reading_store import ReadingStore

_SERIES_AT_ONCE = 200
_MAINTENANCE_MAX = 10_000

Words = NDArray[np.uint64]


@dataclass(slots=True)
class Digest:
    """What readings come to."""

    readings: int = 0
    checksum: int = 0

    def add(self, batch: Batch) -> None:
        """Count the batch's readings in."""
        bits = (np.asarray(batch.values, np.float64) + 0.0).view(np.uint64).copy()  # -0.0 is 0.0
        for place, state in batch.texts.items():
            bits[place] = int.from_bytes(blake2b(state.encode(), digest_size=8).digest())
        series = np.asarray(batch.series, np.int64).view(np.uint64)
        times = np.asarray(batch.times, np.int64).view(np.uint64)
        mixed = _mixed(series ^ _mixed(times ^ _mixed(bits)))
        self.readings += len(batch)
        self.checksum = (self.checksum + int(mixed.sum(dtype=np.uint64))) % 2**64


def _mixed(words: Words) -> Words:
    """Each word scrambled (splitmix64, Steele, Lea and Flood 2014)."""
    words = words + np.uint64(0x9E3779B97F4A7C15)
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def copy_readings(
    source: ReadingStore,
    target: ReadingStore,
    series: Sequence[int],
    report: Callable[[int], None],
) -> Digest:
    """Copy the readings of these series; `report` is told how many more are there.

    Raises `Conflict` where the target then holds others, and what the stores raise.
    """
    whole = Digest()
    for group in _groups(series):
        found = _copy_group(source, target, group, report)
        whole.readings += found.readings
        whole.checksum = (whole.checksum + found.checksum) % 2**64
    for _ in range(_MAINTENANCE_MAX):
        if not target.maintain():
            break
    return whole


def _copy_group(
    source: ReadingStore,
    target: ReadingStore,
    group: Sequence[int],
    report: Callable[[int], None],
) -> Digest:
    if target.extent(group) is not None:
        there, wanted = digest_of(target.scan(group)), digest_of(source.scan(group))
        if there == wanted:
            report(wanted.readings)
            return wanted
    copied = Digest()
    for batch in source.scan(group):
        target.append(batch)
        copied.add(batch)
        report(len(batch))
    found = digest_of(target.scan(group))
    if found != copied:
        raise Conflict(
            f"of the series {group[0]} to {group[-1]} {copied.readings} readings were copied, and "
            f"{found.readings} are there, or other ones: does a server still run on either "
            "store? Empty the target and begin again"
        )
    return copied


def digest_of(batches: Iterable[Batch]) -> Digest:
    """What the readings of all batches come to."""
    found = Digest()
    for batch in batches:
        found.add(batch)
    return found


def _groups(series: Sequence[int]) -> Iterator[Sequence[int]]:
    for first in range(0, len(series), _SERIES_AT_ONCE):
        yield series[first : first + _SERIES_AT_ONCE]
