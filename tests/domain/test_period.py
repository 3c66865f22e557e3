from contextlib import suppress
from datetime import date, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from barograph.domain.errors import InvalidInput
from barograph.domain.period import ALL_TIME, Interval, Period, bucket_of, edges
from barograph.domain.time import (
    DAY,
    HOUR,
    MILLISECOND,
    MINUTE,
    SECOND,
    TIME_MAX,
    WEEK,
    format_time,
    from_text,
    to_datetime,
)

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/Sao_Paulo",
    "America/Havana",
    "America/St_Johns",
    "Africa/Cairo",
    "Asia/Beirut",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Kwajalein",
    "Antarctica/Casey",
)
FIXED = ("250ms", "1s", "30s", "5m", "90m", "1h", "7h", "36h")
CALENDAR = ("1d", "2d", "10d", "1w", "3w", "1mo", "2mo", "5mo", "1q", "3q", "1y", "7y", "1000y")
YEAR_2040 = from_text("2040-01-01")


class TestPeriod:
    def test_it_holds_its_start_and_not_its_end(self):
        period = Period(10, 20)
        assert [time for time in (9, 10, 19, 20) if time in period] == [10, 19]

    def test_a_side_may_be_open(self):
        assert 0 in Period(end=1)
        assert TIME_MAX - 1 in Period(start=5)
        assert 0 in ALL_TIME
        assert 7 not in Period(7, 7)

    def test_its_end_does_not_lie_before_its_start(self):
        with pytest.raises(InvalidInput, match="end_time"):
            Period(2, 1)


class TestParsing:
    @pytest.mark.parametrize(
        ("text", "length"),
        [
            ("1ms", MILLISECOND),
            ("30s", 30 * SECOND),
            ("5m", 5 * MINUTE),
            ("1h", HOUR),
            ("48h", 2 * DAY),
            ("999999999ms", 999_999_999 * MILLISECOND),
        ],
    )
    def test_fixed_lengths(self, text, length):
        interval = Interval.parse(text)
        assert (interval.text, interval.fixed) == (text, length)

    @pytest.mark.parametrize(
        ("text", "count", "unit"),
        [("1d", 1, "d"), ("2w", 2, "w"), ("1mo", 1, "mo"), ("4q", 4, "q"), ("1000y", 1000, "y")],
    )
    def test_calendar_lengths(self, text, count, unit):
        interval = Interval.parse(text)
        assert (interval.fixed, interval.count, interval.unit) == (None, count, unit)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "5",
            "m",
            "0s",
            "-1h",
            "+1h",
            "1.5h",
            "1 h",
            "1H",
            "1D",
            "1min",
            "1 day",
            "1d\n",
            "05m",
            "1001d",
            "9999999999s",
            "１h",
            "1mo1d",
            "∞",
        ],
    )
    def test_anything_else_is_refused(self, text):
        with pytest.raises(InvalidInput, match="interval"):
            Interval.parse(text)

    @given(st.text(max_size=20))
    def test_garbage_raises_invalid_input_and_nothing_else(self, text):
        with suppress(InvalidInput):
            Interval.parse(text)


@st.composite
def spans(draw):
    """A first instant and an end, a few buckets of the interval apart, near or far from changes."""
    interval = Interval.parse(draw(st.sampled_from(FIXED + CALENDAR)))
    first = draw(st.integers(0, YEAR_2040))
    length = {"d": DAY, "w": WEEK, "mo": 31 * DAY, "q": 92 * DAY, "y": 366 * DAY, None: None}
    bucket = interval.fixed or length[interval.unit] * interval.count
    end = min(first + draw(st.integers(0, 12 * bucket)), TIME_MAX)
    return interval, first, end


