"""The car dealer, row by row."""

import json

import pytest
from sqlalchemy import create_engine, inspect
from tests.databases import on_every_database

from barograph.stores.catalog.address import read_url

pytestmark = on_every_database

CAR = {"max_speed": 280, "distance": 400, "handler": "Auto Motors", "stock": "Germany"}
MISSING = {"Error": "Auto with that mark not found"}


@pytest.fixture
def seller(api):
    """The header of a user's JWT."""
    return api.user()[1]


@pytest.fixture
def mark(api, client, seller):
    """A car."""
    mark = api.fresh("BMW X5")
    assert client.post(f"/auto/{mark}", json=CAR, headers=seller).status_code == 201
    return mark


def test_registering_says_to_sign_in_and_signing_in_gives_a_jwt(api, client):
    sent = {"username": api.fresh("dealer"), "password": "a long walk 7"}
    answer = client.post("/register", json=sent)
    assert answer.status_code == 201
    assert answer.json() == {"Message": "User created. Try to auth"}
    answer = client.post("/auth", json=sent)
    assert answer.status_code == 200
    assert answer.json()["access_token"].count(".") == 2


@pytest.mark.parametrize("type", ["application/x-www-form-urlencoded", "text/plain", ""])
def test_signing_in_takes_json_under_any_content_type(api, client, type):
    sent = {"username": api.fresh("dealer"), "password": "a long walk 7"}
    client.post("/register", json=sent)
    headers = {"Content-Type": type}
    answer = client.post("/auth", content=json.dumps(sent), headers=headers)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PATCH", "/auto/BMW", 405),
        ("POST", "/stock", 405),
        ("GET", "/register", 405),
        ("GET", "/auto", 404),
        ("GET", "/auto/a/b", 404),
    ],
)
def test_a_wrong_method_or_path_is_told_in_the_dealers_member(client, method, path, status):
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.json()["Error"]


def test_a_user_that_exists_is_refused(api, client):
    sent = {"username": api.fresh("dealer"), "password": "a long walk 7"}
    client.post("/register", json=sent)
    answer = client.post("/register", json=sent)
    assert (answer.status_code, answer.json()) == (400, {"Error": "User already exists"})


@pytest.mark.parametrize(
    "body", ["{", "[]", "", "{}", '{"username":"u"}', '{"username":"u","password":"x"}']
)
def test_a_bad_registration_is_refused_with_400(client, body):
    answer = client.post("/register", content=body)
    assert answer.status_code == 400
    assert list(answer.json()) == ["Error"]


@pytest.mark.parametrize("username", ["nobody", "known"])
def test_a_wrong_password_is_refused_with_401(api, client, username):
    name = api.fresh(username)
    if username == "known":
        client.post("/register", json={"username": name, "password": "a long walk 7"})
    answer = client.post("/auth", json={"username": name, "password": "a long walk 8"})
    assert answer.status_code == 401
    assert answer.json()["Error"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/auto/BMW"),
        ("POST", "/auto/BMW"),
        ("PUT", "/auto/BMW"),
        ("DELETE", "/auto/BMW"),
        ("GET", "/stock"),
    ],
)
def test_without_a_jwt_every_call_is_refused_in_every_mode(api, client, locked, method, path):
    _, token = api.registered()
    json = CAR if method in {"POST", "PUT"} else None
    credentials = [None, token, f"Bearer {token}", "JWT x", "JWT a.b.c", "Bearer a.b.c", "JWT"]
    for credential in credentials:
        headers = {"Authorization": credential} if credential else {}
        for asked in (client, locked.client):
            answer = asked.request(method, path, json=json, headers=headers)
            assert answer.status_code == 401
            assert list(answer.json()) == ["Error"]


def test_bearer_is_as_good_as_jwt(client, seller, mark):
    bearer = seller["Authorization"].replace("JWT", "Bearer")
    assert client.get(f"/auto/{mark}", headers={"Authorization": bearer}).status_code == 200


def test_a_car_is_created_and_told(api, client, seller):
    mark = api.fresh("Audi")
    answer = client.post(f"/auto/{mark}", json=CAR, headers=seller)
    assert (answer.status_code, answer.json()) == (201, {"Message": "Auto created"})
    answer = client.get(f"/auto/{mark}", headers=seller)
    assert (answer.status_code, answer.json()) == (200, {"mark": mark, **CAR})


def test_a_mark_may_have_any_letters(client, seller):
    for mark in ("Лада 2101", "X5%2F6", "50%25"):
        client.post(f"/auto/{mark}", json=CAR, headers=seller)
        assert client.get(f"/auto/{mark}", headers=seller).status_code == 200


def test_an_unknown_car_is_not_found(client, seller):
    for method in ("GET", "DELETE"):
        answer = client.request(method, "/auto/none", headers=seller)
        assert (answer.status_code, answer.json()) == (404, MISSING)
    answer = client.put("/auto/none", json=CAR, headers=seller)
    assert (answer.status_code, answer.json()) == (404, MISSING)


def test_a_car_that_exists_is_refused(client, seller, mark):
    answer = client.post(f"/auto/{mark}", json=CAR, headers=seller)
    assert answer.status_code == 400
    assert answer.json() == {"Error": "Auto with that mark exists"}


