"""Which state lasted from when to when: the course of a text metric.

As in `text_states`, a state holds until the next text reading, the one in which the period begins
is carried in from before it, and the last one lasts until the end of the period or until now.
However many changes there were, there are at most some two spans for each slot of the period:
neighbours that are shorter than a slot become one span in which the state was changing.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from barograph.domain.period import Period
from barograph.ports.reading_store import ReadingStore

READINGS_MAX = 100_000
"""So many readings are looked at; where there are more, the time after them stays blank."""


@dataclass(slots=True)
class Span:
    """A state from `start` to `end` (microseconds); None where it was changing all the time."""

    start: int
    end: int
    state: str | None


@dataclass(slots=True)
class Timeline:
    """The spans of a text metric in order of time, without overlap."""

    spans: list[Span] = field(default_factory=list)
    lasted: dict[str, int] = field(default_factory=dict)
    """How long (microseconds) each state lasted, in order of first appearance."""
    cut: bool = False
    """Whether there were more readings than are looked at."""

    def add(self, start: int, end: int, state: str, slot: int) -> None:
        """Let `state` last from `start` to `end`; in order of time."""
        if end <= start:
            return
        self.lasted[state] = self.lasted.get(state, 0) + end - start
        last = self.spans[-1] if self.spans else None
        if last is not None and last.state == state:
            last.end = end
        elif last is not None and end - start < slot and last.end - last.start < slot:
            last.end, last.state = end, None
        elif last is not None and last.state is None and end - start < slot:
            last.end = end
        else:
            self.spans.append(Span(start, end, state))


def timeline(
    store: ReadingStore, series: int, start: int, end: int, now: int, slots: int
) -> Timeline:
    """The states of `series` over `[start, end)`."""
    found = Timeline()
    slot = (end - start) // slots
    until = min(end, now)
    since, state = start, _carried(store, series, start)
    for seen, (time, said) in enumerate(_texts(store, series, Period(start, end))):
        if seen == READINGS_MAX:
            found.cut = True
            until = min(until, time)
            break
        if said == state:
            continue  # said once more: one stretch, however short its parts
        if state is not None:
            found.add(since, min(time, until), state, slot)
        since, state = time, said
    if state is not None:
        found.add(since, until, state, slot)
    return found


def _carried(store: ReadingStore, series: int, start: int) -> str | None:
    for batch in store.scan(
        [series], Period(None, start), descending=True, limit=1, texts_only=True
    ):
        for reading in batch.readings():
            return str(reading.value)
    return None


def _texts(store: ReadingStore, series: int, period: Period) -> Iterator[tuple[int, str]]:
    scanned = store.scan([series], period, texts_only=True, limit=READINGS_MAX + 1)
    for batch in scanned:
        for reading in batch.readings():
            yield reading.time, str(reading.value)
