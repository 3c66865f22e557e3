"""Data directories that hold many readings, for other measurements: 1,000 devices of 3 metrics.

Every series has a reading each ten seconds, the last at the same moment however many there are, so
that a question about the last hours finds the same. A directory that is there already is used again.
"""

import sys
from pathlib import Path

import numpy as np

from barograph.domain.batch import Batch
from barograph.domain.time import SECOND
from barograph.stores.catalog.catalog import SqlCatalog
from barograph.stores.readings.duckdb.maintenance import Sizes
from barograph.stores.readings.duckdb.store import DuckDBReadingStore

METRICS = ("temperature", "humidity", "pressure")
END = 1_780_000_000 * SECOND
STEP = 10 * SECOND
_BATCH_ROUNDS = 20


def build(directory: Path, readings: int, devices: int = 1000) -> None:
    """Make `directory` a data directory with about so many readings."""
    done = directory / "complete"
    if done.exists():
        return
    directory.mkdir(parents=True)
    catalog = SqlCatalog(f"sqlite:///{(directory / 'data.db').absolute()}")
    user = catalog.users.create("fleet", None, None, "member", END)
    ids = []
    for number in range(devices):
        device = catalog.devices.create(None, f"Device {number}", user.id, None, {}, END)
        ids += [one.id for one in catalog.series.ensure(device.id, METRICS)]
    catalog.close()
    series = np.array(ids, np.int32)
    rounds = max(1, readings // len(series))
    # Whoever measures finds no work left to do, however fast the readings came.
    sizes = Sizes(pressed_seconds=0)
    store = DuckDBReadingStore(directory / "readings", memory_mb=512, sizes=sizes)
    try:
        for first in range(0, rounds, _BATCH_ROUNDS):
            store.append(
                _batch(series, np.arange(first, min(first + _BATCH_ROUNDS, rounds)), rounds)
            )
            if first % 400 == 0:
                while store.maintain():
                    pass
                if sys.stderr.isatty():
                    print(f"\r{first / rounds:.0%} stored", end="", file=sys.stderr, flush=True)
        while store.maintain():
            pass
    finally:
        store.close()
    done.touch()


def _batch(series, numbers, rounds):
    times = np.repeat(END - (rounds - numbers) * STEP, len(series))
    from_end = rounds - numbers
    noise = np.random.default_rng(int(from_end[0])).normal(0, 0.5, len(times))
    values = 20 + 8 * np.sin(np.repeat(from_end, len(series)) / 8640 * 2 * np.pi) + noise
    return Batch(np.tile(series, len(numbers)), times, np.round(values, 2))
