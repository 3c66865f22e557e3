"""The group-commit writer."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.waiting import PATIENCE_SECONDS

from barograph.domain.batch import Batch
from barograph.domain.errors import Overloaded, StorageFull, Unavailable
from barograph.services.telemetry import Telemetry
from barograph.services.writer import Writer, concatenate
from barograph.stores.readings.memory import MemoryReadingStore


class GatedStore(MemoryReadingStore):
    """A memory store whose commits wait for the test."""

    def __init__(self):
        super().__init__()
        self.gate = threading.Semaphore(0)
        self.entered = threading.Semaphore(0)
        self.commits = []
        self.error = None

    def append(self, batch):
        self.entered.release()
        self.gate.acquire()
        if self.error is not None:
            raise self.error
        self.commits.append(len(batch))
        super().append(batch)


class Receipts:
    def __init__(self):
        self.calls = []
        self.changed = threading.Condition()

    def __call__(self, tags, error):
        with self.changed:
            self.calls.append((list(tags), error))
            self.changed.notify_all()

    def wait(self, count):
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.calls) >= count, PATIENCE_SECONDS)
        return self.calls


@pytest.fixture
def gated():
    return GatedStore()


@pytest.fixture
def writer(gated):
    writer = Writer(gated, backlog_readings_max=10)
    yield writer
    gated.gate.release(1000)
    writer.close()


def one(time, value=1.0, series=1):
    return Batch([series], [time], [value])


def stored(store):
    return [reading for batch in store.scan([1, 2, 3]) for reading in batch.readings()]


def test_what_arrives_during_a_commit_is_committed_together(gated, writer):
    receipts = Receipts()
    writer.submit(one(0), receipts, "a")
    assert gated.entered.acquire(timeout=PATIENCE_SECONDS)
    for time in range(1, 6):
        writer.submit(one(time), receipts, time)
    gated.gate.release(2)
    assert receipts.wait(2) == [(["a"], None), ([1, 2, 3, 4, 5], None)]
    assert gated.commits == [1, 5]


@pytest.fixture
def answered(request, gated):
    """A writer that gathers; "a" has just been answered, after `param` seconds; "b" and "c" wait."""
    writer = Writer(gated, backlog_readings_max=10, gather_seconds_max=60)
    receipts = Receipts()
    writer.submit(one(0), receipts, "a")
    assert gated.entered.acquire(timeout=PATIENCE_SECONDS)
    writer.submit(one(1), receipts, "b")
    writer.submit(one(2), receipts, "c")
    threading.Event().wait(request.param)
    gated.gate.release(10)
    receipts.wait(1)
    yield writer, receipts
    writer.close()


@pytest.mark.parametrize("answered", [3], indirect=True)  # as long as it has to send again
def test_where_commits_are_dear_those_just_answered_are_waited_for(gated, answered):
    writer, receipts = answered
    writer.submit(one(3), receipts, "a again")
    assert receipts.wait(2)[1] == (["b", "c", "a again"], None)
    assert gated.commits == [1, 3]


@pytest.mark.parametrize("answered", [0.5], indirect=True)
def test_who_does_not_send_again_keeps_nobody_waiting_longer_than_a_commit(gated, answered):
    _, receipts = answered
    assert receipts.wait(2)[1] == (["b", "c"], None)
    assert gated.commits == [1, 2]


def test_a_receipt_comes_after_the_commit_only(gated, writer):
    receipts = Receipts()
    writer.submit(one(0), receipts, "a")
    assert gated.entered.acquire(timeout=PATIENCE_SECONDS)
    assert receipts.calls == []
    gated.gate.release()
    receipts.wait(1)
    assert len(stored(gated)) == 1


def test_beyond_the_backlog_a_submit_is_refused_and_nothing_of_it_is_stored(gated, writer):
    receipts = Receipts()
    writer.submit(Batch([1] * 8, list(range(8)), [0.0] * 8), receipts, "first")
    assert gated.entered.acquire(timeout=PATIENCE_SECONDS)
    with pytest.raises(Overloaded):
        writer.submit(Batch([2] * 3, [1, 2, 3], [0.0] * 3), receipts, "refused")
    writer.submit(Batch([3, 3], [1, 2], [0.0] * 2), receipts, "fits")
    assert writer.backlog == 10
    gated.gate.release(2)
    receipts.wait(2)
    assert {reading.series for reading in stored(gated)} == {1, 3}
    writer.submit(one(99), receipts, "again")
    gated.gate.release()
    receipts.wait(3)


def test_a_batch_over_the_whole_backlog_is_taken_when_nothing_waits(gated, writer):
    receipts = Receipts()
    writer.submit(Batch([1] * 50, list(range(50)), [0.0] * 50), receipts, "big")
    gated.gate.release()
    assert receipts.wait(1) == [(["big"], None)]


def test_a_failed_commit_is_told_to_everyone_in_the_group_and_the_writer_goes_on(gated, writer):
    receipts = Receipts()
    gated.error = StorageFull("the disk is full")
    writer.submit(one(0), receipts, "a")
    gated.gate.release()
    assert receipts.wait(1)[0] == (["a"], gated.error)
    gated.error = None
    writer.submit(one(0), receipts, "b")
    gated.gate.release()
    assert receipts.wait(2)[1] == (["b"], None)


def test_a_defect_in_the_store_becomes_unavailable_and_the_thread_lives(gated, writer):
    receipts = Receipts()
    gated.error = RuntimeError("boom")
    writer.submit(one(0), receipts, "a")
    gated.gate.release()
    assert isinstance(receipts.wait(1)[0][1], Unavailable)
    gated.error = None
    writer.submit(one(0), receipts, "b")
    gated.gate.release()
    assert receipts.wait(2)[1] == (["b"], None)


def test_write_blocks_until_stored_and_raises_the_store_s_error(gated, writer):
    gated.gate.release(2)
    writer.write(one(5))
    assert len(stored(gated)) == 1
    gated.error = StorageFull("the disk is full")
    with pytest.raises(StorageFull):
        writer.write(one(6))


def test_closing_commits_what_was_accepted_and_refuses_the_rest():
    store = MemoryReadingStore()
    writer = Writer(store, backlog_readings_max=100)
    receipts = Receipts()
    for time in range(20):
        writer.submit(one(time), receipts, time)
    writer.close()
    assert len(stored(store)) == 20
    with pytest.raises(Unavailable):
        writer.submit(one(99), receipts, "late")


def test_listeners_are_told_in_order_and_one_that_fails_hinders_nobody():
    store, told = MemoryReadingStore(), []

    def fails(batch):
        raise ValueError

    telemetry = Telemetry()
    writer = Writer(
        store, backlog_readings_max=9, on_commit=[fails, told.append], telemetry=telemetry
    )
    writer.write(one(1))
    writer.write(one(2))
    writer.close()
    assert [list(batch.times) for batch in told] == [[1], [2]]
    assert (sum(telemetry.commit_buckets), telemetry.readings_committed) == (2, 2)


def test_many_threads_write_and_each_reading_is_stored_once():
    store = MemoryReadingStore()
    writer = Writer(store, backlog_readings_max=1000)

    def work(series):
        for time in range(200):
            writer.write(Batch([series], [time], [float(time)]))

    threads = [threading.Thread(target=work, args=(n,)) for n in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close()
    assert len(stored(store)) == 600


_READING = st.tuples(
    st.integers(1, 3), st.integers(0, 5), st.one_of(st.floats(-9, 9), st.text(max_size=2))
)


@given(st.lists(st.tuples(st.booleans(), st.lists(_READING, max_size=4)), min_size=1, max_size=6))
def test_concatenating_keeps_every_reading_in_order(parts):
    batches, expected = [], []
    for as_arrays, readings in parts:
        batch = Batch.of(readings)
        expected += list(batch.readings())
        if as_arrays:
            batch = Batch(
                np.array(batch.series, np.int64),
                np.array(batch.times, np.int64),
                np.array(batch.values, np.float64),
                batch.texts,
            )
        batches.append(batch)
    assert list(concatenate(batches).readings()) == expected


def test_settling_waits_until_the_commit_under_way_is_told(gated):
    settling, settled = threading.Event(), threading.Event()
    told = []
    writer = Writer(gated, backlog_readings_max=10, on_commit=(told.append,))
    writer.settle()  # nothing is under way

    def settle():
        settling.set()
        writer.settle()
        assert len(told) == 1
        settled.set()

    writer.submit(Batch.of([(1, 1, 1.0)]), Receipts(), "a")
    gated.entered.acquire()
    thread = threading.Thread(target=settle)
    thread.start()
    assert settling.wait(PATIENCE_SECONDS)
    assert not settled.is_set()
    gated.gate.release()
    thread.join()
    assert settled.is_set()
    writer.close()
