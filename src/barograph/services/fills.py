"""What the statistics of empty buckets are.

Whatever the fill, an empty bucket has a count, a sum and a number of distinct values: 0. The other
statistics are null, a given number, the value of the nearest earlier bucket that has readings
(`previous`), or lie on the line between the nearest buckets on both sides that have (`linear`, by
the buckets' starts); where there is no such bucket they are null. Text metrics know `previous`
only; `linear` and numbers leave theirs null.
"""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence

from barograph.domain.statistic import Statistic, of_nothing
from barograph.services.questions import Fill

Values = Mapping[str, object]


def fill_numbers(
    full: Mapping[int, Values], edges: Sequence[int], statistics: Sequence[Statistic], fill: Fill
) -> list[Values]:
    """One summary per bucket, of those in `full` and of fillings."""
    places = sorted(full)
    empty = {statistic.text: of_nothing(statistic) for statistic in statistics}
    return [
        full[bucket]
        if bucket in full
        else {
            text: value if value is not None else _filling(full, places, edges, bucket, text, fill)
            for text, value in empty.items()
        }
        for bucket in range(len(edges) - 1)
    ]


def _filling(
    full: Mapping[int, Values],
    places: Sequence[int],
    edges: Sequence[int],
    bucket: int,
    text: str,
    fill: Fill,
) -> object:
    if isinstance(fill, float):
        return fill
    if fill in {"none", "null"}:
        return None
    after = bisect_right(places, bucket)
    if after == 0:
        return None
    left = full[places[after - 1]].get(text)
    if fill == "previous":
        return left
    if after == len(places):
        return None
    right = full[places[after]].get(text)
    if not isinstance(left, int | float) or not isinstance(right, int | float):
        return None
    start, end = edges[places[after - 1]], edges[places[after]]
    between = left + (right - left) * ((edges[bucket] - start) / (end - start))
    return between if math.isfinite(between) else None  # a step was beyond the range of floats


def fill_texts(full: Mapping[int, Values], buckets: int, empty: Values, fill: Fill) -> list[Values]:
    """One summary per bucket, of those in `full` and of fillings made of `empty`."""
    filled: list[Values] = []
    previous: Values = {}
    for bucket in range(buckets):
        if bucket in full:
            previous = full[bucket]
            filled.append(previous)
        elif fill == "previous":
            filled.append(
                {t: previous.get(t) if value is None else value for t, value in empty.items()}
            )
        else:
            filled.append(empty)
    return filled
