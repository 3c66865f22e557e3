"""Short words for driving a store in tests: times are seconds from T0."""

import random

import numpy as np
import pytest

from barograph.domain.batch import Batch
from barograph.domain.time import SECOND, from_text

T0 = from_text("2024-05-01T00:00:00Z")


def at(seconds: float) -> int:
    return T0 + round(seconds * SECOND)


def put(store, *readings):
    """Append (series, seconds, value) as one batch."""
    store.append(Batch.of([(series, at(seconds), value) for series, seconds, value in readings]))


def seen(batches):
    """The readings of a scan as (series, seconds, value)."""
    return [
        (reading.series, (reading.time - T0) / SECOND, reading.value)
        for batch in batches
        for reading in batch.readings()
    ]


def drain(store):
    """Do all the background work there is, which must come to an end."""
    for _ in range(10_000):
        if not store.maintain():
            return
    pytest.fail("maintain() keeps saying that more is waiting")


def many(count, *, series=(1, 2, 3), seed=1):
    """A large batch of distinct places in a shuffled order."""
    order = random.Random(seed).sample(range(count), count)
    return Batch(
        np.array([series[i % len(series)] for i in order]),
        np.array([at(i // len(series)) for i in order]),
        np.array([float(i) for i in order]),
    )
