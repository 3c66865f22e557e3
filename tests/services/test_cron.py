"""When a schedule is due."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from barograph.domain.errors import InvalidInput
from barograph.domain.time import from_datetime
from barograph.services.cron import check_cron, latest_until, next_after

BERLIN = ZoneInfo("Europe/Berlin")


def at(text, zone=BERLIN):
    return from_datetime(datetime.fromisoformat(text).replace(tzinfo=zone))


def test_the_next_moment_is_after_and_on_the_clocks_of_the_zone():
    six = at("2026-01-05T06:00")
    assert next_after("0 6 * * 1", at("2026-01-01T00:00"), BERLIN) == six
    assert next_after("0 6 * * 1", six, BERLIN) == at("2026-01-12T06:00")
    assert next_after("0 6 * * *", at("2026-01-01T05:30", UTC), UTC) == at("2026-01-01T06:00", UTC)


def test_a_time_of_day_that_the_zone_skips_comes_all_the_same():
    found = next_after("30 2 * * *", at("2026-03-28T12:00"), BERLIN)
    assert found == at("2026-03-29T01:00", UTC)  # 03:00 in Berlin, right after the gap
    assert next_after("30 2 * * *", found, BERLIN) == at("2026-03-30T02:30")


def test_a_time_of_day_that_the_zone_has_twice_comes_once():
    first = next_after("30 2 * * *", at("2026-10-24T12:00"), BERLIN)
    assert next_after("30 2 * * *", first, BERLIN) == at("2026-10-26T02:30")


def test_the_latest_moment_may_be_this_one():
    six = at("2026-01-05T06:00")
    for now in (six, six + 1, at("2026-01-05T06:59"), at("2026-01-11T23:59")):
        assert latest_until("0 6 * * 1", now, BERLIN) == six
    assert latest_until("0 6 * * 1", six - 1, BERLIN) == at("2025-12-29T06:00")


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("", "five fields"),
        ("0 6 * *", "five fields"),
        ("0 0 6 * * 1", "five fields"),
        ("61 6 * * *", "61 6"),
        ("0 6 * * nonsense", "nonsense"),
        ("0 0 31 2 *", "Bad day-of-month"),
        ("* * * * *", "every 5 minutes"),
        ("0,3 6 * * *", "every 5 minutes"),
        ("0 6 " + "1," * 100 + "2 * *", "five fields"),
    ],
)
def test_what_is_no_expression_never_comes_or_comes_too_often_is_refused(expression, message):
    with pytest.raises(InvalidInput, match=rf"cron: .*{message}"):
        check_cron(expression, at("2026-01-01T00:00"), BERLIN, 5)


@pytest.mark.parametrize("expression", ["*/5 * * * *", "0 6 * * MON", "0 0 1 1 *", "0 12 L * *"])
def test_what_comes_rarely_enough_is_taken(expression):
    check_cron(expression, at("2026-01-01T00:00"), BERLIN, 5)
