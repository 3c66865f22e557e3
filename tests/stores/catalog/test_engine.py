"""Transactions of the catalog: lost races are run again, and a full disk is told as one."""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text, update
from tests.waiting import PATIENCE_SECONDS

from barograph.domain.errors import Conflict, StorageFull
from barograph.stores.catalog.address import read_url
from barograph.stores.catalog.catalog import SqlCatalog
from barograph.stores.catalog.engine import Database
from barograph.stores.catalog.schema import users


@pytest.fixture
def database(catalog_url):
    database = Database(read_url(catalog_url), 4)
    yield database
    database.close()


@pytest.mark.parametrize("catalog_url", ["postgresql", "mysql"], indirect=True)
def test_of_two_transactions_that_lock_each_other_out_both_are_done_in_the_end(catalog, database):
    ids = [catalog.users.create(name, None, None, "member", 0).id for name in ("ann", "bob")]
    both_hold_one = threading.Barrier(2)
    runs = []

    def raise_both(order):
        def work(tx):
            runs.append(order)
            for user_id in order:
                counted = {"created_time": users.c.created_time + 1}
                tx.execute(update(users).where(users.c.id == user_id).values(counted))
                with contextlib.suppress(threading.BrokenBarrierError):
                    both_hold_one.wait(timeout=PATIENCE_SECONDS)
                both_hold_one.abort()

        database.write(work)

    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(raise_both, order) for order in (ids, ids[::-1])]:
            done.result()
    assert [catalog.users.get(user_id).created_time for user_id in ids] == [2, 2]
    assert len(runs) > 2, "neither was locked out"


def test_what_a_failed_transaction_did_is_undone(catalog, database):
    def work(tx):
        tx.execute(
            users.insert().values(username="a", username_folded="a", role="x", created_time=1)
        )
        raise Conflict("changed my mind")

    with pytest.raises(Conflict, match="changed my mind"):
        database.write(work)
    assert catalog.users.list(limit=1).total == 0


def test_a_full_disk_is_told_as_one_and_what_was_kept_stays(sqlite_url):
    with contextlib.closing(SqlCatalog(sqlite_url)) as catalog:
        catalog.secrets.put("small", b"kept")
        database = Database(read_url(sqlite_url), 1)

        def work(tx):
            tx.execute(text("PRAGMA max_page_count = 1"))  # SQLite's own small disk
            tx.execute(text("INSERT INTO secrets VALUES ('large', zeroblob(1000000))"))

        with pytest.raises(StorageFull, match=r"data\.db is full: free some space"):
            database.write(work)
        database.close()
        assert catalog.secrets.get("small") == b"kept"
        assert catalog.secrets.get("large") is None


@pytest.mark.parametrize("catalog_url", ["postgresql"], indirect=True)
def test_a_violated_constraint_that_nobody_foresaw_is_a_conflict(database):
    with pytest.raises(Conflict, match="changed meanwhile"):
        database.write(
            lambda tx: tx.execute(text("INSERT INTO series (device_id, metric) VALUES (-5, 'x')"))
        )


def test_every_connection_to_sqlite_is_set_up_to_keep_its_promises(sqlite_url):
    database = Database(read_url(sqlite_url), 3)

    def settings(tx):
        return [
            tx.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]

    nested = database.read(lambda tx: (settings(tx), database.read(settings)))
    assert nested == (["wal", 2, 1, 15_000],) * 2
    database.close()