@pytest.mark.parametrize(
    "change",
    [
        {"max_speed": "fast"},
        {"max_speed": -1},
        {"max_speed": None},
        {"distance": True},
        {"distance": -1},
        {"handler": 7},
        {"handler": ""},
        {"stock": []},
    ],
)
def test_a_bad_car_is_refused_with_400_and_not_created(api, client, seller, change):
    mark = api.fresh("Trabant")
    answer = client.post(f"/auto/{mark}", json={**CAR, **change}, headers=seller)
    assert answer.status_code == 400
    assert list(answer.json()) == ["Error"]
    assert client.get(f"/auto/{mark}", headers=seller).status_code == 404


@pytest.mark.parametrize("body", ["", "{", "[]", "{}", '{"max_speed":280}'])
def test_a_car_without_all_its_fields_is_refused_with_400(api, client, seller, body):
    answer = client.post(f"/auto/{api.fresh('Yugo')}", content=body, headers=seller)
    assert answer.status_code == 400
    assert list(answer.json()) == ["Error"]


def test_a_car_is_updated(client, seller, mark):
    changed = {**CAR, "distance": 500, "stock": "France"}
    answer = client.put(f"/auto/{mark}", json=changed, headers=seller)
    assert (answer.status_code, answer.json()) == (202, {"Message": "Auto updated"})
    assert client.get(f"/auto/{mark}", headers=seller).json() == {"mark": mark, **changed}


def test_what_an_update_leaves_out_stays(client, seller, mark):
    client.put(f"/auto/{mark}", json={"distance": 500}, headers=seller)
    told = client.get(f"/auto/{mark}", headers=seller).json()
    assert told == {"mark": mark, **CAR, "distance": 500}


def test_a_bad_update_is_refused_with_400_and_changes_nothing(client, seller, mark):
    for change in ({"distance": "far"}, {}, []):
        assert client.put(f"/auto/{mark}", json=change, headers=seller).status_code == 400
    assert client.get(f"/auto/{mark}", headers=seller).json() == {"mark": mark, **CAR}


def test_a_car_is_deleted(client, seller, mark):
    answer = client.delete(f"/auto/{mark}", headers=seller)
    assert (answer.status_code, answer.json()) == (202, {"Message": "Auto deleted"})
    assert client.get(f"/auto/{mark}", headers=seller).status_code == 404


def test_the_stock_is_every_car_for_every_user(api, client, mark):
    _, other = api.user()
    answer = client.get("/stock", headers=other)
    assert answer.status_code == 200
    assert {"mark": mark, **CAR} in answer.json()


def test_an_empty_stock_is_an_error(api, client):
    _, seller = api.user()
    for car in client.get("/api/assets?kind=auto&limit=1000").json()["items"]:
        client.delete(f"/api/assets/{car['id']}")
    answer = client.get("/stock", headers=seller)
    assert answer.status_code == 400
    assert answer.json() == {"Error": "No one autos found in DataBase"}


def test_a_car_tells_the_newest_readings_of_what_is_fitted_to_it(api, client, seller, mark):
    found = client.get("/api/assets", params={"kind": "auto", "search": mark}).json()
    fitted = {"name": "engine", "key": api.fresh("engine"), "asset_id": found["items"][0]["id"]}
    made = client.post("/api/devices", json=fitted, headers=seller).json()
    assert "telemetry" not in client.get(f"/auto/{mark}", headers=seller).json()
    readings = [{"rpm": 900, "ts": 1_767_225_600}, {"rpm": 950, "ts": 1_767_225_660}]
    client.post(f"/api/devices/{made['id']}/data", json=readings, headers=seller)
    told = client.get(f"/auto/{mark}", headers=seller).json()
    names = {"device_id": made["id"], "key": made["key"], "name": "engine"}
    newest = {"rpm": {"value": 950, "ts": "2026-01-01T00:01:00Z"}}
    assert told["telemetry"] == [{**names, "metrics": newest}]
    _, other = api.user()
    assert "telemetry" not in client.get(f"/auto/{mark}", headers=other).json()


def test_a_device_that_is_nobodys_and_shared_with_who_asks_is_told_once(api, client, mark):
    found = client.get("/api/assets", params={"kind": "auto", "search": mark}).json()
    fitted = {"name": "gps", "key": api.fresh("gps"), "asset_id": found["items"][0]["id"]}
    made = client.post("/api/devices", json=fitted).json()
    client.post(f"/api/devices/{made['id']}/data", json={"speed": 50})
    _, seller = api.user()
    name = client.get("/api/users/me", headers=seller).json()["username"]
    shared = client.put(f"/api/devices/{made['id']}/shares", json={"user": name})
    assert shared.status_code == 200
    told = client.get(f"/auto/{mark}", headers=seller).json()["telemetry"]
    assert [one["device_id"] for one in told] == [made["id"]]


def test_the_database_with_all_tables_is_there_from_the_first_start(server):
    engine = create_engine(read_url(server.catalog_url))
    assert {"users", "devices", "assets", "series", "jobs"} <= {*inspect(engine).get_table_names()}
    engine.dispose()
