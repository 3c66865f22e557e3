"""The analytics over HTTP; expected values are those of NumPy and pandas on the same readings."""

import itertools
import time
from datetime import UTC, datetime, timedelta

import httpx
import numpy as np
import pandas as pd
import pytest
from tests.databases import on_every_database
from tests.waiting import PATIENCE_SECONDS

pytestmark = on_every_database

START = 1_750_000_000
DEFAULT = {"min", "max", "count", "sum", "median"}
EMPTY = {"min": None, "max": None, "count": 0, "sum": 0, "median": None}
_numbers = itertools.count(1)


def close(value):
    return pytest.approx(value, rel=1e-9, abs=1e-12)


@pytest.fixture(scope="module")
def client(server):
    with httpx.Client(base_url=server.url, timeout=PATIENCE_SECONDS) as client:
        yield client


@pytest.fixture(scope="module")
def make(client):
    """Makes a device that has sent these readings, an object each; its id."""

    def make(readings=(), **more):
        body = {"name": f"device {next(_numbers)}", **more}
        device = client.post("/api/devices", json=body).json()["id"]
        if readings:
            answer = client.post(f"/api/devices/{device}/data", json=list(readings))
            assert answer.status_code == 201, answer.text
        return device

    return make


@pytest.fixture(scope="module")
def user(client):
    name = f"user{next(_numbers)}"
    body = {"username": name, "email": f"{name}@example.org"}
    return client.post("/api/users/", json=body).json()["id"]