class TestEdges:
    @given(spans(), st.sampled_from(ZONES).map(ZoneInfo))
    def test_they_ascend_cover_the_period_and_no_more(self, span, zone):
        interval, first, end = span
        found = edges(interval, first, end, zone, buckets_max=100_000)
        assert all(a < b for a, b in pairwise(found))
        assert len(found) >= 2
        assert found[0] <= first < found[1]
        assert end <= found[-1]
        if len(found) > 2:
            assert found[-2] < end

    @given(spans(), st.sampled_from(ZONES).map(ZoneInfo), st.randoms(use_true_random=False))
    def test_an_edge_does_not_depend_on_where_one_looks_from(self, span, zone, random):
        interval, first, end = span
        found = edges(interval, first, end, zone, buckets_max=100_000)
        time = random.randrange(found[0], min(found[-1], TIME_MAX))
        bucket = bucket_of(found, time)
        assert found[bucket] <= time < found[bucket + 1]
        assert interval.floor(time, zone) == found[bucket]
        assert interval.next(found[bucket], zone) == found[bucket + 1]

    @given(
        st.sampled_from(CALENDAR),
        st.integers(from_text("1972-02-01"), YEAR_2040),
        st.sampled_from(ZONES).map(ZoneInfo),
    )
    @example("1d", from_text("2011-12-29T12:00-10:00"), ZoneInfo("Pacific/Apia"))
    @example("1d", from_text("2006-10-29T02:15:00Z"), ZoneInfo("America/St_Johns"))
    def test_a_calendar_edge_is_the_first_instant_of_its_date(self, text, time, zone):
        edge = Interval.parse(text).floor(time, zone)
        assert to_datetime(edge - 1, zone).date() < to_datetime(edge, zone).date()

    @given(st.sampled_from(FIXED), st.integers(0, TIME_MAX - 1))
    def test_fixed_edges_are_aligned_to_1970_whatever_the_zone(self, text, time):
        interval = Interval.parse(text)
        assert interval.floor(time, ZoneInfo("Asia/Kolkata")) % interval.fixed == 0

    def test_a_period_on_edges_has_exactly_its_buckets(self):
        found = edges(Interval.parse("1h"), 0, 3 * HOUR, buckets_max=3)
        assert found == [0, HOUR, 2 * HOUR, 3 * HOUR]

    def test_an_empty_period_lies_in_one_bucket(self):
        for text in ("1h", "1d", "1mo"):
            assert len(edges(Interval.parse(text), 5 * HOUR, 5 * HOUR, buckets_max=1)) == 2

    @pytest.mark.parametrize("text", ["1ms", "1h", "1d"])
    def test_more_buckets_than_allowed_are_refused(self, text):
        length = {"1ms": MILLISECOND, "1h": HOUR, "1d": DAY}[text]
        interval = Interval.parse(text)
        assert len(edges(interval, 0, 10 * length, buckets_max=10)) == 11
        with pytest.raises(InvalidInput, match="longer interval"):
            edges(interval, 0, 10 * length + 1, buckets_max=10)

    @pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Honolulu"])
    @pytest.mark.parametrize("text", ["1h", "1d", "1w", "1mo", "1q", "1y", "1000y"])
    def test_the_ends_of_time_have_buckets(self, text, zone):
        interval = Interval.parse(text)
        for first in (0, TIME_MAX - 1):
            found = edges(interval, first, first + 1, ZoneInfo(zone), buckets_max=1)
            assert found[0] <= first < found[1]


def starts(text, first, end, zone):
    zone = ZoneInfo(zone)
    found = edges(Interval.parse(text), from_text(first), from_text(end), zone, buckets_max=100)
    return [format_time(edge, zone) for edge in found]


