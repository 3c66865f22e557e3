"""The figures in the documentation are right."""

from itertools import takewhile
from pathlib import Path

import pytest
from tests.statistics.expect import frame_of, statistic

from barograph.domain.statistic import REFERENCE

PAGE = (Path(__file__).parents[2] / "docs" / "statistics.md").read_text("utf-8")


def cells():
    """The rows of the page's tables, as lists of texts."""
    lines = [line for line in PAGE.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def readings():
    rows = cells()
    start = rows.index(["time", "value"]) + 1
    for time, value in rows[start : start + 5]:
        hour, minute = time.split(":")
        yield (1, (int(hour) * 60 + int(minute)) * 60_000_000, float(value))


def figures():
    rows = cells()
    start = rows.index(["statistic", "of the example", "meaning"]) + 1
    rest = takewhile(lambda row: row[0].startswith("`"), rows[start:])
    return {name.strip("`"): float(figure) for name, figure, _ in rest}


def test_every_statistic_has_its_figure_of_the_example():
    assert set(figures()) == {*REFERENCE, "p90"}


@pytest.mark.parametrize("name", [*REFERENCE, "p90"])
def test_a_figure_of_the_example_is_what_pandas_computes(name):
    assert figures()[name] == pytest.approx(statistic(name, frame_of(list(readings()))), rel=1e-12)
