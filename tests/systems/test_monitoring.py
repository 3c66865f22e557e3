"""The device monitoring service, row by row: its addresses are our own API's."""

import pytest
from tests.databases import on_every_database

pytestmark = on_every_database


@pytest.fixture
def fleet(api, client):
    """A user's id, and the ids of two devices that sent (1, 2, 3) and (3, 4, 5)."""
    name = api.fresh("monitor")
    user = client.post("/api/users/", json={"username": name, "email": f"{name}@example.org"})
    devices = []
    for x in (1, 3):
        sent = {"name": f"sensor {x}", "user_id": str(user.json()["id"])}
        made = client.post("/api/devices/", json=sent)
        assert made.status_code == 201
        devices.append(made.json()["id"])
        answer = client.post(
            f"/api/devices/{devices[-1]}/data", json={"x": x, "y": x + 1, "z": x + 2}
        )
        assert (answer.status_code, answer.json()) == (201, {"accepted": 3})
    return user.json()["id"], devices


def test_users_and_devices_are_registered_with_the_users_id_as_a_string(fleet):
    user_id, devices = fleet
    assert isinstance(user_id, int)
    assert devices[0] < devices[1]


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_device_is_analysed(client, fleet, slash):
    answer = client.get(f"/api/analytics/devices/{fleet[1][0]}{slash}")
    assert answer.status_code == 200
    assert answer.json()["metrics"] == {
        metric: {"min": value, "max": value, "count": 1, "sum": value, "median": value}
        for metric, value in (("x", 1), ("y", 2), ("z", 3))
    }


def test_a_device_is_analysed_over_a_period(client, fleet):
    period = {"start_time": "2000-01-01T00:00:00", "end_time": "2001-01-01T00:00:00"}
    told = client.get(f"/api/analytics/devices/{fleet[1][0]}", params=period).json()
    assert told["metrics"]["x"]["count"] == 0


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_users_devices_are_analysed_together(client, fleet, slash):
    told = client.get(f"/api/analytics/users/{fleet[0]}{slash}?aggregate=true").json()
    assert told["metrics"]["x"] == {"min": 1, "max": 3, "count": 2, "sum": 4, "median": 2}


def test_a_users_devices_are_analysed_each(client, fleet):
    told = client.get(f"/api/analytics/users/{fleet[0]}?aggregate=false").json()
    assert [one["metrics"]["x"]["sum"] for one in told["devices"]] == [1, 3]


@pytest.mark.parametrize("slash", ["", "/"])
def test_readings_are_taken_with_and_without_the_trailing_slash(client, fleet, slash):
    path = f"/api/devices/{fleet[1][0]}/data{slash}"
    assert client.post(path, json={"x": 1.0, "y": 2.0, "z": 3.0}).status_code == 201
