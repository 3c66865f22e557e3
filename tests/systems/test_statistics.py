"""The device statistics service, row by row."""

import time

import pytest
from sqlalchemy import create_engine, text
from tests.databases import on_every_database
from tests.waiting import PATIENCE_SECONDS

from barograph.domain.time import from_text
from barograph.stores.catalog.address import read_url

pytestmark = on_every_database

START = from_text("2026-01-01T00:00:00Z") // 1_000_000


@pytest.fixture
def fleet(api, client):
    """A user with two devices that sent x = 1 … 4, a second apart: (id, credential, keys)."""
    user_id, credential = api.user()
    keys = [api.fresh("probe"), api.fresh("probe")]
    for i in range(4):
        sent = {"x": i + 1, "timestamp": START + i}
        client.post(f"/stats/{keys[i % 2]}", json=sent, headers=credential).raise_for_status()
    return user_id, credential, keys


def test_a_user_is_created(api, client):
    name = api.fresh("bob")
    sent = {"username": name, "password": "a long walk 7", "email": f"{name}@example.org"}
    answer = client.post("/users", json=sent)
    assert answer.status_code == 201
    told = answer.json()
    assert told == {"id": told["id"], "username": name, "email": f"{name}@example.org"}
    assert client.post("/auth", json=sent).status_code == 200


def test_an_address_is_not_needed(api, client):
    answer = client.post("/users", json={"username": api.fresh("eve"), "password": "a long walk 7"})
    assert (answer.status_code, answer.json()["email"]) == (201, None)


