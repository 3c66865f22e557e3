"""The first rows of a run of readings, and where the next ones begin.

A row is what a device's metrics were at one time: the readings of one time, which stand together
in batches that are in order of time.
"""

from collections.abc import Iterator

import numpy as np

from barograph.domain.batch import Batch
from barograph.services.places import encode_cursor


class Excerpt:
    """Iterates batches up to a number of rows; afterwards `cursor` leads to the rows after them.

    `cursor` is None where there are none, or where no number was given.
    """

    def __init__(self, batches: Iterator[Batch], rows_max: int | None, *, descending: bool) -> None:
        self.cursor: str | None = None
        self._batches = batches
        self._rows_max = rows_max
        self._descending = descending

    def __iter__(self) -> Iterator[Batch]:
        left = self._rows_max
        if left is None:
            yield from self._batches
            return
        last = (-1, -1)
        for batch in self._batches:
            times = np.asarray(batch.times, np.int64)
            begins = np.flatnonzero(np.diff(times, prepend=last[0]))
            if len(begins) > left:
                end = int(begins[left])
                if end:
                    last = (int(times[end - 1]), int(batch.series[end - 1]))
                    yield part(batch, 0, end)
                self.cursor = encode_cursor(*last, descending=self._descending)
                return
            left -= len(begins)
            last = (int(times[-1]), int(batch.series[len(batch) - 1]))
            yield batch


def part(batch: Batch, start: int, end: int) -> Batch:
    """The readings `[start, end)` of the batch."""
    return Batch(
        np.asarray(batch.series)[start:end],
        np.asarray(batch.times)[start:end],
        np.asarray(batch.values)[start:end],
        {i - start: text for i, text in batch.texts.items() if start <= i < end},
    )
