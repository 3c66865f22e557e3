"""What every ReadingStore does. The stores and their known gaps are in `conftest.py`."""

import array
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from tests.stores.readings.driving import T0, at, drain, many, put, seen

from barograph.domain.batch import Batch
from barograph.domain.period import ALL_TIME, Period
from barograph.domain.time import DAY, SECOND, TIME_MAX


class TestAppendAndScan:
    def test_a_new_store_is_empty(self, store):
        assert list(store.scan([1])) == []
        assert len(store.newest()) == 0
        assert store.extent([1]) is None
        assert store.counts() == {}
        assert store.with_texts([1]) == frozenset()
        assert store.delete([1]) == 0

    def test_what_was_appended_comes_back_in_order_of_time_and_series(self, store):
        put(store, (2, 10, 2.5), (1, 20, 3.0), (1, 10, -1.0), (3, 10, 0.0))
        assert seen(store.scan([3, 2, 1])) == [
            (1, 10, -1.0),
            (2, 10, 2.5),
            (3, 10, 0.0),
            (1, 20, 3.0),
        ]

    def test_descending_is_the_exact_reverse(self, store):
        put(store, (2, 10, 2.5), (1, 20, 3.0), (1, 10, -1.0), (3, 10, "x"))
        forward = seen(store.scan([1, 2, 3]))
        assert seen(store.scan([1, 2, 3], descending=True)) == forward[::-1]

    @pytest.mark.parametrize(
        "value",
        [0.1, -0.0, 5e-324, 1.7976931348623157e308, -1.7976931348623157e308, 2.0**53 + 2, 1 / 3],
    )
    def test_a_number_comes_back_bit_for_bit(self, store, value):
        put(store, (1, 0, value))
        [(_, _, back)] = seen(store.scan([1]))
        assert back.hex() == value.hex()

    @pytest.mark.parametrize(
        "text",
        [
            "open",
            "",
            " ",
            'it\'s "so"; DROP TABLE readings;--',
            "смена ветра 🌬",
            "a\nb\t\\n",
            "1.5",
            "NaN",
            "null",
            "x" * 4096,
        ],
    )
    def test_a_text_comes_back_to_the_letter(self, store, text):
        put(store, (1, 0, text), (1, 1, 1.5))
        assert seen(store.scan([1])) == [(1, 0, text), (1, 1, 1.5)]

    @pytest.mark.parametrize("time", [0, 1, T0 + 1, TIME_MAX - 1])
    def test_a_time_comes_back_to_the_microsecond(self, store, time):
        store.append(Batch.of([(1, time, 1.0)]))
        [batch] = store.scan([1])
        assert list(batch.times) == [time]
        assert store.extent([1]) == (time, time)

    @pytest.mark.parametrize(
        "columns",
        [
            ([1, 2], [T0, T0], [1.0, 2.0]),
            (array.array("q", [1, 2]), array.array("q", [T0, T0]), array.array("d", [1.0, 2.0])),
            (np.array([1, 2]), np.array([T0, T0]), np.array([1.0, 2.0])),
            (np.array([1, 2], dtype="int32"), [T0, T0], (1.0, 2.0)),
        ],
        ids=["lists", "arrays", "numpy", "mixed"],
    )
    def test_columns_may_be_of_any_kind(self, store, columns):
        store.append(Batch(*columns))
        assert seen(store.scan([1, 2])) == [(1, 0, 1.0), (2, 0, 2.0)]

    def test_an_empty_batch_changes_nothing(self, store):
        put(store, (1, 0, 1.0))
        store.append(Batch([], [], []))
        assert seen(store.scan([1])) == [(1, 0, 1.0)]

    def test_series_that_were_not_asked_for_stay_out(self, store):
        put(store, (1, 0, 1.0), (2, 0, 2.0))
        assert seen(store.scan([2, 99])) == [(2, 0, 2.0)]

    def test_no_series_have_no_readings(self, store):
        put(store, (1, 0, 1.0))
        assert list(store.scan([])) == []
        assert len(store.newest([])) == 0
        assert store.extent([]) is None
        assert store.with_texts([]) == frozenset()
        assert store.delete([]) == 0
        assert seen(store.scan([1])) == [(1, 0, 1.0)]

    def test_a_series_named_twice_is_read_once(self, store):
        put(store, (1, 0, 1.0))
        assert seen(store.scan([1, 1])) == [(1, 0, 1.0)]

    def test_large_series_ids_are_kept_apart(self, store):
        high = 2**31 - 1
        put(store, (high, 0, 1.0), (high - 1, 0, 2.0))
        assert seen(store.scan([high])) == [(high, 0, 1.0)]

    def test_batches_of_a_scan_are_bounded_and_complete(self, store):
        store.append(many(150_000))
        sizes, last, total = [], (-1, -1), 0.0
        for batch in store.scan([1, 2, 3]):
            sizes.append(len(batch))
            places = list(zip(batch.times, batch.series, strict=True))
            assert last < places[0]
            assert all(a < b for a, b in pairwise(places))
            last, total = places[-1], total + float(np.sum(np.asarray(batch.values)))
        assert sum(sizes) == 150_000
        assert max(sizes) <= 65_536
        assert total == 150_000 * 149_999 / 2


