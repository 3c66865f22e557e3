"""Readings and summaries, as rows and as tables."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from barograph.client.models import Value
from barograph.client.tables import Table

Row = dict[str, Any]
"""`ts`, a datetime in UTC, and the values of that time by metric."""


class Readings(Table):
    """Readings of one device, a row for each time. Loops and `len` go over its rows."""

    def __init__(self, device: int | str, rows: Iterable[Row]) -> None:
        self.device = device
        self.rows: Sequence[Row] = list(rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def columns(self) -> Mapping[str, Sequence[Any]]:
        """`ts` and a column for each metric."""
        names = dict.fromkeys(name for row in self.rows for name in row)
        return {name: [row.get(name) for row in self.rows] for name in names or ["ts"]}


Figures = Mapping[str, Value | Mapping[str, float] | None]
"""Statistic to value; of a text metric also `states`, state to seconds."""


@dataclass(frozen=True, slots=True)
class SummaryLine:
    """The figures of one metric, over the whole period or in one bucket."""

    metric: str
    figures: Figures
    start: datetime | None = None
    end: datetime | None = None
    device_id: int | None = None
    """Of whom, where the question was about each device of a user."""


class Summary(Table):
    """The answer to a question for statistics."""

    def __init__(self, answer: Mapping[str, Any]) -> None:
        """`answer` is the body of the server's answer, or a job's result."""
        self.answer = answer
        """As the server gave it."""
        self.device_id: int | None = answer.get("device_id")
        self.user_id: int | None = answer.get("user_id")
        self.start_time = _moment(answer.get("start_time"))
        self.end_time = _moment(answer.get("end_time"))

    def __getitem__(self, metric: str) -> Any:
        """The figures of a metric: a mapping, or with an interval a list of them, one a bucket."""
        return self.answer["metrics"][metric]

    @property
    def metrics(self) -> list[str]:
        """The metrics that the answer is about."""
        return list(dict.fromkeys(line.metric for line in self.lines()))

    def lines(self) -> Iterator[SummaryLine]:
        """Each metric, or each bucket of each metric, in the order of the answer."""
        if "devices" not in self.answer:
            yield from _lines(self.answer["metrics"], None)
        for device in self.answer.get("devices", ()):
            yield from _lines(device["metrics"], device["device_id"])

    def columns(self) -> Mapping[str, Sequence[Any]]:
        """`metric`, with buckets `start` and `end`, and a column for each statistic.

        `device_id` comes first where the question was about each device of a user.
        """
        lines = list(self.lines())
        columns: dict[str, Sequence[Any]] = {}
        if any(line.device_id is not None for line in lines):
            columns["device_id"] = [line.device_id for line in lines]
        columns["metric"] = [line.metric for line in lines]
        if any(line.start is not None for line in lines):
            columns["start"] = [line.start for line in lines]
            columns["end"] = [line.end for line in lines]
        for name in dict.fromkeys(name for line in lines for name in line.figures):
            columns[name] = [line.figures.get(name) for line in lines]
        return columns


def _lines(metrics: Mapping[str, Any], device_id: int | None) -> Iterator[SummaryLine]:
    for metric, found in metrics.items():
        if isinstance(found, Mapping):
            yield SummaryLine(metric, found, device_id=device_id)
            continue
        for bucket in found:
            figures = {name: value for name, value in bucket.items() if name not in _EDGES}
            start, end = _moment(bucket["start"]), _moment(bucket["end"])
            yield SummaryLine(metric, figures, start, end, device_id)


_EDGES = ("start", "end")


def _moment(given: str | None) -> datetime | None:
    return None if given is None else datetime.fromisoformat(given)