@pytest.fixture(scope="module")
def ask(client):
    def ask(device, **params):
        answer = client.get(f"/api/analytics/devices/{device}", params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return ask


@pytest.fixture(scope="module")
def frame():
    """A thousand readings at irregular times, with falls and values that come often."""
    random = np.random.default_rng(1)
    seconds = START + np.cumsum(random.integers(1, 50, 1000))
    counter = np.cumsum(random.integers(0, 9, 1000)) % 500
    noise = random.normal(20, 5, 1000)
    return pd.DataFrame({"ts": seconds, "c": counter.astype(float), "t": noise})


@pytest.fixture(scope="module")
def device(make, frame):
    return make(frame.to_dict("records"))


@pytest.fixture(scope="module")
def halves(make, frame, user):
    """The same readings as two devices of a user."""
    return [make(frame[n::2].to_dict("records"), user_id=user) for n in (0, 1)]


def trapezoids(seconds, values):
    return float(np.sum((values[1:] + values[:-1]) / 2 * np.diff(seconds)) / 3600)


EXPECTED = {
    "count": lambda _, v: len(v),
    "sum": lambda _, v: v.sum(),
    "min": lambda _, v: v.min(),
    "max": lambda _, v: v.max(),
    "mean": lambda _, v: v.mean(),
    "median": lambda _, v: np.median(v),
    "stddev": lambda _, v: pd.Series(v).std(),
    "p0": lambda _, v: np.percentile(v, 0),
    "p5": lambda _, v: np.percentile(v, 5),
    "p95": lambda _, v: np.percentile(v, 95),
    "p99.9": lambda _, v: np.percentile(v, 99.9),
    "p100": lambda _, v: np.percentile(v, 100),
    "first": lambda _, v: v[0],
    "last": lambda _, v: v[-1],
    "range": lambda _, v: np.ptp(v),
    "increase": lambda _, v: np.where(np.diff(v) >= 0, np.diff(v), v[1:]).sum(),
    "rate": lambda s, v: np.where(np.diff(v) >= 0, np.diff(v), v[1:]).sum() / (s[-1] - s[0]),
    "integral": trapezoids,
    "time_weighted_mean": lambda s, v: np.average(v[:-1], weights=np.diff(s)),
    "mode": lambda _, v: pd.Series(v).mode()[0],
    "distinct": lambda _, v: pd.Series(v).nunique(),
}


@pytest.mark.parametrize("metric", ["c", "t"])
@pytest.mark.parametrize("statistic", EXPECTED)
@pytest.mark.parametrize("size", [1000, 501])
def test_a_statistic_is_what_numpy_and_pandas_say(device, frame, ask, statistic, metric, size):
    part = frame[:size]
    seconds, values = part["ts"].to_numpy(float), part[metric].to_numpy()
    answer = ask(device, stats=statistic, metrics=metric, end_time=int(part["ts"].iloc[-1]) + 1)
    expected = EXPECTED[statistic](seconds, values)
    assert answer["metrics"] == {metric: {statistic: close(expected)}}


def test_the_example_of_the_contract(make, ask):
    device = make({"ts": START + n, "x": n} for n in (1, 2, 3))
    assert ask(device) == {
        "device_id": device,
        "start_time": None,
        "end_time": None,
        "metrics": {"x": {"min": 1.0, "max": 3.0, "count": 3, "sum": 6.0, "median": 2.0}},
    }


def test_all_statistics_may_be_asked_at_once(device, frame, ask):
    answer = ask(device, stats=",".join(EXPECTED), metrics="t")["metrics"]["t"]
    assert answer.keys() == EXPECTED.keys()
    seconds, values = frame["ts"].to_numpy(float), frame["t"].to_numpy()
    assert answer == {name: close(expected(seconds, values)) for name, expected in EXPECTED.items()}


def test_the_median_of_an_even_count_is_the_mean_of_the_middle_two(make, ask):
    device = make({"ts": START + n, "x": x} for n, x in enumerate([9, 1, 4, 2]))
    assert ask(device)["metrics"]["x"]["median"] == 3.0


def test_sums_are_exact_where_plain_addition_is_not(make, ask):
    device = make({"ts": START + n, "x": x} for n, x in enumerate([1e16, 1.0, -1e16, 0.1] * 9))
    assert ask(device)["metrics"]["x"]["sum"] == close(9 * 1.1)


def test_one_reading_has_no_deviation(make, ask):
    device = make([{"ts": START, "x": 5}])
    assert ask(device, stats="stddev,median,p10,range")["metrics"]["x"] == {
        "stddev": None,
        "median": 5.0,
        "p10": 5.0,
        "range": 0.0,
    }


def test_booleans_count_as_zero_and_one(make, ask):
    device = make({"ts": START + n, "on": on} for n, on in enumerate([True, False, True]))
    assert ask(device)["metrics"]["on"] == {
        "min": 0.0,
        "max": 1.0,
        "count": 3,
        "sum": 2.0,
        "median": 1.0,
    }


# Period


def test_the_period_is_half_open(make, ask):
    device = make({"ts": START + n, "x": n} for n in range(10))
    answer = ask(device, start_time=START + 2, end_time=START + 5)
    assert answer["metrics"]["x"]["count"] == 3
    assert answer["metrics"]["x"]["max"] == 4.0
    assert answer["start_time"] == "2025-06-15T15:06:42Z"
    assert answer["end_time"] == "2025-06-15T15:06:45Z"


@pytest.mark.parametrize(
    "start",
    [
        START * 1000,
        START * 10**6,
        START * 10**9,
        f"{START}.0",
        "2025-06-15T15:06:40Z",
        "2025-06-15T15:06:40",
        "2025-06-15T17:06:40+02:00",
    ],
)
def test_a_period_may_be_given_in_every_form_of_time(make, ask, start):
    device = make({"ts": START + n, "x": n} for n in (-1, 0, 1))
    answer = ask(device, start_time=start)
    assert answer["metrics"]["x"]["count"] == 2
    assert answer["start_time"] == "2025-06-15T15:06:40Z"


def test_relative_times_count_back_from_now(make, ask):
    now = time.time()
    device = make({"ts": now - days * 86400, "x": days} for days in (0.01, 0.5, 3, 30))
    for start, count in (("-24h", 2), ("-7d", 3), ("-90d", 4), ("-30m", 1), ("now", 0)):
        assert ask(device, start_time=start)["metrics"]["x"]["count"] == count
    between = ask(device, start_time="-7d", end_time="-24h")
    assert between["metrics"]["x"]["count"] == 1
    assert ask(device, start_time="-24h", end_time="now")["metrics"]["x"]["count"] == 2


def test_times_without_an_offset_are_of_the_zone_asked(make, ask):
    device = make({"ts": START + n, "x": n} for n in (-1, 0, 1))
    answer = ask(device, start_time="2025-06-15T17:06:40", tz="Europe/Berlin")
    assert answer["metrics"]["x"]["count"] == 2


def test_a_period_without_readings_has_a_count_and_sum_of_zero_and_the_rest_null(make, ask):
    device = make([{"ts": START, "x": 1}])
    answer = ask(device, start_time=START + 1, end_time=START + 2)
    assert answer["metrics"] == {"x": EMPTY}
    everything = ask(device, start_time=START + 1, stats=",".join(EXPECTED))["metrics"]["x"]
    assert everything.pop("count") == everything.pop("sum") == everything.pop("distinct") == 0
    assert set(everything.values()) == {None}


def test_a_device_that_never_sent_has_no_metrics_but_those_asked_for(make, ask):
    device = make()
    assert ask(device)["metrics"] == {}
    assert ask(device, metrics="x")["metrics"] == {"x": EMPTY}


# Metrics


def test_metrics_are_chosen_by_name_and_wildcard(make, ask):
    device = make([{"ts": START, "room.a": 1, "room.b": 2, "roof": 3, "y": 4}])
    assert set(ask(device)["metrics"]) == {"room.a", "room.b", "roof", "y"}
    assert set(ask(device, metrics="*")["metrics"]) == {"room.a", "room.b", "roof", "y"}
    assert set(ask(device, metrics="room.*")["metrics"]) == {"room.a", "room.b"}
    assert set(ask(device, metrics="roo*,y")["metrics"]) == {"room.a", "room.b", "roof", "y"}
    assert set(ask(device, metrics="y,roof")["metrics"]) == {"y", "roof"}
    assert ask(device, metrics="none.*")["metrics"] == {}


def test_a_metric_that_is_not_there_has_no_readings(make, ask):
    assert ask(make([{"ts": START, "x": 1}]), metrics="z")["metrics"] == {"z": EMPTY}


# Buckets


@pytest.mark.parametrize("interval", ["30s", "5m", "1h", "1d", "1w"])
def test_buckets_are_those_of_pandas(device, frame, ask, interval):
    answer = ask(device, interval=interval, stats="count,mean,median,max", metrics="t")
    times = pd.to_datetime(frame["ts"], unit="s", utc=True)
    rule = {"30s": "30s", "5m": "5min", "1h": "1h", "1d": "1D", "1w": "W-MON"}[interval]
    options = {"closed": "left", "label": "left"} if interval == "1w" else {}
    buckets = frame.set_index(times)["t"].resample(rule, **options)
    expected = buckets.agg(["count", "mean", "median", "max"]).query("count > 0")
    rows = answer["metrics"]["t"]
    assert [pd.Timestamp(row["start"]) for row in rows] == list(expected.index)
    for row, (_, values) in zip(rows, expected.iterrows(), strict=True):
        assert {name: row[name] for name in values.index} == close(values.to_dict())
        assert row["start"] < row["end"]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Kolkata"])
@pytest.mark.parametrize(
    ("interval", "rule"), [("1d", "D"), ("1mo", "MS"), ("1q", "QS"), ("1y", "YS")]
)
def test_calendar_buckets_follow_the_zone_through_changes_of_the_clocks(
    make, ask, zone, interval, rule
):
    hours = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=7 * n) for n in range(2000)]
    device = make({"ts": moment.isoformat(), "x": n} for n, moment in enumerate(hours))
    rows = ask(device, interval=interval, tz=zone, stats="count,sum")["metrics"]["x"]
    index = pd.DatetimeIndex(hours).tz_convert(zone)
    expected = pd.Series(range(2000), index).resample(rule).agg(["count", "sum"])
    assert [pd.Timestamp(row["start"]).tz_convert(zone) for row in rows] == list(expected.index)
    assert [row["count"] for row in rows] == expected["count"].tolist()
    assert [row["sum"] for row in rows] == expected["sum"].tolist()
    for row, following in itertools.pairwise(rows):
        assert row["end"] == following["start"]


