import dataclasses
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from barograph.domain.errors import Forbidden, InvalidInput, NotFound
from barograph.domain.time import DAY, HOUR, MINUTE, SECOND, from_text, to_datetime
from barograph.domain.user import OPERATOR, Principal
from barograph.services.analytics import Analytics

T0 = from_text("2026-01-01T00:00:00Z")


@pytest.fixture
def ask(core):
    def ask(device, principal=OPERATOR, **parameters):
        return core.analytics.device(principal, device.id, core.analytics.question(parameters))

    return ask


@pytest.fixture
def ask_user(core):
    def ask(user, principal=OPERATOR, **parameters):
        question = core.analytics.question(parameters)
        return core.analytics.user(principal, user.user_id, question)

    return ask


def test_a_device_is_summarized_metric_by_metric(fleet, ask):
    device = fleet.device()
    fleet.send(device, "x", [(T0, 1.0), (T0 + SECOND, 3.0), (T0 + 2 * SECOND, 2.0)])
    fleet.send(device, "y", [(T0, 5.0)])
    answer = ask(device)
    assert list(answer) == ["device_id", "start_time", "end_time", "metrics"]
    assert answer["device_id"] == device.id
    assert (answer["start_time"], answer["end_time"]) == (None, None)
    assert list(answer["metrics"]["x"].items()) == [
        ("min", 1.0),
        ("max", 3.0),
        ("count", 3),
        ("sum", 6.0),
        ("median", 2.0),
    ]
    assert isinstance(answer["metrics"]["x"]["count"], int)
    assert list(answer["metrics"]) == ["x", "y"]


def test_the_period_is_half_open_and_told_back(fleet, ask):
    device = fleet.device()
    fleet.send(device, "x", [(T0, 1.0), (T0 + HOUR, 2.0)])
    answer = ask(device, start_time="2026-01-01T00:00:00Z", end_time="2026-01-01T01:00:00Z")
    assert answer["start_time"] == "2026-01-01T00:00:00Z"
    assert answer["end_time"] == "2026-01-01T01:00:00Z"
    assert answer["metrics"]["x"]["count"] == 1


def test_without_readings_counts_and_sums_are_zero_and_the_rest_null(fleet, ask):
    device = fleet.device()
    fleet.send(device, "x", [(T0, 1.0)])
    expected = {"min": None, "max": None, "count": 0, "sum": 0.0, "median": None}
    assert ask(device, start_time="2027-01-01")["metrics"] == {"x": expected}
    assert ask(device, metrics="never")["metrics"] == {"never": expected}
    assert ask(device, metrics="never", interval="1h")["metrics"] == {"never": []}
    assert ask(fleet.device("new"))["metrics"] == {}


def test_statistics_come_in_the_order_asked(fleet, ask):
    device = fleet.device()
    fleet.send(device, "x", [(T0 + i * SECOND, float(i)) for i in range(101)])
    summary = ask(device, stats="p95,count,mean,p99.9")["metrics"]["x"]
    assert list(summary) == ["p95", "count", "mean", "p99.9"]
    assert summary["p95"] == pytest.approx(95)


def test_buckets_show_their_times_in_the_asked_zone(fleet, ask):
    device = fleet.device()
    fleet.send(device, "x", [(T0, 1.0), (T0 + 2 * HOUR, 3.0)])
    buckets = ask(device, interval="1h", stats="count", tz="Europe/Berlin")["metrics"]["x"]
    assert buckets == [
        {"start": "2026-01-01T01:00:00+01:00", "end": "2026-01-01T02:00:00+01:00", "count": 1},
        {"start": "2026-01-01T03:00:00+01:00", "end": "2026-01-01T04:00:00+01:00", "count": 1},
    ]
    in_utc = ask(device, interval="1h", stats="count")["metrics"]["x"]
    assert in_utc[0]["start"] == "2026-01-01T00:00:00Z"


def test_calendar_days_across_a_change_of_offset_are_those_of_pandas(fleet, ask):
    device = fleet.device()
    start = from_text("2026-03-27T00:00:00Z")
    times = [start + i * 20 * MINUTE for i in range(3 * 24 * 4)]
    values = np.random.default_rng(7).normal(20, 5, len(times)).round(3).tolist()
    fleet.send(device, "x", list(zip(times, values, strict=True)))
    buckets = ask(device, interval="1d", tz="Europe/Berlin")["metrics"]["x"]
    index = pd.DatetimeIndex([to_datetime(t) for t in times]).tz_convert("Europe/Berlin")
    expected = pd.Series(values, index).resample("1D").agg(["min", "max", "count", "sum", "median"])
    assert [b["start"] for b in buckets] == [day.isoformat() for day in expected.index]
    for name in expected.columns:
        assert [b[name] for b in buckets] == pytest.approx(expected[name].tolist(), rel=1e-9)
    assert [b["count"] for b in buckets] == [69, 72, 69, 72, 6]  # the 29th has 23 hours


