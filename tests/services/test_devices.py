"""Devices: who may do what with them, and that their names never become ambiguous."""

import pytest

from barograph.domain.batch import Batch
from barograph.domain.errors import Conflict, Forbidden, InvalidInput, NotFound
from barograph.domain.user import OPERATOR, Principal
from barograph.services.tokens import digest_of


def user(parts, name, role="member"):
    made, _ = parts.accounts.register(name, None, None, OPERATOR, role=role)
    return Principal("user", made.id, role=role)


@pytest.fixture
def ada(parts):
    return user(parts, "ada")


@pytest.fixture
def bob(parts):
    return user(parts, "bob")


@pytest.fixture
def viewer(parts):
    return user(parts, "vera", "viewer")


@pytest.fixture
def admin(parts):
    return user(parts, "root", "admin")


def test_a_device_belongs_to_who_registers_it_and_its_token_works_at_once(parts, ada):
    device, token = parts.devices.create(ada, "Kitchen", key="kitchen", attributes={"floor": 1})
    assert device.user_id == ada.user_id
    assert parts.accounts.authenticate(token) == Principal("device", device_id=device.id)
    assert parts.registry.device("kitchen") == device == parts.catalog.devices.get(device.id)
    assert len(token) == 20
    assert token.isalpha()


def test_the_operators_device_belongs_to_nobody_or_to_whom_it_says(parts, ada):
    assert parts.devices.create(OPERATOR, "a")[0].user_id is None
    assert parts.devices.create(OPERATOR, "b", user_id=ada.user_id)[0].user_id == ada.user_id


def test_only_an_administrator_names_another_owner(parts, ada, bob, admin):
    assert parts.devices.create(admin, "a", user_id=ada.user_id)[0].user_id == ada.user_id
    with pytest.raises(NotFound):
        parts.devices.create(bob, "b", user_id=ada.user_id)
    with pytest.raises(NotFound):
        parts.devices.create(bob, "b", user_id=999)
    with pytest.raises(NotFound, match="no user 999"):
        parts.devices.create(admin, "b", user_id=999)
    with pytest.raises(NotFound, match="no asset 999"):
        parts.devices.create(admin, "b", asset_id=999)


def test_viewers_and_devices_register_none(parts, viewer, ada):
    device, _ = parts.devices.create(ada, "a")
    for asker in (viewer, Principal("device", device_id=device.id)):
        with pytest.raises(Forbidden):
            parts.devices.create(asker, "b")


@pytest.mark.parametrize(
    ("at", "wrong"),
    [
        ("name", {"name": ""}),
        ("name", {"name": " a"}),
        ("name", {"name": "a\x00b"}),
        ("name", {"name": "a\u202eb"}),
        ("name", {"name": "\ud800"}),
        ("name", {"name": "x" * 129}),
        ("key", {"key": "-a"}),
        ("key", {"key": "a" * 129}),
        ("key", {"key": "a b"}),
        ("attributes", {"attributes": {"x": "y" * 16_400}}),
        ("attributes.x", {"attributes": {"x": float("nan")}}),
        ("attributes.x[0]", {"attributes": {"x": ["\ud800"]}}),
        ("round_time", {"round_time": -1}),
    ],
)
def test_wrong_input_is_named_and_nothing_is_created(parts, ada, at, wrong):
    with pytest.raises(InvalidInput) as refused:
        parts.devices.create(ada, **{"name": "a", **wrong})
    assert refused.value.problems[0].at == at
    assert parts.catalog.devices.list(limit=10).total == 0


def test_deep_attributes_are_refused_without_recursing_for_ever(parts, ada):
    deep = {}
    for _ in range(500):
        deep = {"x": deep}
    with pytest.raises(InvalidInput, match="deep"):
        parts.devices.create(ada, "a", attributes=deep)


def test_a_taken_key_is_a_conflict(parts, ada, bob):
    parts.devices.create(ada, "a", key="k")
    with pytest.raises(Conflict):
        parts.devices.create(bob, "b", key="k")


