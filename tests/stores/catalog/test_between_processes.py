"""What processes on one catalog tell each other: changes, turns, tries, committed readings."""

import contextlib
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from threading import Barrier

import pytest

from barograph.domain.metric import MetricSettings
from barograph.domain.sharing import Share
from barograph.domain.time import SECOND
from barograph.domain.tries import Allowance
from barograph.domain.user import Token
from barograph.stores.catalog.catalog import SqlCatalog

ALLOWANCE = Allowance(burst=3, interval=10 * SECOND)


@pytest.fixture
def noted(catalog):
    """The changes that were noted since this was asked before, as (kind, id)."""
    seen = catalog.changes.number()

    def noted():
        nonlocal seen
        found = catalog.changes.since(seen, 1000)
        seen = catalog.changes.number()
        return [(one.kind, one.id) for one in found]

    return noted


def test_whatever_is_kept_in_memory_is_noted_when_it_changes(catalog, user, device, digest, noted):
    mine, its = ("user", user.id), ("device", device.id)
    noted()
    catalog.users.update(user.id, {"role": "viewer"})
    assert noted() == [mine]
    token = catalog.tokens.create(Token(0, digest(), user_id=user.id, name="t", created_time=1))
    assert noted() == [mine]
    catalog.tokens.revoke(token.id)
    assert noted() == [mine]
    catalog.tokens.rotate_device(device.id, digest(), 1)
    assert noted() == [its]
    catalog.devices.update(device.id, {"name": "Cellar"})
    assert noted() == [its]
    (series,) = catalog.series.ensure(device.id, ["x"])
    assert noted() == [its]
    catalog.series.ensure(device.id, ["x"])
    assert noted() == []
    catalog.series.set_settings({series.id: MetricSettings(unit="V")})
    assert noted() == [its]
    other = catalog.users.create("bob", None, None, "member", 1)
    assert noted() == [("user", other.id)]
    catalog.device_shares.put(Share(device.id, other.id, True, 1), 10)
    assert noted() == [its]
    catalog.device_shares.remove(device.id, other.id)
    assert noted() == [its]
    asset = catalog.assets.create("room", "Cellar", {}, 1)
    catalog.devices.update(device.id, {"asset_id": asset.id})
    noted()
    catalog.assets.delete(asset.id)
    assert noted() == [its]
    catalog.device_shares.put(Share(device.id, other.id, True, 1), 10)
    noted()
    catalog.users.delete(other.id)
    assert noted() == [("user", other.id), its]
    catalog.devices.delete(device.id)
    assert noted() == [its]


def test_what_fails_is_not_noted(catalog, user, noted):
    noted()
    with contextlib.suppress(Exception):
        catalog.users.create(user.username, None, None, "member", 1)
    assert noted() == []


def test_changes_are_numbered_without_gaps_in_the_order_of_their_commits(catalog, user):
    begin = catalog.changes.number()
    seen = []
    start = Barrier(5)

    def change(worker):
        start.wait()
        for n in range(10):
            catalog.devices.create(f"d-{worker}-{n}", "d", user.id, None, {}, 1)

    def follow():
        start.wait()
        while len(seen) < 40:
            seen.extend(catalog.changes.since(begin + len(seen), 7))

    with ThreadPoolExecutor(5) as threads:
        for job in [*(threads.submit(change, n) for n in range(4)), threads.submit(follow)]:
            job.result()
    assert [one.number for one in seen] == list(range(begin + 1, begin + 41))
    assert len({one.id for one in seen}) == 40


def test_old_changes_are_forgotten(catalog, user):
    for n in range(5):
        catalog.devices.create(f"d{n}", "d", user.id, None, {}, 1)
    last = catalog.changes.number()
    catalog.changes.expire(2)
    assert [one.number for one in catalog.changes.since(0, 10)] == [last - 1, last]
    assert catalog.changes.number() == last


def test_a_turn_is_one_owner_s_until_it_ends(catalog):
    take = catalog.turns.take
    assert take("sweep", "a", now=0, until=10)
    assert not take("sweep", "b", now=9, until=19)
    assert take("sweep", "a", now=9, until=19)
    assert take("other", "b", now=9, until=19)
    assert take("sweep", "b", now=19, until=29)
    assert not take("sweep", "a", now=20, until=30)


def test_of_many_who_want_a_turn_one_gets_it(catalog):
    start = Barrier(8)

    def want(owner):
        start.wait()
        return catalog.turns.take("sweep", owner, 0, 10)

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(want, map(str, range(8)))) == 1


def test_who_is_alone_keeps_other_threads_and_other_processes_out(catalog, catalog_url):
    with contextlib.closing(SqlCatalog(catalog_url)) as other:
        start, inside, most = Barrier(6), [], []

        def enter(turns):
            start.wait()
            for _ in range(5):
                with turns.alone("users"):
                    inside.append(1)
                    most.append(len(inside))
                    catalog.users.any_admin()
                    inside.pop()

        with ThreadPoolExecutor(6) as threads:
            for job in [threads.submit(enter, c.turns) for c in [catalog, other] * 3]:
                job.result()
    assert set(most) == {1}
    assert len(most) == 30


def test_tries_are_used_up_and_come_back(catalog):
    tries = catalog.tries
    assert [tries.take("ann", ALLOWANCE, 0) for _ in range(3)] == [0, 0, 0]
    assert tries.take("ann", ALLOWANCE, 4 * SECOND) == pytest.approx(6 * SECOND)
    assert tries.take("bob", ALLOWANCE, 0) == 0
    assert tries.take("half of a pair \ud800", ALLOWANCE, 0) == 0
    assert tries.take("ann", ALLOWANCE, 10 * SECOND) == 0
    assert tries.take("ann", ALLOWANCE, 10 * SECOND) > 0
    tries.give_back("ann", ALLOWANCE, 10 * SECOND)
    assert tries.take("ann", ALLOWANCE, 10 * SECOND) == 0


def test_a_try_is_not_given_to_two(catalog):
    start = Barrier(8)

    def want(_):
        start.wait()
        return catalog.tries.take("ann", ALLOWANCE, 0) == 0

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(want, range(8))) == 3


def test_relayed_readings_come_in_one_order_without_gaps(catalog):
    relay = catalog.relay(keep=1000)
    begin = relay.next_number()
    start = Barrier(3)

    def send(worker):
        start.wait()
        for n in range(10):
            relay.send([(2, b"%d-%d" % (worker, n)), (3, b"")])

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(send, range(3)))
    assert relay.next_number() == begin + 150
    found, number = [], begin
    while number < begin + 150:
        found += relay.receive(number)
        number = found[-1].first + found[-1].count
    assert found[0].first == begin
    assert all(a.first + a.count == b.first for a, b in pairwise(found))
    assert {one.payload for one in found if one.count == 2} == {
        b"%d-%d" % (worker, n) for worker in range(3) for n in range(10)
    }


def test_what_was_relayed_is_not_kept_for_ever(catalog):
    relay = catalog.relay(keep=100)
    begin = relay.next_number()
    for _ in range(120):
        relay.send([(10, b"x")])
    assert len(relay.receive(begin)) < 64 or relay.receive(begin)[0].first > begin
    assert relay.receive(relay.next_number() - 100)[0].first == relay.next_number() - 100
