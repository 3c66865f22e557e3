import math
from array import array

import numpy as np
import pytest

from barograph.domain.batch import Batch, MetricBatch, Reading

READINGS = [(1, 10, 2.5), (2, 10, "open"), (1, 11, 0.0)]


def test_a_batch_of_readings_gives_them_back_in_their_order():
    batch = Batch.of(READINGS)
    assert len(batch) == 3
    assert list(batch.readings()) == [Reading(*reading) for reading in READINGS]


def test_a_text_has_nan_in_the_column_of_numbers():
    batch = Batch.of(READINGS)
    assert batch.texts == {1: "open"}
    assert [math.isnan(value) for value in batch.values] == [False, True, False]


@pytest.mark.parametrize(
    "columns",
    [
        ([1, 2], [3, 4], [5.0, 6.0]),
        (array("q", [1, 2]), array("q", [3, 4]), array("d", [5.0, 6.0])),
        (np.array([1, 2]), np.array([3, 4]), np.array([5.0, 6.0])),
    ],
)
def test_readings_are_plain_numbers_whatever_the_columns_are(columns):
    readings = list(Batch(*columns).readings())
    assert readings == [(1, 3, 5.0), (2, 4, 6.0)]
    assert {type(part) for reading in readings for part in reading} == {int, float}


def test_columns_of_different_lengths_are_no_batch():
    with pytest.raises(ValueError):
        list(Batch([1], [1, 2], [1.0, 2.0]).readings())


def test_batches_do_not_share_their_texts():
    assert Batch([], [], []).texts is not Batch([], [], []).texts
    assert len(MetricBatch(["a"], [0, 0], [1, 2], [1.0, 2.0])) == 2