class TestZones:
    def test_days_of_23_and_25_hours(self):
        assert starts("1d", "2024-03-30T12:00Z", "2024-04-01T12:00Z", "Europe/Berlin") == [
            "2024-03-30T00:00:00+01:00",
            "2024-03-31T00:00:00+01:00",
            "2024-04-01T00:00:00+02:00",
            "2024-04-02T00:00:00+02:00",
        ]
        found = edges(
            Interval.parse("1d"),
            from_text("2024-10-27T12:00Z"),
            from_text("2024-10-27T13:00Z"),
            ZoneInfo("Europe/Berlin"),
            buckets_max=1,
        )
        assert found[1] - found[0] == 25 * HOUR

    @pytest.mark.parametrize(
        ("zone", "day", "begins"),
        [
            ("America/Sao_Paulo", "2018-11-04", "2018-11-04T01:00:00-02:00"),
            ("Africa/Cairo", "2024-04-26", "2024-04-26T01:00:00+03:00"),
            ("Asia/Beirut", "2024-03-31", "2024-03-31T01:00:00+03:00"),
            ("America/Havana", "2024-03-10", "2024-03-10T01:00:00-04:00"),
        ],
    )
    def test_a_day_without_midnight_begins_after_the_gap(self, zone, day, begins):
        before = (date.fromisoformat(day) - timedelta(days=1)).isoformat()
        found = starts("1d", f"{before}T12:00Z", f"{day}T12:00Z", zone)
        assert [text[:10] for text in found[:2]] == [before, day]
        assert found[1] == begins
        assert found[2].endswith(f"T00:00:00{begins[-6:]}")

    def test_a_midnight_that_comes_twice_begins_the_day_with_the_first(self):
        assert starts("1d", "2024-11-03T12:00Z", "2024-11-03T13:00Z", "America/Havana") == [
            "2024-11-03T00:00:00-04:00",
            "2024-11-04T00:00:00-05:00",
        ]

    def test_a_minute_past_midnight_twice_stays_in_its_day(self):
        # Until 2011 Newfoundland set its clocks back at 00:01, to 23:01 of the day before.
        assert starts("1d", "2006-10-29T02:45Z", "2006-10-29T02:46Z", "America/St_Johns") == [
            "2006-10-29T00:00:00-02:30",
            "2006-10-30T00:00:00-03:30",
        ]

    def test_a_date_that_a_zone_skipped_has_no_bucket(self):
        assert starts("1d", "2011-12-29T12:00Z", "2011-12-30T20:00Z", "Pacific/Apia") == [
            "2011-12-29T00:00:00-10:00",
            "2011-12-31T00:00:00+14:00",
            "2012-01-01T00:00:00+14:00",
        ]

    def test_weeks_begin_on_monday(self):
        assert starts("1w", "2024-01-03T00:00Z", "2024-01-08T00:00Z", "UTC") == [
            "2024-01-01T00:00:00Z",
            "2024-01-08T00:00:00Z",
        ]
        assert starts("1w", "1970-01-01T00:00Z", "1970-01-05T00:00Z", "UTC") == [
            "1969-12-29T00:00:00Z",
            "1970-01-05T00:00:00Z",
        ]

    def test_months_quarters_and_years_begin_on_their_first_day(self):
        assert starts("1mo", "2024-02-29T23:30Z", "2024-03-31T22:30Z", "Europe/Berlin") == [
            "2024-03-01T00:00:00+01:00",
            "2024-04-01T00:00:00+02:00",
            "2024-05-01T00:00:00+02:00",
        ]
        assert starts("1q", "2024-05-05T00:00Z", "2024-05-06T00:00Z", "UTC") == [
            "2024-04-01T00:00:00Z",
            "2024-07-01T00:00:00Z",
        ]
        assert starts("2y", "2025-05-05T00:00Z", "2026-05-05T00:00Z", "UTC") == [
            "2024-01-01T00:00:00Z",
            "2026-01-01T00:00:00Z",
            "2028-01-01T00:00:00Z",
        ]


def test_a_time_on_an_edge_is_in_the_bucket_that_begins_there():
    found = [10, 20, 40]
    assert [bucket_of(found, time) for time in (10, 19, 20, 39)] == [0, 0, 1, 1]