class TestExactlyOnce:
    def test_a_batch_sent_again_changes_nothing(self, store):
        for _ in range(3):
            put(store, (1, 0, 1.0), (2, 0, "on"), (1, 1, 2.0))
        assert seen(store.scan([1, 2])) == [(1, 0, 1.0), (2, 0, "on"), (1, 1, 2.0)]
        drain(store)
        assert seen(store.scan([1, 2])) == [(1, 0, 1.0), (2, 0, "on"), (1, 1, 2.0)]
        assert store.counts() == {1: 2, 2: 1}

    def test_the_last_write_wins_across_batches(self, store):
        put(store, (1, 0, 1.0), (1, 1, 1.0))
        put(store, (1, 0, 2.0))
        assert seen(store.scan([1])) == [(1, 0, 2.0), (1, 1, 1.0)]

    def test_the_last_write_wins_within_a_batch(self, store):
        put(store, (1, 0, 1.0), (1, 0, 2.0), (2, 0, 5.0), (1, 0, 3.0))
        assert seen(store.scan([1, 2])) == [(1, 0, 3.0), (2, 0, 5.0)]

    def test_the_last_write_wins_within_a_late_batch(self, store):
        put(store, (1, 100, 0.0))
        put(store, (1, 0, 1.0), (1, 100, 7.0), (1, 0, 2.0), (1, 200, 3.0), (1, 200, 4.0))
        assert seen(store.scan([1])) == [(1, 0, 2.0), (1, 100, 7.0), (1, 200, 4.0)]

    @pytest.mark.parametrize(("old", "new"), [(1.0, "on"), ("on", 1.0), ("on", "off")])
    def test_numbers_and_texts_replace_each_other(self, store, old, new):
        put(store, (1, 0, old))
        put(store, (1, 0, new))
        assert seen(store.scan([1])) == [(1, 0, new)]
        assert seen([store.newest()]) == [(1, 0, new)]
        assert store.with_texts([1]) == ({1} if isinstance(new, str) else set())
        drain(store)
        assert seen(store.scan([1])) == [(1, 0, new)]
        assert store.counts() == {1: 1}

    @pytest.mark.parametrize(("old", "new"), [(1.0, "on"), ("on", 1.0), ("on", "off")])
    def test_numbers_and_texts_replace_each_other_within_a_batch(self, store, old, new):
        put(store, (1, 0, old), (1, 0, new))
        assert seen(store.scan([1])) == [(1, 0, new)]

    def test_late_readings_take_their_place(self, store):
        put(store, (1, 100, 1.0))
        put(store, (1, 50, 2.0), (1, 75, "late"))
        put(store, (1, 60, 3.0))
        assert seen(store.scan([1])) == [
            (1, 50, 2.0),
            (1, 60, 3.0),
            (1, 75, "late"),
            (1, 100, 1.0),
        ]

    def test_late_and_repeated_readings_survive_maintenance(self, store):
        store.append(many(5_000))
        drain(store)
        store.append(many(5_000, seed=2))
        put(store, (1, 7, -1.0), (1, -DAY / SECOND, -2.0), (2, 8, "t"))
        drain(store)
        found = {(series, seconds): value for series, seconds, value in seen(store.scan([1, 2, 3]))}
        assert len(found) == 5_001
        assert found[1, 7] == -1.0
        assert found[1, -86400] == -2.0
        assert found[2, 8] == "t"
        assert found[3, 1000] == 3002.0
        assert sum(store.counts().values()) == 5_001


