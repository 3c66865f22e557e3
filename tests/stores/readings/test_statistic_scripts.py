"""Every store gives the answers of the plain-text scripts in `tests/statistics`."""

from datetime import UTC
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from tests.statistics.expect import agrees, frame_of
from tests.statistics.script import Row, read_scripts

from barograph.domain.batch import Batch
from barograph.domain.period import Interval, Period, edges
from barograph.domain.statistic import Statistic, of_nothing
from barograph.ports.reading_store import Aggregation

SCRIPTS = read_scripts(Path(__file__).parents[2] / "statistics")


def answer(store, question):
    """The rows that the store and the domain's buckets make of a question."""
    period = Period(question.start, question.end)
    stats = tuple(Statistic.parse(name) for name in question.stats)
    zone = UTC if question.zone == "UTC" else ZoneInfo(question.zone)
    if question.interval is None:
        cells = list(store.summarize(Aggregation([question.series], stats, period)))
        nothing = {asked.text: of_nothing(asked) for asked in stats}
        return [Row(None, dict(cells[0].summary) if cells else nothing)]
    extent = store.extent(question.series, period)
    if extent is None:
        return []
    first, last = extent
    starts = edges(Interval.parse(question.interval), first, last + 1, zone, buckets_max=100_000)
    cells = store.summarize(Aggregation([question.series], stats, period, starts))
    return [Row(starts[cell.bucket], dict(cell.summary)) for cell in cells]


@pytest.mark.parametrize("script", SCRIPTS, ids=str)
def test_a_script_is_answered_as_it_says(store, script):
    loaded = 0
    for question in script.evals:
        store.append(Batch.of(script.readings[loaded : question.readings]))
        loaded = question.readings
        frame = frame_of(script.readings[:loaded])
        where = f"{script.path.name}, line {question.line}"
        found = answer(store, question)
        assert [row.start for row in found] == [row.start for row in question.expected], where
        for actual, expected in zip(found, question.expected, strict=True):
            for name in question.stats:
                one, other = actual.values[name], expected.values[name]
                assert agrees(name, one, other, frame), f"{where}: {name} is {one}, not {other}"