def fills(fleet, ask, fill, stats="count,sum,distinct,mean"):
    device = fleet.device()
    fleet.send(device, "x", [(T0 + HOUR, 10.0), (T0 + 4 * HOUR, 40.0), (T0 + 4 * HOUR + 1, 40.0)])
    period = {"start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T06:00:00Z"}
    return ask(device, interval="1h", fill=fill, stats=stats, **period)["metrics"]["x"]


def test_empty_buckets_are_left_out_unless_filled(fleet, ask):
    assert [b["start"][11:13] for b in fills(fleet, ask, "none")] == ["01", "04"]


@pytest.mark.parametrize(
    ("fill", "means"),
    [
        ("null", [None, 10.0, None, None, 40.0, None]),
        ("previous", [None, 10.0, 10.0, 10.0, 40.0, 40.0]),
        ("linear", [None, 10.0, 20.0, 30.0, 40.0, None]),
        ("-1", [-1.0, 10.0, -1.0, -1.0, 40.0, -1.0]),
    ],
)
def test_a_fill_gives_empty_buckets_their_values(fleet, ask, fill, means):
    buckets = fills(fleet, ask, fill)
    assert [b["mean"] for b in buckets] == means
    assert [b["count"] for b in buckets] == [0, 1, 0, 0, 2, 0]
    assert [b["sum"] for b in buckets] == [0.0, 10.0, 0.0, 0.0, 80.0, 0.0]
    assert [b["distinct"] for b in buckets] == [0, 1, 0, 0, 1, 0]


def test_a_fill_beyond_the_range_of_floats_is_null(fleet, ask):
    device = fleet.device()
    fleet.send(device, "x", [(T0, -1.7e308), (T0 + 2 * HOUR, 1.7e308)])
    buckets = ask(device, interval="1h", fill="linear", stats="mean")["metrics"]["x"]
    assert [b["mean"] for b in buckets] == [-1.7e308, None, 1.7e308]


def test_a_filled_bucket_keeps_the_null_of_one_that_has_too_few_readings(fleet, ask):
    deviations = [b["stddev"] for b in fills(fleet, ask, "previous", stats="stddev")]
    assert deviations == [None, None, None, None, 0.0, 0.0]


def test_of_an_open_period_the_buckets_run_from_the_first_to_the_last_reading(fleet, ask):
    device = fleet.device()
    fleet.send(device, "x", [(T0 + HOUR, 1.0)])
    fleet.send(device, "y", [(T0 + 3 * HOUR, 1.0)])
    metrics = ask(device, interval="1h", fill="null", stats="count")["metrics"]
    assert [b["count"] for b in metrics["x"]] == [1, 0, 0]
    assert [b["count"] for b in metrics["y"]] == [0, 0, 1]
    since = ask(device, interval="1h", fill="null", start_time="2026-01-01T00:00:00Z")
    assert len(since["metrics"]["x"]) == 4
    assert ask(device, interval="1h", start_time="2027-01-01")["metrics"] == {"x": [], "y": []}


def test_too_many_buckets_are_refused(core, fleet):
    device = fleet.device()
    fleet.send(device, "x", [(T0, 1.0), (T0 + 5 * HOUR, 1.0)])
    fleet.send(device, "y", [(T0, 1.0)])
    limits = dataclasses.replace(core.limits, buckets_max=10)
    analytics = Analytics(core.registry, core.store, core.clock, limits, core.zone)
    six = analytics.question({"interval": "1h", "metrics": "x"})
    assert len(analytics.device(OPERATOR, device.id, six)["metrics"]["x"]) == 2
    with pytest.raises(InvalidInput, match="interval"):  # six for each of two metrics
        analytics.device(OPERATOR, device.id, analytics.question({"interval": "1h"}))


@pytest.mark.parametrize(
    "parameters",
    [
        {"interval": "999999999h", "start_time": "2026-01-01", "end_time": "2026-01-02"},
        {"interval": "1000y", "start_time": "9999-01-01", "end_time": "9999-12-31"},
        {"interval": "1d", "start_time": "9999-12-30", "end_time": "9999-12-31T23:00:00Z"},
    ],
)
def test_buckets_beyond_what_can_be_written_are_refused(fleet, ask, parameters):
    device = fleet.device()
    fleet.send(device, "x", [(T0, 1.0)])
    with pytest.raises(InvalidInput, match="interval"):
        ask(device, tz="Asia/Tokyo", **parameters)


def test_the_last_moment_of_time_is_told_back_in_every_zone(fleet, ask):
    answer = ask(fleet.device(), end_time="9999-12-31T23:59:59Z", tz="Asia/Tokyo")
    assert answer["end_time"] == "9999-12-31T23:59:59Z"


