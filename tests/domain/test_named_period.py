"""Periods that move with the day."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from barograph.domain.errors import InvalidInput
from barograph.domain.named_period import NAMES, named_period
from barograph.domain.time import HOUR, from_datetime

BERLIN = ZoneInfo("Europe/Berlin")


def at(text, zone=UTC):
    return from_datetime(datetime.fromisoformat(text).replace(tzinfo=zone))


@pytest.mark.parametrize(
    ("name", "start", "end"),
    [
        ("today", "2026-03-30T00:00", "2026-03-30T09:30"),
        ("yesterday", "2026-03-29T00:00", "2026-03-30T00:00"),
        ("this_week", "2026-03-30T00:00", "2026-03-30T09:30"),
        ("last_week", "2026-03-23T00:00", "2026-03-30T00:00"),
        ("this_month", "2026-03-01T00:00", "2026-03-30T09:30"),
        ("last_month", "2026-02-01T00:00", "2026-03-01T00:00"),
        ("this_quarter", "2026-01-01T00:00", "2026-03-30T09:30"),
        ("last_quarter", "2025-10-01T00:00", "2026-01-01T00:00"),
        ("this_year", "2026-01-01T00:00", "2026-03-30T09:30"),
        ("last_year", "2025-01-01T00:00", "2026-01-01T00:00"),
    ],
)
def test_a_name_follows_the_calendar_of_the_zone(name, start, end):
    period = named_period(name, at("2026-03-30T09:30", BERLIN), BERLIN)
    assert (period.start, period.end) == (at(start, BERLIN), at(end, BERLIN))


def test_the_day_of_a_change_of_clocks_has_23_hours():
    period = named_period("yesterday", at("2026-03-30T09:30", BERLIN), BERLIN)
    assert period.end - period.start == 23 * HOUR


@pytest.mark.parametrize(("text", "hours"), [("90m", 1.5), ("24h", 24), ("7d", 168), ("2w", 336)])
def test_a_length_ends_now(text, hours):
    now = at("2026-03-30T09:30", BERLIN)
    period = named_period(text, now, BERLIN)
    assert (period.end, period.end - period.start) == (now, hours * HOUR)


@pytest.mark.parametrize("text", ["", "tomorrow", "last_day", "this_", "1mo", "-24h", "99999d"])
def test_what_is_no_period_is_refused_with_what_would_be_one(text):
    with pytest.raises(InvalidInput, match=r"period: (.*yesterday|at most ten years)"):
        named_period(text, 0, UTC)


def test_every_name_is_understood():
    for name in NAMES:
        assert named_period(name, at("2026-03-30T09:30"), UTC).start is not None