def test_the_days_on_which_clocks_change_have_23_and_25_hours(make, ask):
    for day, hours in (("2025-03-30", 23), ("2025-10-26", 25)):
        noon = f"{day}T12:00:00Z"
        device = make([{"ts": noon, "x": 1}])
        (row,) = ask(device, interval="1d", tz="Europe/Berlin")["metrics"]["x"]
        length = pd.Timestamp(row["end"]) - pd.Timestamp(row["start"])
        assert length == timedelta(hours=hours)
        assert row["start"].startswith(f"{day}T00:00:00")


@pytest.mark.parametrize(
    ("fill", "expected"),
    [
        ("none", [1.0, 4.0]),
        ("null", [1.0, None, None, 4.0]),
        ("previous", [1.0, 1.0, 1.0, 4.0]),
        ("linear", [1.0, 2.0, 3.0, 4.0]),
        ("0", [1.0, 0.0, 0.0, 4.0]),
        ("-2.5", [1.0, -2.5, -2.5, 4.0]),
    ],
)
def test_empty_buckets_show_what_was_asked(make, ask, fill, expected):
    device = make([{"ts": 1_750_003_200, "x": 1}, {"ts": 1_750_003_200 + 3 * 3600, "x": 4}])
    rows = ask(device, interval="1h", fill=fill, stats="mean,count")["metrics"]["x"]
    assert [row["mean"] for row in rows] == expected
    assert sum(row["count"] for row in rows) == 2


