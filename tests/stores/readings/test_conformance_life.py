"""What every ReadingStore does beside other threads, and from one opening to the next."""

import threading

import pytest
from tests.stores.readings.driving import at, drain, many, put, seen

from barograph.domain.period import Period
from barograph.domain.time import DAY, HOUR, SECOND


class TestConcurrency:
    def test_appends_of_many_threads_are_all_kept_once(self, store):
        def send(series):
            for t in range(40):
                # Each batch is sent twice, as a sender does that missed the answer.
                for _ in range(2):
                    put(store, (series, t, float(t)), (99, t, float(t)))

        in_threads(*[lambda s=s: send(s) for s in range(6)])
        for series in (*range(6), 99):
            assert seen(store.scan([series])) == [(series, t, float(t)) for t in range(40)]

    def test_readers_see_each_batch_wholly_or_not_at_all(self, store):
        batches, size = 60, 50
        torn = []
        done = threading.Event()

        def write():
            try:
                for n in range(batches):
                    put(store, *[(1, n * size + i, 1.0) for i in range(size)])
                    if n % 10 == 9:
                        store.maintain()
            finally:
                done.set()

        def read():
            last = 0
            while not done.is_set():
                count = len(seen(store.scan([1])))
                if count % size or count < last:
                    torn.append(count)
                last = count

        in_threads(write, read, read)
        assert torn == []
        assert len(seen(store.scan([1]))) == batches * size

    def test_a_reader_sees_what_had_been_appended_before(self, store):
        missing = []

        def work(series):
            for t in range(30):
                put(store, (series, t, float(t)))
                if seen([store.newest([series])]) != [(series, t, float(t))]:
                    missing.append((series, t, "newest"))
                if len(seen(store.scan([series]))) != t + 1:
                    missing.append((series, t, "scan"))

        in_threads(*[lambda s=s: work(s) for s in range(4)])
        assert missing == []


def in_threads(*tasks):
    """Run the tasks at once; the first error of any is raised here."""
    errors = []

    def guarded(task):
        try:
            task()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


class TestLife:
    def fill(self, store):
        store.append(many(3_000))
        put(store, (1, 5, "late"), (2, 5_000, 7.0))
        drain(store)
        put(store, (1, 6, -1.0), (3, 6_000, "new"))
        store.delete([2], Period(at(10), at(20)))

    def test_a_reopened_store_holds_everything(self, stores, tmp_path):
        store = stores.open(tmp_path / "it")
        self.fill(store)
        before = seen(store.scan([1, 2, 3])), seen([store.newest()])
        stores.close(store)
        store = stores.open(tmp_path / "it")
        assert (seen(store.scan([1, 2, 3])), seen([store.newest()])) == before
        assert len(before[0]) == 2_992
        put(store, (1, 6, 6.0), (1, 7_000, 7.0))
        assert seen([store.newest([1])]) == [(1, 7_000, 7.0)]
        assert len(seen(store.scan([1, 2, 3]))) == 2_993

    def test_a_backup_opens_as_a_store_with_the_same_content(self, stores, tmp_path):
        store = stores.open(tmp_path / "it")
        self.fill(store)
        before = seen(store.scan([1, 2, 3]))
        store.backup(tmp_path / "copy")
        put(store, (1, 9_000, 1.0))
        copy = stores.open(tmp_path / "copy")
        assert seen(copy.scan([1, 2, 3])) == before
        put(copy, (2, 9_000, 1.0))
        assert seen([copy.newest([2])]) == [(2, 9_000, 1.0)]
        assert seen([store.newest([1])]) == [(1, 9_000, 1.0)]

    def test_a_backup_beside_appends_holds_whole_batches(self, stores, tmp_path):
        store = stores.open(tmp_path / "it")
        size, started = 50, threading.Event()

        def write():
            for n in range(40):
                put(store, *[(1, n * size + i, 1.0) for i in range(size)])
                if n == 4:
                    started.set()
            started.set()

        def back_up():
            started.wait()
            store.backup(tmp_path / "copy")

        in_threads(write, back_up)
        count = len(seen(stores.open(tmp_path / "copy").scan([1])))
        assert count >= 5 * size
        assert count % size == 0

    def test_a_working_store_says_that_it_is_writable(self, store):
        put(store, (1, 0, 1.0))
        health = store.health()
        assert health.writable
        assert health.detail
        assert health.readings in {None, 1}

    @pytest.mark.parametrize("steps", [1, 2, 3, 5, 9, 12])
    def test_maintenance_goes_on_when_what_it_works_on_is_deleted(self, store, steps):
        store.append(many(90))
        assert store.counts() == {1: 30, 2: 30, 3: 30}
        for _ in range(steps):
            store.maintain()
        store.delete([1, 2, 3])
        put(store, (1, 5, 1.0))
        drain(store)
        assert seen(store.scan([1, 2, 3])) == [(1, 5, 1.0)]

    @pytest.mark.parametrize("left", [0, 1, 40, 90])
    def test_deleting_what_is_old_leaves_room_for_what_comes_late(self, store, left):
        store.append(many(300))
        drain(store)
        assert store.delete([1, 2, 3], Period(end=at(100 - left))) == 3 * (100 - left)
        late = [(2, seconds, -1.0) for seconds in range(-5_000, 100 - left, 7)]
        put(store, *late)
        drain(store)
        found = seen(store.scan([1, 2, 3]))
        assert len(found) == len(late) + 3 * left
        assert found[: len(late)] == late

    @pytest.mark.parametrize("later", [0, 1, 35 * DAY])
    def test_what_expires_is_gone_for_all_series_and_nothing_else(self, store, later):
        days = range(0, 100, 7)
        store.append(many(900, series=(1, 2, 3, 700)))
        for day in days:
            put(store, (9, day * DAY / SECOND, float(day)), (10, day * DAY / SECOND, "a text"))
        drain(store)
        put(store, (3, 20, "late"), (4, 1_000_000, 4.0))
        before = at(100) + later
        left = [one for one in seen(store.scan([1, 2, 3, 4, 9, 10, 700])) if at(one[1]) >= before]
        for _ in store.expire(before):
            assert len(seen(store.scan([1, 2, 3, 4, 9, 10, 700]))) >= len(left)
        assert seen(store.scan([1, 2, 3, 4, 9, 10, 700])) == left
        assert sum(store.counts().values()) == len(left)
        assert list(store.expire(before)) == []
        put(store, (1, -1_000, 1.0), (2, later / SECOND + 200, 2.0))
        drain(store)
        assert seen(store.scan([1], Period(end=at(0)))) == [(1, -1_000, 1.0)]
        assert next(store.expire(at(0)), "done") is None
        assert seen(store.scan([1], Period(end=at(0)))) == []

    def test_expiry_goes_on_beside_appends_of_what_is_old_and_new(self, store):
        def write():
            for n in range(40):
                put(store, (1, n, 1.0), (2, 1_000 + n, 1.0))

        def expire():
            for n in range(0, 40, 4):
                for _ in store.expire(at(n)):
                    pass

        in_threads(write, expire)
        assert len(seen(store.scan([2]))) == 40
        for _ in store.expire(at(1_000)):
            pass
        assert store.counts() == {2: 40}

    def test_maintenance_of_an_empty_store_ends(self, store):
        drain(store)
        put(store, (1, HOUR / SECOND, 1.0))
        drain(store)
        assert len(seen(store.scan([1]))) == 1
