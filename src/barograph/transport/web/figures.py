"""The figures of a device's period.

Every statistic and its change since the period before, how often which values came, and the
readings themselves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from barograph.domain.batch import Batch
from barograph.domain.period import Period
from barograph.domain.statistic import Statistic
from barograph.services.core import Core
from barograph.services.histogram import Histogram, histogram
from barograph.services.questions import Question
from barograph.transport.web.language import marked
from barograph.transport.web.metric_views import MetricView
from barograph.transport.web.site import Visit

READINGS = 50
_BINS = 24
_HISTOGRAM_WIDTH, _HISTOGRAM_HEIGHT = 240, 48


@dataclass(frozen=True, slots=True)
class Row:
    """A statistic as the table names and explains it; `unit` is made of a metric's own."""

    name: str
    label: str
    help: str
    unit: str = "{}"


GROUPS: Sequence[tuple[str, Sequence[Row]]] = (
    (
        marked("Values"),
        (
            Row("min", marked("minimum"), marked("the least value")),
            Row("p5", marked("5th percentile"), marked("one reading in twenty is below")),
            Row("median", marked("median"), marked("half of the readings are below")),
            Row("mean", marked("mean"), marked("the sum divided by the number of readings")),
            Row(
                "time_weighted_mean",
                marked("mean over time"),
                marked("each value counts as long as it held"),
            ),
            Row("mode", marked("most frequent"), marked("the value that came most often")),
            Row("p95", marked("95th percentile"), marked("one reading in twenty is above")),
            Row("p99", marked("99th percentile"), marked("one reading in a hundred is above")),
            Row("max", marked("maximum"), marked("the greatest value")),
        ),
    ),
    (
        marked("Spread"),
        (
            Row("range", marked("range"), marked("maximum less minimum")),
            Row("stddev", marked("standard deviation"), marked("of the sample")),
            Row("distinct", marked("different values"), marked("how many there were"), ""),
        ),
    ),
    (
        marked("Amount"),
        (
            Row("count", marked("readings"), marked("how many there were"), ""),
            Row("sum", marked("sum"), marked("of all values")),
            Row(
                "increase",
                marked("increase"),
                marked("of a counter: all rises; a drop is a reset"),
            ),
            Row("rate", marked("rate"), marked("the increase per second"), "{}/s"),
            Row("integral", marked("integral"), marked("value × hours, as W become Wh"), "{}·h"),
        ),
    ),
    (
        marked("Ends"),
        (
            Row("first", marked("first"), marked("the earliest value")),
            Row("last", marked("last"), marked("the latest value")),
        ),
    ),
)
_STATISTICS = tuple(Statistic.parse(row.name) for _, rows in GROUPS for row in rows)


@dataclass(frozen=True, slots=True)
class Bars:
    """A histogram drawn in a box of `width` x `height`."""

    path: str
    width: int
    height: int
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Column:
    """One metric's figures of the period and of the one before."""

    view: MetricView
    summary: Mapping[str, Any]
    before: Mapping[str, Any]
    bars: Bars | None

    def applies(self, name: str) -> bool:
        """Whether the metric has this statistic."""
        return name in self.summary

    def unit(self, row: Row) -> str:
        """The unit of this statistic of the metric."""
        return row.unit.format(self.view.unit) if self.view.unit else ""


def columns(
    core: Core, visit: Visit, views: Sequence[MetricView], period: Period, before: Period | None
) -> list[Column]:
    """The statistics and the distribution of each metric."""
    series = [[view.series] for view in views]
    now = _answers(core, visit, series, period)
    then = _answers(core, visit, series, before) if before is not None else [{}] * len(views)
    return [
        Column(view, summary, earlier, _bars(core, view, period, summary))
        for view, summary, earlier in zip(views, now, then, strict=True)
    ]


def _answers(
    core: Core, visit: Visit, series: Sequence[Sequence[int]], period: Period
) -> list[Mapping[str, Any]]:
    question = Question(period, statistics=_STATISTICS, zone=visit.zone)
    return [
        answer
        for answer in core.analytics.series(series, question)
        if isinstance(answer, Mapping)  # without buckets each answer is one summary
    ]


def _bars(core: Core, view: MetricView, period: Period, summary: Mapping[str, Any]) -> Bars | None:
    low, high, count = (summary.get(name) for name in ("min", "max", "count"))
    if not isinstance(low, int | float) or not isinstance(high, int | float) or not count:
        return None
    return _drawn(histogram(core.store, view.series, period, low, high, _BINS, int(count)))


def _drawn(found: Histogram) -> Bars:
    most = max(found.counts)
    # Readings that are all alike are a narrow bar in the middle, not a block that fills the box.
    across = _HISTOGRAM_WIDTH / _BINS
    left = 0.0 if len(found.counts) > 1 else (_HISTOGRAM_WIDTH - across) / 2
    path = "".join(
        f"M{left + i * across:g} {_HISTOGRAM_HEIGHT}v{-max(1.0, count / most * _HISTOGRAM_HEIGHT):.1f}"
        f"h{across - 1:g}V{_HISTOGRAM_HEIGHT}Z"
        for i, count in enumerate(found.counts)
        if count > 0
    )
    high = found.low + found.width * len(found.counts)
    return Bars(path, _HISTOGRAM_WIDTH, _HISTOGRAM_HEIGHT, found.low, high)


def readings(
    core: Core, views: Sequence[MetricView], period: Period
) -> list[tuple[int, dict[str, float | str]]]:
    """The newest readings of the period, those of one time in one row."""
    names = {view.series: view.metric for view in views}
    rows: dict[int, dict[str, float | str]] = {}
    if not names:
        return []
    scanned: Sequence[Batch] = list(
        core.store.scan(list(names), period, descending=True, limit=(READINGS + 1) * len(names))
    )
    for batch in scanned:
        for one, time, value in batch.readings():
            rows.setdefault(time, {})[names[one]] = value
    return sorted(rows.items(), reverse=True)[: READINGS + 1]
