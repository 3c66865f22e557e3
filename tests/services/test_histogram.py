"""How often which values came, against NumPy."""

import numpy as np
import pytest

from barograph.domain.batch import Batch
from barograph.domain.period import ALL_TIME
from barograph.services import histogram as module
from barograph.services.histogram import histogram
from barograph.stores.readings.memory import MemoryReadingStore


@pytest.fixture(params=["normal", "steps"])
def values(request):
    dice = np.random.default_rng(7)
    if request.param == "normal":
        return dice.normal(20, 5, 5_000)
    return dice.choice([0.0, 0.0, 0.0, 1.0, 4.0, 7.5], 5_000)


def stored(values):
    store = MemoryReadingStore()
    store.append(Batch.of([(1, i, float(value)) for i, value in enumerate(values)]))
    return store


def test_few_readings_are_counted_one_by_one(values):
    low, high = values.min(), values.max()
    found = histogram(stored(values), 1, ALL_TIME, low, high, 20, len(values))
    expected, edges = np.histogram(values, 20)
    assert found.counts == list(expected)
    assert found.width == pytest.approx(edges[1] - edges[0])


def test_many_are_estimated_to_half_a_percent(values, monkeypatch):
    monkeypatch.setattr(module, "COUNTED_READINGS_MAX", 100)
    low, high = values.min(), values.max()
    found = histogram(stored(values), 1, ALL_TIME, low, high, 20, len(values))
    expected, _ = np.histogram(values, 20)
    assert sum(found.counts) == pytest.approx(len(values))
    assert np.abs(np.array(found.counts) - expected).max() <= 0.01 * len(values)


def test_a_value_that_never_changes_is_one_bar():
    found = histogram(stored([2.0] * 9), 1, ALL_TIME, 2.0, 2.0, 20, 9)
    assert found.counts == [9.0]
