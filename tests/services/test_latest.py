"""Newest values in memory."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from barograph.domain.batch import Batch, Reading
from barograph.services.latest import Latest
from barograph.stores.readings.memory import MemoryReadingStore


def arrays(readings):
    batch = Batch.of(readings)
    return Batch(
        np.array(batch.series, np.int64),
        np.array(batch.times, np.int64),
        np.array(batch.values, np.float64),
        batch.texts,
    )


def test_it_begins_with_what_the_store_has():
    store = MemoryReadingStore()
    store.append(Batch.of([(7, 10, 1.5), (9, 20, "on")]))
    latest = Latest(store)
    assert latest.of_series([7, 8, 9, 5000]) == {7: Reading(7, 10, 1.5), 9: Reading(9, 20, "on")}


def test_a_late_reading_does_not_move_latest():
    latest = Latest(MemoryReadingStore())
    latest.update(Batch.of([(1, 10, 1.0)]))
    latest.update(Batch.of([(1, 9, 2.0)]))
    assert latest.of_series([1])[1] == Reading(1, 10, 1.0)


def test_after_a_delete_the_store_is_asked_again():
    store = MemoryReadingStore()
    latest = Latest(store)
    latest.update(Batch.of([(1, 10, 1.0), (2, 10, 1.0)]))
    store.append(Batch.of([(2, 5, 4.0)]))
    latest.reload([1, 2])
    assert latest.of_series([1, 2]) == {2: Reading(2, 5, 4.0)}


_READINGS = st.lists(
    st.tuples(
        st.sampled_from([0, 3, 2000]),
        st.integers(0, 20),
        st.one_of(st.floats(-5, 5), st.sampled_from(["on", "off"])),
    ),
    max_size=60,
)


@given(st.lists(_READINGS, max_size=5))
def test_it_agrees_with_the_store_however_readings_arrive(batches):
    store = MemoryReadingStore()
    latest = Latest(store)
    for readings in batches:
        store.append(Batch.of(readings))
        latest.update(arrays(readings))
    assert latest.of_series([0, 3, 2000]) == {
        reading.series: reading for reading in store.newest().readings()
    }


@given(
    st.lists(
        st.lists(
            st.tuples(st.integers(0, 3), st.integers(0, 50), st.floats(-5, 5)),
            min_size=24,
            max_size=60,
        ),
        max_size=4,
    )
)
def test_whole_columns_agree_with_the_store(batches):
    store = MemoryReadingStore()
    latest = Latest(store)
    for readings in batches:
        store.append(Batch.of(readings))
        latest.update(arrays(readings))
    assert latest.of_series(range(4)) == {
        reading.series: reading for reading in store.newest().readings()
    }
