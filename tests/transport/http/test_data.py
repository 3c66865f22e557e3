import io

import pandas as pd
import pytest

from barograph.domain.time import SECOND, from_text
from barograph.domain.user import Principal

T0 = from_text("2026-01-01T00:00:00Z")


@pytest.fixture
def device(fleet):
    device = fleet.device()
    fleet.send(device, "x", [(T0 + i * SECOND, float(i)) for i in range(5)])
    fleet.send(device, "state", [(T0, "on, or not"), (T0 + SECOND, "off")])
    return device


@pytest.fixture
def path(device):
    return f"/api/devices/{device.id}/data"


def test_readings_come_as_json_with_a_cursor_for_the_rest(admin, device, path):
    first = admin.get(path, params={"limit": 2}).json()
    assert list(first) == ["device_id", "data", "next"]
    assert first["device_id"] == device.id
    assert first["data"][0] == {"ts": "2026-01-01T00:00:00Z", "x": 0.0, "state": "on, or not"}
    rest = admin.get(path, params={"limit": 9, "cursor": first["next"]}).json()
    assert [row["x"] for row in rest["data"]] == [2.0, 3.0, 4.0]
    assert rest["next"] is None


def test_without_a_limit_everything_comes(admin, path):
    answer = admin.get(path + "/").json()
    assert (len(answer["data"]), answer["next"]) == (5, None)


def test_metric_period_and_order_are_taken_from_the_query(admin, path):
    params = {"metric": "x", "start_time": "2026-01-01T00:00:01Z", "order": "desc"}
    rows = admin.get(path, params=params).json()["data"]
    assert [row["x"] for row in rows] == [4.0, 3.0, 2.0, 1.0]
    assert admin.get(path + "?metric=x&metric=state&limit=1").json()["data"][0].keys() == {
        "ts",
        "x",
        "state",
    }


def test_a_plus_that_the_query_lost_is_restored(admin, path):
    answer = admin.get(path + "?start_time=2026-01-01T01:00:03+01:00")
    assert len(answer.json()["data"]) == 2


@pytest.mark.parametrize(
    "ask", [{"params": {"format": "csv"}}, {"headers": {"Accept": "text/csv"}}]
)
def test_csv_has_a_header_row(admin, path, ask):
    answer = admin.get(path, **ask)
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.text.splitlines()[:3] == [
        "ts,x,state",
        '2026-01-01T00:00:00Z,0.0,"on, or not"',
        "2026-01-01T00:00:01Z,1.0,off",
    ]


def test_ndjson_has_a_line_for_each_row(admin, path):
    answer = admin.get(path, headers={"Accept": "application/x-ndjson, */*;q=0.1"})
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert len(answer.text.splitlines()) == 5


def test_parquet_is_a_file(admin, path):
    answer = admin.get(path, params={"format": "parquet", "limit": 3})
    assert "attachment" in answer.headers["content-disposition"]
    assert pd.read_parquet(io.BytesIO(answer.content))["x"].tolist() == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("form", ["json", "ndjson", "csv", "parquet"])
def test_a_long_answer_is_streamed_whole(admin, fleet, form):
    device = fleet.device()
    fleet.send(device, "x", [(T0 + i * SECOND, float(i)) for i in range(10_000)])
    answer = admin.get(f"/api/devices/{device.id}/data", params={"format": form})
    match form:
        case "json":
            values = [row["x"] for row in answer.json()["data"]]
        case "ndjson":
            values = pd.read_json(io.StringIO(answer.text), lines=True)["x"].tolist()
        case "csv":
            values = pd.read_csv(io.StringIO(answer.text))["x"].tolist()
        case _:
            values = pd.read_parquet(io.BytesIO(answer.content))["x"].tolist()
    assert values == list(range(10_000))


@pytest.mark.parametrize(
    ("params", "at"),
    [
        ({"format": "xml"}, "format"),
        ({"limit": "0"}, "limit"),
        ({"cursor": "x"}, "cursor"),
        ({"start_time": "soon"}, "start_time"),
    ],
)
def test_a_wrong_parameter_is_a_problem_that_names_it(admin, path, params, at):
    answer = admin.get(path, params=params)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert [error["at"] for error in answer.json()["errors"]] == [at]


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/html, */*;q=0.1", "application/json"),
        ("text/csv", "text/csv"),
        ("Text/CSV; charset=utf-8; Q=0.9, */*;q=0.8", "text/csv"),
        ("text/csv;q=0.1, application/json", "application/json"),
        ("text/csv;q=0.1, application/x-ndjson;q=0.5", "application/x-ndjson"),
        ("text/csv, application/x-ndjson", "text/csv"),
        ("text/csv;q=0", "application/json"),
        ("text/csv;q=much", "text/csv"),
    ],
)
def test_the_format_is_the_one_that_is_wanted_most(admin, path, accept, media_type):
    answer = admin.get(path, headers={"Accept": accept})
    assert answer.headers["content-type"].partition(";")[0] == media_type


def test_readings_are_removed_and_counted(admin, path):
    assert admin.delete(path, params={"metric": "state"}).json() == {"deleted": 2}
    assert admin.delete(path, params={"end_time": "2026-01-01T00:00:02Z"}).json() == {"deleted": 2}
    assert [row["x"] for row in admin.get(path).json()["data"]] == [2.0, 3.0, 4.0]


def test_removing_with_a_misspelt_parameter_is_refused(admin, path):
    assert admin.delete(path, params={"metrics": "x"}).status_code == 422
    assert len(admin.get(path).json()["data"]) == 5


@pytest.mark.parametrize("name", ["metric", "start_time", "end_time", "tz"])
def test_removing_with_an_empty_parameter_is_refused(admin, path, name):
    answer = admin.delete(path, params={name: ""})
    assert answer.status_code == 422
    assert [error["at"] for error in answer.json()["errors"]] == [name]
    assert len(admin.get(path).json()["data"]) == 5


def test_a_device_is_found_by_a_key_with_a_slash(admin, core):
    device = core.catalog.devices.create("hall/door", "door", None, None, {}, 0)
    core.registry.put_device(device)
    assert admin.get("/api/devices/hall%2Fdoor/data").json()["device_id"] == device.id


def test_who_may_not_read_is_told_so(stranger, sign_in, fleet, device, path):
    assert stranger.get(path).status_code == 401
    stranger.headers = sign_in(fleet.user("boris"))
    assert stranger.get(path).status_code == stranger.delete(path).status_code == 404
    stranger.headers = sign_in(Principal("device", device_id=device.id))
    assert stranger.get(path).status_code == 200
    assert stranger.get(f"/api/devices/{fleet.device().id}/data").status_code == 403
