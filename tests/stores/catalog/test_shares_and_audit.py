"""Shares and the audit log, the same on every database."""

import pytest

from barograph.domain.audit import AuditEntry
from barograph.domain.errors import Conflict, InvalidInput, NotFound
from barograph.domain.period import Period
from barograph.domain.sharing import Share


@pytest.fixture
def other(catalog):
    return catalog.users.create("bob", None, None, "member", 1)


def test_a_share_is_put_found_from_both_sides_and_removed(catalog, device, other):
    share = Share(device.id, other.id, True, 5)
    catalog.device_shares.put(Share(device.id, other.id, False, 4), 10)
    catalog.device_shares.put(share, 10)
    assert list(catalog.device_shares.of_subject(device.id)) == [share]
    assert list(catalog.device_shares.of_user(other.id)) == [share]
    assert list(catalog.device_shares.all()) == [share]
    catalog.device_shares.remove(device.id, other.id)
    with pytest.raises(NotFound):
        catalog.device_shares.remove(device.id, other.id)


def test_shares_need_both_sides_and_are_bounded(catalog, device, user, other):
    with pytest.raises(NotFound):
        catalog.device_shares.put(Share(404, other.id), 10)
    with pytest.raises(InvalidInput):
        catalog.device_shares.put(Share(device.id, 404), 10)
    catalog.device_shares.put(Share(device.id, other.id), 1)
    with pytest.raises(Conflict, match="at most 1"):
        catalog.device_shares.put(Share(device.id, user.id), 1)


def test_shares_end_with_the_device_and_with_the_user(catalog, device, other):
    catalog.device_shares.put(Share(device.id, other.id), 10)
    catalog.devices.delete(device.id)
    assert list(catalog.device_shares.all()) == []


def test_a_user_sees_own_and_shared_devices(catalog, device, user, other):
    mine = catalog.devices.create("mine", "Mine", other.id, None, {}, 3)
    catalog.devices.create("nobodys", "Nobody's", None, None, {}, 3)
    catalog.device_shares.put(Share(device.id, other.id), 10)
    assert [d.id for d in catalog.devices.list(visible_to=other.id, limit=9).items] == [
        device.id,
        mine.id,
    ]
    both = catalog.devices.list(visible_to=other.id, user_id=user.id, limit=9)
    assert (both.items, both.total) == ([device], 1)


def test_entries_come_newest_first_and_are_filtered(catalog):
    for i, (actor, action, subject) in enumerate(
        [
            ("ann", "device.create", "Küche"),
            ("ann", "device_x.create", "Küche"),
            ("Ann", "user.create", "bob"),
        ]
    ):
        catalog.audit.add(AuditEntry(0, i, actor, action, subject, detail={"n": i}))
    assert [e.detail["n"] for e in catalog.audit.list(limit=9).items] == [2, 1, 0]
    assert [e.time for e in catalog.audit.list(limit=9, actor="ann").items] == [1, 0]
    assert [e.time for e in catalog.audit.list(limit=9, action="device").items] == [0]
    assert [e.time for e in catalog.audit.list(limit=9, search="KÜCHE").items] == [1, 0]
    assert [e.time for e in catalog.audit.list(limit=9, period=Period(1, 2)).items] == [1]
    assert catalog.audit.expire(2) == 2
    assert catalog.audit.list(limit=9).total == 1


def test_an_entry_outlives_what_it_tells_of(catalog, user):
    catalog.audit.add(AuditEntry(0, 1, "ann", "user.delete", "x\x00y" * 200, actor_id=user.id))
    catalog.users.delete(user.id)
    (entry,) = catalog.audit.list(limit=9).items
    assert entry.actor_id == user.id
    assert len(entry.subject) == 254


def test_an_entry_stands_and_falls_with_the_change_that_it_is_about(catalog, device):
    def tell(changed):
        return AuditEntry(0, 5, "ann", "device.update", changed.name, subject_id=changed.id)

    with pytest.raises(ZeroDivisionError), catalog.audit.along(lambda _: 1 / 0):
        catalog.devices.update(device.id, {"name": "Attic"})
    assert catalog.devices.get(device.id).name == device.name
    with pytest.raises(NotFound), catalog.audit.along(tell):
        catalog.devices.update(404, {"name": "Attic"})
    with catalog.audit.along(tell):
        pass  # nothing was changed
    with catalog.audit.along(tell):
        catalog.devices.update(device.id, {"name": "Attic"})
        catalog.devices.update(device.id, {"name": "Cellar"})
    catalog.devices.update(device.id, {"name": "Hall"})
    (entry,) = catalog.audit.list(limit=9).items
    assert (entry.subject, entry.subject_id) == ("Attic", device.id)
