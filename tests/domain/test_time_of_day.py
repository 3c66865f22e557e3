"""Times of day, which clients of the temperature service send instead of moments."""

from datetime import UTC
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.domain.time import (
    DAY,
    format_time_of_day,
    from_text,
    parse_time_of_day,
)

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = st.sampled_from([UTC, BERLIN, ZoneInfo("Asia/Kolkata"), ZoneInfo("Pacific/Apia")])


@given(
    st.integers(20 * 365 * DAY, 70 * 365 * DAY),
    st.integers(0, 23),
    st.integers(0, 59),
    ZONES,
)
def test_it_is_the_latest_moment_that_a_clock_showed_so(now, hour, minute, zone):
    time = parse_time_of_day(f"{hour:02}:{minute:02}", now, zone)
    assert time is not None
    assert now - 2 * DAY - DAY // 2 < time <= now
    assert format_time_of_day(time, zone) == f"{hour:02}:{minute:02}"


def test_a_minute_that_is_still_running_is_todays():
    now = from_text("2026-05-01T12:00:30Z")
    assert parse_time_of_day("12:00", now, UTC) == from_text("2026-05-01T12:00:00Z")
    assert parse_time_of_day("12:00:31", now, UTC) == from_text("2026-04-30T12:00:31Z")
    assert parse_time_of_day("9:05", now, UTC) == from_text("2026-05-01T09:05:00Z")


def test_of_a_time_shown_twice_it_is_the_later_one_that_has_been():
    before, after = from_text("2025-10-26T00:45:00Z"), from_text("2025-10-26T03:00:00Z")
    assert parse_time_of_day("02:30", before, BERLIN) == from_text("2025-10-26T00:30:00Z")
    assert parse_time_of_day("02:30", after, BERLIN) == from_text("2025-10-26T01:30:00Z")


def test_a_time_that_the_clock_left_out_today_is_yesterdays():
    now = from_text("2025-03-30T10:00:00Z")
    assert parse_time_of_day("02:30", now, BERLIN) == from_text("2025-03-29T01:30:00Z")


@pytest.mark.parametrize(
    "text", ["", "24:00", "12:60", "12", "12:00:60", "noon", "2026-01-01", "1"]
)
def test_other_texts_are_none(text):
    assert parse_time_of_day(text, 0, UTC) is None
