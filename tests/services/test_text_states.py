"""Summaries of text metrics; the clock stands at midnight of 2026-01-02."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph.domain.batch import Batch
from barograph.domain.limits import Limits
from barograph.domain.period import Period
from barograph.domain.time import DAY, HOUR, MINUTE, SECOND, from_text
from barograph.domain.user import OPERATOR
from barograph.services import text_states
from barograph.services.text_states import TextSummaries
from barograph.stores.readings.memory import MemoryReadingStore

T0 = from_text("2026-01-01T00:00:00Z")
DAY_ONE = {"start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-02T00:00:00Z"}


@pytest.fixture
def ask(core):
    core.clock.now = T0 + DAY

    def ask(device, **parameters):
        question = core.analytics.question(parameters)
        return core.analytics.device(OPERATOR, device.id, question)["metrics"]

    return ask


def test_a_text_metric_has_its_own_statistics_and_the_time_in_each_state(fleet, ask):
    device = fleet.device()
    fleet.send(device, "door", [(T0, "shut"), (T0 + HOUR, "open"), (T0 + 90 * MINUTE, "shut")])
    assert ask(device, **DAY_ONE)["door"] == {
        "count": 3,
        "first": "shut",
        "last": "shut",
        "mode": "shut",
        "distinct": 2,
        "states": {"open": 1800.0, "shut": 84600.0},
    }


def test_of_chosen_statistics_those_of_texts_are_told(fleet, ask):
    device = fleet.device()
    fleet.send(device, "door", [(T0, "shut")])
    summary = ask(device, stats="mean,last,p95,count", **DAY_ONE)["door"]
    assert summary == {"last": "shut", "count": 1, "states": {"shut": 86400.0}}


def test_of_several_equally_frequent_states_the_mode_is_the_first_by_alphabet(fleet, ask):
    device = fleet.device()
    fleet.send(device, "door", [(T0, "b"), (T0 + 1, "a")])
    assert ask(device)["door"]["mode"] == "a"


def test_a_state_is_carried_in_from_before_the_period(fleet, ask):
    device = fleet.device()
    fleet.send(device, "door", [(T0 - DAY, "open"), (T0 + 6 * HOUR, "shut")])
    states = ask(device, **DAY_ONE)["door"]["states"]
    assert states == {"open": 6 * 3600.0, "shut": 18 * 3600.0}


def test_a_period_within_one_state_has_no_reading_but_the_state(fleet, ask):
    device = fleet.device()
    fleet.send(device, "door", [(T0 - DAY, "open")])
    summary = ask(device, **DAY_ONE)["door"]
    assert summary == {
        "count": 0,
        "first": None,
        "last": None,
        "mode": None,
        "distinct": 0,
        "states": {"open": 86400.0},
    }


def test_the_last_state_lasts_until_now_where_the_period_is_open_or_ends_later(fleet, ask):
    device = fleet.device()
    fleet.send(device, "door", [(T0 + 23 * HOUR, "open")])
    assert ask(device)["door"]["states"] == {"open": 3600.0}
    later = ask(device, start_time="2026-01-01T00:00:00Z", end_time="2026-01-09T00:00:00Z")
    assert later["door"]["states"] == {"open": 3600.0}


def test_a_state_of_the_future_has_not_lasted_yet(fleet, ask):
    device = fleet.device()
    fleet.send(device, "door", [(T0 + 23 * HOUR, "open"), (T0 + 25 * HOUR, "shut")])
    summary = ask(device)["door"]
    assert (summary["count"], summary["states"]) == (2, {"open": 3600.0})


def test_buckets_divide_the_time_of_a_state(fleet, ask):
    device = fleet.device()
    fleet.send(device, "door", [(T0 + 30 * MINUTE, "open"), (T0 + 150 * MINUTE, "shut")])
    period = {"start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T05:00:00Z"}
    buckets = ask(device, interval="1h", stats="count", **period)["door"]
    assert [(b["start"][11:13], b["count"], b["states"]) for b in buckets] == [
        ("00", 1, {"open": 1800.0}),
        ("01", 0, {"open": 3600.0}),
        ("02", 1, {"open": 1800.0, "shut": 1800.0}),
        ("03", 0, {"shut": 3600.0}),
        ("04", 0, {"shut": 3600.0}),
    ]


def test_only_the_periods_part_of_a_bucket_counts(fleet, ask):
    device = fleet.device()
    fleet.send(device, "door", [(T0 - DAY, "open")])
    period = {"start_time": "2026-01-01T00:30:00Z", "end_time": "2026-01-01T01:15:00Z"}
    buckets = ask(device, interval="1h", stats="count", **period)["door"]
    assert [b["states"] for b in buckets] == [{"open": 1800.0}, {"open": 900.0}]


def test_filled_buckets_of_a_text_metric(fleet, ask):
    device = fleet.device()
    fleet.send(device, "door", [(T0 + HOUR, "open")])
    period = {"start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T02:00:00Z"}
    for fill, last in (("null", None), ("linear", None), ("7", None), ("previous", None)):
        buckets = ask(device, interval="1h", fill=fill, stats="count,last", **period)["door"]
        assert buckets[0]["last"] is last
        assert (buckets[0]["count"], buckets[0]["states"]) == (0, {})
        assert buckets[1]["last"] == "open"


def test_a_metric_of_both_kinds_is_numbers_where_it_has_numbers(fleet, ask):
    device = fleet.device()
    fleet.send(device, "mixed", [(T0, "off"), (T0 + HOUR, 1.0), (T0 + 2 * HOUR, "off")])
    assert ask(device)["mixed"]["max"] == 1.0
    period = {"start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T03:00:00Z"}
    kinds = ["states" in b for b in ask(device, interval="1h", **period)["mixed"]]
    assert kinds == [True, False, True]


def test_a_number_does_not_end_a_carried_state(fleet, ask):
    device = fleet.device()
    fleet.send(device, "mixed", [(T0 - DAY, "off"), (T0 - HOUR, 1.0)])
    assert ask(device, **DAY_ONE)["mixed"]["states"] == {"off": 86400.0}


def test_the_states_of_a_users_devices_add_up(core, fleet):
    core.clock.now = T0 + DAY
    anna = fleet.user()
    for start, state in ((0, "open"), (HOUR, "shut"), (2 * HOUR, "open")):
        fleet.send(fleet.device(owner=anna), "door", [(T0 + start, state)])
    question = core.analytics.question(DAY_ONE)
    summary = core.analytics.user(anna, anna.user_id, question)["metrics"]["door"]
    assert summary["states"] == {"open": (24 + 22) * 3600.0, "shut": 23 * 3600.0}
    assert (summary["count"], summary["first"], summary["last"]) == (3, "open", "open")


def test_a_metric_with_too_many_states_loses_what_would_not_fit(core, fleet, ask):
    device = fleet.device()
    fleet.send(device, "log", [(T0 + i, "x" * 4000 + str(i)) for i in range(3000)])
    fleet.send(device, "door", [(T0, "shut")])
    metrics = ask(device)
    log = metrics["log"]
    assert (log["count"], log["mode"], log["distinct"], log["states"]) == (3000, None, None, None)
    assert log["last"].endswith("x2999")
    assert metrics["door"]["states"] == {"shut": 86400.0}


moments = st.integers(0, 100).map(lambda minutes: T0 + minutes * MINUTE)
courses = st.lists(
    st.dictionaries(moments, st.sampled_from("abc"), max_size=8), min_size=1, max_size=3
)


@settings(max_examples=60, deadline=None)
@given(courses, moments, moments, st.integers(1, 40), moments)
def test_the_times_are_those_of_looking_at_every_minute(courses, start, end, step, now):
    start, end = min(start, end), max(start, end)
    store = MemoryReadingStore()
    for series, course in enumerate(courses, 1):
        store.append(Batch.of([(series, time, state) for time, state in course.items()]))
    edges = list(range(start - 3 * MINUTE, end + step * MINUTE, step * MINUTE))
    if edges[-1] < end or len(edges) < 2:
        edges.append(edges[-1] + step * MINUTE)
    groups = {0: list(range(1, len(courses) + 1))}
    summaries = TextSummaries(groups, Period(start, end), edges, now, Limits())
    summaries.read(store, None)
    found = {
        bucket: summary["states"]
        for (_, bucket), summary in summaries.summaries(["count"]).items()
        if summary["states"]
    }
    expected = {}
    for course in courses:
        for minute in range(start, min(end, now), MINUTE):
            earlier = [time for time in course if time <= minute]
            if earlier:
                bucket = sum(edge <= minute for edge in edges) - 1
                states = expected.setdefault(bucket, {})
                state = course[max(earlier)]
                states[state] = states.get(state, 0) + MINUTE / SECOND
    assert found == expected


def test_a_crowded_group_gives_its_room_to_the_others():
    groups, store = {0: [1], 1: [2]}, MemoryReadingStore()
    many = [(1, T0 + i, f"line {i}") for i in range(text_states._STATES_MAX + 1)]
    store.append(Batch.of([*many, (2, T0 + DAY, "on")]))
    summaries = TextSummaries(groups, Period(), None, T0 + 2 * DAY, Limits())
    summaries.read(store, None)
    found = summaries.summaries(["distinct"])
    assert found[0, 0] == {"distinct": None, "states": None}
    assert found[1, 0] == {"distinct": 1, "states": {"on": 86400.0}}
