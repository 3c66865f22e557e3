"""What an attribute of an asset becomes when its form is sent."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.domain.user import OPERATOR
from barograph.transport.web.inventory import attribute_text, attribute_value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("280", 280),
        ("-3", -3),
        ("1.5", 1.5),
        ("2e3", 2000.0),
        ("true", True),
        ("", ""),
        ("0123", "0123"),
        ("+49", "+49"),
        ("1_000", "1_000"),
        ("1e400", "1e400"),
        ("nan", "nan"),
        ("21,5", "21,5"),
        ("٣", "٣"),
    ],
)
def test_what_reads_like_a_number_is_one_and_what_only_has_digits_is_not(text, value):
    found = attribute_value(text, None)
    assert (found, type(found)) == (value, type(value))


@given(
    st.booleans()
    | st.integers(-(10**60), 10**60)
    | st.floats(allow_nan=False, allow_infinity=False)
)
def test_a_form_that_is_sent_as_it_came_changes_nothing(value):
    found = attribute_value(attribute_text(value), value)
    assert found == value
    assert type(found) is type(value)
    assert not isinstance(found, float) or math.copysign(1, found) == math.copysign(1, value)


def test_what_was_text_stays_text():
    assert attribute_value("12", "11") == "12"


def test_an_asset_with_many_attributes_can_be_changed(browser, core):
    attributes = {f"a{i}": i for i in range(100)}
    asset = core.assets.create(OPERATOR, "room", "Attic", attributes)
    names, values = [*attributes, "", ""], [*map(str, attributes.values()), "", ""]
    answer = browser.send(
        f"/ui/inventory/{asset.id}", kind="room", name="Loft", attribute=names, value=values
    )
    assert answer.status_code == 303
    changed = core.assets.get(OPERATOR, asset.id)
    assert (changed.name, changed.attributes) == ("Loft", attributes)


def test_a_device_that_was_fitted_elsewhere_meanwhile_is_not_taken_off_that(browser, core):
    attic, cellar = (core.assets.create(OPERATOR, "room", name, {}) for name in ("Attic", "Cellar"))
    device, _ = core.devices.create(OPERATOR, "Sensor", asset_id=cellar.id)
    path = f"/ui/inventory/{attic.id}/devices"
    assert browser.send(path, device=device.id, remove="true").status_code == 303
    assert core.registry.device(device.id).asset_id == cellar.id
