"""Simulated readings are plausible, and the same for the same seed."""

import math

import pytest

from barograph.domain.device import check_key, metric_problem
from barograph.domain.time import DAY, HOUR, MINUTE
from barograph.services.simulation import fleet, times

START = 1_777_593_600_000_000  # 2026-05-01


def course(device, days=2, step=10 * MINUTE):
    return [device.read(at) for at in times(START, step, days * DAY // step)]


def test_the_same_seed_gives_the_same_readings():
    for ours, theirs in zip(fleet(8, 1), fleet(8, 1), strict=True):
        assert course(ours) == course(theirs)
    assert course(fleet(1, 1)[0]) != course(fleet(1, 2)[0])


def test_a_smaller_fleet_is_part_of_a_larger_one():
    small, large = fleet(3, 1), fleet(30, 1)
    assert [device.key for device in small] == [device.key for device in large[:3]]
    assert course(small[2]) == course(large[2])


def test_keys_and_metrics_may_be_called_so():
    devices = fleet(100, 1)
    assert len({check_key(device.key) for device in devices}) == 100
    for device in devices[:8]:
        for metric, value in device.read(START).items():
            assert metric_problem(metric, 128) is None
            assert not isinstance(value, float) or math.isfinite(value)


@pytest.mark.parametrize("step", [1_000, MINUTE, 6 * HOUR, 30 * DAY])
def test_values_stay_plausible_at_any_pace(step):
    bounds = {
        "temperature": (-40, 90),
        "humidity": (0, 100),
        "pressure": (940, 1080),
        "battery": (0, 100),
        "co2": (400, 3_000),
        "speed": (0, 200),
        "fuel": (0, 61),
        "load": (0, 100),
        "latitude": (-90, 90),
        "power": (0, 5_000),
        "voltage": (200, 260),
    }
    for device in fleet(8, 3):
        for at in times(START, step, 200):
            for metric, value in device.read(at).items():
                low, high = bounds.get(metric, (-math.inf, math.inf))
                assert isinstance(value, str | bool) or low <= value <= high, (metric, value)


def test_counters_only_grow():
    readings = {device.key: course(device) for device in fleet(8, 1)}
    for key, metric in (("meter-1", "energy"), ("weather-mast", "rain"), ("car-1", "odometer")):
        values = [one[metric] for one in readings[key]]
        assert values == sorted(values)
    assert readings["meter-1"][-1]["energy"] > readings["meter-1"][0]["energy"]
