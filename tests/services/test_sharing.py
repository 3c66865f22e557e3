"""What one user shows another, from both sides."""

import pytest

from barograph.domain.errors import Conflict, Forbidden, InvalidInput, NotFound
from barograph.domain.user import OPERATOR, Principal, require_device, require_owner
from barograph.services.registry import Registry
from barograph.services.sharing import SHARES_MAX


@pytest.fixture
def anna(fleet):
    return fleet.user("anna")


@pytest.fixture
def bert(fleet):
    return fleet.user("bert")


@pytest.fixture
def kitchen(fleet, anna):
    return fleet.device("kitchen", owner=anna)


def seen(core, device):
    return core.registry.device(device.id)


def test_a_shared_device_is_read_by_the_other_and_not_written(core, anna, bert, kitchen):
    with pytest.raises(NotFound):
        require_device(bert, seen(core, kitchen))
    core.sharing.share(anna, kitchen, "BERT@example.org", writes=False)
    assert require_device(bert, seen(core, kitchen)) == kitchen
    with pytest.raises(Forbidden, match="to read"):
        require_device(bert, seen(core, kitchen), write=True)
    assert core.registry.devices_for(bert) == [kitchen]
    assert list(core.devices.list(bert).items) == [kitchen]
    assert list(core.devices.list(bert, user_id=bert.user_id).items) == []


def test_who_may_write_a_shared_device_still_does_not_own_it(core, anna, bert, kitchen):
    core.sharing.share(anna, kitchen, "bert", writes=True)
    device = require_device(bert, seen(core, kitchen), write=True)
    for act in (
        lambda: core.devices.update(bert, device, name="mine"),
        lambda: core.devices.delete(bert, device),
        lambda: core.devices.rotate_token(bert, device),
        lambda: core.sharing.list(bert, device),
        lambda: core.sharing.share(bert, device, "bert", writes=True),
    ):
        with pytest.raises(Forbidden, match="owner"):
            act()


def test_a_viewer_never_writes_whatever_is_shared(core, anna, fleet, kitchen):
    viewer = fleet.user("vera", role="viewer")
    core.sharing.share(anna, kitchen, "vera", writes=True)
    assert require_device(viewer, seen(core, kitchen)) == kitchen
    with pytest.raises(Forbidden, match="viewer"):
        require_device(viewer, seen(core, kitchen), write=True)


def test_sharing_ends_by_the_owner_and_by_the_other(core, anna, bert, kitchen):
    for who in (anna, bert):
        core.sharing.share(anna, kitchen, "bert", writes=False)
        core.sharing.end(who, seen(core, kitchen), bert.user_id)
        with pytest.raises(NotFound):
            require_device(bert, seen(core, kitchen))
        assert core.registry.devices_for(bert) == []
    with pytest.raises(NotFound, match="not shared"):
        core.sharing.end(anna, kitchen, bert.user_id)


def test_a_third_user_neither_sees_nor_ends_a_share(core, anna, bert, fleet, kitchen):
    carl = fleet.user("carl")
    core.sharing.share(anna, kitchen, "bert", writes=True)
    for act in (
        lambda: core.sharing.end(carl, seen(core, kitchen), bert.user_id),
        lambda: core.sharing.share(carl, seen(core, kitchen), "carl", writes=False),
    ):
        with pytest.raises(NotFound):
            act()


def test_sharing_again_sets_how(core, anna, bert, kitchen):
    core.sharing.share(anna, kitchen, "bert", writes=True)
    core.sharing.share(anna, kitchen, "bert", writes=False)
    (share,) = core.sharing.list(anna, kitchen)
    assert (share.user_id, share.writes) == (bert.user_id, False)


def test_a_device_is_shared_with_others_who_are_there_and_not_too_many(core, anna, fleet, kitchen):
    with pytest.raises(NotFound, match="'nobody'"):
        core.sharing.share(anna, kitchen, "nobody", writes=False)
    with pytest.raises(InvalidInput, match="belongs to anna"):
        core.sharing.share(anna, kitchen, "anna", writes=False)
    for i in range(SHARES_MAX):
        fleet.user(f"u{i}")
        core.sharing.share(anna, kitchen, f"u{i}", writes=False)
    fleet.user("last")
    with pytest.raises(Conflict):
        core.sharing.share(anna, kitchen, "last", writes=False)


def test_shares_outlive_a_restart_and_end_with_the_user(core, anna, bert, kitchen):
    core.sharing.share(anna, kitchen, "bert", writes=True)
    again = Registry(core.catalog)
    assert again.devices_for(bert) == [kitchen]
    assert again.device(kitchen.id).shared == {bert.user_id: True}
    core.accounts.delete(OPERATOR, bert.user_id)
    assert seen(core, kitchen).shared == {}
    assert list(core.catalog.device_shares.all()) == []


def test_a_changed_device_is_still_shared(core, anna, bert, kitchen):
    core.sharing.share(anna, kitchen, "bert", writes=False)
    core.devices.update(anna, seen(core, kitchen), name="Cellar")
    assert require_device(bert, seen(core, kitchen)).name == "Cellar"


@pytest.mark.parametrize("role", ["member", "admin"])
def test_a_token_that_reads_only_owns_nothing(core, fleet, kitchen, role):
    reader = Principal("user", kitchen.user_id, role=role, token_reads_only=True)
    assert require_device(reader, kitchen) == kitchen
    for act in (
        lambda: require_owner(reader, kitchen),
        lambda: require_device(reader, kitchen, write=True),
        lambda: core.devices.create(reader, "x"),
        lambda: core.accounts.tokens.create(reader, reader.user_id, "x"),
        lambda: core.accounts.update(reader, reader.user_id, username="x"),
        lambda: core.accounts.delete(reader, reader.user_id),
        lambda: core.assets.create(reader, "room", "x", {}),
        lambda: core.sharing.share(reader, kitchen, "anna", writes=False),
    ):
        with pytest.raises(Forbidden, match="reads only"):
            act()
