"""The demo: devices that do not exist, with a past."""

from threading import Event

import pytest
from tests.waiting import PATIENCE_SECONDS

from barograph.domain.errors import ConfigurationError
from barograph.domain.period import Period
from barograph.domain.time import DAY, HOUR
from barograph.domain.user import OPERATOR
from barograph.services import demo as module
from barograph.services.demo import HISTORY, Demo


@pytest.fixture
def demo(core):
    started = []

    def start():
        started.append(Demo(core))
        started[-1].start()
        return started[-1]

    yield start
    for one in started:
        one.close()


def test_a_week_of_readings_is_there_at_once_and_charts_have_units(core, demo):
    demo()
    devices = {device.key: device for device in core.registry.devices()}
    assert {"weather-mast", "house/kitchen", "house/mower", "meter-1", "car-4"} <= set(devices)
    for device in devices.values():
        series = core.registry.series_of(device.id)
        first, last = core.store.extent(list(series.values()))
        assert (first, core.clock() - last) == (core.clock() - HISTORY, 10_000_000)
    car = devices["car-1"]
    assert core.catalog.assets.get(car.asset_id).kind == "auto"
    assert core.metrics.of_device(OPERATOR, car.id)["speed"].unit == "km/h"


def test_cars_stay_around_their_home(core, demo):
    demo()
    car = core.registry.device("car-2")
    series = core.registry.series_of(car.id)["latitude"]
    period = Period(core.clock() - DAY, core.clock())
    values = [v for batch in core.store.scan([series], period) for v in batch.values]
    assert max(values) - min(values) < 0.6  # degrees; some 60 km
    assert max(values) > min(values)


def test_it_goes_on_where_an_earlier_one_ended(core, demo):
    demo().close()
    devices = len(core.registry.devices())
    core.clock.now += HOUR
    demo()
    assert len(core.registry.devices()) == devices
    mast = core.registry.series_of(core.registry.device("weather-mast").id)["pressure"]
    # An hour ago the last reading, since then one each ten seconds.
    period = Period(core.clock() - HOUR, core.clock())
    assert sum(len(batch) for batch in core.store.scan([mast], period)) == 360


def test_it_sends_as_time_goes(core, demo, monkeypatch):
    monkeypatch.setattr(module, "_EVERY", 1_000)
    demo()
    later, told = core.clock.now + HOUR, Event()
    core.live.subscribe(lambda _, batch: told.set() if later in list(batch.times) else None)
    core.clock.now = later
    assert told.wait(PATIENCE_SECONDS)
    mast = core.registry.series_of(core.registry.device("weather-mast").id)["pressure"]
    assert core.latest.seen([mast]) == later


def test_true_devices_are_not_mixed_with_invented_ones(core, demo, fleet):
    fleet.device("kitchen")
    with pytest.raises(ConfigurationError, match="holds devices of its own"):
        demo()
