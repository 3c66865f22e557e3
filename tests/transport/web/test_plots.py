"""Charts that the server draws: what their axes say."""

import json
from datetime import UTC, datetime

import pytest

from barograph.domain.time import HOUR, from_datetime
from barograph.transport.web.chart import Course
from barograph.transport.web.language import load_languages
from barograph.transport.web.plots import Line, draw_bars, draw_lines

ENGLISH = load_languages()["en"]


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([1046.0, 300.0], ["1,200", "600", "0"]),
        ([9.82, 0.0], ["10", "5", "0"]),
        ([-3.0, 14.8], ["15", "5", "-5"]),
        ([-5.0, -1.0], ["0", "-3", "-6"]),
    ],
)
def test_the_axis_of_bars_has_round_numbers(values, labels):
    times = [HOUR * i for i in range(len(values))]
    course = Course("x", times, [*values], [*values], [*values], gathered=True)
    edges = {time: time + HOUR for time in times}
    plot = draw_bars([Line("x", "", 1, course)], edges, 0, 2 * HOUR, ENGLISH, UTC)
    assert list(plot.values) == labels
    for bar in plot.drawn[0].bars:
        assert 0 <= bar.y <= bar.y + bar.height <= plot.height + 1


def test_the_axis_of_an_amount_begins_at_zero():
    rates = [38.4, 33.0]
    course = Course("", [0, HOUR], rates, rates, rates, gathered=False)
    line = Line("rate", "", 1, course)
    whole = draw_lines([line], 0, 2 * HOUR, ENGLISH, UTC, zero=True)
    assert (list(whole.values), json.loads(whole.data)["zero"]) == (["40", "20", "0"], True)
    part = draw_lines([line], 0, 2 * HOUR, ENGLISH, UTC)
    assert (part.values[-1] != "0", json.loads(part.data)["zero"]) == (True, False)


def test_the_times_below_bars_are_those_at_which_buckets_begin():
    first = from_datetime(datetime(2026, 11, 20, 21, tzinfo=UTC))
    edges = {first + HOUR * i: first + HOUR * (i + 1) for i in range(25)}
    ones = [1.0] * len(edges)
    course = Course("x", list(edges), ones, ones, ones, gathered=True)
    plot = draw_bars([Line("x", "", 1, course)], edges, first, first + HOUR, ENGLISH, UTC)
    assert [text for text, _ in plot.times] == [
        f"{day} Nov {clock}"
        for day, clock in [(20, "21:00"), *((21, f"{h:02}:00") for h in (4, 11, 18))]
    ]
    for (_, right), bar in zip(plot.times, plot.drawn[0].bars[::7], strict=True):
        assert bar.x < right / 100 * plot.width < bar.x + bar.width