def test_another_users_device_is_not_there(parts, ada, bob, admin):
    device, _ = parts.devices.create(ada, "a", key="k")
    for act in (
        lambda: parts.devices.get(bob, "k"),
        lambda: parts.devices.get(bob, device.id),
        lambda: parts.devices.update(bob, device, name="mine"),
        lambda: parts.devices.delete(bob, device),
        lambda: parts.devices.rotate_token(bob, device),
        lambda: parts.devices.find_or_create(bob, "k"),
    ):
        with pytest.raises(NotFound):
            act()
    assert parts.devices.get(admin, str(device.id)) == device
    assert parts.devices.get(OPERATOR, "k") == device


@pytest.mark.parametrize("ref", ["hall", "1"])
def test_a_key_below_or_above_another_users_is_a_conflict(parts, ada, bob, admin, ref):
    hall, _ = parts.devices.create(ada, "a", key="hall")
    shed, _ = parts.devices.create(bob, "b", key="shed")
    for key in (f"{ref}/command", f"{ref}/door/left", f"{ref}/"):
        with pytest.raises(Conflict, match="another user's"):
            parts.devices.create(bob, "b", key=key)
        with pytest.raises(Conflict, match="another user's"):
            parts.devices.find_or_create(bob, key)
        with pytest.raises(Conflict, match="another user's"):
            parts.devices.update(bob, shed, key=key)
        with pytest.raises(Conflict, match="another user's"):
            parts.devices.create(admin, "b", key=key)
    parts.devices.create(ada, "a", key="yard/gate/light")
    for key in ("yard", "yard/gate"):
        with pytest.raises(Conflict, match="another user's"):
            parts.devices.create(bob, "b", key=key)
    parts.devices.create(bob, "b", key="yard/gatepost")
    assert len(list(parts.catalog.devices.all())) == 4
    assert parts.devices.create(ada, "a", key=f"{ref}/door")[0].user_id == hall.user_id
    assert parts.devices.create(admin, "a", key="yard/gate", user_id=ada.user_id)


def test_keys_below_one_are_free_again_once_it_is_gone_or_renamed(parts, ada, bob):
    hall, _ = parts.devices.create(ada, "a", key="hall/door")
    parts.devices.update(ada, hall, key="door")
    second, _ = parts.devices.create(bob, "b", key="hall")
    parts.devices.delete(bob, second)
    parts.devices.create(ada, "a", key="hall/window")


def test_no_new_device_gets_an_id_or_key_below_which_anothers_keys_lie(parts, ada, bob):
    parts.devices.create(ada, "a", key="2/command")
    parts.devices.create(ada, "a", key="device-3/command")
    made, _ = parts.devices.create(bob, "b")
    assert made.id == 4
    assert parts.registry.nested_with("4") == []


def test_a_devices_token_changes_no_device_not_even_its_own(parts, ada):
    device, _ = parts.devices.create(ada, "a", key="k")
    other, _ = parts.devices.create(ada, "b", key="l")
    itself = Principal("device", device_id=device.id)
    assert parts.devices.get(itself, "k") == device
    assert parts.devices.find_or_create(itself, "k") == device
    for act in (
        lambda: parts.devices.get(itself, other.id),
        lambda: parts.devices.find_or_create(itself, "new"),
        lambda: parts.devices.update(itself, device, name="x"),
        lambda: parts.devices.rotate_token(itself, device),
        lambda: parts.devices.delete(itself, device),
        lambda: parts.devices.list(itself),
    ):
        with pytest.raises(Forbidden):
            act()


def test_the_list_holds_ones_own_and_for_administrators_all(parts, ada, bob, admin):
    kitchen, _ = parts.devices.create(ada, "Kitchen", key="a")
    cellar, _ = parts.devices.create(bob, "Cellar", key="b")
    attic, _ = parts.devices.create(ada, "Attic", key="c")
    assert list(parts.devices.list(ada).items) == [kitchen, attic]
    assert list(parts.devices.list(admin).items) == [kitchen, cellar, attic]
    assert list(parts.devices.list(admin, user_id=bob.user_id).items) == [cellar]
    assert list(parts.devices.list(ada, search="KIT").items) == [kitchen]
    page = parts.devices.list(ada, limit=1, offset=1)
    assert (list(page.items), page.total) == ([attic], 2)
    with pytest.raises(NotFound):
        parts.devices.list(ada, user_id=bob.user_id)


