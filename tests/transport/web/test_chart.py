"""What the chart shows of a course."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.domain.batch import Batch
from barograph.stores.readings.memory import MemoryReadingStore
from barograph.transport.web.chart import POINTS_MAX, Course, courses, step_for, thinned
from barograph.transport.web.drawing import draw

SECOND = 1_000_000
DAY = 86_400 * SECOND
START = 1_700_000_000 * SECOND


def course(rows, start, end, **bounds):
    store = MemoryReadingStore()
    store.append(Batch.of([(1, time, value) for time, value in rows]))
    (found,) = courses(store, {"x": 1}, start, end, **bounds)
    return found


def test_few_readings_are_shown_as_they_are():
    found = course([(START + i * SECOND, i * 1.5) for i in range(10)], START, START + DAY)
    assert not found.gathered
    assert found.times == [START + i * SECOND for i in range(10)]
    assert found.mean == [i * 1.5 for i in range(10)]


def test_a_spike_among_many_readings_stays_visible():
    rows = [(START + i * SECOND, 999.0 if i == 40_000 else 1.0) for i in range(86_400)]
    found = course(rows, START, START + DAY)
    assert found.gathered
    assert len(found.times) <= POINTS_MAX
    assert max(found.high) == 999.0
    assert min(found.low) == 1.0


def test_a_pause_breaks_the_line():
    rows = [(START + i * SECOND, 1.0) for i in (*range(10), *range(60, 70))]
    found = course(rows, START, START + 100 * SECOND)
    assert found.mean.count(None) == 1
    assert draw(found, START, START + 100 * SECOND, 100, 10).line.count("M") == 2


def test_texts_are_not_drawn():
    found = course([(START, "open"), (START + 1, "closed")], START, START + DAY)
    assert found.times == []
    assert draw(found, START, START + DAY, 100, 10) is None


def test_a_single_reading_is_a_dot():
    found = course([(START + SECOND, 5.0)], START, START + DAY)
    drawing = draw(found, START, START + DAY, 100, 10)
    assert drawing.line == "M0.0,5.0L0.0,5.0"


@given(
    st.integers(0, 2**52),
    st.integers(1, 300 * 366 * 86_400 * SECOND),
    st.sampled_from([96, 240, POINTS_MAX]),
)
def test_no_period_is_divided_into_too_many_points(start, length, points):
    step = step_for(start, start + length, points)
    first = start - start % step
    assert -((first - start - length) // step) <= points


@pytest.mark.parametrize(
    ("days", "step"), [(1 / 24, 5 * SECOND), (1, 120 * SECOND), (30, 3600 * SECOND)]
)
def test_steps_are_pleasant(days, step):
    assert step_for(0, round(days * DAY)) == step


@given(
    st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=1, max_size=600),
    st.integers(2, 300),
)
def test_a_thinned_course_keeps_what_stands_out_and_every_gap(values, points):
    whole = Course("x")
    for i, value in enumerate(values):
        whole.add(i, value, value, value)
    found = thinned(whole, points)
    there = [value for value in values if value is not None]
    assert min((v for v in found.low if v is not None), default=None) == min(there, default=None)
    assert max((v for v in found.high if v is not None), default=None) == max(there, default=None)
    assert found.times == sorted(found.times)
    assert [t for t, v in zip(found.times, found.mean, strict=True) if v is None] == [
        i for i, value in enumerate(values) if value is None
    ]
