import pytest

from barograph.domain.time import SECOND, from_text

T0 = from_text("2026-01-01T00:00:00Z")


@pytest.fixture
def anna(fleet):
    return fleet.user("anna")


@pytest.fixture
def device(fleet, anna):
    device = fleet.device(owner=anna)
    fleet.send(device, "x", [(T0 + i * SECOND, float(i + 1)) for i in range(3)])
    return device


def test_a_device_is_summarized(admin, device):
    answer = admin.get(f"/api/analytics/devices/{device.id}/")
    assert answer.status_code == 200
    assert answer.json() == {
        "device_id": device.id,
        "start_time": None,
        "end_time": None,
        "metrics": {"x": {"min": 1.0, "max": 3.0, "count": 3, "sum": 6.0, "median": 2.0}},
    }
    assert admin.get(f"/api/analytics/devices/{device.key}").json() == answer.json()


def test_empty_parameters_mean_all_time(admin, device):
    answer = admin.get(f"/api/analytics/devices/{device.id}?start_time=&end_time=")
    assert answer.json()["metrics"]["x"]["count"] == 3


def test_buckets_are_lists(admin, device):
    params = {
        "interval": "1s",
        "stats": "count",
        "metrics": "x",
        "end_time": "2026-01-01T00:00:02Z",
    }
    answer = admin.get(f"/api/analytics/devices/{device.id}", params=params).json()
    assert answer["metrics"]["x"] == [
        {"start": "2026-01-01T00:00:00Z", "end": "2026-01-01T00:00:01Z", "count": 1},
        {"start": "2026-01-01T00:00:01Z", "end": "2026-01-01T00:00:02Z", "count": 1},
    ]


def test_a_user_is_summarized_together_or_device_by_device(admin, anna, device):
    path = f"/api/analytics/users/{anna.user_id}"
    together = admin.get(path).json()
    assert (together["device_count"], together["metrics"]["x"]["count"]) == (1, 3)
    each = admin.get(path, params={"aggregate": "false"}).json()
    assert [one["device_id"] for one in each["devices"]] == [device.id]


@pytest.mark.parametrize(
    ("params", "at"),
    [
        ({"stats": "average"}, "stats"),
        ({"interval": "soon"}, "interval"),
        ({"tz": "Mars"}, "tz"),
        ({"start_time": "2026-01-02", "end_time": "2026-01-01"}, "end_time"),
    ],
)
def test_a_wrong_question_is_a_problem_that_names_the_parameter(admin, device, params, at):
    answer = admin.get(f"/api/analytics/devices/{device.id}", params=params)
    assert answer.status_code == 422
    assert [error["at"] for error in answer.json()["errors"]] == [at]


def test_what_is_not_there_or_another_users_is_not_found(admin, stranger, sign_in, fleet, device):
    assert admin.get("/api/analytics/devices/999").status_code == 404
    assert admin.get("/api/analytics/users/999").status_code == 404
    assert stranger.get(f"/api/analytics/devices/{device.id}").status_code == 401
    stranger.headers = sign_in(fleet.user("boris"))
    assert stranger.get(f"/api/analytics/devices/{device.id}").status_code == 404


def test_a_question_is_asked_now_and_answered_later(core, admin, device):
    asked = admin.post("/api/analytics/jobs/", json={"device": device.id, "stats": ["count"]})
    assert asked.status_code == 202
    job = asked.json()["id"]
    assert asked.json() == {"id": job, "status": "queued"}
    assert asked.headers["location"] == f"/api/jobs/{job}"
    core.jobs.run("me")
    done = admin.get(asked.headers["location"]).json()
    assert (done["status"], done["progress"]) == ("done", 1.0)
    assert done["result"]["metrics"] == {"x": {"count": 3}}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"device": 1, "stats": "average"}, 422),
        ({"device": 1, "unknown": 1}, 422),
        ({"device": 1, "start_time": {}}, 422),
        ({"device": 1, "start_time": True}, 422),
        ({"device": True}, 422),
        ({"devices": [True]}, 422),
        ({"user": True}, 422),
        ({}, 422),
        ([], 422),
        ({"device": 999}, 404),
        ({"user": 10**30}, 404),
    ],
)
def test_a_wrong_job_is_refused(admin, device, body, status):
    assert admin.post("/api/analytics/jobs", json=body).status_code == status


def test_a_body_that_is_not_json_is_malformed(admin):
    headers = {"Content-Type": "application/json"}
    assert admin.post("/api/analytics/jobs", content=b"{", headers=headers).status_code == 400
