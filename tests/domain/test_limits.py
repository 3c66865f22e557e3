from dataclasses import fields, replace

import pytest

from barograph.domain.limits import Limits


def test_the_defaults_agree_with_each_other_and_bound_everything():
    limits = Limits()
    assert all(getattr(limits, field.name) > 0 for field in fields(limits))


@pytest.mark.parametrize(
    ("low", "high"),
    [
        ("body_bytes_max", "decompressed_bytes_max"),
        ("request_readings_max", "backlog_readings_max"),
        ("text_bytes_max", "body_bytes_max"),
        ("password_chars_min", "password_chars_max"),
        ("address_connections_max", "connections_max"),
    ],
)
def test_a_part_is_not_above_its_whole(low, high):
    limits = Limits()
    whole = getattr(limits, high)
    with pytest.raises(ValueError, match=f"{low}.*must not be above {high}"):
        replace(limits, **{low: whole + 1})


def test_every_limit_ends_in_what_it_bounds():
    assert all(field.name.endswith(("_max", "_min")) for field in fields(Limits))