def test_a_change_shows_everywhere_at_once(parts, ada):
    device, _ = parts.devices.create(ada, "a", key="old")
    asset = parts.assets.create(ada, "room", "attic", {})
    changed = parts.devices.update(
        ada, device, name="b", key="new", asset_id=asset.id, attributes={"x": 1}, round_time=60
    )
    assert (changed.name, changed.key, changed.asset_id) == ("b", "new", asset.id)
    assert parts.registry.device("old") is None
    assert parts.registry.device("new") == changed == parts.catalog.devices.get(device.id)
    assert parts.devices.update(ada, changed) == changed


def test_handing_over_needs_an_administrator(parts, ada, bob, admin):
    device, _ = parts.devices.create(ada, "a")
    with pytest.raises(Forbidden):
        parts.devices.update(ada, device, user_id=bob.user_id)
    given = parts.devices.update(admin, device, user_id=bob.user_id)
    assert parts.devices.get(bob, device.id) == given
    with pytest.raises(NotFound):
        parts.devices.get(ada, device.id)


def test_a_rotated_token_stops_working_at_once_and_for_ever(parts, ada):
    device, old = parts.devices.create(ada, "a")
    new = parts.devices.rotate_token(ada, device)
    assert parts.registry.principal(digest_of(old)) is None
    assert parts.catalog.tokens.find(digest_of(old)) is None
    assert parts.accounts.authenticate(new).device_id == device.id


def test_removing_a_device_removes_its_readings_and_credentials(parts, ada):
    device, token = parts.devices.create(ada, "a", key="k")
    other, _ = parts.devices.create(ada, "b", key="l")
    mine = parts.registry.ensure_series(device.id, ["x"])["x"]
    others = parts.registry.ensure_series(other.id, ["x"])["x"]
    parts.store.append(Batch.of([(mine, 1, 1.0), (mine, 2, 2.0), (others, 1, 3.0)]))
    assert parts.devices.delete(ada, device) == 2
    assert parts.registry.device("k") is None
    assert parts.registry.principal(digest_of(token)) is None
    assert [len(batch) for batch in parts.store.scan([mine, others])] == [1]
    fresh, _ = parts.devices.create(ada, "a", key="k")
    assert fresh.id != device.id


def test_an_unknown_key_is_registered_for_who_writes_to_it_first(parts, ada, bob):
    device = parts.devices.find_or_create(ada, "sensor/1")
    assert (device.key, device.name, device.user_id) == ("sensor/1", "sensor/1", ada.user_id)
    assert parts.devices.find_or_create(ada, "sensor/1") == device
    with pytest.raises(InvalidInput):
        parts.devices.find_or_create(bob, "what is this")


def test_viewers_write_to_nothing(parts, viewer, admin):
    device, _ = parts.devices.create(admin, "a", key="k", user_id=viewer.user_id)
    assert parts.devices.get(viewer, "k") == device
    for key in ("k", "new"):
        with pytest.raises(Forbidden):
            parts.devices.find_or_create(viewer, key)


def test_a_device_registered_by_another_process_is_found(parts, ada):
    parts.catalog.devices.create("k", "k", ada.user_id, None, {}, 0)
    assert parts.devices.find_or_create(ada, "k").key == "k"


def test_digits_as_a_key_never_come_to_mean_another_device(parts, ada, bob):
    first = parts.devices.find_or_create(ada, "3")
    assert first.id == 1
    second, _ = parts.devices.create(bob, "b")
    third, _ = parts.devices.create(bob, "c")
    assert [second.id, third.id] == [2, 4]
    assert parts.devices.get(ada, "3") == first
    with pytest.raises(Conflict, match="id of another"):
        parts.devices.create(bob, "d", key="4")
    with pytest.raises(Conflict, match="id of another"):
        parts.devices.update(ada, first, key="2")
    assert parts.devices.update(ada, first, key="1").key == "1"
