"""How metrics are shown."""

import pytest

from barograph.domain.errors import Forbidden, InvalidInput, NotFound
from barograph.domain.metric import MetricSettings
from barograph.domain.user import OPERATOR, Principal
from barograph.services.registry import Registry


@pytest.fixture
def greenhouse(core, fleet):
    device = fleet.device("Greenhouse")
    core.registry.ensure_series(device.id, ["temperature", "vent"])
    return device


def test_what_is_set_stays_set_and_the_rest_as_it_was(core, greenhouse):
    core.metrics.update(OPERATOR, greenhouse, {"temperature": {"unit": "°C", "low": 5.0}})
    found = core.metrics.update(OPERATOR, greenhouse, {"temperature": {"low": None, "colour": 3}})
    assert found == {
        "temperature": MetricSettings(unit="°C", colour=3),
        "vent": MetricSettings(),
    }
    assert core.metrics.of_device(OPERATOR, greenhouse.id) == found
    series = core.registry.series_of(greenhouse.id)["temperature"]
    assert Registry(core.catalog).metric_settings(series).unit == "°C"


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        ({"unit": ""}, "temperature.unit"),
        ({"label": " warm"}, "temperature.label"),
        ({"colour": 9}, "temperature.colour"),
        ({"high": float("inf")}, "temperature.high"),
        ({"low": 2.0, "high": 1.0}, "temperature.low"),
    ],
)
def test_what_cannot_be_is_refused_whole(core, greenhouse, fields, at):
    with pytest.raises(InvalidInput) as refused:
        core.metrics.update(OPERATOR, greenhouse, {"vent": {"unit": "%"}, "temperature": fields})
    assert refused.value.problems[0].at == at
    assert core.metrics.of_device(OPERATOR, greenhouse.id)["vent"] == MetricSettings()


def test_a_metric_that_never_came_has_no_settings(core, greenhouse):
    with pytest.raises(NotFound, match="no metric 'gone'"):
        core.metrics.update(OPERATOR, greenhouse, {"gone": {"unit": "m"}})


def test_only_who_may_change_the_device_sets_them(core, fleet, greenhouse):
    with pytest.raises(NotFound):
        core.metrics.update(fleet.user(), greenhouse, {})
    with pytest.raises(Forbidden):
        core.metrics.update(Principal("device", device_id=greenhouse.id), greenhouse, {})


def test_values_beyond_a_limit_are_out_of_bounds():
    limits = MetricSettings(low=1.0, high=2.0)
    held = [limits.holds(value) for value in (0.9, 1.0, 2.0, 2.1, "text")]
    assert held == [False, True, True, False, True]
