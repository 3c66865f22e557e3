"""A question applies what waits in the backlog only where that concerns it, and then sees it."""

import pytest

from barograph.domain.batch import Batch
from barograph.domain.period import ALL_TIME, Period
from barograph.domain.statistic import Statistic
from barograph.ports.reading_store import Aggregation
from barograph.stores.readings.duckdb import DuckDBReadingStore
from barograph.stores.readings.duckdb import store as module


@pytest.fixture
def store(tmp_path, monkeypatch):
    """Holds a reading of series 1 at time 10; one of series 2 at time 20 waits."""
    monkeypatch.setattr(module, "_LINGER_SECONDS", 3600.0)
    store = DuckDBReadingStore(tmp_path / "readings", memory_mb=128)
    store.append(Batch.of([(1, 10, 1.0)]))
    assert store.counts() == {1: 1}
    store.append(Batch.of([(2, 20, 2.0)]))
    yield store
    store.close()


def scan(store, series, period):
    return [row for batch in store.scan(series, period) for row in batch.readings()]


def extent(store, series, period):
    return store.extent(series, period)


def summarize(store, series, period):
    question = Aggregation([[one] for one in series], [Statistic.parse("count")], period)
    return [(cell.group, cell.summary) for cell in store.summarize(question)]


QUESTIONS = pytest.mark.parametrize("ask", [scan, extent, summarize])


@QUESTIONS
@pytest.mark.parametrize(
    ("series", "period"),
    [([1], ALL_TIME), ([1, 2], Period(None, 20)), ([2], Period(21, None)), ([3], ALL_TIME)],
)
def test_what_does_not_concern_a_question_goes_on_waiting(store, ask, series, period):
    ask(store, series, period)
    assert len(store._backlog) == 1


@QUESTIONS
@pytest.mark.parametrize("period", [ALL_TIME, Period(20, 21)])
def test_what_concerns_a_question_is_in_its_answer(store, ask, period):
    waiting = ask(store, [1, 2], period)
    assert not store._backlog
    assert waiting == ask(store, [1, 2], period)
    assert ask(store, [2], period)


@QUESTIONS
def test_a_large_backlog_is_applied_without_a_look(store, ask, monkeypatch):
    monkeypatch.setattr(module, "_LOOKED_THROUGH_MAX", 0)
    ask(store, [1], ALL_TIME)
    assert not store._backlog


@QUESTIONS
def test_a_value_that_was_replaced_since_is_the_new_one(store, ask):
    store.append(Batch.of([(1, 10, 5.0), (1, 11, 7.0)]))
    assert ask(store, [1], ALL_TIME)
    assert scan(store, [1], ALL_TIME) == [(1, 10, 5.0), (1, 11, 7.0)]