def test_buckets_of_a_period_without_readings(make, ask):
    device = make([{"ts": START, "x": 1}])
    day = {"start_time": "2025-01-01T00:00:00Z", "end_time": "2025-01-01T03:00:00Z"}
    assert ask(device, **day, interval="1h")["metrics"]["x"] == []
    rows = ask(device, **day, interval="1h", fill="null")["metrics"]["x"]
    assert [{name: row[name] for name in EMPTY} for row in rows] == [EMPTY] * 3
    assert rows[0]["start"] == "2025-01-01T00:00:00Z"
    assert rows[-1]["end"] == "2025-01-01T03:00:00Z"


# Users


def test_a_user_is_summed_up_over_all_devices(client, halves, user, frame):
    answer = client.get(f"/api/analytics/users/{user}", params={"stats": "count,median,p95,sum"})
    body = answer.json()
    assert body["user_id"] == user
    assert body["device_count"] == len(halves)
    assert body["start_time"] is body["end_time"] is None
    for metric in ("c", "t"):
        values = frame[metric]
        assert body["metrics"][metric] == close(
            {
                "count": 1000,
                "median": values.median(),
                "p95": values.quantile(0.95),
                "sum": values.sum(),
            }
        )


@pytest.mark.parametrize("aggregate", ["false", "False", "0"])
def test_a_user_is_summed_up_device_by_device(client, halves, user, frame, aggregate):
    answer = client.get(f"/api/analytics/users/{user}", params={"aggregate": aggregate}).json()
    assert "metrics" not in answer
    assert [one["device_id"] for one in answer["devices"]] == halves
    for n, one in enumerate(answer["devices"]):
        assert one["name"].startswith("device")
        assert one["metrics"]["t"].keys() == DEFAULT
        assert one["metrics"]["t"]["median"] == close(frame["t"][n::2].median())


