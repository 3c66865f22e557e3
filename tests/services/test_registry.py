"""A registry that follows another process's changes knows what a new one would read."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from barograph.domain.metric import MetricSettings
from barograph.domain.sharing import Share
from barograph.domain.user import OPERATOR, Token
from barograph.services.devices import DeviceService
from barograph.services.registry import Registry
from barograph.services.tokens import digest_of


@pytest.fixture
def follower(parts):
    return Registry(parts.catalog, follows=True)


def known(registry):
    """All that a registry knows."""
    credentials = registry._credentials
    tokens = {
        digest: replace(token, last_used_time=None) for digest, token in credentials._tokens.items()
    }
    return {
        "tokens": tokens,
        "of users": {one: {t.digest for t in held} for one, held in credentials._of_users.items()},
        "of devices": {
            one: {t.digest for t in held} for one, held in credentials._of_devices.items()
        },
        "principals": credentials._principals,
        "expiring": credentials._expiring,
        "users": credentials._users,
        "devices": registry._devices,
        "by_key": registry._by_key,
        "owned": {user: set(owned) for user, owned in registry._owned.items() if owned},
        "shares": {device: shares for device, shares in registry._shares.items() if shares},
        "shared_with": {user: seen for user, seen in registry._shared_with.items() if seen},
        "series": registry._series,
        "metrics": {device: found for device, found in registry._metrics.items() if found},
        "settings": registry._settings,
    }


def test_a_follower_knows_what_a_new_registry_reads(parts, follower):
    catalog = parts.catalog

    def check():
        follower.catch_up()
        assert known(follower) == known(Registry(catalog))

    ann = parts.accounts.register("ann", None, "a long password")[0]
    bob = parts.accounts.register("bob", None, "a long password")[0]
    check()
    device, token = parts.devices.create(OPERATOR, "kitchen", user_id=ann.id)
    other = parts.devices.create(OPERATOR, "cellar", user_id=bob.id)[0]
    check()
    assert follower.principal(digest_of(token)).device_id == device.id
    x, y = parts.registry.ensure_series(device.id, ["x", "y"]).values()
    catalog.series.set_settings({x: MetricSettings(unit="V"), y: MetricSettings(label="Y")})
    check()
    catalog.series.set_settings({x: MetricSettings()})
    catalog.device_shares.put(Share(device.id, bob.id, True, 1), 10)
    catalog.device_shares.put(Share(other.id, ann.id, False, 1), 10)
    check()
    assert follower.device(device.id).shared == {bob.id: True}
    until = Token(0, b"x" * 32, user_id=ann.id, name="t", created_time=1, expires_time=5)
    catalog.tokens.create(until)
    check()
    parts.devices.rotate_token(OPERATOR, device)
    catalog.users.update(ann.id, {"role": "viewer"})
    parts.devices.update(OPERATOR, device, key="stove", user_id=bob.id)
    check()
    assert follower.principal(digest_of(token)) is None
    catalog.device_shares.remove(other.id, ann.id)
    catalog.users.delete(ann.id)
    check()
    parts.devices.delete(OPERATOR, other)
    check()


def test_a_follower_that_was_away_for_long_reads_everything(parts, follower):
    for n in range(20):
        parts.catalog.users.create(f"u{n}", None, None, "member", 1)
    parts.catalog.changes.expire(3)
    before = follower.generation
    follower.catch_up()
    assert known(follower) == known(Registry(parts.catalog))
    assert follower.generation > before


def test_more_changes_than_are_worth_reading_one_by_one_are_followed(parts, follower):
    for n in range(700):
        parts.catalog.users.create(f"u{n}", None, None, "member", 1)
    follower.catch_up()
    assert known(follower) == known(Registry(parts.catalog))


def test_what_somebody_else_has_undone_meanwhile_is_not_put_back(parts, follower):
    user = parts.catalog.users.create("ann", None, None, "admin", 1)
    token = parts.catalog.tokens.create(Token(0, b"y" * 32, user_id=user.id, name="t"))
    # Another process revokes the token before the one that made it has told its registry.
    parts.catalog.tokens.revoke(token.id)
    parts.catalog.users.update(user.id, {"role": "viewer"})
    follower.catch_up()
    follower.put_token(token)
    follower.put_user(user)
    assert follower.principal(token.digest) is None
    assert follower.user(user.id).role == "viewer"


def test_two_processes_that_change_the_same_things_agree_in_the_end(parts):
    sides = [Registry(parts.catalog, follows=True) for _ in range(2)]
    services = [
        DeviceService(parts.catalog, side, parts.store, parts.clock, parts.limits) for side in sides
    ]
    device = services[0].create(OPERATOR, "kitchen")[0]

    def work(n):
        sides[n].catch_up()
        for i in range(20):
            services[n].update(OPERATOR, device, name=f"{n}-{i}")
            services[n].rotate_token(OPERATOR, device)
            sides[n].ensure_series(device.id, [f"m{i}"])

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(work, range(2)))
    for side in sides:
        side.catch_up()
        assert known(side) == known(Registry(parts.catalog))


def test_nothing_is_asked_of_a_catalog_that_nobody_else_changes(parts):
    class Silent:
        def __getattr__(self, name):
            raise AssertionError("the catalog was asked")

    alone = Registry(parts.catalog)
    alone._catalog = Silent()
    alone.catch_up()
