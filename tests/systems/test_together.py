"""One core below all systems: what one is told, all know; and each can be turned off."""

import json

import pytest


def test_a_device_registered_through_one_api_is_a_device_in_all(api, client, server):
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
    reading = {"value": 24, "ts": "2026-01-01T00:04:00Z"}
    key = client.get(f"/api/devices/{number}", headers=owner).json()["key"]
    server.publish(f"devices/{key}/temperature", reading, key, device_token)

    told = client.get(f"/stats?id={number}", headers=owner).json()["message"]
    assert [line["Temp"] for line in told] == [20, 21, 22, 23, 24]
    summary = {"min": 20, "max": 24, "count": 5, "sum": 110, "median": 22}
    for path in (f"/stats/{number}/summary", f"/api/analytics/devices/{number}"):
        assert client.get(path, headers=owner).json()["metrics"] == {"temperature": summary}
    listed = client.get(f"/temperature/?device={number}", headers=device).json()
    assert [one["value"] for one in listed] == [20, 21, 22, 23, 24]
    newest = client.get(f"/api/devices/{number}/latest", headers=owner).json()["metrics"]
    assert newest["temperature"]["value"] == 24
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


@pytest.fixture(scope="module")
def alone(started):
    """For each system a server that serves its API and no other system's."""
    return {
        system: started(BAROGRAPH_APIS=json.dumps([system, "monitoring"])).client
        for system in CALLS
    }


@pytest.mark.parametrize("system", CALLS)
def test_each_api_can_be_turned_on_and_off(alone, system):
    for only, client in alone.items():
        for method, path, body in CALLS[system]:
            answer = client.request(method, path, json=body)
            missing = (
                answer.status_code in {404, 405} and "there is no such user" not in answer.text
            )
            assert missing == (only != system), (only, method, path, answer.text)
            if missing:
                assert answer.headers["content-type"] == "application/problem+json"


def test_each_api_is_described_while_it_is_on(alone):
    for only, client in alone.items():
        paths = client.get("/openapi.json").json()["paths"]
        tags = {tag for path in paths.values() for call in path.values() for tag in call["tags"]}
        of_systems = {"temperature service", "device statistics", "car dealer", "parameters"}
        assert [tag for tag in tags & of_systems if only not in tag] == []
        for system, calls in CALLS.items():
            for method, path, _ in calls:
                place = path.partition("?")[0]
                for name, value in (("device_id", "off"), ("user_id", "1"), ("mark", "BMW")):
                    place = place.replace(f"/{value}", f"/{{{name}}}")
                place = place.replace("/temperature", "/{parameter}")
                assert (method.lower() in paths.get(place, {})) == (only == system), (only, place)


def test_without_the_parameters_api_there_is_no_page_of_its_either(alone):
    answers = {
        only: client.get("/last", headers={"Accept": "text/html"}).status_code
        for only, client in alone.items()
    }
    assert answers == {"temperature": 404, "statistics": 404, "dealer": 404, "parameters": 200}


def test_our_own_api_is_always_there(alone):
    for client in alone.values():
        assert client.get("/api/devices/").status_code == 200
        assert client.post("/auth", json={}).status_code == 422


def test_a_shared_path_belongs_to_the_system_that_is_left(alone):
    named = {"username": "bob", "password": "a long walk 7"}
    by_mail = {"command": "reg", "params": "ann@example.org"}
    answers = {system: client.post("/users", json=named) for system, client in alone.items()}
    assert answers["temperature"].status_code == 400
    assert answers["temperature"].json()["type"] == "ERR"
    assert answers["statistics"].status_code == 201
    assert answers["dealer"].status_code == answers["parameters"].status_code == 404
    assert alone["temperature"].post("/users", json=by_mail).status_code == 201
    assert alone["statistics"].post("/users", json=by_mail).status_code == 422
