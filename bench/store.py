"""Measure the DuckDB store: `python bench/store.py --readings 10_000_000`.

The readings are made by rule (3,000 series, one reading each ten seconds, a bounded wave with
noise), so two runs store the same. Prints one line per measure. With --directory the store is kept
and found again by the next run.
"""

import argparse
import os
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from barograph.domain.batch import Batch
from barograph.domain.period import Period
from barograph.domain.statistic import DEFAULT, Statistic
from barograph.domain.time import HOUR, SECOND
from barograph.ports.reading_store import Aggregation
from barograph.stores.readings.duckdb import DuckDBReadingStore

SERIES = 3_000
T0 = 1_700_000_000 * SECOND
STEP = 10 * SECOND
_CYCLE = 300
"""Batches made; a whole number of rounds over the series for batches of a multiple of 10."""


def batch_at(number: int, size: int) -> Batch:
    """The batch that holds readings `number * size …`, in order of time and then series."""
    index = np.arange(number * size, (number + 1) * size)
    series = index % SERIES + 1
    times = T0 + index // SERIES * STEP
    noise = np.random.default_rng(number).normal(0, 0.5, size)
    values = np.round(20 + 8 * np.sin(index / SERIES / 8640 * 2 * np.pi) + noise, 2)
    return Batch(series.astype(np.int32), times, values)


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def say(what: str, value: float, unit: str) -> None:
    print(f"{what:<58} {value:>12,.2f} {unit}", flush=True)


def load(store: DuckDBReadingStore, readings: int, size: int) -> None:
    """Append batches while maintenance runs beside, as the program does it."""
    done = threading.Event()

    def maintain() -> None:
        while not done.is_set():
            if not store.maintain():
                done.wait(0.1)

    worker = threading.Thread(target=maintain)
    worker.start()
    batches = [batch_at(number, size) for number in range(_CYCLE)]
    spent, longest, shown = 0.0, 0.0, 0.0
    count = readings // size
    for number in range(count):
        batch = batches[number % _CYCLE]
        rounds = number // _CYCLE * _CYCLE * size // SERIES
        # The same values come again, later: making them costs more than storing them.
        batch = Batch(batch.series, np.asarray(batch.times) + rounds * STEP, batch.values)
        began = time.perf_counter()
        store.append(batch)
        took = time.perf_counter() - began
        spent += took
        longest = max(longest, took)
        if sys.stderr.isatty() and began - shown > 0.5:
            shown = began
            print(f"\r{number * size:,} of {readings:,}", end="", file=sys.stderr, flush=True)
    began = time.perf_counter()
    stored = sum(store.counts().values())  # waits until everything is applied
    spent += time.perf_counter() - began
    done.set()
    worker.join()
    say(f"append, {size:,} a batch, applied and beside maintenance", readings / spent / 1e6, "M/s")
    say("  longest append", longest * 1e3, "ms")
    assert stored == count * size, (stored, count * size)
    began = time.perf_counter()
    while store.maintain():
        pass
    say("  maintenance left over", time.perf_counter() - began, "s")


def measure(name: str, store: DuckDBReadingStore, question: Aggregation, times: int) -> None:
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        cells = list(store.summarize(question))
        taken.append(time.perf_counter() - began)
    say(f"{name} ({len(cells)} cells)", statistics.median(taken) * 1e3, "ms")


def ask(store: DuckDBReadingStore) -> None:
    _, end = store.extent([1, 7, SERIES]) or (T0, T0)
    day = Period(end - 24 * HOUR, None)
    early = Period(T0 + HOUR, T0 + 7 * HOUR)
    fleet = [range(1 + g * SERIES // 3, 1 + (g + 1) * SERIES // 3) for g in range(3)]
    each = [[id] for id in range(1, SERIES + 1)]
    hours = list(range(T0 - T0 % HOUR, end + HOUR, HOUR))
    measure("one series, all time", store, Aggregation([[77]], DEFAULT), 30)
    measure("one series, the last day", store, Aggregation([[77]], DEFAULT, day), 30)
    measure("one series, six early hours", store, Aggregation([[77]], DEFAULT, early), 30)
    measure("one series by the hour", store, Aggregation([[77]], DEFAULT, edges=hours), 10)
    course = [Statistic.parse(name) for name in ("increase", "time_weighted_mean", "stddev")]
    measure("one series, course", store, Aggregation([[77]], course), 10)
    measure("fleet in 3 groups, all time", store, Aggregation(fleet, DEFAULT), 3)
    measure("fleet in 3 groups, the last day", store, Aggregation(fleet, DEFAULT, day), 3)
    measure("fleet, each series alone", store, Aggregation(each, DEFAULT), 3)
    measure("fleet in 3 groups by the hour", store, Aggregation(fleet, DEFAULT, edges=hours), 3)
    began = time.perf_counter()
    assert len(store.newest()) == SERIES
    say("newest of every series", (time.perf_counter() - began) * 1e3, "ms")
    began = time.perf_counter()
    page = list(store.scan([77], descending=True, limit=100))
    say(f"last {len(page[0])} of one series", (time.perf_counter() - began) * 1e3, "ms")
    began = time.perf_counter()
    rows = sum(len(batch) for batch in store.scan(range(1, SERIES + 1), early))
    say(f"scan of {rows:,} readings", rows / (time.perf_counter() - began) / 1e6, "M/s")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--readings", type=int, default=10_000_000)
    parser.add_argument("--batch", type=int, default=5_000)
    parser.add_argument("--memory-mb", type=int, default=384)
    parser.add_argument("--directory", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        directory = given.directory or Path(scratch) / "readings"
        fresh = not directory.exists()
        store = DuckDBReadingStore(directory, memory_mb=given.memory_mb)
        if fresh:
            load(store, given.readings, given.batch)
            say("resident after loading", resident_mb(), "MB")
            store.rest()
            say("resident after resting", resident_mb(), "MB")
        store.close()
        began = time.perf_counter()
        store = DuckDBReadingStore(directory, memory_mb=given.memory_mb)
        say("open", (time.perf_counter() - began) * 1e3, "ms")
        stored = sum(store.counts().values())
        size = sum(file.stat().st_size for file in directory.rglob("*") if file.is_file())
        say(f"{stored:,} readings take", size / stored, "bytes each")
        ask(store)
        say("resident after asking", resident_mb(), "MB")
        store.rest()
        say("resident after resting", resident_mb(), "MB")
        store.close()


if __name__ == "__main__":
    main()
