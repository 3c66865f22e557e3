"""Readings on their way to a server: rows or columns, as bodies that it takes.

Every reading gets its time here, before anything is sent. So a body that was sent without an
answer can be sent again: a device has one value per metric and time.
"""

import gzip
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import zstandard

from barograph.client.moments import Moment, microseconds, now
from barograph.domain.time import format_time

Value = float | int | bool | str
Row = Mapping[str, Any]
"""Values by metric; `ts`, `time` or `timestamp` gives the time."""

Compression = Literal["gzip", "zstd"]

ROWS_MAX = 5_000
"""Rows of one body, unless a client is told otherwise."""
READINGS_MAX = 50_000
"""Readings of one body: what a server takes unless its settings say otherwise."""

_TIME_KEYS = ("ts", "time", "timestamp")
_MICROSECONDS_FROM = 10**14
"""A smaller number would read as milliseconds; times before March 1973 are sent as text."""
_COMPRESSED_FROM_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Columns:
    """Rows, by the column. `first` is the place of the first row in what the caller gave."""

    times: Sequence[int]
    values: Mapping[str, Sequence[Value | None]]
    first: int = 0

    def __len__(self) -> int:
        return len(self.times)

    def part(self, start: int, stop: int) -> "Columns":
        """Some of the rows; metrics without a value in them are left out."""
        chosen = {metric: column[start:stop] for metric, column in self.values.items()}
        return Columns(
            self.times[start:stop],
            {
                metric: column
                for metric, column in chosen.items()
                if any(value is not None for value in column)
            },
            self.first + start,
        )

    def parts(self, rows_max: int, readings_max: int = READINGS_MAX) -> Iterator["Columns"]:
        """The rows in parts of at most so many, and of at most so many readings."""
        step = max(1, min(rows_max, readings_max // max(1, len(self.values))))
        for start in range(0, len(self), step):
            yield self.part(start, start + step)

    def halves(self) -> tuple["Columns", "Columns"]:
        """Two parts, of at least two rows."""
        middle = len(self) // 2
        return self.part(0, middle), self.part(middle, len(self))

    def encode(self) -> bytes:
        """The body, in the columns form of JSON."""
        times: Sequence[int | str] = self.times
        if min(self.times) < _MICROSECONDS_FROM:
            times = [format_time(time) for time in self.times]
        return msgspec.json.encode({"ts": times, **self.values}, enc_hook=_plain)


def of_rows(rows: Iterable[Row]) -> Columns:
    """Columns of rows. Rows without a time are made now, one microsecond apart in their order.

    Raises `ValueError` naming the row.
    """
    times: list[int | None] = []
    values: dict[str, list[Value | None]] = {}
    for place, row in enumerate(rows):
        times.append(None)
        for metric, value in row.items():
            if metric in _TIME_KEYS:
                if value is not None:
                    times[-1] = _time(value, place)
            elif value is not None:
                column = values.setdefault(metric, [])
                column.extend([None] * (place - len(column)))
                column.append(_checked(value, metric, place))
    for column in values.values():
        column.extend([None] * (len(times) - len(column)))
    return Columns(_stamped(times), values)


def of_columns(columns: Mapping[str, Sequence[Any]]) -> Columns:
    """Columns of columns, which must be of one length; raises `ValueError`."""
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise ValueError(f"the columns must be of one length: {told}")
    times: list[int | None] = [None] * max(lengths.values(), default=0)
    values = {}
    for name, column in columns.items():
        if name in _TIME_KEYS:
            times = [None if t is None else _time(t, place) for place, t in enumerate(column)]
        else:
            values[name] = [_checked(value, name, place) for place, value in enumerate(column)]
    return Columns(_stamped(times), values)


def compressed(body: bytes, how: Compression | None) -> tuple[bytes, dict[str, str]]:
    """The body compressed, where that is asked for and worth it, and its headers."""
    headers = {"content-type": "application/json"}
    if how is None or len(body) < _COMPRESSED_FROM_BYTES:
        return body, headers
    headers["content-encoding"] = how
    if how == "gzip":
        return gzip.compress(body, 6, mtime=0), headers
    return zstandard.ZstdCompressor().compress(body), headers


def _stamped(times: Sequence[int | None]) -> list[int]:
    stamp = now() - sum(time is None for time in times)
    stamped = []
    for time in times:
        if time is None:
            stamp += 1
            stamped.append(stamp)
        else:
            stamped.append(time)
    return stamped


def _time(moment: Moment, place: int) -> int:
    try:
        return microseconds(moment)
    except ValueError as error:
        raise ValueError(f"row {place}: {error}") from None


def _checked(value: Any, metric: str, place: int) -> Any:
    """`value`, unless JSON has nothing for it, or would silently make null of it."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(
                f"row {place}, {metric}: {value} is no reading: give a finite number, or None for "
                "no reading"
            )
    elif value is not None and not isinstance(value, str | int) and not hasattr(value, "item"):
        raise ValueError(
            f"row {place}, {metric}: {value!r} cannot be the value of a reading: use a number or "
            "text"
        )
    return value


def _plain(value: Any) -> Any:
    """A number of NumPy as one of Python."""
    item = getattr(value, "item", None)
    if item is None:
        raise TypeError(f"{value!r} cannot be the value of a reading: use a number or text")
    return _checked(item(), "value", 0)
