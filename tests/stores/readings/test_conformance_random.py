"""Whatever is done to a store, in whatever order, it answers as the memory reference does."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from barograph.domain.batch import Batch
from barograph.domain.period import ALL_TIME, Period
from barograph.domain.statistic import REFERENCE, Statistic
from barograph.domain.time import DAY, HOUR, from_text
from barograph.ports.reading_store import Aggregation
from barograph.stores.readings.memory import MemoryReadingStore

T0 = from_text("2024-01-01T00:00:00Z")
EVERY_STATISTIC = tuple(Statistic.parse(name) for name in (*REFERENCE, "p10", "p99"))

SERIES = st.integers(1, 5)
# Few different times, so that repeats and late readings are common; months apart, so that they
# fall into different parts of a store that divides its readings by time.
TIMES = st.builds(
    lambda part, step: T0 + part * 45 * DAY + step * HOUR, st.integers(0, 3), st.integers(0, 12)
)
NUMBERS = st.integers(-400, 400).map(lambda n: n / 8)
VALUES = st.one_of(NUMBERS, NUMBERS, NUMBERS, st.sampled_from(["on", "off", ""]))
BATCHES = st.lists(st.tuples(SERIES, TIMES, VALUES), max_size=25)
PERIODS = st.one_of(
    st.just(ALL_TIME),
    st.lists(st.none() | TIMES, min_size=2, max_size=2).map(
        lambda ends: Period(*(ends if None in ends else sorted(ends)))
    ),
)
CHOICES = st.lists(st.integers(1, 6), max_size=4)


def readings(batches):
    return [reading for batch in batches for reading in batch.readings()]


def agree(actual, expected):
    if isinstance(expected, float) and isinstance(actual, float):
        return abs(actual - expected) <= 1e-9 * max(1.0, abs(expected))
    return type(actual) is type(expected) and actual == expected


def machine_of(stores, new_directory):
    class AnyStore(RuleBasedStateMachine):
        @initialize()
        def open(self):
            self.directory = new_directory()
            self.store = stores.open(self.directory)
            self.model = MemoryReadingStore()

        @rule(rows=BATCHES)
        def append(self, rows):
            self.put(rows)

        def put(self, rows):
            for store in (self.store, self.model):
                store.append(Batch.of(rows))

        @rule(part=st.integers(0, 3), count=st.integers(30, 150), series=SERIES)
        def append_a_run(self, part, count, series):
            rows = [(series, T0 + part * 45 * DAY + i * HOUR, i / 4) for i in range(count)]
            self.put(rows)

        @rule(series=CHOICES, period=PERIODS)
        def delete(self, series, period):
            assert self.store.delete(series, period) == self.model.delete(series, period)

        @rule(period=PERIODS)
        def delete_of_every_series(self, period):
            everything = range(1, 7)
            assert self.store.delete(everything, period) == self.model.delete(everything, period)

        @rule(steps=st.integers(1, 12))
        def maintain(self, steps):
            for _ in range(steps):
                self.store.maintain()

        @rule()
        def reopen(self):
            if stores.durable:
                stores.close(self.store)
                self.store = stores.open(self.directory)

        @rule(
            series=CHOICES,
            period=PERIODS,
            descending=st.booleans(),
            limit=st.none() | st.integers(0, 10),
            after=st.none() | st.tuples(TIMES, SERIES),
            texts_only=st.booleans(),
        )
        def scan(self, series, period, **options):
            actual = readings(self.store.scan(series, period, **options))
            assert actual == readings(self.model.scan(series, period, **options))

        @rule(series=st.none() | CHOICES, before=st.none() | TIMES)
        def newest(self, series, before):
            actual = readings([self.store.newest(series, before=before)])
            assert actual == readings([self.model.newest(series, before=before)])

        @rule(series=CHOICES, period=PERIODS)
        def extent(self, series, period):
            assert self.store.extent(series, period) == self.model.extent(series, period)
            assert self.store.with_texts(series) == self.model.with_texts(series)

        @rule(
            split=st.integers(0, 5),
            period=PERIODS,
            edges=st.none() | st.sets(TIMES, min_size=2, max_size=6).map(sorted),
        )
        def summarize(self, split, period, edges):
            ids = [3, 1, 5, 2, 4]
            question = Aggregation((ids[:split], ids[split:]), EVERY_STATISTIC, period, edges)
            actual = list(self.store.summarize(question))
            expected = list(self.model.summarize(question))
            assert [(c.group, c.bucket) for c in actual] == [(c.group, c.bucket) for c in expected]
            for one, other in zip(actual, expected, strict=True):
                for name, value in other.summary.items():
                    assert agree(one.summary[name], value), (name, one, other)

        def teardown(self):
            if not hasattr(self, "store"):
                return
            everything = range(1, 7)
            while self.store.maintain():
                pass
            assert readings(self.store.scan(everything)) == readings(self.model.scan(everything))
            assert readings([self.store.newest()]) == readings([self.model.newest()])
            assert self.store.counts() == self.model.counts()
            stores.close(self.store)

    return AnyStore


def test_a_store_agrees_with_the_reference_whatever_is_done(stores, tmp_path_factory):
    run_state_machine_as_test(
        machine_of(stores, lambda: tmp_path_factory.mktemp("machine")),
        settings=settings(
            max_examples=25,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
