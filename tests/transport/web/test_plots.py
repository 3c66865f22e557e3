"""Charts that the server draws: what their axes say."""

from datetime import UTC

import pytest

from barograph.domain.time import HOUR
from barograph.transport.web.chart import Course
from barograph.transport.web.language import load_languages
from barograph.transport.web.plots import Line, draw_bars

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