@pytest.mark.usefixtures("halves")
def test_buckets_of_a_user(client, user, frame):
    params = {"interval": "1h", "stats": "count,sum", "metrics": "t"}
    rows = client.get(f"/api/analytics/users/{user}", params=params).json()["metrics"]["t"]
    times = pd.to_datetime(frame["ts"], unit="s", utc=True)
    expected = frame.set_index(times)["t"].resample("1h").agg(["count", "sum"])
    assert [row["count"] for row in rows] == expected["count"].tolist()
    assert [row["sum"] for row in rows] == close(expected["sum"].tolist())


def test_a_user_without_devices(client):
    body = {"username": "nobody", "email": "nobody@example.org"}
    user = client.post("/api/users", json=body).json()["id"]
    answer = client.get(f"/api/analytics/users/{user}").json()
    assert answer["device_count"] == 0
    assert answer["metrics"] == {}
    answer = client.get(f"/api/analytics/users/{user}", params={"aggregate": "false"}).json()
    assert answer["devices"] == []


# Texts


def test_texts_have_statistics_of_their_own_and_the_time_in_each_state(make, ask):
    states = [(0, "on"), (60, "off"), (90, "on"), (200, "off")]
    device = make({"ts": START + n, "s": state} for n, state in states)
    answer = ask(
        device,
        start_time=START,
        end_time=START + 300,
        stats="count,first,last,mode,distinct",
    )
    assert answer["metrics"]["s"] == {
        "count": 4,
        "first": "on",
        "last": "off",
        "mode": "off",
        "distinct": 2,
        "states": {"on": 170.0, "off": 130.0},
    }


def test_text_metrics_stand_beside_numbers_and_in_buckets(make, ask):
    device = make({"ts": 1_750_003_200 + n * 1800, "s": "ab"[n % 2], "x": n} for n in range(4))
    answer = ask(device)["metrics"]
    assert answer["x"]["count"] == answer["s"]["count"] == 4
    rows = ask(device, interval="1h", stats="count,first,last")["metrics"]["s"]
    assert [(row["count"], row["first"], row["last"]) for row in rows] == [(2, "a", "b")] * 2
    assert rows[0]["states"] == {"a": 1800.0, "b": 1800.0}


# Refusals


@pytest.mark.parametrize(
    "path", ["devices/987654", "devices/no-such-key", "users/987654", "users/ann"]
)
def test_an_unknown_device_or_user_is_404(client, path):
    answer = client.get(f"/api/analytics/{path}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("whose", ["device", "user"])
@pytest.mark.parametrize(
    "params",
    [
        {"start_time": START, "end_time": START - 1},
        {"stats": "average"},
        {"stats": "p101"},
        {"stats": "p-1"},
        {"stats": "count,,p1000"},
        {"tz": "Mars/Olympus"},
        {"interval": "0s"},
        {"interval": "5 parsecs"},
        {"interval": "-1h"},
        {"fill": "sometimes", "interval": "1h"},
        {"fill": "nan", "interval": "1h"},
        {"start_time": "yesterday-ish"},
        {"end_time": "-5x"},
        {"aggregate": "perhaps"},
    ],
)
def test_a_question_that_makes_no_sense_is_422_and_names_the_parameter(
    client, device, user, whose, params
):
    path = {"device": f"devices/{device}", "user": f"users/{user}"}[whose]
    answer = client.get(f"/api/analytics/{path}", params=params)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["at"] in params


def test_start_and_end_may_be_the_same_and_then_nothing_is_in_between(make, ask):
    device = make([{"ts": START, "x": 1}])
    assert ask(device, start_time=START, end_time=START)["metrics"]["x"]["count"] == 0


def test_readings_are_in_the_answer_as_soon_as_they_are_acknowledged(client, make, ask):
    device = make()
    for n in range(1, 20):
        client.post(f"/api/devices/{device}/data", json={"ts": START + n, "x": n})
        assert ask(device)["metrics"]["x"]["count"] == n
