"""What the SQL stores do beside other processes, and when the database does not play along.

Two stores on one database share nothing but the database, as two processes do.
"""

import contextlib
import threading
import time

import pytest
from sqlalchemy import create_engine, text
from tests.databases import empty_database
from tests.stores.readings.conftest import PLACES
from tests.stores.readings.driving import T0, at, many, put, seen

from barograph.domain.errors import ConfigurationError, Unavailable
from barograph.domain.period import Period
from barograph.domain.statistic import DEFAULT
from barograph.ports.reading_store import Aggregation
from barograph.stores.catalog.address import read_url
from barograph.stores.readings.sql import Sizes, SqlReadingStore

SERVERS = ("postgresql", "mysql")
only_on_servers = pytest.mark.parametrize("backend", SERVERS, indirect=True)


@pytest.fixture(params=(*SERVERS, "sqlite"))
def backend(request):
    return request.param


@pytest.fixture
def url(backend, tmp_path):
    if backend == "sqlite":
        yield f"sqlite:///{tmp_path}/readings.db"
        return
    yield PLACES.url(backend, tmp_path)
    PLACES.end_test()


@pytest.fixture
def open_store(url):
    with contextlib.ExitStack() as opened:
        yield lambda **options: opened.enter_context(
            contextlib.closing(SqlReadingStore(url, **options))
        )


@pytest.fixture
def own_url(backend, tmp_path):
    """A database without a partition."""
    with empty_database(backend, tmp_path) as url:
        yield url


@pytest.fixture
def open_own(own_url):
    with contextlib.ExitStack() as opened:
        yield lambda **options: opened.enter_context(
            contextlib.closing(SqlReadingStore(own_url, **options))
        )


@pytest.fixture
def pair(open_store):
    return open_store(), open_store()


