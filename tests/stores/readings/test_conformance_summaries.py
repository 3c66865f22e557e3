"""What every ReadingStore answers to questions for numbers, beside what pandas makes of them."""

import math
import random
from itertools import pairwise

import numpy as np
import pytest
from tests.statistics.expect import agrees, bucket_edges, frame_of, statistic

from barograph.domain.batch import Batch
from barograph.domain.period import ALL_TIME, Period
from barograph.domain.statistic import REFERENCE, Statistic
from barograph.domain.time import DAY, HOUR, MINUTE, SECOND, from_text
from barograph.ports.reading_store import Aggregation

T0 = from_text("2024-05-01T00:00:00Z")
ALL = (*REFERENCE, "p0", "p1", "p25", "p50", "p99.9", "p100")


def ask(store, groups, stats=ALL, period=ALL_TIME, edges=None):
    asked = tuple(Statistic.parse(name) for name in stats)
    return list(store.summarize(Aggregation(groups, asked, period, edges)))


def check(store, readings, groups, stats=ALL, period=ALL_TIME, edges=None):
    """Compare the store, which holds `readings`, with pandas; how many cells there are."""
    frame = frame_of(readings)
    frame = frame[frame["time"].map(period.__contains__)]
    expected = {}
    for group, series in enumerate(groups):
        of_group = frame[frame["series"].isin(series)]
        for bucket, (start, end) in enumerate(pairwise(edges or (-math.inf, math.inf))):
            cell = of_group[(of_group["time"] >= start) & (of_group["time"] < end)]
            if len(cell):
                expected[group, bucket] = cell
    cells = ask(store, groups, stats, period, edges)
    assert [(cell.group, cell.bucket) for cell in cells] == list(expected)
    for cell in cells:
        of_cell = expected[cell.group, cell.bucket]
        assert list(cell.summary) == list(stats)
        for name, actual in cell.summary.items():
            wanted = statistic(name, of_cell)
            assert agrees(name, actual, wanted, of_cell), (cell.group, cell.bucket, name, wanted)
    return len(cells)


