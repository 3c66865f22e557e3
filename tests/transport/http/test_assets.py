"""`/api/assets` over HTTP."""

import pytest

from barograph.domain.user import OPERATOR


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def ada(client):
    body = {"username": "ada", "email": "ada@example.org"}
    return bearer(client.post("/api/users", json=body).json()["token"])


@pytest.fixture
def viewer(parts):
    return bearer(parts.accounts.register("vera", None, None, OPERATOR, role="viewer")[1])


CAR = {"kind": "auto", "name": "BMW", "attributes": {"max_speed": 280}}


def test_an_asset_is_taken_in_read_changed_and_removed(client, ada):
    made = client.post("/api/assets", json=CAR, headers=ada)
    assert made.status_code == 201
    assert made.json() == {**CAR, "id": 1, "created_time": "2025-10-09T08:53:20Z"}
    changed = client.patch("/api/assets/1", json={"name": "BMW 7"}, headers=ada).json()
    assert (changed["name"], changed["attributes"]) == ("BMW 7", {"max_speed": 280})
    assert client.delete("/api/assets/1", headers=ada).status_code == 204
    for method in ("GET", "DELETE"):
        assert client.request(method, "/api/assets/1", headers=ada).status_code == 404
    assert client.patch("/api/assets/1", json={"name": "x"}, headers=ada).status_code == 404
    assert client.patch("/api/assets/1", json={}, headers=ada).status_code == 404


def test_an_asset_tells_its_devices(client, ada, viewer):
    client.post("/api/assets", json=CAR, headers=ada)
    client.post("/api/devices", json={"name": "engine", "asset_id": 1}, headers=ada)
    asset = client.get("/api/assets/1", headers=ada).json()
    assert [device["name"] for device in asset["devices"]] == ["engine"]
    assert client.get("/api/assets/1", headers=viewer).json()["devices"] == []


def test_a_name_is_taken_once_per_kind(client, ada):
    assert client.post("/api/assets", json=CAR, headers=ada).status_code == 201
    assert client.post("/api/assets", json=CAR, headers=ada).status_code == 409
    assert client.post("/api/assets", json={**CAR, "kind": "toy"}, headers=ada).status_code == 201


def test_the_inventory_is_listed_by_kind_and_name(client, ada):
    for kind, name in (("auto", "BMW"), ("room", "Attic")):
        client.post("/api/assets", json={"kind": kind, "name": name}, headers=ada)
    page = client.get("/api/assets?kind=room", headers=ada).json()
    assert [asset["name"] for asset in page["items"]] == ["Attic"]
    assert client.get("/api/assets?search=bm", headers=ada).json()["total"] == 1
    assert client.get("/api/assets?kind=%00", headers=ada).json()["total"] == 0
    assert client.get("/api/assets?limit=0", headers=ada).status_code == 422


def test_viewers_only_look_and_strangers_do_not(client, ada, viewer):
    client.post("/api/assets", json=CAR, headers=ada)
    assert client.get("/api/assets/1", headers=viewer).status_code == 200
    assert client.post("/api/assets", json=CAR, headers=viewer).status_code == 403
    assert client.delete("/api/assets/1", headers=viewer).status_code == 403
    assert client.get("/api/assets").status_code == 401


@pytest.mark.parametrize(
    ("at", "change"),
    [
        ("kind", {"kind": None}),
        ("kind", {"kind": "x" * 65}),
        ("name", {"name": " BMW"}),
        ("attributes", {"attributes": "fast"}),
    ],
)
def test_wrong_input_is_named(client, ada, at, change):
    answer = client.post("/api/assets", json={**CAR, **change}, headers=ada)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["at"] == at
