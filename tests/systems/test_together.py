"""One core below all systems: what one is told, all know; and each can be turned off."""

import json

import pytest


def test_a_device_registered_through_one_api_is_a_device_in_all(api, client):
    email, user_token = api.registered()
    owner = {"Authorization": user_token}
    device_token = api.device(email, "boiler")
    number = api.device_id(user_token, "boiler")
    device = {"Authorization": device_token}

    sent = [
        api.put(device_token, dt="2026-01-01T00:00:00Z", temp=20),
        client.post(
            f"/stats/{number}",
            json={"temperature": 21, "timestamp": "2026-01-01T00:01:00Z"},
            headers=owner,
        ),
        client.post(
            f"/api/devices/{number}/data",
            json={"temperature": 22, "ts": "2026-01-01T00:02:00Z"},
            headers=device,
        ),
        client.put(
            "/temperature/",
            json={"value": 23, "device": str(number), "ts": "2026-01-01T00:03:00Z"},
            headers=owner,
        ),
    ]
    assert [answer.status_code for answer in sent] == [201] * 4

    told = client.get(f"/stats?id={number}", headers=owner).json()["message"]
    assert [line["Temp"] for line in told] == [20, 21, 22, 23]
    summary = {"min": 20, "max": 23, "count": 4, "sum": 86, "median": 21.5}
    for path in (f"/stats/{number}/summary", f"/api/analytics/devices/{number}"):
        assert client.get(path, headers=owner).json()["metrics"] == {"temperature": summary}
    listed = client.get(f"/temperature/?device={number}", headers=device).json()
    assert [one["value"] for one in listed] == [20, 21, 22, 23]
    newest = client.get(f"/api/devices/{number}/latest", headers=owner).json()["metrics"]
    assert newest["temperature"]["value"] == 23
    assert "boiler" in client.get("/", params={"search": "boiler"}).text


def test_a_user_of_one_system_signs_in_to_the_others(api, client):
    name = api.fresh("everywhere")
    client.post("/register", json={"username": name, "password": "a long walk 7"})
    same = client.post("/users", json={"username": name, "password": "a long walk 7"})
    assert same.status_code == 409
    jwt = client.post("/auth", json={"username": name, "password": "a long walk 7"}).json()
    bearer = {"Authorization": f"Bearer {jwt['access_token']}"}
    assert client.post(f"/stats/{name}", json={"x": 1}, headers=bearer).status_code == 201
    assert [one["name"] for one in client.get("/devices", headers=bearer).json()["message"]] == [
        name
    ]


CALLS = {
    "temperature": [("POST", "/devices", {"command": "fly"}), ("GET", "/stats?id=1", None)],
    "statistics": [("POST", "/stats/off", {"x": 1}), ("GET", "/users/1/stats/summary", None)],
    "dealer": [("GET", "/auto/BMW", None), ("GET", "/stock", None), ("POST", "/register", {})],
    "parameters": [("PUT", "/temperature", {"value": 1}), ("GET", "/last", None)],
}


@pytest.mark.parametrize("system", CALLS)
def test_each_api_can_be_turned_off(started, system):
    left = sorted({*CALLS, "monitoring"} - {system})
    client = started(BAROGRAPH_APIS=json.dumps(left)).client
    for method, path, body in CALLS[system]:
        for accept in ("*/*", "text/html"):
            answer = client.request(method, path, json=body, headers={"Accept": accept})
            assert answer.status_code in {404, 405}, (method, path)
            assert answer.headers["content-type"] == "application/problem+json"
    for other in left:
        for method, path, body in CALLS.get(other, []):
            answer = client.request(method, path, json=body)
            assert answer.headers["content-type"] == "application/json" or other == "statistics"
            assert answer.status_code != 405, (method, path)
    assert client.get("/api/devices").status_code == 200


def test_a_shared_path_belongs_to_the_system_that_is_left(started):
    named = {"username": "bob", "password": "a long walk 7"}
    by_mail = {"command": "reg", "params": "ann@example.org"}
    only = {system: started(BAROGRAPH_APIS=json.dumps([system])).client for system in CALLS}
    answers = {system: client.post("/users", json=named) for system, client in only.items()}
    assert answers["temperature"].status_code == 400
    assert answers["temperature"].json()["type"] == "ERR"
    assert answers["statistics"].status_code == 201
    assert answers["dealer"].status_code == answers["parameters"].status_code == 404
    assert only["temperature"].post("/users", json=by_mail).status_code == 201
    assert only["statistics"].post("/users", json=by_mail).status_code == 422
