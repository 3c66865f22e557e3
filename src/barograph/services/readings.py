"""Readings out again, and away.

They are handed on while the store is read, so that any number of them passes through bounded
memory.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path

from barograph.domain.batch import Batch, Reading
from barograph.domain.device import Device
from barograph.domain.limits import Limits
from barograph.domain.period import ALL_TIME, Period
from barograph.domain.time import parse_zone
from barograph.domain.user import Principal, require_device
from barograph.ports.clock import Clock
from barograph.ports.reading_store import ReadingStore
from barograph.services.audit import Audit
from barograph.services.excerpt import Excerpt
from barograph.services.latest import NewestReadings
from barograph.services.metric_patterns import choose
from barograph.services.parameters import Parameters, moment, names, text
from barograph.services.places import decode_cursor
from barograph.services.registry import Registry

ROWS_MAX = 1_000_000
"""The highest `limit` that may be asked for; without a limit there is none."""

_DELETE_PARAMETERS = frozenset({"metric", "start_time", "end_time", "tz"})

TableWriter = Callable[[Path, Mapping[int, str], frozenset[int], Iterable[Batch]], None]
"""Writes batches in order of (time, series) to a new file as a table of `ts` and the metrics.

Takes the file, the metric of each series, which series hold texts, and the batches.
"""


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


class Readings:
    """Reads and removes the readings of devices."""

    def __init__(
        self,
        registry: Registry,
        store: ReadingStore,
        latest: NewestReadings,
        settle: Callable[[], None],
        clock: Clock,
        limits: Limits,
        zone: tzinfo,
        write_parquet: TableWriter,
        audit: Audit,
    ) -> None:
        """`zone` is the one of times without an offset.

        `settle` returns once `latest` is told of all that was committed before it was called.
        """
        self._registry = registry
        self._store = store
        self._latest = latest
        self._settle = settle
        self._clock = clock
        self._limits = limits
        self._zone = zone
        self._write_parquet = write_parquet
        self._audit = audit

    def devices(self, principal: Principal) -> list[Device]:
        """The devices whose readings `principal` may read, in order of id."""
        return self._registry.devices_for(principal)

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

    def read(self, selection: Selection) -> Excerpt:
        """The readings in batches in order of (time, series), to the selection's limit of rows."""
        return Excerpt(self._scan(selection), selection.limit, descending=selection.descending)

    def export_parquet(self, selection: Selection, target: Path) -> None:
        """Write the readings to the new file `target`."""
        series = list(selection.series)
        texts = self._store.with_texts(series) if series else frozenset()
        self._write_parquet(target, selection.series, texts, self.read(selection))

    def _scan(self, selection: Selection) -> Iterator[Batch]:
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

        A parameter that is not known or says nothing is refused, because without it more would be
        removed than was meant. Raises `NotFound`, `Forbidden`, `InvalidInput`.
        """
        device = require_device(principal, self._registry.device(device_ref), write=True)
        parameters = Parameters(given)
        parameters.refuse_unknown(_DELETE_PARAMETERS)
        parameters.refuse_empty()
        period, series = self._what(device, parameters)
        parameters.check()
        if not series:
            return 0
        ids = sorted(series)
        deleted = self._store.delete(ids, Period(*period))
        # What was committed before and is removed by now must not be told of afterwards.
        self._settle()
        self._latest.reload(ids)
        what = {name: str(value) for name, value in given.items()}
        detail = {**what, "readings": deleted}
        self._audit.note(principal, "readings.delete", device.name, device.id, detail)
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