def test_a_taken_name_is_refused_with_409(api, client):
    sent = {"username": api.fresh("bob"), "password": "a long walk 7"}
    client.post("/users", json=sent)
    answer = client.post("/users", json=sent)
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"username": "carl"},
        {"password": "a long walk 7"},
        {"username": "carl", "password": "short"},
        {"username": "carl", "password": 7},
        {"username": "", "password": "a long walk 7"},
        {"username": "carl", "password": "a long walk 7", "email": "carl"},
    ],
)
def test_a_bad_user_is_refused_with_422(client, body):
    answer = client.post("/users", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"]


def test_passwords_are_not_kept_readable(api, client, server):
    client.post("/users", json={"username": api.fresh("zoe"), "password": "unmistakable 42"})
    for file in (server.log.parent / "data").glob("data.db*"):
        assert b"unmistakable 42" not in file.read_bytes()
    engine = create_engine(read_url(server.catalog_url))
    with engine.connect() as connection:
        kept = [str(row) for row in connection.execute(text("SELECT * FROM users"))]
    engine.dispose()
    assert any("zoe" in row for row in kept)
    assert not any("unmistakable 42" in row for row in kept)


def test_readings_of_a_device_are_stored(api, client):
    key = api.fresh("meter")
    answer = client.post(f"/stats/{key}", json={"x": 1, "y": 2, "z": 3})
    assert (answer.status_code, answer.json()) == (201, {"accepted": 3})
    metrics = client.get(f"/api/devices/{key}/latest").json()["metrics"]
    assert {name: told["value"] for name, told in metrics.items()} == {"x": 1, "y": 2, "z": 3}


def test_the_time_can_be_given(api, client):
    key = api.fresh("meter")
    client.post(f"/stats/{key}", json={"any": 1.5, "timestamp": "2026-01-01T00:00:00Z"})
    told = client.get(f"/api/devices/{key}/latest").json()["metrics"]["any"]
    assert told == {"value": 1.5, "ts": "2026-01-01T00:00:00Z"}


def test_an_unknown_device_becomes_the_callers(api, client):
    user_id, credential = api.user()
    key = api.fresh("meter")
    client.post(f"/stats/{key}", json={"x": 1}, headers=credential)
    made = client.get(f"/api/devices/{key}", headers=credential).json()
    assert (made["key"], made["user_id"]) == (key, user_id)


def test_an_unknown_device_of_the_operator_is_nobodys(api, client):
    key = api.fresh("meter")
    client.post(f"/stats/{key}", json={"x": 1})
    assert client.get(f"/api/devices/{key}").json()["user_id"] is None


def test_another_users_device_takes_nothing(api, client, fleet):
    _, other = api.user()
    assert client.post(f"/stats/{fleet[2][0]}", json={"x": 1}, headers=other).status_code == 404


@pytest.mark.parametrize(
    "body",
    [[], [{"x": 1}], 7, {"x": "warm"}, {"x": [1, 2]}, {"x": {"y": 1}}, {"x": 1, "timestamp": "?"}],
)
def test_what_is_no_flat_object_of_numbers_is_refused_and_makes_no_device(api, client, body):
    key = api.fresh("meter")
    assert client.post(f"/stats/{key}", json=body).status_code == 422
    assert client.get(f"/api/devices/{key}").status_code == 404


def test_unreadable_readings_are_refused_with_400(api, client):
    assert client.post(f"/stats/{api.fresh('meter')}", content=b"{").status_code == 400


def test_a_device_is_summarized(client, fleet):
    _, credential, keys = fleet
    answer = client.get(f"/stats/{keys[0]}/summary", headers=credential)
    assert answer.status_code == 200
    told = answer.json()
    assert (told["start_time"], told["end_time"]) == (None, None)
    expected = {"min": 1, "max": 3, "count": 2, "sum": 4, "median": 2}
    assert told["metrics"] == {"x": expected}


def test_a_device_is_summarized_over_a_period(client, fleet):
    _, credential, keys = fleet
    period = {"start_time": "2026-01-01T00:00:02Z", "end_time": "2026-01-01T01:00:00Z"}
    told = client.get(f"/stats/{keys[0]}/summary", params=period, headers=credential).json()
    assert (told["start_time"], told["end_time"]) == tuple(period.values())
    assert told["metrics"]["x"]["count"] == 1


def test_a_users_devices_are_summarized_together_and_each(client, fleet):
    user_id, credential, keys = fleet
    told = client.get(f"/users/{user_id}/stats/summary", headers=credential).json()
    whole = {"min": 1, "max": 4, "count": 4, "sum": 10, "median": 2.5}
    assert told["user_id"] == user_id
    assert told["device_count"] == 2
    assert told["metrics"] == {"x": whole}
    sums = {one["name"]: one["metrics"]["x"]["sum"] for one in told["devices"]}
    assert sums == {keys[0]: 4, keys[1]: 6}


def test_one_device_of_a_user_is_summarized(client, fleet):
    user_id, credential, keys = fleet
    path = f"/users/{user_id}/devices/{keys[1]}/stats/summary"
    told = client.get(path, params={"end_time": START + 3}, headers=credential).json()
    assert told["metrics"]["x"] == {"min": 2, "max": 2, "count": 1, "sum": 2, "median": 2}


def test_a_device_that_is_not_the_users_is_not_found(api, client, fleet):
    user_id, _, _ = fleet
    key = api.fresh("meter")
    client.post(f"/stats/{key}", json={"x": 1})
    assert client.get(f"/users/{user_id}/devices/{key}/stats/summary").status_code == 404
    assert client.get(f"/users/{user_id}/devices/nothing/stats/summary").status_code == 404


def test_summaries_of_others_are_not_found(api, client, fleet):
    user_id, _, keys = fleet
    _, other = api.user()
    for path in (
        f"/stats/{keys[0]}/summary",
        f"/users/{user_id}/stats/summary",
        f"/users/{user_id}/devices/{keys[0]}/stats/summary",
    ):
        assert client.get(path, headers=other).status_code == 404
        assert client.get(path + "?async=true", headers=other).status_code == 404


@pytest.mark.parametrize("query", ["start_time=x", "end_time=x", "async=perhaps"])
def test_a_bad_question_is_refused_with_422(client, fleet, query):
    _, credential, keys = fleet
    assert client.get(f"/stats/{keys[0]}/summary?{query}", headers=credential).status_code == 422


@pytest.mark.parametrize(
    "path",
    [
        "/stats/{key}/summary",
        "/users/{user}/stats/summary",
        "/users/{user}/devices/{key}/stats/summary",
    ],
)
def test_each_summary_also_runs_later(client, fleet, path):
    user_id, credential, keys = fleet
    path = path.format(user=user_id, key=keys[0])
    question = {"start_time": START + 1, "end_time": START + 4}
    now = client.get(path, params=question, headers=credential).json()
    later = client.get(path, params={**question, "async": "true"}, headers=credential)
    assert later.status_code == 202
    assert set(later.json()) == {"job_id", "status_url"}
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        job = client.get(later.json()["status_url"], headers=credential).json()
        if job["status"] not in {"queued", "running"} or time.monotonic() > deadline:
            break
        time.sleep(0.02)
    assert job["id"] == later.json()["job_id"]
    assert job["status"] == "done", job
    assert job["result"] == now


def test_the_calls_are_documented_at_docs(client):
    assert client.get("/docs").status_code == 200
    paths = client.get("/openapi.json").json()["paths"]
    assert {"/users", "/stats/{device_id}", "/stats/{device_id}/summary"} <= set(paths)
