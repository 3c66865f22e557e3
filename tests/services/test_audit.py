"""Who did what, as the log tells it."""

import pytest

from barograph.domain.errors import Forbidden, TooManyRequests, Unauthenticated
from barograph.domain.period import Period
from barograph.domain.user import OPERATOR, Principal


def said(core, **filters):
    entries = core.accounts.audit.list(OPERATOR, **filters).items
    return [(entry.actor, entry.action, entry.subject) for entry in entries]


def test_every_change_is_told_with_who_made_it_newest_first(core):
    ada, _ = core.accounts.register("ada", "ada@example.org", "correct horse battery")
    me = Principal("user", ada.id)
    device, _ = core.devices.create(me, "Greenhouse", key="greenhouse")
    device = core.devices.update(me, device, name="Hothouse")
    core.accounts.register("bob", None, None, OPERATOR, role="viewer")
    core.sharing.share(me, device, "bob", writes=False)
    core.devices.rotate_token(me, device)
    core.accounts.tokens.create(me, ada.id, "script")
    asset = core.assets.create(OPERATOR, "room", "Kitchen", {})
    core.assets.delete(OPERATOR, asset.id)
    core.devices.delete(me, core.registry.device(device.id))
    core.accounts.delete(OPERATOR, ada.id)
    assert said(core) == [
        ("local operator", "user.delete", "ada"),
        ("ada", "device.delete", "Hothouse"),
        ("local operator", "asset.delete", "Kitchen"),
        ("local operator", "asset.create", "Kitchen"),
        ("ada", "token.create", "ada"),
        ("ada", "device.token", "Hothouse"),
        ("ada", "device.share", "Hothouse"),
        ("local operator", "user.create", "bob"),
        ("ada", "device.update", "Hothouse"),
        ("ada", "device.create", "Greenhouse"),
        ("ada", "user.create", "ada"),
    ]


def test_no_password_or_token_is_in_the_log(core):
    ada, first = core.accounts.register("ada", None, "correct horse battery")
    _, second = core.accounts.tokens.create(Principal("user", ada.id), ada.id, "script")
    core.accounts.update(OPERATOR, ada.id, password="another long battery")
    told = repr(core.catalog.audit.list(limit=100).items)
    for secret in (first, second, "horse", "another long", "argon2"):
        assert secret not in told
    assert "new_password" in told


def test_the_log_is_searched_by_actor_thing_name_and_time(core, clock):
    bob, _ = core.accounts.register("bob", None, None)
    later = clock.now = clock.now + 1_000
    core.devices.create(Principal("user", bob.id), "Cellar")
    core.devices.create(OPERATOR, "Attic")
    assert said(core, actor="bob", kind="device") == [("bob", "device.create", "Cellar")]
    assert said(core, search="ATT") == [("local operator", "device.create", "Attic")]
    assert said(core, kind="user") == [("bob", "user.create", "bob")]
    assert said(core, period=Period(None, later)) == [("bob", "user.create", "bob")]
    assert len(said(core, limit=1, offset=1)) == 1


def test_only_administrators_read_the_log(core, fleet):
    for who in (fleet.user("member"), fleet.user("viewer", role="viewer")):
        with pytest.raises(Forbidden):
            core.accounts.audit.list(who)


def test_old_entries_are_removed(core, clock):
    core.devices.create(OPERATOR, "Old")
    clock.now += 10
    core.devices.create(OPERATOR, "New")
    assert core.catalog.audit.expire(clock.now) == 1
    assert said(core) == [("local operator", "device.create", "New")]


def test_removing_readings_is_told_with_what_was_asked_for(core, fleet):
    device = fleet.device()
    fleet.send(device, "x", [(1, 1.0), (2, 2.0)])
    core.readings.delete(OPERATOR, device.id, {"metric": "x"})
    (entry,) = core.accounts.audit.list(OPERATOR).items
    assert entry.action == "readings.delete"
    assert entry.detail == {"metric": "x", "readings": 2}


def fail_to_sign_in(core, name, address="198.51.100.7"):
    with pytest.raises(Unauthenticated):
        core.accounts.check_password(name, "not the password", address)


def test_failed_sign_ins_are_told_without_what_was_typed(core):
    core.accounts.register("ada", None, "correct horse battery", OPERATOR)
    fail_to_sign_in(core, "ada")
    fail_to_sign_in(core, "typed my password here")
    later, earlier, _ = core.accounts.audit.list(OPERATOR).items
    assert (earlier.actor, earlier.action, earlier.subject) == (
        "(nobody)",
        "user.sign_in_failed",
        "ada",
    )
    assert earlier.detail == {"address": "198.51.100.7"}
    assert later.subject == "(unknown)"
    assert later.subject_id is None


def test_failed_sign_ins_do_not_flood_the_log(core, clock):
    for i in range(130):
        fail_to_sign_in(core, f"nobody{i}", f"198.51.100.{i}")
    told = core.accounts.audit.list(OPERATOR)
    assert told.total == 100
    clock.now += 60_000_000
    fail_to_sign_in(core, "nobody", "203.0.113.1")
    newest = core.accounts.audit.list(OPERATOR).items[0]
    assert newest.detail == {"address": "203.0.113.1", "not_noted_before": 30}


def test_tries_that_are_refused_for_their_number_are_not_told_one_by_one(core):
    core.accounts.register("ada", None, "correct horse battery", OPERATOR)
    for _ in range(10):
        fail_to_sign_in(core, "ada")
    with pytest.raises(TooManyRequests):
        core.accounts.check_password("ada", "correct horse battery", "198.51.100.7")
    assert core.accounts.audit.list(OPERATOR, kind="user").total == 11


def test_how_metrics_are_shown_is_told(core, fleet):
    device = fleet.device()
    fleet.send(device, "x", [(1, 1.0)])
    core.metrics.update(OPERATOR, device, {"x": {"unit": "°C"}})
    (entry,) = core.accounts.audit.list(OPERATOR).items
    assert (entry.action, entry.subject, entry.detail) == (
        "device.metrics",
        device.name,
        {"x": {"unit": "°C"}},
    )