def keep(store, readings, *, pieces=1, maintain=False):
    size = -(-len(readings) // pieces)
    for start in range(0, len(readings), size):
        store.append(Batch.of(readings[start : start + size]))
        if maintain:
            store.maintain()
    return readings


def weather(count=3_000, *, series=(1, 2, 3, 4, 5), seed=7, span=5 * DAY):
    """Readings at random times with ties, repeats, late ones, resets and some texts."""
    rng = random.Random(seed)
    values = [
        lambda: rng.gauss(20, 5),
        lambda: float(rng.randrange(10)),
        lambda: rng.choice([0.0, 1.0]),
        lambda: rng.choice(["open", "closed"]),
    ]
    return [
        (
            rng.choice(series),
            T0 + rng.randrange(span // MINUTE) * MINUTE,
            rng.choices(values, [5, 4, 2, 1])[0](),
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize("name", ALL)
def test_a_statistic_of_one_series_is_what_pandas_computes(store, name):
    readings = keep(store, weather())
    assert check(store, readings, [[1]], [name]) == 1


@pytest.mark.parametrize("name", ALL)
def test_a_statistic_of_pooled_series_is_what_pandas_computes(store, name):
    readings = keep(store, weather(), pieces=7, maintain=True)
    assert check(store, readings, [[4, 2], [1, 3, 99]], [name]) == 2


def test_all_statistics_are_answered_together_in_uniform_buckets(store):
    readings = keep(store, weather(), pieces=5)
    edges = list(range(T0 + DAY, T0 + 3 * DAY + 1, 3 * HOUR))
    assert check(store, readings, [[1, 2], [5], [3]], edges=edges) == 48


@pytest.mark.parametrize(
    ("interval", "zone", "around"),
    [
        ("1d", "Europe/Berlin", "2024-03-30T00:00:00Z"),
        ("1d", "Europe/Berlin", "2024-10-26T00:00:00Z"),
        ("1d", "Australia/Lord_Howe", "2024-04-06T00:00:00Z"),
        ("1w", "America/New_York", "2024-03-08T00:00:00Z"),
        ("1mo", "Asia/Kolkata", "2024-02-28T00:00:00Z"),
    ],
)
def test_calendar_buckets_follow_the_zone(store, interval, zone, around):
    shift = from_text(around) - T0
    readings = [(series, time + shift, value) for series, time, value in weather(1_500)]
    keep(store, readings)
    edges = bucket_edges(interval, T0 + shift, T0 + shift + 5 * DAY, zone)
    assert check(store, readings, [[1, 2, 3], [4]], edges=edges) >= 2


def test_the_period_cuts_the_buckets_it_begins_and_ends_in(store):
    readings = keep(store, weather())
    edges = list(range(T0, T0 + 5 * DAY + 1, DAY))
    period = Period(T0 + 30 * HOUR, T0 + 75 * HOUR)
    assert check(store, readings, [[1], [2]], period=period, edges=edges) == 6
    check(store, readings, [[1], [2]], period=period)
    check(store, readings, [[1, 2]], period=Period(start=T0 + DAY + MINUTE))
    check(store, readings, [[1, 2]], period=Period(end=T0 + DAY + MINUTE))


def test_a_reading_on_an_edge_belongs_to_the_bucket_that_begins_there(store):
    edges = [T0, T0 + 10, T0 + 20]
    keep(store, [(1, T0 + t, float(t)) for t in (-1, 0, 9, 10, 19, 20, 21)])
    cells = ask(store, [[1]], ["count", "first", "last"], edges=edges)
    assert [(cell.bucket, dict(cell.summary)) for cell in cells] == [
        (0, {"count": 2, "first": 0.0, "last": 9.0}),
        (1, {"count": 2, "first": 10.0, "last": 19.0}),
    ]


def test_buckets_may_have_any_lengths(store):
    readings = keep(store, weather())
    rng = random.Random(3)
    edges = sorted({T0 + rng.randrange(5 * DAY) for _ in range(40)})
    check(store, readings, [[1, 5], [2]], ["count", "sum", "median", "increase"], edges=edges)


def test_empty_cells_are_left_out_and_the_others_are_in_order(store):
    keep(store, [(2, T0 + 25, 1.0), (1, T0 + 5, 1.0), (1, T0 + 35, 1.0), (7, T0 + 1, "text")])
    edges = [T0, T0 + 10, T0 + 20, T0 + 30, T0 + 40]
    cells = ask(store, [[2], [], [7], [1], [99]], ["count"], edges=edges)
    assert [(cell.group, cell.bucket) for cell in cells] == [(0, 2), (3, 0), (3, 3)]


@pytest.mark.parametrize("groups", [[], [[]], [[99]], [[7]]])
def test_of_nothing_there_is_no_cell(store, groups):
    keep(store, [(1, T0, 1.0), (7, T0, "text")])
    assert ask(store, groups) == []
    assert ask(store, groups, edges=[T0, T0 + 1]) == []
    assert ask(store, [[1]], period=Period(T0 + 1, T0 + 1)) == []
    assert ask(store, [[1]], edges=[T0 + 1, T0 + 2]) == []


def test_texts_do_not_count_as_numbers(store):
    readings = [(1, T0 + i * HOUR, float(i) if i % 2 else "open") for i in range(10)]
    keep(store, readings)
    check(store, readings, [[1]])


def test_one_reading_and_equal_times(store):
    readings = [(3, T0, 3.0), (1, T0, 1.0), (2, T0, 2.0), (5, T0, -5.0)]
    keep(store, readings)
    check(store, readings, [[5], [1, 2, 3]])
    check(store, readings, [[1, 2, 3, 5]])


def test_types_are_those_of_the_contract(store):
    keep(store, [(1, T0, 1.0), (1, T0 + SECOND, 2.0)])
    [cell] = ask(store, [[1]])
    for name, value in cell.summary.items():
        assert type(value) is (int if name in {"count", "distinct"} else float), name


@pytest.mark.parametrize(
    "values",
    [
        [1e16, 1.0, -1e16],
        [1.0, 1e16, -1e16, 1.0, 1e16, -1e16],
        [0.1] * 1_000,
        [1e9 + x / 7 for x in range(500)],
        [1e9 + x % 7 / 1e5 for x in range(500)],
        [1e-300, 3e-300, 2e-300],
        [1e100, -1e100, 3.0],
        [5e-324, 0.0],
        [-0.0, 0.0],
        [7.0] * 100,
        [float(i % 4) for i in range(100)],
    ],
    ids=lambda values: f"{values[0]}x{len(values)}",
)
def test_magnitudes_and_ties(store, values):
    readings = keep(store, [(1, T0 + i * SECOND, value) for i, value in enumerate(values)])
    # The square of what is below 1e-154 is no float any more.
    stats = [name for name in ALL if name != "stddev" or max(map(abs, values)) > 1e-150]
    check(store, readings, [[1]], stats)


@pytest.mark.parametrize(
    "values",
    [[1.7e308, 1.7e308], [-1.7e308, 1.7e308], [1e200, -1e200, 3.0], [1.7e308] * 5 + [-1.7e308] * 5],
)
def test_what_no_float_can_hold_is_null_and_never_an_error(store, values):
    readings = keep(store, [(1, T0 + i * HOUR, value) for i, value in enumerate(values)])
    frame = frame_of(readings)
    [cell] = ask(store, [[1]])
    for name, actual in cell.summary.items():
        assert actual is None or agrees(name, actual, statistic(name, frame), frame), name
    exact = ("count", "min", "max", "p0", "median", "p100", "first", "last", "mode", "distinct")
    assert None not in [cell.summary[name] for name in exact]


def test_replaced_late_and_deleted_readings_count_as_they_are_now(store):
    readings = weather(2_000, seed=1)
    keep(store, readings, pieces=4, maintain=True)
    changes = weather(500, seed=2)
    keep(store, changes, pieces=3, maintain=True)
    readings += changes
    check(store, readings, [[1, 2], [3]])
    period = Period(T0 + DAY, T0 + 2 * DAY)
    store.delete([1, 3], period)
    readings = [r for r in readings if r[0] not in {1, 3} or r[1] not in period]
    check(store, readings, [[1, 2], [3]], edges=list(range(T0, T0 + 5 * DAY + 1, DAY // 2)))


def test_many_groups_and_buckets_are_answered_at_once(store):
    series, steps = 200, 100
    store.append(
        Batch(
            np.repeat(np.arange(series), steps),
            np.tile(T0 + np.arange(steps) * MINUTE, series),
            np.arange(series * steps, dtype=float),
        )
    )
    edges = list(range(T0, T0 + steps * MINUTE + 1, 10 * MINUTE))
    cells = ask(store, [[id] for id in range(series)], ["count", "sum", "median"], edges=edges)
    assert len(cells) == series * 10
    assert cells[-1].summary == {
        "count": 10,
        "sum": float(sum(range(series * steps - 10, series * steps))),
        "median": series * steps - 5.5,
    }
