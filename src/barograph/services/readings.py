"""Readings out again, and away.

A device's readings are given in rows: what its metrics were at one time. Rows are made while the
store is read, so that any number of them passes through bounded memory.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path
from typing import NamedTuple

from barograph.domain.batch import Batch, Reading
from barograph.domain.device import Device
from barograph.domain.limits import Limits
from barograph.domain.period import ALL_TIME, Period
from barograph.domain.time import parse_zone
from barograph.domain.user import Principal, require_device
from barograph.ports.clock import Clock
from barograph.ports.reading_store import ReadingStore
from barograph.services.latest import Latest
from barograph.services.metric_patterns import choose
from barograph.services.parameters import Parameters, moment, names, text
from barograph.services.places import decode_cursor, encode_cursor
from barograph.services.registry import Registry

ROWS_MAX = 1_000_000
"""The highest `limit` that may be asked for; without a limit there is none."""

_DELETE_PARAMETERS = frozenset({"metric", "start_time", "end_time", "tz"})

TableWriter = Callable[[Path, Mapping[int, str], frozenset[int], Iterable[Batch], int | None], None]
"""Writes batches in order of (time, series) to a new file as a table of `ts` and the metrics.

Takes the file, the metric of each series, which series hold texts, the batches, and the highest
number of rows.
"""


class Row(NamedTuple):
    """The values of a device at one time."""

    time: int
    values: dict[str, float | str]


@dataclass(frozen=True, slots=True)
class Selection:
    """Readings of one device: the metrics by series id, the period and the order of time."""

    device: Device
    series: Mapping[int, str]
    period: Period = ALL_TIME
    descending: bool = False
    limit: int | None = None
    """At most so many rows."""
    after: tuple[int, int] | None = None
    """The (time, series) of the reading before the first one."""


@dataclass(slots=True)
class Rows:
    """The rows of a selection, once; when they are through, `cursor` leads to the next ones."""

    selection: Selection
    batches: Iterator[Batch]
    cursor: str | None = field(default=None, init=False)

    def __iter__(self) -> Iterator[Row]:
        metrics = self.selection.series
        left = self.selection.limit
        row: Row | None = None
        last: Reading | None = None
        for batch in self.batches:
            for reading in batch.readings():
                if row is None or reading.time != row.time:
                    if row is not None:
                        yield row
                    if left is not None:
                        if left == 0:
                            assert last is not None
                            self.cursor = encode_cursor(
                                last.time, last.series, descending=self.selection.descending
                            )
                            return
                        left -= 1
                    row = Row(reading.time, {})
                row.values[metrics[reading.series]] = reading.value
                last = reading
        if row is not None:
            yield row


class Readings:
    """Reads and removes the readings of devices."""

    def __init__(
        self,
        registry: Registry,
        store: ReadingStore,
        latest: Latest,
        clock: Clock,
        limits: Limits,
        zone: tzinfo,
        write_parquet: TableWriter,
    ) -> None:
        """`zone` is the one of times without an offset."""
        self._registry = registry
        self._store = store
        self._latest = latest
        self._clock = clock
        self._limits = limits
        self._zone = zone
        self._write_parquet = write_parquet

    def select(
        self, principal: Principal, device_ref: int | str, given: Mapping[str, object]
    ) -> Selection:
        """What to read: `metric`, `start_time`, `end_time`, `tz`, `order`, `limit`, `cursor`.

        Raises `NotFound`, `Forbidden`, `InvalidInput`.
        """
        device = require_device(principal, self._registry.device(device_ref))
        parameters = Parameters(given)
        period, series = self._what(device, parameters)
        descending = parameters.read("order", _order, default=False)
        limit = parameters.read("limit", _limit, None)
        after = parameters.read(
            "cursor", lambda value: decode_cursor(text(value), descending=descending), None
        )
        parameters.check()
        return Selection(device, series, Period(*period), descending, limit, after)

    def rows(self, selection: Selection) -> Rows:
        """The readings, those of one time together."""
        return Rows(selection, self.batches(selection))

    def batches(self, selection: Selection) -> Iterator[Batch]:
        """The readings as the store gives them; the limit may cut the last row."""
        if not selection.series:
            return iter(())
        series = sorted(selection.series)
        # A row has at least one reading and at most one of every series; one row more tells
        # whether there is a next page.
        limit = None if selection.limit is None else (selection.limit + 1) * len(series)
        return self._store.scan(
            series,
            selection.period,
            descending=selection.descending,
            limit=limit,
            after=selection.after,
        )

    def export_parquet(self, selection: Selection, target: Path) -> None:
        """Write the rows to the new file `target`."""
        texts = self._store.with_texts(list(selection.series)) if selection.series else frozenset()
        self._write_parquet(
            target, selection.series, texts, self.batches(selection), selection.limit
        )

    def reading(self, series: int, time: int) -> Reading | None:
        """The reading of this series and time."""
        for batch in self._store.scan([series], Period(time, time + 1), limit=1):
            for reading in batch.readings():
                return reading
        return None

    def delete(
        self, principal: Principal, device_ref: int | str, given: Mapping[str, object]
    ) -> int:
        """Remove readings: `metric`, `start_time`, `end_time`, `tz`; how many there were.

        A parameter that is not known is refused, because without it more would be removed than
        was meant. Raises `NotFound`, `Forbidden`, `InvalidInput`.
        """
        device = require_device(principal, self._registry.device(device_ref), write=True)
        parameters = Parameters(given)
        parameters.refuse_unknown(_DELETE_PARAMETERS)
        period, series = self._what(device, parameters)
        parameters.check()
        if not series:
            return 0
        ids = sorted(series)
        deleted = self._store.delete(ids, Period(*period))
        self._latest.reload(ids)
        return deleted

    def _what(
        self, device: Device, parameters: Parameters
    ) -> tuple[tuple[int | None, int | None], dict[int, str]]:
        now = self._clock()
        zone = parameters.read("tz", lambda value: parse_zone(text(value)), self._zone)
        start = parameters.read("start_time", moment(now, zone), None)
        end = parameters.read("end_time", moment(now, zone), None)
        everything: tuple[str, ...] = ()
        patterns = parameters.read("metric", names(self._limits), everything)
        known = self._registry.series_of(device.id)
        chosen = choose(patterns, known)
        return (start, end), {known[name]: name for name in chosen if name in known}


def _order(value: object) -> bool:
    found = text(value)
    if found not in {"asc", "desc"}:
        raise ValueError("use asc or desc")
    return found == "desc"


def _limit(value: object) -> int:
    found = text(value)
    if len(found) > 9 or not found.isdecimal() or not 1 <= int(found) <= ROWS_MAX:
        raise ValueError(f"use a whole number from 1 to {ROWS_MAX}")
    return int(found)
