"""Summaries of text metrics: what was said how often, and how long each state lasted.

A state holds until the series' next text reading. The state in which a series enters the period is
carried in from before it; with an open start there is nothing before, and the first reading
begins. The last state lasts until the end of the period, or until now where the period is open or
ends later: nobody knows the state of the future. Of a group of several series the durations add
up. Numbers among a series' texts neither begin nor end a state.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from barograph.domain.batch import Reading
from barograph.domain.errors import InvalidInput
from barograph.domain.limits import Limits
from barograph.domain.period import Period, bucket_of
from barograph.domain.time import SECOND
from barograph.ports.reading_store import ReadingStore
from barograph.services.slices import Report

TextSummary = dict[str, object]
"""Statistic name to value, and `states`: state to seconds, or None where there are too many."""

_STATES_MAX = 100_000
_STATES_CHARS_MAX = 8_000_000
"""Different states held at a time, over all cells, and their length together."""


@dataclass(slots=True)
class _Tally:
    """What is known of one cell; `lasted` is in microseconds."""

    count: int = 0
    first: Reading | None = None
    last: Reading | None = None
    said: Counter[str] = field(default_factory=Counter)
    lasted: dict[str, int] = field(default_factory=dict)


class TextSummaries:
    """Reads the text readings of some groups once, in order of time, and sums them up.

    `groups` maps a group's number to its text series. Memory is bounded by the number of cells and
    of different states; a group with too many states (a metric that is really a log) loses
    `mode`, `distinct` and `states`, which then are null.
    """

    def __init__(
        self,
        groups: Mapping[int, Sequence[int]],
        period: Period,
        edges: Sequence[int] | None,
        now: int,
        limits: Limits,
    ) -> None:
        self._group_of = {one: group for group, series in groups.items() for one in series}
        if edges is not None and len(self._group_of) * (len(edges) - 1) > 10 * limits.buckets_max:
            raise InvalidInput.of(
                "interval",
                f"{len(self._group_of)} text series in {len(edges) - 1} buckets are too much: "
                "take a longer interval, a shorter period or fewer metrics",
            )
        self._period = period
        self._edges = edges
        ends = [now, period.end, edges[-1] if edges else None]
        self._until = min(end for end in ends if end is not None)
        self._tallies: dict[tuple[int, int], _Tally] = {}
        self._holding: dict[int, tuple[int, str]] = {}
        self._states = 0
        self._chars = 0
        self._crowded: set[int] = set()

    def read(self, store: ReadingStore, report: Report | None) -> None:
        """Take in everything; `report` is told 1 again and again, so that it can stop this."""
        series = sorted(self._group_of)
        for reading in self._carried(store, series):
            assert self._period.start is not None
            self._holding[reading.series] = (self._period.start, str(reading.value))
        for batch in store.scan(series, self._period, texts_only=True):
            for reading in batch.readings():
                self._add(reading)
            if report is not None:
                report(1.0)
        for one, (since, state) in self._holding.items():
            self._hold(self._group_of[one], state, since, self._until)

    def summaries(self, statistics: Sequence[str]) -> dict[tuple[int, int], TextSummary]:
        """The non-empty cells: those with readings, and those in which a state lasted."""
        return {
            place: _summary(tally, statistics, crowded=place[0] in self._crowded)
            for place, tally in self._tallies.items()
        }

    def _carried(self, store: ReadingStore, series: Sequence[int]) -> Iterator[Reading]:
        start = self._period.start
        if start is None:
            return
        for reading in store.newest(series, before=start).readings():
            if isinstance(reading.value, str):
                yield reading
                continue
            # A number is newer than the last state: look further back, for this series alone.
            for batch in store.scan(
                [reading.series], Period(None, start), descending=True, limit=1, texts_only=True
            ):
                yield from batch.readings()

    def _add(self, reading: Reading) -> None:
        edges = self._edges
        if edges is not None and not edges[0] <= reading.time < edges[-1]:
            return
        state = str(reading.value)
        group = self._group_of[reading.series]
        before = self._holding.get(reading.series)
        if before is not None:
            self._hold(group, before[1], before[0], min(reading.time, self._until))
        self._holding[reading.series] = (reading.time, state)
        tally = self._tally(group, 0 if edges is None else bucket_of(edges, reading.time))
        tally.count += 1
        if tally.first is None:
            tally.first = reading
        tally.last = reading
        if self._admits(group, tally, state):
            tally.said[state] += 1

    def _hold(self, group: int, state: str, start: int, end: int) -> None:
        if end <= start:
            return
        edges = self._edges
        if edges is None:
            self._last(group, 0, state, end - start)
            return
        start = max(start, edges[0])
        bucket = bucket_of(edges, start)
        while start < end:
            stop = min(end, edges[bucket + 1])
            self._last(group, bucket, state, stop - start)
            start, bucket = stop, bucket + 1

    def _last(self, group: int, bucket: int, state: str, duration: int) -> None:
        tally = self._tally(group, bucket)
        if self._admits(group, tally, state):
            tally.lasted[state] = tally.lasted.get(state, 0) + duration

    def _tally(self, group: int, bucket: int) -> _Tally:
        tally = self._tallies.get((group, bucket))
        if tally is None:
            tally = self._tallies[group, bucket] = _Tally()
        return tally

    def _admits(self, group: int, tally: _Tally, state: str) -> bool:
        """Whether there is room to count the state in this cell."""
        if group in self._crowded:
            return False
        if state in tally.said or state in tally.lasted:
            return True
        if self._states < _STATES_MAX and self._chars + len(state) <= _STATES_CHARS_MAX:
            self._states += 1
            self._chars += len(state)
            return True
        self._crowded.add(group)
        for (of, _), crowded in self._tallies.items():
            if of == group:
                held = crowded.said.keys() | crowded.lasted.keys()
                self._states -= len(held)
                self._chars -= sum(map(len, held))
                crowded.said.clear()
                crowded.lasted.clear()
        return False


def of_no_texts(statistics: Sequence[str]) -> TextSummary:
    """The summary of a text metric where it has neither readings nor a state."""
    return _summary(_Tally(), statistics, crowded=False)


def _summary(tally: _Tally, statistics: Sequence[str], *, crowded: bool) -> TextSummary:
    values: dict[str, object] = {
        "count": tally.count,
        "first": None if tally.first is None else tally.first.value,
        "last": None if tally.last is None else tally.last.value,
        "mode": _mode(tally.said),
        "distinct": None if crowded else len(tally.said),
    }
    summary = {name: values[name] for name in statistics}
    summary["states"] = (
        None
        if crowded
        else {state: lasted / SECOND for state, lasted in sorted(tally.lasted.items())}
    )
    return summary


def _mode(said: Counter[str]) -> str | None:
    if not said:
        return None
    most = max(said.values())
    return min(state for state, count in said.items() if count == most)
