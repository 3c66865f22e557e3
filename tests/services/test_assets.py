"""The inventory: shared, written by members, seen by viewers, closed to devices."""

import pytest

from barograph.domain.errors import Conflict, Forbidden, InvalidInput, NotFound
from barograph.domain.user import OPERATOR, Principal


@pytest.fixture
def ada(parts):
    return Principal("user", parts.accounts.register("ada", None, None)[0].id)


@pytest.fixture
def bob(parts):
    return Principal("user", parts.accounts.register("bob", None, None)[0].id)


VIEWER = Principal("user", 99, role="viewer")
DEVICE = Principal("device", device_id=1)


def test_what_one_user_takes_in_another_finds_changes_and_removes(parts, ada, bob):
    car = parts.assets.create(ada, "auto", "BMW", {"max_speed": 280})
    assert parts.assets.find(bob, "auto", "BMW") == car == parts.assets.get(VIEWER, car.id)
    faster = parts.assets.update(bob, car.id, attributes={"max_speed": 300})
    assert faster.attributes == {"max_speed": 300}
    assert parts.assets.update(bob, car.id) == faster
    parts.assets.delete(bob, car.id)
    assert parts.assets.find(ada, "auto", "BMW") is None
    with pytest.raises(NotFound):
        parts.assets.get(ada, car.id)


def test_a_name_is_taken_within_its_kind_only(parts, ada):
    parts.assets.create(ada, "auto", "A1", {})
    parts.assets.create(ada, "room", "A1", {})
    with pytest.raises(Conflict):
        parts.assets.create(ada, "auto", "A1", {})


def test_the_list_is_by_kind_and_part_of_the_name(parts, ada):
    for kind, name in (("auto", "BMW"), ("auto", "Audi"), ("room", "Attic")):
        parts.assets.create(ada, kind, name, {})
    names = [asset.name for asset in parts.assets.list(VIEWER, kind="auto").items]
    assert names == ["BMW", "Audi"]
    assert [asset.name for asset in parts.assets.list(ada, search="att").items] == ["Attic"]
    page = parts.assets.list(OPERATOR, limit=1, offset=2)
    assert ([asset.name for asset in page.items], page.total) == (["Attic"], 3)


@pytest.mark.parametrize("asker", [VIEWER, DEVICE])
def test_viewers_and_devices_change_nothing(parts, ada, asker):
    car = parts.assets.create(ada, "auto", "BMW", {})
    for act in (
        lambda: parts.assets.create(asker, "auto", "Audi", {}),
        lambda: parts.assets.update(asker, car.id, name="x"),
        lambda: parts.assets.delete(asker, car.id),
    ):
        with pytest.raises(Forbidden):
            act()
    assert list(parts.assets.list(ada).items) == [car]


def test_devices_do_not_see_the_inventory(parts, ada):
    car = parts.assets.create(ada, "auto", "BMW", {})
    for look in (
        lambda: parts.assets.get(DEVICE, car.id),
        lambda: parts.assets.find(DEVICE, "auto", "BMW"),
        lambda: parts.assets.list(DEVICE),
        lambda: parts.assets.devices(DEVICE, car.id),
    ):
        with pytest.raises(Forbidden):
            look()


@pytest.mark.parametrize(
    ("at", "wrong"),
    [
        ("kind", {"kind": ""}),
        ("kind", {"kind": "x" * 65}),
        ("name", {"name": "a\nb"}),
        ("attributes", {"attributes": {"x": ["y"] * 9000}}),
    ],
)
def test_wrong_input_is_named(parts, ada, at, wrong):
    with pytest.raises(InvalidInput) as refused:
        parts.assets.create(ada, **{"kind": "auto", "name": "BMW", "attributes": {}, **wrong})
    assert refused.value.problems[0].at == at


def test_everyone_sees_their_own_devices_on_a_shared_asset(parts, ada, bob):
    car = parts.assets.create(ada, "auto", "BMW", {})
    hers, _ = parts.devices.create(ada, "engine", asset_id=car.id)
    his, _ = parts.devices.create(bob, "doors", asset_id=car.id)
    parts.devices.create(bob, "elsewhere")
    assert parts.assets.devices(ada, car.id) == [hers]
    assert parts.assets.devices(bob, car.id) == [his]
    assert parts.assets.devices(OPERATOR, car.id) == [hers, his]


def test_removing_an_asset_leaves_its_devices_fitted_to_nothing(parts, ada):
    car = parts.assets.create(ada, "auto", "BMW", {})
    device, _ = parts.devices.create(ada, "engine", asset_id=car.id)
    parts.assets.delete(ada, car.id)
    assert parts.registry.device(device.id).asset_id is None