def test_a_user_is_answered_over_all_devices_together(fleet, ask_user):
    anna, boris = fleet.user("anna"), fleet.user("boris")
    for owner, values in ((anna, [1.0, 2.0]), (anna, [9.0]), (boris, [100.0])):
        device = fleet.device(owner=owner)
        fleet.send(device, "x", [(T0 + i, value) for i, value in enumerate(values)])
    answer = ask_user(anna, principal=anna)
    assert list(answer) == ["user_id", "start_time", "end_time", "device_count", "metrics"]
    assert (answer["user_id"], answer["device_count"]) == (anna.user_id, 2)
    assert answer["metrics"] == {
        "x": {"min": 1.0, "max": 9.0, "count": 3, "sum": 12.0, "median": 2.0}
    }


def test_a_user_is_answered_for_each_device(fleet, ask_user):
    anna = fleet.user()
    kitchen, cellar = fleet.device("kitchen", anna), fleet.device("cellar", anna)
    fleet.send(kitchen, "x", [(T0, 1.0)])
    fleet.send(cellar, "y", [(T0, 2.0)])
    answer = ask_user(anna, aggregate="false", stats="count")
    assert list(answer) == ["user_id", "start_time", "end_time", "device_count", "devices"]
    assert answer["devices"] == [
        {"device_id": kitchen.id, "name": "kitchen", "metrics": {"x": {"count": 1}}},
        {"device_id": cellar.id, "name": "cellar", "metrics": {"y": {"count": 1}}},
    ]


def test_a_user_without_devices_has_an_empty_answer(fleet, ask_user):
    answer = ask_user(fleet.user())
    assert (answer["device_count"], answer["metrics"]) == (0, {})


def test_who_may_not_see_a_device_gets_no_answer(core, fleet, ask, ask_user):
    anna, boris = fleet.user("anna"), fleet.user("boris")
    device = fleet.device(owner=anna)
    with pytest.raises(NotFound):
        ask(device, principal=boris)
    with pytest.raises(NotFound):
        ask_user(anna, principal=boris)
    with pytest.raises(Forbidden):
        ask_user(anna, principal=Principal("device", device_id=device.id))
    with pytest.raises(Forbidden):
        ask(fleet.device("other"), principal=Principal("device", device_id=device.id))
    with pytest.raises(NotFound):
        core.analytics.user(OPERATOR, 999, core.analytics.question({}))
    assert ask(device, principal=Principal("device", device_id=device.id))["metrics"] == {}


def test_chosen_devices_are_answered_in_the_order_asked(core, fleet):
    one, two = fleet.device("one"), fleet.device("two")
    fleet.send(one, "x", [(T0, 1.0)])
    answers = core.analytics.devices(
        OPERATOR, [two.id, one.key], core.analytics.question({"stats": "count"})
    )
    assert [(a["name"], a["metrics"]) for a in answers] == [
        ("two", {}),
        ("one", {"x": {"count": 1}}),
    ]


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"interval": "1h", "fill": "previous"},
        {"interval": "1d", "metrics": "m1*,never", "stats": "median,first,count"},
        {"aggregate": "false", "interval": "6h"},
        {"start_time": "2026-01-02", "end_time": "2026-01-04", "interval": "7m"},
    ],
)
def test_an_answer_in_pieces_is_the_answer_in_one_go(core, fleet, parameters):
    anna = fleet.user()
    chance = np.random.default_rng(3)
    for number in range(3):
        device = fleet.device(f"d{number}", anna)
        for metric in range(15):
            times = T0 + chance.integers(0, 5 * DAY, 40)
            readings = zip(times.tolist(), chance.normal(size=40).tolist(), strict=True)
            fleet.send(device, f"m{metric}", list(readings))
        states = [(T0 + i * HOUR, str(i % 3)) for i in range(50)]
        fleet.send(device, "state", states)
    question = core.analytics.question(parameters)
    told = []
    in_pieces = core.analytics.user(anna, anna.user_id, question, told.append)
    assert in_pieces == core.analytics.user(anna, anna.user_id, question)
    assert told == sorted(told)
    assert told[0] == 0.0
    assert told[-1] == 1.0
    assert len(told) > 10


def test_a_long_question_stops_where_the_report_raises(core, fleet):
    device = fleet.device()
    for metric in "abc":
        fleet.send(device, metric, [(T0, 1.0)])

    class EnoughError(Exception):
        pass

    def report(progress):
        if progress > 0.3:
            raise EnoughError

    with pytest.raises(EnoughError):
        core.analytics.device(OPERATOR, device.id, core.analytics.question({}), report)


def test_the_installations_zone_counts_without_another(core, fleet):
    device = fleet.device()
    fleet.send(device, "x", [(T0, 1.0)])
    analytics = Analytics(
        core.registry, core.store, core.clock, core.limits, ZoneInfo("Europe/Moscow")
    )
    answer = analytics.device(OPERATOR, device.id, analytics.question({"interval": "1d"}))
    assert answer["metrics"]["x"][0]["start"] == "2026-01-01T00:00:00+03:00"
