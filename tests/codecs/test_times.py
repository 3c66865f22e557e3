"""Columns of times mean item by item what `domain.time` says."""

from datetime import UTC, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.codecs.times import times_of
from barograph.domain.time import from_any


def check(column, zone=UTC):
    """Whatever the column gives, each item gives; True where it gave something."""
    found = times_of(column, zone)
    if found is None:
        return False
    assert found.tolist() == [from_any(item, zone) for item in column]
    return True


edges = [0, 1, 10**11, 10**14, 10**17]
integers = st.integers(-10, 2**64) | st.builds(
    int.__add__, st.sampled_from(edges), st.integers(-9, 9)
)


@given(column=st.lists(integers, min_size=1, max_size=5))
def test_integers(column):
    # Every number of seconds to microseconds below the year 9999 is read, and nanoseconds to 2262.
    assert check(column) == (min(column) >= 0 and max(column) < 2**63)


@given(column=st.lists(st.floats(0, 2.0**62) | integers.map(float), min_size=1, max_size=5))
def test_floats(column):
    try:
        expected = [from_any(item) for item in column]
    except ValueError:
        return
    found = times_of(column, UTC)
    assert found is None or found.tolist() == expected
    assert found is not None or max(column) >= 2.0**63 or min(column) < 0


moments = st.datetimes()
offsets = st.sampled_from(["Z", "+00:00", "-00:00", "+05:30", "-11:45", "+23:59", ""])


@given(
    moments=st.lists(moments, min_size=1, max_size=5),
    offset=offsets,
    digits=st.integers(0, 9),
    separator=st.sampled_from("T "),
)
def test_texts_of_one_shape_are_read_at_once(moments, offset, digits, separator):
    fraction = [
        f".{moment.microsecond:06d}789"[: digits + 1] if digits else "" for moment in moments
    ]
    column = [
        moment.replace(microsecond=0).isoformat(separator) + part + offset
        for moment, part in zip(moments, fraction, strict=True)
    ]
    found = times_of(column, UTC)
    try:
        expected = [from_any(item) for item in column]
    except ValueError:  # before 1970
        assert found is None
        return
    assert found is not None
    assert found.tolist() == expected


@given(data=st.data())
def test_texts_with_a_character_changed_are_read_alike_or_left_alone(data):
    texts = ["2024-02-29T23:59:59.123Z", "1999-12-31T00:00:00.000Z"]
    at = data.draw(st.integers(0, 23))
    char = data.draw(st.sampled_from("0123456789TtZz-+:., é/"))
    column = [texts[0], texts[1][:at] + char + texts[1][at + 1 :]]
    found = times_of(column, UTC)
    if found is not None:
        assert found.tolist() == [from_any(item) for item in column]


@pytest.mark.parametrize(
    "text",
    [
        "2023-02-29T00:00:00Z", "2024-04-31T00:00:00Z", "2024-00-10T00:00:00Z", "2024-13-10T00:00:00Z",
        "2024-01-00T00:00:00Z", "2024-01-01T24:00:00Z", "2024-01-01T00:60:00Z", "2024-01-01T00:00:60Z",
        "1969-12-31T23:59:59Z", "0000-01-01T00:00:00Z", "2024-01-01t00:00:00Z", "2024-01-01T00:00:00z",
    ],
)  # fmt: skip
def test_texts_out_of_the_ordinary_are_left_to_the_exact_path(text):
    assert times_of([text], UTC) is None
    assert times_of(["2024-01-01T00:00:00Z", text], UTC) is None


def test_texts_without_offset_are_left_alone_where_the_zone_is_not_utc():
    assert times_of(["2024-01-01T00:00:00"], timezone(timedelta(hours=1))) is None
    assert check(["2024-01-01T00:00:00Z"], timezone(timedelta(hours=1)))


def test_mixed_columns_are_left_alone():
    assert times_of([1, 2.0], UTC) is None
    assert times_of([1, None], UTC) is None
    assert times_of([True], UTC) is None
    assert times_of([], UTC) is None
