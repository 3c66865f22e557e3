"""How often which values came: the distribution of a series' readings over a period."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from barograph.domain.period import Period
from barograph.domain.span import share_of
from barograph.domain.statistic import Statistic
from barograph.ports.reading_store import Aggregation, ReadingStore

COUNTED_READINGS_MAX = 50_000
"""Beyond, the readings are not counted one by one but taken from quantiles."""

_NARROW = 1e-300
_QUANTILES = 200
_STATISTICS = (
    Statistic("count", "count"),
    *(Statistic(f"q{i}", "quantile", i / _QUANTILES) for i in range(_QUANTILES + 1)),
)


@dataclass(frozen=True, slots=True)
class Histogram:
    """Bins of equal width: `counts[i]` readings lie from `low + i * width`."""

    low: float
    width: float
    counts: Sequence[float]


def histogram(
    store: ReadingStore, series: int, period: Period, low: float, high: float, bins: int, count: int
) -> Histogram:
    """The distribution of the `count` readings, which lie between `low` and `high`.

    Of more than `COUNTED_READINGS_MAX` readings a bin's count is true to half a percent of all.
    """
    width = high / bins - low / bins
    if width < _NARROW:
        return Histogram(low, 0.0, [float(count)])
    if count > COUNTED_READINGS_MAX:
        return Histogram(low, width, _estimated(store, series, period, low, width, bins))
    counts = np.zeros(bins, np.int64)
    for batch in store.scan([series], period):
        values = np.asarray(batch.values, np.float64)
        # By halves, for the difference of two floats may be beyond a float.
        place = ((values[np.isfinite(values)] / 2 - low / 2) / (width / 2)).astype(np.int64)
        counts += np.bincount(np.clip(place, 0, bins - 1), minlength=bins)
    return Histogram(low, width, [float(n) for n in counts])


def _estimated(
    store: ReadingStore, series: int, period: Period, low: float, width: float, bins: int
) -> list[float]:
    (cell,) = list(store.summarize(Aggregation([[series]], _STATISTICS, period))) or (None,)
    if cell is None:
        return [0.0] * bins
    count = cell.summary["count"]
    marks = [cell.summary[f"q{i}"] for i in range(_QUANTILES + 1)]
    values = [mark for mark in marks if isinstance(mark, int | float)]
    assert isinstance(count, int)
    below = [_share(values, low + i * width) for i in range(1, bins)]
    return [count * (upper - lower) for lower, upper in pairwise([0.0, *below, 1.0])]


def _share(quantiles: Sequence[float], value: float) -> float:
    """The share of readings up to `value`, between the quantiles in a straight line."""
    above = bisect_right(quantiles, value)
    if above == 0:
        return 0.0
    if above == len(quantiles):
        return 1.0
    lower, upper = quantiles[above - 1], quantiles[above]
    return (above - 1 + share_of(value, lower, upper)) / (len(quantiles) - 1)