class TestScanOptions:
    @pytest.fixture
    def filled(self, store):
        put(store, *[(s, t, float(10 * t + s)) for t in range(5) for s in (1, 2)], (3, 2, "x"))
        return store

    def test_a_period_has_its_start_and_not_its_end(self, filled):
        found = seen(filled.scan([1], Period(at(1), at(3))))
        assert [seconds for _, seconds, _ in found] == [1, 2]

    @pytest.mark.parametrize(
        ("period", "expected"),
        [
            (Period(at(3), None), [3, 4]),
            (Period(None, at(1)), [0]),
            (Period(at(2), at(2)), []),
            (Period(at(2), at(2) + 1), [2]),
            (Period(at(1) + 1, at(2)), []),
            (Period(at(9), at(99)), []),
            (ALL_TIME, [0, 1, 2, 3, 4]),
        ],
    )
    def test_periods_may_be_open_and_empty(self, filled, period, expected):
        assert [seconds for _, seconds, _ in seen(filled.scan([1], period))] == expected

    @pytest.mark.parametrize("descending", [False, True])
    @pytest.mark.parametrize("limit", [0, 1, 5, 11, 100])
    def test_a_limit_cuts_the_same_order(self, filled, limit, descending):
        everything = seen(filled.scan([1, 2, 3], descending=descending))
        found = seen(filled.scan([1, 2, 3], descending=descending, limit=limit))
        assert found == everything[:limit]

    @pytest.mark.parametrize("descending", [False, True])
    @pytest.mark.parametrize("size", [1, 2, 3, 7])
    def test_pages_by_cursor_make_one_scan(self, filled, size, descending):
        period = Period(at(1), at(4))
        pages, after = [], None
        while page := seen(
            filled.scan([1, 2, 3], period, descending=descending, limit=size, after=after)
        ):
            pages += page
            series, seconds, _ = page[-1]
            after = (at(seconds), series)
        assert pages == seen(filled.scan([1, 2, 3], period, descending=descending))
        assert len(pages) == 7

    def test_a_cursor_need_not_be_a_stored_reading(self, filled):
        found = seen(filled.scan([1, 2], after=(at(3) + 1, 0)))
        assert found == [(1, 4, 41.0), (2, 4, 42.0)]
        found = seen(filled.scan([2], after=(at(3), 1), descending=True))
        assert [seconds for _, seconds, _ in found] == [2, 1, 0]

    def test_texts_only_leaves_the_numbers_out(self, filled):
        put(filled, (1, 9, "y"))
        assert seen(filled.scan([1, 2, 3], texts_only=True)) == [(3, 2, "x"), (1, 9, "y")]
        assert seen(filled.scan([1, 2, 3], texts_only=True, descending=True, limit=1)) == [
            (1, 9, "y")
        ]
        assert seen(filled.scan([1, 2, 3], texts_only=True, after=(at(2), 3))) == [(1, 9, "y")]

    def test_texts_lie_among_the_numbers_where_their_time_is(self, store):
        put(store, *[(1, t, float(t) if t % 3 else f"state {t}") for t in range(200)])
        found = seen(store.scan([1]))
        assert [seconds for _, seconds, _ in found] == list(range(200))
        assert [value for _, _, value in found[:4]] == ["state 0", 1.0, 2.0, "state 3"]

    def test_closing_a_scan_early_leaves_the_store_usable(self, store):
        store.append(many(100_000))
        scan = store.scan([1, 2, 3])
        next(scan)
        if hasattr(scan, "close"):
            scan.close()
        put(store, (9, 0, 1.0))
        assert seen(store.scan([9])) == [(9, 0, 1.0)]

    def test_a_scan_sees_nothing_of_what_is_written_beside_it(self, store):
        store.append(many(150_000))
        scan = store.scan([1, 2, 3])
        first = next(scan)
        put(store, (1, 0, -1.0), (3, 49_999, -1.0), (3, 90_000, -1.0))
        store.delete([2])
        rest = seen(scan)
        assert len(first) + len(rest) == 150_000
        assert rest[-1] == (3, 49_999, 149_999.0)


class TestNewest:
    def test_each_series_has_its_newest_in_order_of_series(self, store):
        put(store, (3, 5, 3.5), (1, 1, 1.0), (1, 2, "on"), (2, 9, 2.0))
        expected = [(1, 2, "on"), (2, 9, 2.0), (3, 5, 3.5)]
        assert seen([store.newest()]) == expected
        assert seen([store.newest([3, 1, 2])]) == expected
        assert seen([store.newest([3, 99])]) == [(3, 5, 3.5)]

    def test_a_late_reading_does_not_move_it_back(self, store):
        put(store, (1, 10, 1.0))
        put(store, (1, 5, 2.0))
        put(store, (1, 10, 3.0), (1, 4, 4.0))
        assert seen([store.newest()]) == [(1, 10, 3.0)]

    def test_before_looks_strictly_earlier(self, store):
        put(store, (1, 1, 1.0), (1, 2, "two"), (1, 3, 3.0), (2, 3, 3.0))
        assert seen([store.newest(before=at(3))]) == [(1, 2, "two")]
        assert seen([store.newest([1, 2], before=at(3) + 1)]) == [(1, 3, 3.0), (2, 3, 3.0)]
        assert seen([store.newest([1], before=at(2))]) == [(1, 1, 1.0)]
        assert len(store.newest([1], before=at(1))) == 0

    def test_deleting_the_newest_brings_the_one_before(self, store):
        put(store, (1, 1, 1.0), (1, 2, "two"), (1, 3, 3.0), (2, 3, 3.0))
        store.delete([1], Period(at(3)))
        assert seen([store.newest()]) == [(1, 2, "two"), (2, 3, 3.0)]
        store.delete([1], Period(at(2)))
        assert seen([store.newest([1])]) == [(1, 1, 1.0)]
        store.delete([1])
        assert seen([store.newest()]) == [(2, 3, 3.0)]
        put(store, (1, 0, 0.5))
        assert seen([store.newest([1])]) == [(1, 0, 0.5)]

    def test_it_survives_maintenance(self, store):
        store.append(many(3_000))
        drain(store)
        put(store, (1, 5, "late"))
        drain(store)
        assert seen([store.newest()]) == [(1, 999, 2997.0), (2, 999, 2998.0), (3, 999, 2999.0)]


