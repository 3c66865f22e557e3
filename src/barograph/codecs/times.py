"""Columns of times, all at once.

Whatever these functions return, `domain.time` returns for each item; where they cannot be sure of
that they return None, and the caller asks `domain.time` item by item.
"""

import re
import struct
from collections.abc import Sequence
from datetime import UTC, tzinfo
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from barograph.domain.time import MILLISECOND, MINUTE, SECOND

Int64s = NDArray[np.int64]

# The magnitudes at which `domain.time.from_number` changes the unit, and each unit's microseconds;
# nanoseconds, the last, are divided instead.
_BOUNDS: Final = np.array([10**11, 10**14, 10**17])
_FACTORS: Final = np.array([SECOND, MILLISECOND, 1, 1])
_NANOSECONDS: Final = 3
_NUMBER_MAX: Final = 2.0**63

_INSTANT = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?P<fraction>\.\d{1,9})?(?P<offset>Z|[+-]\d\d:\d\d)?\Z",
    re.ASCII,
)
_SECONDS_CHARS = len("2024-05-01T12:00:00")


def times_of(column: Sequence[object], zone: tzinfo) -> Int64s | None:
    """Microseconds of a column of times as they stand in JSON, or None."""
    if column and type(column[0]) is int:
        return _from_integers(column)
    kinds = set(map(type, column))
    if kinds == {float}:
        return _from_floats(column)
    if kinds == {str}:
        return from_texts(column, zone)  # type: ignore[arg-type]  # just seen to be texts
    return None


def _from_integers(column: Sequence[Any]) -> Int64s | None:
    try:
        # As quick as looking at every type; what it takes for an integer beside one is a boolean.
        numbers = np.frombuffer(struct.pack(f"{len(column)}q", *column), np.int64)
    except struct.error:
        return None
    least, most = int(numbers.min()), int(numbers.max())
    if least < 2 and (least < 0 or bool in set(map(type, column))):
        return None
    unit = np.searchsorted(_BOUNDS, (least, most), side="right")
    times: Int64s
    if unit[0] == unit[1] != _NANOSECONDS:
        times = numbers * _FACTORS[unit[0]]
        return times
    unit = np.searchsorted(_BOUNDS, numbers, side="right")
    times = numbers * _FACTORS[unit]
    if int(unit.max()) == _NANOSECONDS:
        times = np.where(unit == _NANOSECONDS, numbers // 1000, times)
    return times


def _from_floats(column: Sequence[Any]) -> Int64s | None:
    numbers = np.fromiter(column, np.float64, len(column))
    if not (float(numbers.min()) >= 0 and float(numbers.max()) < _NUMBER_MAX):
        return None
    unit = np.searchsorted(_BOUNDS, numbers, side="right")
    # Seconds and milliseconds are rounded, half to even as Python does; microseconds and
    # nanoseconds lose their fraction.
    scaled = numbers * _FACTORS[unit]
    times: Int64s = np.where(unit < 2, np.rint(scaled), scaled).astype(np.int64)
    return np.where(unit == _NANOSECONDS, times // 1000, times)


def from_texts(column: Sequence[str], zone: tzinfo) -> Int64s | None:
    """Microseconds of RFC 3339 texts that are all punctuated like the first one, or None."""
    sample = _INSTANT.match(column[0])
    chars = len(column[0])
    joined = "".join(column)
    if sample is None or not joined.isascii() or set(map(len, column)) != {chars}:
        return None
    if sample["offset"] is None and zone is not UTC:
        return None
    table = np.frombuffer(joined.encode(), np.uint8).reshape(len(column), chars).T.copy()
    fraction_chars = len(sample["fraction"] or "")
    seconds = _seconds(table)
    offset = _offset(table[_SECONDS_CHARS + fraction_chars :])
    if seconds is None or offset is None:
        return None
    times = seconds * SECOND - offset
    if fraction_chars:
        fraction = _fraction(table[_SECONDS_CHARS : _SECONDS_CHARS + fraction_chars])
        if fraction is None:
            return None
        times += fraction
    return times if int(times.min()) >= 0 else None


def _seconds(table: NDArray[np.uint8]) -> Int64s | None:
    """Seconds since 1970 of the columns `YYYY-MM-DDTHH:MM:SS`, without their offset."""
    digits = table[:_SECONDS_CHARS] - np.uint8(ord("0"))  # what is below "0" wraps to above 9
    separators = table[[4, 7, 13, 16]]
    if (
        (separators != np.frombuffer(b"--::", np.uint8)[:, None]).any()
        or not np.isin(table[10], (ord("T"), ord(" "))).all()
        or (digits[[0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18]] > 9).any()
    ):
        return None
    number = digits.astype(np.int64)
    year = number[0] * 1000 + number[1] * 100 + number[2] * 10 + number[3]
    month, day, hour, minute, second = (
        number[at] * 10 + number[at + 1] for at in (5, 8, 11, 14, 17)
    )
    if (
        int(year.min()) < 1
        or int(month.min()) < 1
        or int(month.max()) > 12
        or int(day.min()) < 1
        or int(hour.max()) > 23
        or int(minute.max()) > 59
        or int(second.max()) > 59
    ):
        return None
    months = (year - 1970) * 12 + month - 1
    first = months.astype("M8[M]").astype("M8[D]").astype(np.int64)
    following = (months + 1).astype("M8[M]").astype("M8[D]").astype(np.int64)
    if (first + day > following).any():
        return None
    seconds: Int64s = (first + day - 1) * 86_400 + hour * 3_600 + minute * 60 + second
    return seconds


def _fraction(table: NDArray[np.uint8]) -> Int64s | None:
    """Microseconds of the columns `.f…`; digits after the sixth count for nothing."""
    digits = table[1:] - np.uint8(ord("0"))
    if (table[0] != ord(".")).any() or (digits > 9).any():
        return None
    micros = np.zeros(table.shape[1], np.int64)
    for place, column in enumerate(digits[:6]):
        micros += column.astype(np.int64) * 10 ** (5 - place)
    return micros


def _offset(table: NDArray[np.uint8]) -> Int64s | int | None:
    """Microseconds east of UTC of the columns after the fraction: none, `Z` or `+HH:MM`."""
    if len(table) == 0:
        return 0
    if len(table) == 1:
        return 0 if (table[0] == ord("Z")).all() else None
    digits = (table - np.uint8(ord("0"))).astype(np.int64)
    hour, minute = digits[1] * 10 + digits[2], digits[4] * 10 + digits[5]
    if (
        not np.isin(table[0], (ord("+"), ord("-"))).all()
        or (table[3] != ord(":")).any()
        or int(digits[[1, 2, 4, 5]].max()) > 9
        or int(hour.max()) > 23
        or int(minute.max()) > 59
    ):
        return None
    sign = np.where(table[0] == ord("-"), -1, 1)
    offset: Int64s = sign * (hour * 60 + minute) * MINUTE
    return offset
