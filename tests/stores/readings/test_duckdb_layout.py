"""Wherever rows go, the tables, what is noted of them and what memory knows say the same."""

import random
from itertools import pairwise

import numpy as np
import pytest
from tests.stores.readings.driving import drain, seen

from barograph.domain.batch import Batch
from barograph.domain.period import Period
from barograph.stores.readings.duckdb import DuckDBReadingStore, Sizes
from barograph.stores.readings.duckdb.layout import BEGINNING, END, read_layout
from barograph.stores.readings.memory import MemoryReadingStore

SIZES = Sizes(
    spill_rows=300, tail_rows_max=900, segment_rows=2_500, slice_rows=400, pressed_seconds=0
)


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "readings"


@pytest.fixture
def open_store(directory):
    opened = []

    def open_it():
        for store in opened:
            store.close()
        opened[:] = [DuckDBReadingStore(directory, memory_mb=128, sizes=SIZES)]
        return opened[0]

    yield open_it
    for store in opened:
        store.close()


def check_books(store):
    """Count everything anew and compare with the notes."""
    store.counts()
    engine = store._engine
    snapshot = engine.snapshot()
    layout, census = snapshot.layout, engine.census

    def rows(table):
        found = snapshot.ask(f"SELECT series, time FROM {table}")
        return list(zip(found["series"].tolist(), found["time"].tolist(), strict=True))

    assert layout[0].start == BEGINNING
    assert layout[-1].stop == END
    assert all(a.stop == b.start for a, b in pairwise(layout))
    everything = rows("hot") + rows("texts")
    assert census.hot_rows == len(rows("hot"))
    assert all(census.hot[0] <= time < census.hot[1] for _, time in rows("hot"))
    for segment in layout:
        held = rows(segment.table)
        everything += held
        assert all(segment.start <= time < segment.stop for _, time in held)
        noted = dict(zip(segment.holdings.series.tolist(), segment.holdings.count, strict=True))
        noted = {series: count for series, count in noted.items() if count}
        assert noted == {s: sum(1 for t in held if t[0] == s) for s in {s for s, _ in held}}
        span = dict(
            zip(
                segment.holdings.series.tolist(),
                zip(segment.holdings.first, segment.holdings.last, strict=True),
                strict=True,
            )
        )
        assert all(span[series][0] <= time <= span[series][1] for series, time in held)
        if segment.tail == 0:
            assert held == sorted(held)
    assert len(everything) == len(set(everything)), "a place is stored twice"
    for series in {series for series, _ in everything}:
        [slot] = census.find(np.array([series]))
        times = [time for s, time in everything if s == series]
        assert census.count[slot] == len(times)
        assert census.time[slot] == max(times)
    engine.snapshots.end(snapshot)
    with engine.changing() as cursor:
        stored = read_layout(cursor)
    assert [(s.id, s.start, s.stop, s.tail, s.rows) for s in stored] == [
        (s.id, s.start, s.stop, s.tail, s.rows) for s in engine.layout
    ]


def random_batch(rng, now):
    rows = []
    for _ in range(rng.choice([1, 5, 50, 400])):
        series = rng.randrange(1, 8)
        late = rng.random()
        time = now + rng.randrange(100) if late < 0.8 else rng.randrange(now + 1)
        value = f"s{time % 3}" if series == 7 and rng.random() < 0.6 else float(rng.randrange(50))
        rows.append((series, time, value))
    return Batch.of(rows)


@pytest.mark.parametrize("seed", range(4))
def test_the_books_agree_through_late_readings_deletions_and_maintenance(open_store, seed):
    rng = random.Random(seed)
    store, model = open_store(), MemoryReadingStore()
    for step in range(120):
        now = step * 60
        batch = random_batch(rng, now)
        store.append(batch)
        model.append(batch)
        for _ in range(rng.randrange(4)):
            store.maintain()
        if rng.random() < 0.06:
            series = rng.sample(range(1, 8), rng.choice([1, 3, 7]))
            period = rng.choice(
                [Period(now // 3, now // 2), Period(None, now // 4), Period(now - 50, None)]
            )
            assert store.delete(series, period) == model.delete(series, period)
        if rng.random() < 0.03:
            store = open_store()
        if step % 20 == 19:
            check_books(store)
            assert seen(store.scan(range(1, 8))) == seen(model.scan(range(1, 8)))
            assert store.counts() == model.counts()
            assert list(store.newest().readings()) == list(model.newest().readings())
    drain(store)
    check_books(store)
    assert len(store._engine.layout) > 1
    store = open_store()
    check_books(store)
    assert seen(store.scan(range(1, 8))) == seen(model.scan(range(1, 8)))


def test_segments_close_split_and_are_clustered(open_store):
    store = open_store()
    for n in range(10):
        times = np.arange(n * 1_000, (n + 1) * 1_000)
        store.append(Batch(times % 5, times, times * 1.0))
        store.counts()
        drain(store)
    closed = len(store._engine.layout)
    assert closed >= 3
    rows = [segment.rows for segment in store._engine.layout]
    assert max(rows) <= SIZES.segment_rows + 2 * SIZES.spill_rows + 1_000
    # A history that comes late makes the first segment grow until it is cut.
    for n in range(12):
        times = np.arange(n * 1_000, (n + 1) * 1_000) // 12
        store.append(Batch(np.arange(12_000)[n * 1_000 : (n + 1) * 1_000] % 12 + 100, times, times))
        store.counts()
        drain(store)
    assert len(store._engine.layout) > closed
    check_books(store)
    assert sum(store.counts().values()) == 22_000


def test_deleting_a_whole_period_drops_its_segments(open_store):
    store = open_store()
    for n in range(10):
        times = np.arange(n * 1_000, (n + 1) * 1_000)
        store.append(Batch(times % 5, times, times * 1.0))
        store.counts()
        drain(store)
    before = store._engine.layout
    assert store.delete(range(5), Period(None, before[1].stop)) > 0
    assert len(store._engine.layout) == len(before) - 2
    check_books(store)
    store.delete(range(5))
    assert store.counts() == {}
    check_books(store)
    store = open_store()
    assert store.counts() == {}
    store.append(Batch.of([(1, 5, 1.0)]))
    assert store.counts() == {1: 1}


def test_a_table_left_over_from_an_interrupted_copy_is_removed(open_store):
    store = open_store()
    times = np.arange(1_200)
    store.append(Batch(times % 5, times, times * 1.0))
    store.counts()
    while store._maintenance._clustering is None:
        assert store.maintain()
    store.maintain()
    store.maintain()  # the copy's table is there, the copy is not finished
    store = open_store()
    with store._engine.changing() as cursor:
        tables = cursor.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    segments = [name for (name,) in tables if name.startswith("segment_")]
    assert segments == [segment.table for segment in store._engine.layout]
    check_books(store)


def test_opening_reads_the_newest_and_the_counts_of_every_series(open_store):
    store = open_store()
    times = np.arange(5_000)
    store.append(Batch(times % 7, times, times * 2.0))
    store.append(Batch.of([(3, 10_000, "open"), (4, 1, 9.5), (5, 4_999, "was a number?")]))
    store.counts()
    drain(store)
    before = list(store.newest().readings()), store.counts()
    store = open_store()
    assert (list(store.newest().readings()), store.counts()) == before
    assert store.with_texts(range(7)) == {3, 5}