class TestExtentAndCounts:
    def test_the_extent_spans_numbers_and_texts(self, store):
        put(store, (1, 5, 1.0), (2, 3, "x"), (2, 9, 1.0), (3, 1, 1.0))
        assert store.extent([1, 2]) == (at(3), at(9))
        assert store.extent([1]) == (at(5), at(5))
        assert store.extent([1, 2, 3], Period(at(2), at(9))) == (at(3), at(5))
        assert store.extent([1], Period(at(6))) is None
        assert store.extent([99]) is None

    def test_counts_are_of_every_reading_after_maintenance(self, store):
        put(store, (1, 5, 1.0), (2, 3, "x"), (2, 9, 1.0))
        put(store, (1, 5, 2.0), (1, 1, 2.0))
        drain(store)
        assert store.counts() == {1: 2, 2: 2}
        store.delete([1])
        drain(store)
        assert store.counts() == {2: 2}

    def test_with_texts_names_the_series_that_hold_a_text_now(self, store):
        put(store, (1, 1, 1.0), (2, 1, "x"), (3, 1, 1.0), (3, 2, "y"))
        assert store.with_texts([1, 2, 3, 99]) == {2, 3}
        assert store.with_texts([1, 2]) == {2}
        store.delete([3], Period(at(2)))
        put(store, (2, 1, 5.0))
        assert store.with_texts([1, 2, 3]) == frozenset()


class TestDelete:
    def test_it_says_how_many_there_were(self, store):
        put(store, *[(s, t, float(t)) for s in (1, 2) for t in range(10)], (1, 20, "x"))
        assert store.delete([1], Period(at(5), at(8))) == 3
        assert store.delete([1], Period(at(5), at(8))) == 0
        assert store.delete([1, 99], Period(at(8))) == 3
        assert store.delete([2]) == 10
        assert [seconds for _, seconds, _ in seen(store.scan([1, 2]))] == [0, 1, 2, 3, 4]

    def test_other_series_and_times_stay(self, store):
        put(store, *[(s, t, float(t)) for s in (1, 2) for t in range(4)])
        store.delete([1], Period(at(1), at(3)))
        assert seen(store.scan([1])) == [(1, 0, 0.0), (1, 3, 3.0)]
        assert len(seen(store.scan([2]))) == 4

    def test_what_was_deleted_can_be_appended_again(self, store):
        put(store, (1, 1, 1.0), (1, 2, "x"), (1, 3, 3.0))
        store.delete([1])
        assert store.extent([1]) is None
        put(store, (1, 2, 22.0), (1, 1, "again"))
        assert seen(store.scan([1])) == [(1, 1, "again"), (1, 2, 22.0)]
        drain(store)
        assert seen(store.scan([1])) == [(1, 1, "again"), (1, 2, 22.0)]

    def test_it_reaches_what_maintenance_moved(self, store):
        store.append(many(1_500))
        drain(store)
        put(store, (1, 10, "late"), (1, 900, 1.0))
        assert store.delete([1, 2], Period(at(5), at(300))) == 2 * 295
        drain(store)
        assert len(seen(store.scan([1, 2]))) == 2 * 205 + 1
        assert len(seen(store.scan([3]))) == 500


def test_every_gap_names_a_store_and_a_test(gaps, kinds):
    files = Path(__file__).parent.glob("test_conformance*.py")
    text = "".join(file.read_text("utf-8") for file in files)
    for gap in gaps:
        assert gap.store in kinds
        assert f"def {gap.behaviour}(" in text
        assert gap.reason
