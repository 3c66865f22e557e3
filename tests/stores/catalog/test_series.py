"""The series of the catalog, on every database."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from barograph.domain.errors import InvalidInput, NotFound
from barograph.domain.metric import MetricSettings
from barograph.stores.catalog.catalog import SqlCatalog


def test_series_are_made_where_missing_and_come_in_the_order_asked(catalog, device):
    first = catalog.series.ensure(device.id, ["x", "y"])
    assert [one.metric for one in first] == ["x", "y"]
    again = catalog.series.ensure(device.id, ["z", "y", "x", "y"])
    assert [one.metric for one in again] == ["z", "y", "x", "y"]
    assert [again[2], again[1]] == list(first)
    assert list(catalog.series.of_device(device.id)) == [*first, again[0]]
    assert {one.device_id for one in again} == {device.id}
    assert catalog.series.ensure(device.id, []) == []


def test_asking_for_known_series_spends_no_ids(catalog, device):
    first = catalog.series.ensure(device.id, ["x"])[0]
    for _ in range(3):
        catalog.series.ensure(device.id, ["x"])
    assert catalog.series.ensure(device.id, ["y"])[0].id == first.id + 1


def test_metrics_are_the_same_only_when_every_character_is(catalog, device):
    metrics = [
        "co2",
        "CO2",
        "cö2",
        "co2 ",
        " co2",
        "temperature",
        "Температура",
        "ко2",
        "\U0001f600",
    ]
    made = catalog.series.ensure(device.id, metrics)
    assert len({one.id for one in made}) == len(metrics)
    assert [one.metric for one in catalog.series.ensure(device.id, metrics)] == metrics


def test_series_of_a_device_that_is_not_there_are_not_found(catalog):
    with pytest.raises(NotFound, match="no device 7000000"):
        catalog.series.ensure(7_000_000, ["x"])
    assert list(catalog.series.of_device(7_000_000)) == []


def test_a_metric_that_cannot_be_kept_is_refused_and_none_is_made(catalog, device):
    for metric in ("x" * 513, "a\x00b", "\udcff"):
        with pytest.raises(InvalidInput, match="metric"):
            catalog.series.ensure(device.id, ["good", metric])
    assert list(catalog.series.of_device(device.id)) == []
    assert catalog.series.ensure(device.id, ["\U0001f600" * 512])


def test_the_ids_of_a_removed_device_are_not_used_again(catalog, device):
    old = catalog.series.ensure(device.id, ["x", "y", "z"])
    catalog.devices.delete(device.id)
    other = catalog.devices.create("other", "Other", None, None, {}, 3)
    new = catalog.series.ensure(other.id, ["x"])
    assert new[0].id > max(one.id for one in old)
    assert list(catalog.series.all()) == list(new)


def test_reserved_ids_are_not_given(catalog, device):
    (x,) = catalog.series.ensure(device.id, ["x"])
    assert catalog.series.reserve(x.id + 100) == x.id
    (y,) = catalog.series.ensure(device.id, ["y"])
    assert y.id == x.id + 101
    assert catalog.series.reserve(x.id) == y.id
    assert catalog.series.ensure(device.id, ["z"])[0].id == y.id + 1


def test_ids_are_reserved_before_the_first_is_given(empty_url):
    with closing(SqlCatalog(empty_url)) as catalog:
        assert catalog.series.reserve(7) == 0
        device = catalog.devices.create("one", "One", None, None, {}, 1)
        assert catalog.series.ensure(device.id, ["x"])[0].id == 8


def test_threads_that_want_the_same_series_get_the_same_ids(catalog, device):
    metrics = [f"m{n}" for n in range(20)]
    with ThreadPoolExecutor(8) as threads:
        answers = list(
            threads.map(lambda n: catalog.series.ensure(device.id, metrics[n % 5 :]), range(40))
        )
    ids = {one.metric: one.id for one in catalog.series.of_device(device.id)}
    assert sorted(ids) == sorted(metrics)
    assert all(ids[one.metric] == one.id for answer in answers for one in answer)
    assert max(ids.values()) - min(ids.values()) == len(ids) - 1


def test_all_series_stream_in_order_of_id_beyond_one_page(catalog, device):
    other = catalog.devices.create("other", "Other", None, None, {}, 3)
    made = [
        *catalog.series.ensure(device.id, [f"m{n}" for n in range(1_000)]),
        *catalog.series.ensure(other.id, [f"m{n}" for n in range(1_001)]),
    ]
    assert list(catalog.series.all()) == sorted(made, key=lambda one: one.id)


def test_settings_of_metrics_are_kept_replaced_and_unset(catalog, device):
    x, y = catalog.series.ensure(device.id, ["x", "y"])
    warm = MetricSettings("Тепло", "°C", 2, -10.5, 40.0)
    catalog.series.set_settings({y.id: warm, x.id: MetricSettings(unit="m/s²")})
    assert catalog.series.settings() == {x.id: MetricSettings(unit="m/s²"), y.id: warm}
    catalog.series.set_settings({x.id: MetricSettings(), y.id: MetricSettings(low=0.1)})
    assert catalog.series.settings() == {y.id: MetricSettings(low=0.1)}


def test_settings_of_a_series_that_is_not_there_change_nothing(catalog, device):
    (x,) = catalog.series.ensure(device.id, ["x"])
    with pytest.raises(NotFound, match="no series 7000000"):
        catalog.series.set_settings({x.id: MetricSettings("X"), 7_000_000: MetricSettings("Y")})
    assert catalog.series.settings() == {}


def test_settings_go_with_their_device(catalog, device):
    (x,) = catalog.series.ensure(device.id, ["x"])
    catalog.series.set_settings({x.id: MetricSettings("X")})
    catalog.devices.delete(device.id)
    assert catalog.series.settings() == {}


def test_settings_that_do_not_fit_are_refused(catalog, device):
    (x,) = catalog.series.ensure(device.id, ["x"])
    for wrong in (MetricSettings(label="l" * 65), MetricSettings(unit="a\x00")):
        with pytest.raises(InvalidInput):
            catalog.series.set_settings({x.id: wrong})
