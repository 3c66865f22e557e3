"""The devices of the catalog, on every database."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from barograph.domain.device import Device
from barograph.domain.errors import Conflict, InvalidInput, NotFound


def test_a_created_device_is_found_by_id_and_key(catalog, user):
    asset = catalog.assets.create("room", "Kitchen", {}, 1)
    attributes = {"n": 1.5, "мест": ["ж", None, True], "nested": {"b": 1, "a": "\x00\ud800"}}
    device = catalog.devices.create("dev:1/a", "Kitchen", user.id, asset.id, attributes, 7)
    assert device == Device(device.id, "dev:1/a", "Kitchen", user.id, asset.id, attributes, None, 7)
    assert list(device.attributes) == list(attributes)
    assert catalog.devices.get(device.id) == device
    assert catalog.devices.find("dev:1/a") == device


def test_a_device_that_is_not_there_is_none(catalog):
    assert catalog.devices.get(1) is None
    assert catalog.devices.get(2**63) is None
    assert catalog.devices.find("kitchen") is None
    assert catalog.devices.find("kitchen\x00") is None


def test_a_device_key_is_unique_and_the_conflict_names_it(catalog, device):
    with pytest.raises(Conflict, match="device key 'kitchen' is taken"):
        catalog.devices.create("kitchen", "another", None, None, {}, 3)
    assert catalog.devices.list(limit=10).total == 1


def test_keys_that_differ_in_case_are_different_devices(catalog, device):
    other = catalog.devices.create("Kitchen", "another", None, None, {}, 3)
    assert catalog.devices.find("Kitchen") == other
    assert catalog.devices.find("kitchen") == device


def test_a_token_is_made_in_the_same_transaction(catalog, digest):
    mine = digest()
    device = catalog.devices.create("a", "a", None, None, {}, 3, mine)
    token = catalog.tokens.find(mine)
    assert (token.device_id, token.user_id, token.created_time) == (device.id, None, 3)
    with pytest.raises(Conflict, match="token exists already"):
        catalog.devices.create("b", "b", None, None, {}, 3, mine)
    assert catalog.devices.find("b") is None
    with pytest.raises(InvalidInput, match="32 bytes"):
        catalog.devices.create("b", "b", None, None, {}, 3, b"short")


def test_an_unknown_owner_or_asset_is_refused_by_name(catalog):
    with pytest.raises(InvalidInput, match="user_id: there is no user 77"):
        catalog.devices.create("a", "a", 77, None, {}, 3)
    with pytest.raises(InvalidInput, match="asset_id: there is no asset 77"):
        catalog.devices.create("a", "a", None, 77, {}, 3)
    with pytest.raises(InvalidInput, match="there is no user"):
        catalog.devices.create("a", "a", 10**30, None, {}, 3)
    assert catalog.devices.list(limit=1).total == 0


def test_without_a_key_a_device_is_called_after_its_id(catalog):
    device = catalog.devices.create(None, "a", None, None, {}, 3)
    assert device.key == f"device-{device.id}"
    assert catalog.devices.find(device.key) == device


def test_a_made_key_avoids_the_taken_ones(catalog):
    before = catalog.devices.create(None, "a", None, None, {}, 3)
    # The database gives the next ids in order, without gaps, when nobody else is at it.
    for number in range(before.id + 1, before.id + 151):
        catalog.devices.create(f"device-{number + 151}", "squatter", None, None, {}, 3)
    device = catalog.devices.create(None, "b", None, None, {}, 3)
    assert device.id == before.id + 151
    taken = {each.key for each in catalog.devices.all() if each != device}
    free = next(n for n in range(device.id, 10**9) if f"device-{n}" not in taken)
    assert device.key == f"device-{free}"


def test_many_threads_making_devices_without_keys_do_not_clash(catalog):
    first = catalog.devices.create(None, "first", None, None, {}, 3)
    for offset in range(2, 30, 2):
        catalog.devices.create(f"device-{first.id + 14 + offset}", "squatter", None, None, {}, 3)
    with ThreadPoolExecutor(6) as threads:
        made = list(
            threads.map(
                lambda n: catalog.devices.create(None, f"n{n}", None, None, {}, 3), range(30)
            )
        )
    assert len({device.key for device in made}) == len({device.id for device in made}) == 30


def test_devices_are_listed_by_owner_asset_and_search_with_the_total(catalog, user):
    other = catalog.users.create("bob", None, None, "member", 1)
    room = catalog.assets.create("room", "A", {}, 1)
    one = catalog.devices.create("k-1", "Größe_1", user.id, room.id, {}, 1)
    two = catalog.devices.create("k-2", "Plain", user.id, None, {}, 1)
    three = catalog.devices.create("GRÖ".encode("punycode").decode(), "x", other.id, None, {}, 1)

    def found(**filters):
        page = catalog.devices.list(limit=10, **filters)
        assert page.total == len(page.items)
        return list(page.items)

    assert found() == [one, two, three]
    assert found(user_id=user.id) == [one, two]
    assert found(asset_id=room.id) == [one]
    assert found(user_id=other.id, asset_id=room.id) == []
    assert found(search="GRÖSSE_") == [one]
    assert found(search="K-") == [one, two]
    assert found(search="K-", user_id=other.id) == []
    assert found(user_id=10**30) == []


def test_a_page_of_devices_counts_all_that_match(catalog):
    made = [catalog.devices.create(f"d{n}", "x", None, None, {}, 1) for n in range(7)]
    page = catalog.devices.list(search="D", limit=3, offset=5)
    assert (list(page.items), page.total) == (made[5:], 7)


def test_all_devices_stream_in_order_of_id_while_others_write(catalog):
    made = [catalog.devices.create(f"d{n}", "x", None, None, {}, 1) for n in range(5)]
    stream = catalog.devices.all()
    assert next(stream) == made[0]
    catalog.devices.delete(made[0].id)
    assert [device.id for device in stream] == [device.id for device in made[1:]]


def test_the_named_fields_of_a_device_are_changed_and_no_others(catalog, device):
    changes = {"name": "Küche", "attributes": {"floor": 2}, "round_time": 300_000_000}
    changed = catalog.devices.update(device.id, changes)
    assert changed == Device(
        device.id,
        "kitchen",
        "Küche",
        device.user_id,
        None,
        {"floor": 2},
        300_000_000,
        device.created_time,
    )
    assert catalog.devices.list(search="KÜCHE", limit=1).total == 1
    assert catalog.devices.list(search="KITCHEN", limit=1).items[0].key == "kitchen"
    moved = catalog.devices.update(device.id, {"key": "attic"})
    assert catalog.devices.find("attic") == moved
    assert catalog.devices.find("kitchen") is None


def test_a_device_cannot_be_changed_into_what_is_not_allowed(catalog, device):
    other = catalog.devices.create("attic", "Attic", None, None, {}, 2)
    with pytest.raises(Conflict, match="device key 'kitchen' is taken"):
        catalog.devices.update(other.id, {"key": "kitchen"})
    with pytest.raises(InvalidInput, match="asset_id: there is no asset 5"):
        catalog.devices.update(other.id, {"asset_id": 5})
    with pytest.raises(InvalidInput, match="created_time: cannot be changed"):
        catalog.devices.update(other.id, {"created_time": 5})
    with pytest.raises(InvalidInput, match="attributes: cannot be written as JSON"):
        catalog.devices.update(other.id, {"attributes": {"x": float("nan")}})
    with pytest.raises(InvalidInput, match="round_time: 1267650600228229401496703205376 is too la"):
        catalog.devices.update(other.id, {"round_time": 2**100})
    with pytest.raises(NotFound, match="no device 7000000"):
        catalog.devices.update(7_000_000, {"name": "x"})
    assert catalog.devices.get(other.id) == other


def test_removing_a_device_removes_its_tokens_and_series(catalog, digest):
    mine = digest()
    device = catalog.devices.create("a", "a", None, None, {}, 3, mine)
    catalog.series.ensure(device.id, ["x"])
    catalog.devices.delete(device.id)
    assert catalog.devices.get(device.id) is None
    assert catalog.tokens.find(mine) is None
    assert list(catalog.series.all()) == []
    with pytest.raises(NotFound, match=f"no device {device.id}"):
        catalog.devices.delete(device.id)


def test_the_key_of_a_removed_device_is_free_and_its_id_is_not(catalog, device):
    catalog.devices.delete(device.id)
    again = catalog.devices.create("kitchen", "Kitchen", None, None, {}, 4)
    assert again.id > device.id