@contextlib.contextmanager
def run(url):
    """Runs SQL beside the stores, committed at once."""
    engine = create_engine(read_url(url), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield lambda sql: connection.execute(text(sql))
    engine.dispose()


def test_many_that_open_an_empty_database_at_once_all_can(backend, open_store):
    errors, opened = [], []

    def work():
        try:
            opened.append(open_store())
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    for number, store in enumerate(opened):
        put(store, (number, 0, 1.0))
    assert opened[0].counts() == {0: 1, 1: 1, 2: 1, 3: 1}


def test_the_last_write_wins_whoever_wrote_it(pair):
    one, other = pair
    put(one, (1, 0, 1.0), (1, 1, "on"))
    put(other, (1, 0, 2.0), (1, 1, 3.0), (2, 0, "off"))
    put(one, (2, 0, "on"))
    for store in pair:
        assert seen(store.scan([1, 2])) == [(1, 0, 2.0), (2, 0, "on"), (1, 1, 3.0)]
        assert store.with_texts([1, 2]) == {2}
        assert seen([store.newest()]) == [(1, 1, 3.0), (2, 0, "on")]


def test_what_one_takes_for_new_may_be_there_already(pair):
    one, other = pair
    many_ = [[(1, second, float(batch)) for second in range(500)] for batch in range(2)]
    # Both know the series and how far it has come, so both take the short way.
    put(one, (1, -1, 0.0))
    put(one, *[(1, -second, 0.0) for second in range(2, 100)])
    put(other, *[(1, -second, 0.0) for second in range(100, 200)])
    put(other, *many_[0])
    put(one, *many_[1])
    put(other, *many_[0], (1, 500, 0.0))
    found = seen(one.scan([1], Period(at(0))))
    assert found == [*many_[0], (1, 500, 0.0)]
    assert one.counts() == {1: 501 + 199}


def test_two_that_write_the_same_places_block_each_other_never(pair):
    errors = []

    def work(store, value):
        try:
            for n in range(15):
                rows = [(s, t, value) for s in range(10) for t in range(n, n + 10)]
                put(store, *(rows if value > 1 else rows[::-1]))
        except BaseException as error:
            errors.append(error)

    threads = [
        threading.Thread(target=work, args=(store, float(i + 1))) for i, store in enumerate(pair)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    found = seen(pair[0].scan(range(10)))
    assert len(found) == 10 * 24
    assert {value for _, _, value in found} <= {1.0, 2.0}


@only_on_servers
def test_a_batch_is_stored_although_its_connection_is_cut_in_mid_transaction(url, backend, pair):
    store, other = pair
    put(store, (1, 0, 0.0))
    engine = create_engine(read_url(url))
    with engine.connect() as holder, run(url) as sql:
        # The row is locked, so the batch waits in the middle of its transaction.
        holder.execute(text(f"UPDATE readings SET value = 5 WHERE series = 1 AND time = {T0}"))
        sending = threading.Thread(target=put, args=(store, (1, 0, 1.0), (2, 0, 2.0)))
        sending.start()
        while not _waiting(sql, backend):
            time.sleep(0.01)
        for id in _waiting(sql, backend):
            sql(f"SELECT pg_terminate_backend({id})" if backend == "postgresql" else f"KILL {id}")
        holder.rollback()
        sending.join()
    engine.dispose()
    assert seen(other.scan([1, 2])) == [(1, 0, 1.0), (2, 0, 2.0)]


def _waiting(sql, backend):
    """The connections that are in the middle of an append."""
    if backend == "postgresql":
        found = sql(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
            " AND wait_event_type = 'Lock'"
        )
    else:
        found = sql(
            "SELECT id FROM information_schema.processlist WHERE db = DATABASE()"
            " AND info LIKE 'INSERT INTO readings (%' AND command = 'Query'"
        )
    return [id for (id,) in found]


@only_on_servers
def test_a_scan_goes_on_where_its_connection_was_cut(url, backend, open_store):
    store = open_store(sizes=Sizes(page=100))
    store.append(many(1_000))
    scan = store.scan([1, 2, 3])
    found = seen([next(scan)])
    with run(url) as sql:
        if backend == "postgresql":
            sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        else:
            for (id,) in sql(
                "SELECT id FROM information_schema.processlist"
                " WHERE db = DATABASE() AND id <> CONNECTION_ID()"
            ).all():
                sql(f"KILL {id}")
    found += seen(scan)
    assert len(found) == 1_000
    assert len(set(found)) == 1_000


def test_a_connection_that_is_lost_behind_the_last_reading_is_nobodys_matter(
    open_store, monkeypatch
):
    store = open_store()
    put(store, *((1, n, float(n)) for n in range(4)))
    reading, lost = store._reading.reading, []

    @contextlib.contextmanager
    def losing():
        with reading() as tx:
            yield tx
        if not lost:
            lost.append(True)
            raise Unavailable("the connection was lost")

    monkeypatch.setattr(store._reading, "reading", losing)
    assert sum(len(batch) for batch in store.scan([1], limit=2)) == 2
    assert lost


@pytest.mark.parametrize("state", ["\x00", "a\x00b\uf8ff", "\uf8ff0", "\uf8ff\uf8ff", "\x1a'\\"])
def test_a_state_that_databases_find_hard_comes_back_to_the_letter(pair, state):
    put(pair[0], (1, 0, state))
    assert seen(pair[1].scan([1])) == [(1, 0, state)]


def test_a_question_that_takes_too_long_is_ended_and_says_what_to_do(url, backend, open_store):
    store = open_store(statement_seconds_max=0 if backend == "sqlite" else 1)
    store.append(many(100_000) if backend == "sqlite" else many(10))
    with contextlib.ExitStack() as held:
        if backend != "sqlite":
            engine = create_engine(read_url(url))
            held.callback(engine.dispose)
            holder = held.enter_context(engine.connect())
            lock = {
                "postgresql": "LOCK TABLE readings IN ACCESS EXCLUSIVE MODE",
                "mysql": "LOCK TABLES readings WRITE",
            }
            holder.execute(text(lock[backend]))
        with pytest.raises(Unavailable, match="ask for fewer series or a shorter period"):
            list(store.summarize(Aggregation([[1, 2, 3]], DEFAULT)))


def test_tables_of_a_newer_program_are_refused(url, open_store):
    open_store().close()
    with run(url) as sql:
        sql("UPDATE reading_store SET version = 99")
    with pytest.raises(ConfigurationError, match="newer Barograph"):
        SqlReadingStore(url)


@only_on_servers
def test_readings_go_into_a_partition_for_their_month(own_url, backend, open_own):
    store, other = open_own(), open_own()
    put(store, (1, 0, 1.0), (1, 86_400 * 40, 2.0))
    put(other, (1, 86_400 * 41, 3.0), (1, -86_400 * 4_000, 4.0))
    with run(own_url) as sql:
        if backend == "postgresql":
            names = [
                str(name)
                for (name,) in sql("SELECT relid::text FROM pg_partition_tree('readings')")
            ]
            assert {"readings_2024_05", "readings_2024_06", "readings_2013_05"} <= set(names)
            sql("DROP TABLE readings_2024_06")  # as an administrator may, to make room
        else:
            names = [
                name
                for (name,) in sql(
                    "SELECT partition_name FROM information_schema.partitions"
                    " WHERE table_schema = DATABASE() AND table_name = 'readings'"
                )
            ]
            assert {"p2024_05", "p2024_06", "later"} <= set(names)
            sql("ALTER TABLE readings DROP PARTITION p2024_06")
    put(store, (1, 86_400 * 42, 5.0))
    assert seen(other.scan([1])) == [
        (1, -86_400 * 4_000, 4.0),
        (1, 0, 1.0),
        (1, 86_400 * 42, 5.0),
    ]


def partitions(sql, backend):
    """The names of the partitions that are there."""
    if backend == "postgresql":
        found = sql(
            "SELECT inhrelid::regclass::text FROM pg_inherits"
            " WHERE inhparent = 'readings'::regclass"
        )
    else:
        found = sql(
            "SELECT partition_name FROM information_schema.partitions"
            " WHERE table_schema = DATABASE() AND table_name = 'readings'"
        )
    return {name.removeprefix("readings_").removeprefix("p") for (name,) in found}


DAY_SECONDS = 86_400


@only_on_servers
def test_months_that_expire_are_dropped_with_their_partitions(own_url, backend, open_own):
    store, other = open_own(), open_own()
    for month in range(-1, 4):
        put(store, *[(s, month * 31 * DAY_SECONDS + n, 1.0) for s in (1, 2) for n in range(50)])
    put(other, (3, 30 * DAY_SECONDS, 3.0), (3, 70 * DAY_SECONDS, "a text"))
    before = at(40 * DAY_SECONDS)  # in June, so March and May go as a whole
    with run(own_url) as sql:
        assert {"2024_03", "2024_05", "2024_06", "2024_08"} <= partitions(sql, backend)
        for _ in store.expire(before):
            pass
        left = partitions(sql, backend)
        assert not {"2024_03", "2024_05"} & left
        assert {"2024_06", "2024_07", "2024_08"} <= left
    for one in (store, other):
        assert one.counts() == {1: 100, 2: 100, 3: 1}
        # Both remember the months that are gone, and late readings come all the same.
        put(one, (1, 0, 7.0), (1, 35 * DAY_SECONDS, 8.0))
        assert seen(one.scan([1], Period(end=before))) == [
            (1, 0, 7.0),
            (1, 35 * DAY_SECONDS, 8.0),
        ]
        for _ in one.expire(before):
            pass


@only_on_servers
def test_a_month_that_is_being_read_expires_without_waiting_for_the_reader(
    own_url, backend, open_own
):
    store = open_own(sizes=Sizes(page=10, expired=20))
    put(store, *[(1, n, 1.0) for n in range(100)], (1, 70 * DAY_SECONDS, 2.0))
    reader = store.scan([1])
    first = seen([next(reader)])
    for _ in store.expire(at(60 * DAY_SECONDS)):
        pass
    assert store.counts() == {1: 1}
    put(store, (1, 71 * DAY_SECONDS, 3.0))
    with run(own_url) as sql:
        assert "2024_05" in partitions(sql, backend)
        # The reader has what was there when it began.
        assert len(first + seen(reader)) == 101
        for _ in store.expire(at(60 * DAY_SECONDS)):
            pass
        assert "2024_05" not in partitions(sql, backend)


def test_a_url_that_cannot_work_is_refused_with_what_is_right():
    with pytest.raises(ConfigurationError, match="the readings cannot be kept in 'oracle'"):
        SqlReadingStore("oracle://somewhere/else")
    with pytest.raises(Unavailable, match=r"readings' database .* cannot be used"):
        SqlReadingStore("postgresql://nobody@127.0.0.1:1/nothing")
