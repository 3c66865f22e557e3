"""What goes wrong inside the store leaves nothing behind, and stops nothing for good."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event, Thread

import numpy as np
import pytest
from tests.waiting import PATIENCE_SECONDS

from barograph.domain.batch import Batch
from barograph.domain.errors import Unavailable
from barograph.stores.readings.duckdb import DuckDBReadingStore, Sizes
from barograph.stores.readings.duckdb import store as module

SIZES = Sizes(
    spill_rows=300, tail_rows_max=900, segment_rows=2_500, slice_rows=400, pressed_seconds=0
)


@pytest.fixture
def store(tmp_path):
    store = DuckDBReadingStore(tmp_path / "readings", memory_mb=128, sizes=SIZES)
    yield store
    store.close()


def tables(store):
    with store._engine.changing() as cursor:
        found = cursor.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    return {name for (name,) in found if name.startswith("segment_")}


def to_be_clustered(store):
    """Store so much that a segment is about to be copied."""
    times = np.arange(1_200)
    store.append(Batch(times % 5, times, times * 1.0))
    store.counts()
    while store._maintenance._clustering is None:
        assert store.maintain()


def test_who_asks_at_the_same_moment_hears_the_same_of_the_health(store):
    together = Barrier(4)

    def ask(_):
        found = []
        for _ in range(50):
            together.wait()
            found.append(store.health())
        return found

    with ThreadPoolExecutor(4) as threads:
        answers = [one for found in threads.map(ask, range(4)) for one in found]
    assert {(one.writable, one.detail) for one in answers} == {(True, "ok")}


def test_a_defect_while_readings_are_applied_does_not_end_the_applying(store, monkeypatch):
    monkeypatch.setattr(module, "_RETRY_SECONDS", 0.01)
    apply, failures = store._engine.apply, []

    def defective(entries):
        if not failures:
            failures.append(entries)
            raise ZeroDivisionError
        apply(entries)

    monkeypatch.setattr(store._engine, "apply", defective)
    store.append(Batch.of([(1, 10, 1.0)]))
    with store._state:
        assert store._state.wait_for(lambda: not store._backlog, PATIENCE_SECONDS)
    assert failures
    assert store._engine.census.counts() == {1: 1}


def test_a_backup_that_takes_long_keeps_no_sender_waiting(tmp_path, monkeypatch):
    store = DuckDBReadingStore(tmp_path / "r", memory_mb=128, sizes=SIZES, backlog_readings_max=500)
    copying, go, copy = Event(), Event(), store._engine.copy

    def slow(target):
        copying.set()
        assert go.wait(PATIENCE_SECONDS)
        copy(target)

    monkeypatch.setattr(store._engine, "copy", slow)
    backup = Thread(target=store.backup, args=(tmp_path / "copy",))
    backup.start()
    try:
        assert copying.wait(PATIENCE_SECONDS)
        for n in range(20):
            store.append(Batch(np.ones(500, np.int64), np.arange(500) + 500 * n, np.ones(500)))
    finally:
        go.set()
        backup.join()
    while store.maintain():
        pass
    assert store.counts() == {1: 10_000}
    store.close()


def test_a_file_that_changed_while_it_was_copied_is_no_backup(store, tmp_path, monkeypatch):
    copyfile = shutil.copyfile

    def disturbed(source, target):
        copyfile(source, target)
        store._engine._broken = True
        store._engine.recover()

    store.append(Batch.of([(1, 10, 1.0)]))
    monkeypatch.setattr(shutil, "copyfile", disturbed)
    with pytest.raises(Unavailable, match="try again"):
        store.backup(tmp_path / "copy")
    assert list((tmp_path / "copy").iterdir()) == []
    monkeypatch.setattr(shutil, "copyfile", copyfile)
    store.backup(tmp_path / "another")
    assert list((tmp_path / "another").iterdir())


def test_a_copy_that_fails_leaves_no_table_behind(store):
    to_be_clustered(store)
    store.maintain()
    before = {segment.table for segment in store._engine.layout}
    [copied] = tables(store) - before
    # What the copy is made from cannot be read.
    with store._engine.changing() as cursor:
        [table] = before
        cursor.execute(f"ALTER TABLE {table} RENAME COLUMN value TO gone")
    with pytest.raises(Unavailable):
        store.maintain()
    assert copied not in tables(store)
    with store._engine.changing() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME COLUMN gone TO value")
    while store.maintain():
        pass
    assert sum(store.counts().values()) == 1_200
    assert tables(store) == {segment.table for segment in store._engine.layout}


def test_opening_anew_gives_no_number_of_a_table_twice(store):
    to_be_clustered(store)
    store.maintain()
    engine = store._engine
    [copied] = tables(store) - {segment.table for segment in engine.layout}
    for _ in range(2):
        engine._broken = True
        engine.recover()
    assert copied not in tables(store)
    assert next(engine.ids) > int(copied.removeprefix("segment_"))
    with pytest.raises(Unavailable):  # its copy is gone
        store.maintain()
    while store.maintain():
        pass
    assert sum(store.counts().values()) == 1_200


def test_a_database_that_answers_nobody_is_opened_anew_by_who_asks_next(store):
    store.append(Batch.of([(1, 10, 1.0)]))
    store.counts()
    store._engine.database.close()  # as after an error that DuckDB calls fatal
    with pytest.raises(Unavailable):
        list(store.scan([1]))
    assert [len(batch) for batch in store.scan([1])] == [1]
