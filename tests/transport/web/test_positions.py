"""Metrics that are a place together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.domain.batch import Batch
from barograph.stores.readings.memory import MemoryReadingStore
from barograph.transport.web.positions import axes, default_metrics, places, sample, space, track


@pytest.mark.parametrize(
    ("metrics", "found"),
    [
        (["speed", "lat", "lon"], ("lat", "lon")),
        (["Longitude", "Latitude"], ("Latitude", "Longitude")),
        (["gps/lat", "other/lon", "gps/lng"], ("gps/lat", "gps/lng")),
        (["plate", "balloon"], None),
        (["a.lat", "b.lon"], None),
    ],
)
def test_latitude_and_longitude_are_known_by_name(metrics, found):
    assert places(metrics) == found


@pytest.mark.parametrize(
    ("metrics", "found"),
    [
        (["z", "y", "x"], ("x", "y", "z")),
        (["acc_x", "gyro_x", "gyro_y", "acc_y", "gyro_z"], ("gyro_x", "gyro_y", "gyro_z")),
        (["x", "y"], None),
        (["matrix", "y", "z"], None),
    ],
)
def test_three_axes_are_known_by_name(metrics, found):
    assert axes(metrics) == found


def test_a_place_is_not_among_the_curves_unless_there_is_nothing_else():
    assert default_metrics({"lat": 1.0, "lon": 2.0, "v": 3.0, "s": "on"}, 4, 2) == ["v", "s"]
    assert default_metrics({"lat": 1.0, "lon": 2.0}, 4, 2) == ["lat", "lon"]


def stored(count):
    store = MemoryReadingStore()
    store.append(Batch.of([(s, 1_000_000 * i, i / 1e4) for i in range(count) for s in (1, 2)]))
    return store


def test_few_places_are_all_shown_and_many_are_sampled():
    assert len(sample(stored(50), [1, 2], 0, 50_000_000, points=100)) == 50
    found = sample(stored(5_000), [1, 2], 0, 5_000_000_000, points=100)
    assert 50 <= len(found) <= 101
    assert found[-1][1][0] == pytest.approx(0.5, rel=0.05)


def test_moments_without_all_the_values_are_left_out():
    store = MemoryReadingStore()
    store.append(Batch.of([(1, 1, 5.0), (2, 1, 6.0), (1, 2, 7.0), (2, 3, "lost")]))
    assert sample(store, [1, 2], 0, 10) == [(1, (5.0, 6.0))]


def test_a_way_across_the_date_line_is_short():
    found = track([(1, (0.0, 179.9)), (2, (0.0, -179.9))], 900, 420)
    assert found.km == pytest.approx(0.2 * 111.32)


def test_what_stands_still_is_a_dot():
    found = track([(1, (52.0, 13.0))] * 2, 900, 420)
    assert found.first == found.last == (450.0, 210.0)
    assert found.km == 0


@given(
    st.lists(st.tuples(st.floats(-90, 90), st.floats(-180, 180)), min_size=1, max_size=40),
)
def test_every_way_fits_into_its_box(way):
    found = track([(i * 1_000_000, place) for i, place in enumerate(way)], 900, 420)
    for point in found.points.split():
        _, x, y = map(float, point.split(","))
        assert 0 <= x <= 900
        assert 0 <= y <= 420
    assert 0 < found.bar <= 900


def test_nowhere_is_no_track_and_no_path():
    assert track([], 900, 420) is None
    assert track([(1, (91.0, 0.0))], 900, 420) is None
    assert space([], 400) is None
    assert space([(1, (1.0, 1.0, 1.0))], 400).path.count("L") == 1
