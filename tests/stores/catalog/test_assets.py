"""The inventory of the catalog, on every database."""

from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from barograph.domain.asset import Asset
from barograph.domain.errors import Conflict, InvalidInput, NotFound
from barograph.stores.catalog.values import fold

KINDS = count()


def test_a_created_asset_is_found_by_id_kind_and_name(catalog):
    asset = catalog.assets.create("auto", "BMW", {"max_speed": 280, "stock": "Germany"}, 5)
    assert asset == Asset(asset.id, "auto", "BMW", {"max_speed": 280, "stock": "Germany"}, 5)
    assert catalog.assets.get(asset.id) == asset
    assert catalog.assets.find("auto", "BMW") == asset
    assert catalog.assets.find("auto", "bmw") is None
    assert catalog.assets.find("room", "BMW") is None
    assert catalog.assets.find("room", "\x00") is None
    assert catalog.assets.get(10**30) is None


def test_a_name_is_unique_per_kind_and_the_conflict_names_it(catalog):
    catalog.assets.create("auto", "BMW", {}, 5)
    room = catalog.assets.create("room", "BMW", {}, 5)
    with pytest.raises(Conflict, match="auto 'BMW' exists already"):
        catalog.assets.create("auto", "BMW", {}, 5)
    with pytest.raises(Conflict, match="'BMW' of this kind exists already"):
        catalog.assets.update(room.id, {"kind": "auto", "name": "BMW"})
    with pytest.raises(Conflict, match="of this kind exists already"):
        catalog.assets.update(room.id, {"kind": "auto"})
    assert catalog.assets.get(room.id) == room


def test_assets_are_listed_by_kind_and_search(catalog):
    bmw = catalog.assets.create("auto", "BMW 100%", {}, 5)
    audi = catalog.assets.create("auto", "Audi", {}, 5)
    hall = catalog.assets.create("room", "Halle (bmw)", {}, 5)
    assert list(catalog.assets.list(limit=10).items) == [bmw, audi, hall]
    page = catalog.assets.list(kind="auto", limit=1, offset=1)
    assert (list(page.items), page.total) == ([audi], 2)
    assert list(catalog.assets.list(search="Bmw", limit=10).items) == [bmw, hall]
    assert list(catalog.assets.list(kind="room", search="Bmw", limit=10).items) == [hall]
    assert list(catalog.assets.list(search="0%", limit=10).items) == [bmw]
    assert catalog.assets.list(kind="\x00", limit=10).total == 0


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    names=st.lists(
        st.text(st.sampled_from("aAäÄßsS%_\\/İiıΣσς é\u0308жЖ😀'\""), min_size=1, max_size=6),
        unique=True,
        min_size=1,
        max_size=8,
    ),
    search=st.text(st.sampled_from("aAäÄßsS%_\\/İiıΣσς é\u0308жЖ😀'\""), min_size=1, max_size=2),
)
def test_search_finds_what_contains_the_text_without_case(catalog, names, search):
    kind = f"k{next(KINDS)}"
    for name in names:
        catalog.assets.create(kind, name, {}, 1)
    found = catalog.assets.list(kind=kind, search=search, limit=100)
    assert [asset.name for asset in found.items] == [
        name for name in names if fold(search) in fold(name)
    ]


def test_the_named_fields_of_an_asset_are_changed(catalog):
    asset = catalog.assets.create("auto", "BMW", {"a": 1}, 5)
    changed = catalog.assets.update(asset.id, {"name": "Audi", "attributes": {"b": 2}})
    assert changed == Asset(asset.id, "auto", "Audi", {"b": 2}, 5)
    assert catalog.assets.find("auto", "Audi") == changed
    assert catalog.assets.list(search="AUD", limit=1).total == 1
    with pytest.raises(NotFound, match="no asset 7000000"):
        catalog.assets.update(7_000_000, {"name": "x"})
    with pytest.raises(InvalidInput, match="colour: cannot be changed: only kind, name"):
        catalog.assets.update(asset.id, {"colour": "red"})


def test_attributes_that_json_cannot_say_are_refused(catalog):
    endless = {}
    endless["again"] = endless
    for attributes in ({"x": float("inf")}, {"x": object()}, endless):
        with pytest.raises(InvalidInput, match="attributes: cannot be written as JSON"):
            catalog.assets.create("auto", "BMW", attributes, 5)


def test_devices_of_a_removed_asset_stay_fitted_to_nothing(catalog):
    asset = catalog.assets.create("auto", "BMW", {}, 5)
    device = catalog.devices.create("gps", "GPS", None, asset.id, {}, 5)
    catalog.assets.delete(asset.id)
    assert catalog.assets.get(asset.id) is None
    assert catalog.devices.get(device.id).asset_id is None
    with pytest.raises(NotFound, match=f"no asset {asset.id}"):
        catalog.assets.delete(asset.id)
    assert catalog.assets.create("auto", "BMW", {}, 5).id > asset.id


def test_the_kinds_are_counted(catalog):
    for kind, name in (("room", "a"), ("auto", "b"), ("room", "c"), ("Room", "d")):
        catalog.assets.create(kind, name, {}, 1)
    assert list(catalog.assets.kinds().items()) == [("Room", 1), ("auto", 1), ("room", 2)]
