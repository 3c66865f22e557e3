"""What a file's columns mean: whose readings they are, of when, and of which metrics."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo
from typing import Any

from barograph.client.bodies import Columns
from barograph.domain.errors import InvalidInput
from barograph.domain.time import from_any, from_datetime

_TIME_COLUMNS = ("ts", "time", "timestamp", "datetime", "date")
_SLASHES = re.compile(r"(\d{4})/(\d{2})/(\d{2})(?=\Z|[ T])", re.ASCII)

Wrong = Callable[[int, str, str], InvalidInput]
"""Makes the error for a row, a column and a message."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How to read rows, as the command line says it. What is None or empty is found out."""

    device: str | None = None
    device_column: str | None = None
    time_column: str | None = None
    metric_column: str | None = None
    value_column: str | None = None
    metrics: Mapping[str, str] = field(default_factory=dict)
    """Column to metric; all columns where empty."""
    nothing: frozenset[str] = frozenset()
    """Cells that are no reading, besides empty ones."""
    zone: tzinfo = UTC
    time_format: str | None = None

    def found_in(self, columns: Mapping[str, Any]) -> "Layout":
        """How the rows of a file with these columns are laid out; raises `InvalidInput`."""
        time = self.time_column or next(
            (name for name in columns if name.strip().lower() in _TIME_COLUMNS), None
        )
        if time is None:
            raise InvalidInput.of(
                "--time-column",
                f"which column has the times? There are {', '.join(columns)}",
            )
        device = self.device_column
        if device is None and self.device is None:
            if "device" not in columns:
                raise InvalidInput.of("--device", "whose readings are these? Name the device")
            device = "device"
        metric, value = self.metric_column or "metric", self.value_column or "value"
        long = bool(self.metric_column or self.value_column) or (
            metric in columns and value in columns and not self.metrics
        )
        for name in (time, device, *((metric, value) if long else ()), *self.metrics):
            if name is not None and name not in columns:
                raise InvalidInput.of(name, f"there is no such column, but {', '.join(columns)}")
        return Layout(self, time, device, (metric, value) if long else None)


@dataclass(slots=True)
class Gathered:
    """Rows of one device: their times, their places in the file, their values by metric."""

    times: list[int] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    values: dict[str, list[Any]] = field(default_factory=dict)
    readings: int = 0
    _rows: dict[int, int] = field(default_factory=dict)

    def put(self, time: int, place: int, values: Mapping[str, Any]) -> None:
        """Add values; what the file says later about the same time and metric counts."""
        row = self._rows.get(time)
        if row is None:
            row = self._rows[time] = len(self.times)
            self.times.append(time)
            self.places.append(place)
        for metric, value in values.items():
            column = self.values.setdefault(metric, [])
            column.extend([None] * (row + 1 - len(column)))
            self.readings += column[row] is None
            column[row] = value

    def columns(self) -> Columns:
        """What the client writes."""
        for column in self.values.values():
            column.extend([None] * (len(self.times) - len(column)))
        return Columns(self.times, self.values)


@dataclass(frozen=True, slots=True)
class Layout:
    """A shape that fits the columns of a file."""

    shape: Shape
    time: str
    device: str | None
    long: tuple[str, str] | None
    """The columns of metric and value, where each row is one reading."""

    def gather(
        self, rows: list[tuple[int, Mapping[str, Any]]], wrong: Wrong, meaning: Callable[[str], Any]
    ) -> dict[str, Gathered]:
        """The rows' readings by device; `meaning` is what a text of the file means."""
        found: dict[str, Gathered] = {}
        for place, row in rows:
            time = self._time(place, row, wrong)
            device = self.shape.device or self._device(place, row, wrong)
            pairs = self._wide(row) if self.long is None else self._long(place, row, wrong)
            values = {}
            for column, metric, cell in pairs:
                value = self._value(cell, meaning)
                if isinstance(value, dict | list):
                    raise wrong(place, column, f"{_shown(cell)} is not a finite number")
                if value is not None:
                    values[metric] = value
            if values:
                found.setdefault(device, Gathered()).put(time, place, values)
        return found

    def _wide(self, row: Mapping[str, Any]) -> list[tuple[str, str, Any]]:
        if self.shape.metrics:
            return [(name, to, row.get(name)) for name, to in self.shape.metrics.items()]
        return [
            (name, name, cell) for name, cell in row.items() if name not in {self.time, self.device}
        ]

    def _long(self, place: int, row: Mapping[str, Any], wrong: Wrong) -> list[tuple[str, str, Any]]:
        assert self.long is not None
        metric, value = self.long
        name = str(row.get(metric) or "").strip()
        if not name:
            raise wrong(place, metric, "the metric is missing")
        return [(value, self.shape.metrics.get(name, name), row.get(value))]

    def _value(self, cell: Any, meaning: Callable[[str], Any]) -> Any:
        if not isinstance(cell, str):
            if isinstance(cell, float) and cell != cell:  # noqa: PLR0124  # NaN, for nothing
                return None
            if isinstance(cell, float) and cell in _INFINITIES:
                return {}
            return str(cell) if isinstance(cell, date) else cell
        if cell in self.shape.nothing:
            return None
        return meaning(cell)

    def _device(self, place: int, row: Mapping[str, Any], wrong: Wrong) -> str:
        assert self.device is not None
        given = row.get(self.device)
        name = "" if given is None else str(given).strip()
        if not name:
            raise wrong(place, self.device, "the device is missing")
        return name

    def _time(self, place: int, row: Mapping[str, Any], wrong: Wrong) -> int:
        given = row.get(self.time)
        if given is None or given == "":
            raise wrong(place, self.time, "the time is missing")
        try:
            return self._microseconds(given)
        except ValueError as error:
            raise wrong(place, self.time, str(error)) from None

    def _microseconds(self, given: Any) -> int:
        if isinstance(given, str):
            given = given.strip()
            if self.shape.time_format is not None:
                given = datetime.strptime(given, self.shape.time_format)  # noqa: DTZ007  # below
            else:
                given = _SLASHES.sub(r"\1-\2-\3", given)
        elif isinstance(given, date) and not isinstance(given, datetime):
            given = datetime(given.year, given.month, given.day)  # noqa: DTZ001  # below
        if isinstance(given, datetime):
            aware = given if given.tzinfo else given.replace(tzinfo=self.shape.zone)
            return from_datetime(aware)
        return from_any(given, self.shape.zone)


_INFINITIES = frozenset({float("inf"), float("-inf")})


def _shown(cell: Any) -> str:
    return repr(cell)[:64]
