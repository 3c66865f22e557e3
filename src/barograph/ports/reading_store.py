"""Where readings are kept."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from barograph.domain.batch import Batch
from barograph.domain.period import ALL_TIME, Period
from barograph.domain.statistic import Statistic, Summary


@dataclass(frozen=True, slots=True)
class Aggregation:
    """A question for numbers.

    `groups[g]` lists the series whose readings are taken together (a series is in one group at
    most). `edges`, ascending, divides time into buckets `[edges[b], edges[b + 1])`; None makes the
    whole period one bucket. Readings count when they lie in `period` and between the edges.
    """

    groups: Sequence[Sequence[int]]
    statistics: Sequence[Statistic]
    period: Period = ALL_TIME
    edges: Sequence[int] | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """The summary of one group in one bucket, keyed by each statistic's `text`."""

    group: int
    bucket: int
    summary: Summary


@dataclass(frozen=True, slots=True)
class Health:
    """What a store says of itself."""

    writable: bool
    detail: str
    readings: int | None = None
    """How many are stored, where that is known without counting."""
    size_bytes: int | None = None


class ReadingStore(Protocol):
    """Durable, exactly-once storage of readings; (series, time) is unique, the last write wins.

    Thread-safe. `append`, `delete` and `maintain` are called by any thread and serialised by the
    store; reads run beside them and see every append and delete that had returned before they
    began, and each such call wholly or not at all. Every method may raise `Unavailable` (the
    caller may retry) and none raises a driver's own error.
    """

    def append(self, batch: Batch) -> None:
        """Store the readings; on return they are synced to stable storage.

        A reading whose series and time are stored already replaces that one, also where the one
        is a number and the other a text. On an error nothing or everything was stored, and
        appending the same batch again is right.
        """

    def delete(self, series: Sequence[int], period: Period = ALL_TIME) -> int:
        """Remove readings durably; how many there were."""

    def expire(self, before: int) -> Iterator[None]:
        """Remove the readings of all series that are earlier than `before`.

        Every step removes some of them durably and is bounded, so that whoever else writes or asks
        waits for a moment only; when the steps end, none is left, but for those that a question
        keeps from going: they go the next time.
        """

    def scan(
        self,
        series: Sequence[int],
        period: Period = ALL_TIME,
        *,
        descending: bool = False,
        limit: int | None = None,
        after: tuple[int, int] | None = None,
        texts_only: bool = False,
    ) -> Iterator[Batch]:
        """The readings in order of (time, series), in batches of at most 65,536.

        `after` is the (time, series) of the last reading already seen, in the order asked for.
        Memory stays bounded however many there are. Close the iterator to stop early.
        """

    def newest(self, series: Sequence[int] | None = None, *, before: int | None = None) -> Batch:
        """The newest reading (earlier than `before`) of each series that has one.

        In order of series; all series where `series` is None. Without `before` this costs no scan
        of the stored readings.
        """

    def extent(self, series: Sequence[int], period: Period = ALL_TIME) -> tuple[int, int] | None:
        """The times of the first and the last reading, or None where there are none."""

    def summarize(self, question: Aggregation) -> Iterator[Cell]:
        """The non-empty cells, of numbers only, in order of (group, bucket).

        Each statistic means what `domain.statistic` says; values agree with it to 1e-9 relative.
        """

    def with_texts(self, series: Sequence[int]) -> frozenset[int]:
        """Those of the series that hold text readings."""

    def counts(self) -> dict[int, int]:
        """How many readings each series holds, for overviews; may lag the latest appends."""

    def maintain(self) -> bool:
        """Do one bounded slice of background work; whether more is waiting."""

    def health(self) -> Health:
        """Whether the store can write, found out by looking, not by remembering."""

    def backup(self, target: Path) -> None:
        """Write a consistent copy into the new directory `target`, beside running appends."""

    def close(self) -> None:
        """Release everything. What was appended stays."""
