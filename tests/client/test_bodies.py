"""How readings are made into bodies."""

import gzip
import json
from datetime import UTC, datetime, timedelta, timezone

import httpx
import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from barograph.client.bodies import compressed, of_columns, of_rows
from barograph.client.writes import columns_of

rows = st.lists(
    st.dictionaries(
        st.sampled_from("abcde"), st.integers(-5, 5) | st.text(max_size=3) | st.none(), max_size=5
    ),
    min_size=1,
    max_size=40,
)


def readings_of(columns):
    return [
        (time, metric, column[i])
        for i, time in enumerate(columns.times)
        for metric, column in columns.values.items()
        if column[i] is not None
    ]


@given(rows, st.integers(1, 7), st.integers(1, 60))
def test_parts_hold_every_reading_once_and_in_order(given_rows, rows_max, readings_max):
    whole = of_rows(given_rows)
    parts = list(whole.parts(rows_max, readings_max))
    assert [one for part in parts for one in readings_of(part)] == readings_of(whole)
    assert all(len(part) <= rows_max for part in parts)
    assert all(len(readings_of(part)) <= max(readings_max, 5) for part in parts)
    assert [part.first for part in parts] == [
        sum(len(before) for before in parts[:i]) for i in range(len(parts))
    ]


@given(rows)
def test_rows_and_columns_mean_the_same(given_rows):
    timed = [{"ts": 1_700_000_000 + i, **row} for i, row in enumerate(given_rows)]
    by_row = of_rows(timed)
    names = dict.fromkeys(name for row in timed for name in row)
    by_column = of_columns({name: [row.get(name) for row in timed] for name in names})
    assert sorted(readings_of(by_row), key=str) == sorted(readings_of(by_column), key=str)


def test_readings_without_a_time_get_different_ones_once():
    columns = of_rows([{"x": 1}, {"x": 2}, {"x": 3}])
    assert [later - columns.times[0] for later in columns.times] == [0, 1, 2]
    assert json.loads(columns.encode())["ts"] == columns.times


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 5, 1, 12, tzinfo=UTC),
        datetime(2026, 5, 1, 14, tzinfo=timezone(timedelta(hours=2))),
        datetime(2026, 5, 1, 12),  # noqa: DTZ001  # one without a zone is UTC
        "2026-05-01T12:00:00Z",
        1_777_636_800,
        1_777_636_800_000.0,
    ],
)
def test_a_time_may_be_given_in_any_form(moment):
    assert columns_of({"time": moment, "x": 1}).times == [1_777_636_800_000_000]


def test_times_before_1973_are_not_taken_for_milliseconds():
    body = json.loads(of_rows([{"ts": "1971-02-03T04:05:06Z", "x": 1}]).encode())
    assert body == {"ts": ["1971-02-03T04:05:06Z"], "x": [1]}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float64("nan")])
def test_what_json_would_silently_drop_is_refused(value):
    with pytest.raises(ValueError, match="row 1, x"):
        of_rows([{"x": 1}, {"x": value}])


def test_numbers_of_numpy_are_numbers():
    columns = of_columns({"ts": np.array([1_700_000_000]), "x": np.array([2.5], np.float32)})
    assert json.loads(columns.encode()) == {"ts": [1_700_000_000_000_000], "x": [2.5]}


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="ts has 2, x has 1"):
        columns_of({"ts": [1, 2], "x": [1]})
    with pytest.raises(ValueError, match="a column for each"):
        columns_of({"ts": 1_700_000_000, "x": [1]})


def test_a_wrong_time_names_its_row():
    with pytest.raises(ValueError, match="row 1: 'yesterday' is not a time"):
        columns_of([{"ts": 1, "x": 1}, {"ts": "yesterday", "x": 2}])


def test_bodies_are_compressed_where_it_is_worth_it():
    body = b"[1,2,3]" * 1000
    packed, headers = compressed(body, "gzip")
    assert headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed) == body
    packed, headers = compressed(body, "zstd")
    assert headers["content-encoding"] == "zstd"
    assert zstandard.decompress(packed) == body
    assert compressed(b"[1]", "zstd") == (b"[1]", {"content-type": "application/json"})


def test_a_body_that_is_too_large_for_the_server_is_halved(scripted):
    sent = []

    def reply(request):
        times = json.loads(request.content)["ts"]
        if len(times) > 3:
            return httpx.Response(413, json={"detail": "too large"})
        sent.extend(times)
        return httpx.Response(201, json={"accepted": len(times)})

    client, script = scripted()
    script.handle_request = reply
    times = [1_700_000_000_000_000 + i for i in range(10)]
    assert client.write("kitchen", {"ts": times, "x": times}) == 10
    assert sent == times
