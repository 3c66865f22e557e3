"""`/api/devices` over HTTP."""

import pytest

from barograph.domain.batch import Batch
from barograph.domain.time import SECOND
from barograph.domain.user import OPERATOR


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def member(client, name):
    body = {"username": name, "email": f"{name}@example.org"}
    return bearer(client.post("/api/users", json=body).json()["token"])


@pytest.fixture
def ada(client):
    return member(client, "ada")


@pytest.fixture
def bob(client, ada):
    return member(client, "bob")


@pytest.fixture
def admin(parts):
    return bearer(parts.accounts.register("root", None, None, OPERATOR, role="admin")[1])


def test_registering_answers_with_the_device_and_its_token(client, ada):
    body = {"name": "Kitchen", "key": "kitchen", "attributes": {"floor": 1}, "model": "ignored"}
    answer = client.post("/api/devices", json=body, headers=ada)
    assert answer.status_code == 201
    device = answer.json()
    token = device.pop("token")
    assert device == {
        "id": 1,
        "key": "kitchen",
        "name": "Kitchen",
        "user_id": 1,
        "asset_id": None,
        "attributes": {"floor": 1},
        "round_time": None,
        "created_time": "2025-10-09T08:53:20Z",
        "last_seen": None,
        "connection": None,
    }
    assert client.get("/api/devices/kitchen", headers=bearer(token)).json() == device


@pytest.mark.parametrize("user_id", [1, "1", 1.0])
def test_the_owner_is_given_as_a_number_or_as_text(client, ada, admin, user_id):
    body = {"name": "a", "user_id": user_id}
    for headers in (ada, admin):
        assert client.post("/api/devices", json=body, headers=headers).json()["user_id"] == 1


def test_another_users_devices_are_not_there(client, ada, bob):
    body = {"name": "a", "user_id": 1}
    assert client.post("/api/devices", json=body, headers=bob).status_code == 404
    client.post("/api/devices", json={"name": "a", "key": "k"}, headers=ada)
    for ref in ("1", "k", "nothing", "2"):
        path = f"/api/devices/{ref}"
        assert client.get(path, headers=bob).status_code == 404
        assert client.patch(path, json={"name": "x"}, headers=bob).status_code == 404
        assert client.post(f"{path}/token", headers=bob).status_code == 404
        assert client.delete(path, headers=bob).status_code == 404
    assert client.get("/api/devices", headers=bob).json()["total"] == 0
    assert client.get("/api/devices?user_id=1", headers=bob).status_code == 404


@pytest.mark.parametrize(
    ("at", "change"),
    [
        ("name", {"name": None}),
        ("name", {"name": ""}),
        ("name", {"name": "\x00"}),
        ("name", {"name": "x" * 129}),
        ("key", {"key": ""}),
        ("key", {"key": "a b"}),
        ("key", {"key": "a%2Fb"}),
        ("user_id", {"user_id": 0}),
        ("user_id", {"user_id": "x"}),
        ("user_id", {"user_id": 1.5}),
        ("user_id", {"user_id": True}),
        ("user_id", {"user_id": 2**63}),
        ("user_id", {"user_id": "9" * 19}),
        ("attributes", {"attributes": []}),
        ("attributes", {"attributes": {"x": "y" * 20_000}}),
        ("round_time", {"round_time": -1}),
        ("round_time", {"round_time": 86_401}),
        ("round_time", {"round_time": True}),
    ],
)
def test_wrong_input_is_named_and_nothing_is_created(client, admin, at, change):
    answer = client.post("/api/devices", json={"name": "a", **change}, headers=admin)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["at"] == at
    assert client.get("/api/devices", headers=admin).json()["total"] == 0


def test_owners_and_assets_that_are_not_there_are_not_found(client, admin):
    for change in ({"user_id": 99}, {"asset_id": 99}):
        answer = client.post("/api/devices", json={"name": "a", **change}, headers=admin)
        assert answer.status_code == 404
        assert "99" in answer.json()["detail"]


def test_attributes_come_back_as_they_were_sent(client, ada):
    attributes = {"": [10**30, -0.5, True, None, "\x00"], "имя": {"𠃅": "\u2028 \u202e"}}
    body = {"name": "a", "attributes": attributes}
    made = client.post("/api/devices", json=body, headers=ada).json()
    assert made["attributes"] == attributes
    assert client.get("/api/devices/1", headers=ada).json()["attributes"] == attributes


def test_numbers_that_json_does_not_have_are_wrong_input(client, ada):
    for number in (b"NaN", b"Infinity", b"1e999"):
        body = b'{"name":"a","attributes":{"x":' + number + b"}}"
        headers = {**ada, "content-type": "application/json"}
        assert client.post("/api/devices", content=body, headers=headers).status_code == 422


def test_a_taken_key_is_a_conflict(client, ada, bob):
    body = {"name": "a", "key": "k"}
    assert client.post("/api/devices", json=body, headers=ada).status_code == 201
    assert client.post("/api/devices", json=body, headers=bob).status_code == 409


def test_the_list_comes_in_pages_with_when_each_was_last_seen(client, ada, parts):
    for name in ("Kitchen", "Cellar", "Attic"):
        client.post("/api/devices", json={"name": name}, headers=ada)
    series = parts.registry.ensure_series(2, ["x", "y"])
    batch = Batch.of([(series["x"], 60 * SECOND, 1.0), (series["y"], 90 * SECOND, 2.0)])
    parts.store.append(batch)
    parts.latest.update(batch)
    page = client.get("/api/devices?limit=2", headers=ada).json()
    assert [item["name"] for item in page["items"]] == ["Kitchen", "Cellar"]
    assert [item["last_seen"] for item in page["items"]] == [None, "1970-01-01T00:01:30Z"]
    assert (page["total"], page["limit"], page["offset"]) == (3, 2, 0)
    found = client.get("/api/devices?search=attic", headers=ada).json()
    assert [item["name"] for item in found["items"]] == ["Attic"]
    assert "token" not in client.get("/api/devices", headers=ada).text


def test_the_list_is_narrowed_by_owner_and_asset(client, ada, admin):
    asset = client.post("/api/assets", json={"kind": "room", "name": "attic"}, headers=ada).json()
    client.post("/api/devices", json={"name": "a", "asset_id": str(asset["id"])}, headers=ada)
    client.post("/api/devices", json={"name": "b"}, headers=admin)
    for query, names in (
        ("", ["a", "b"]),
        ("?user_id=1", ["a"]),
        (f"?asset_id={asset['id']}", ["a"]),
        ("?asset_id=77", []),
    ):
        items = client.get(f"/api/devices{query}", headers=admin).json()["items"]
        assert [item["name"] for item in items] == names
    for query in ("user_id=x", "asset_id=0", "limit=1001", "offset=-1"):
        assert client.get(f"/api/devices?{query}", headers=admin).status_code == 422


def test_a_change_touches_what_it_names_only(client, ada):
    client.post("/api/devices", json={"name": "a", "key": "k", "attributes": {"x": 1}}, headers=ada)
    changed = client.patch("/api/devices/k", json={"round_time": 2.5}, headers=ada).json()
    assert (changed["name"], changed["attributes"], changed["round_time"]) == ("a", {"x": 1}, 2.5)
    changed = client.patch("/api/devices/1", json={"key": "l", "round_time": None}, headers=ada)
    assert (changed.json()["key"], changed.json()["round_time"]) == ("l", None)
    for body, status in (
        ({"naem": "b"}, 422),
        ({"name": None}, 422),
        ({"key": None}, 422),
        ({"attributes": None}, 422),
        ({"user_id": 9}, 403),
        ({}, 200),
    ):
        assert client.patch("/api/devices/l", json=body, headers=ada).status_code == status


def test_a_key_with_slashes_is_found_when_they_are_encoded(client, ada):
    client.post("/api/devices", json={"name": "a", "key": "hall/1/top"}, headers=ada)
    for ref in ("hall%2F1%2Ftop", "hall%2f1%2ftop"):
        assert client.get(f"/api/devices/{ref}", headers=ada).json()["key"] == "hall/1/top"
    assert client.post("/api/devices/hall%2F1%2Ftop/token", headers=ada).status_code == 200
    assert client.get("/api/devices/hall%252F1", headers=ada).status_code == 404


def test_a_rotated_token_replaces_the_old_one_at_once(client, ada):
    old = client.post("/api/devices", json={"name": "a"}, headers=ada).json()["token"]
    answer = client.post("/api/devices/1/token", headers=ada)
    assert answer.status_code == 200
    assert list(answer.json()) == ["token"]
    assert client.get("/api/devices/1", headers=bearer(old)).status_code == 401
    assert client.get("/api/devices/1", headers=bearer(answer.json()["token"])).status_code == 200


def test_a_devices_token_sees_its_own_device_and_manages_none(client, ada):
    token = client.post("/api/devices", json={"name": "a"}, headers=ada).json()["token"]
    client.post("/api/devices", json={"name": "b"}, headers=ada)
    device = bearer(token)
    assert client.get("/api/devices/1", headers=device).status_code == 200
    for method, path in (
        ("GET", "/api/devices/2"),
        ("GET", "/api/devices"),
        ("DELETE", "/api/devices/1"),
        ("POST", "/api/devices/1/token"),
    ):
        assert client.request(method, path, headers=device).status_code == 403
    assert client.post("/api/devices", json={"name": "c"}, headers=device).status_code == 403


def test_a_removed_device_is_gone_with_its_token(client, ada):
    token = client.post("/api/devices", json={"name": "a"}, headers=ada).json()["token"]
    answer = client.delete("/api/devices/1", headers=ada)
    assert (answer.status_code, answer.content) == (204, b"")
    assert client.get("/api/devices/1", headers=ada).status_code == 404
    assert client.get("/api/devices/1", headers=bearer(token)).status_code == 401


def test_how_metrics_are_shown_is_read_and_changed(client, parts, admin):
    client.post("/api/devices", json={"name": "Mast", "key": "a/b"}, headers=admin)
    device = parts.registry.device("a/b")
    parts.registry.ensure_series(device.id, ["temperature", "wind"])
    path = "/api/devices/a%2Fb/metrics"
    change = {"temperature": {"unit": "°C", "high": 30, "label": "Outside"}}
    changed = client.patch(path, json=change, headers=admin)
    blank = dict.fromkeys(("label", "unit", "colour", "low", "high"))
    warm = {**blank, "unit": "°C", "high": 30.0, "label": "Outside"}
    assert changed.json() == {"temperature": warm, "wind": blank}
    assert client.get(path, headers=admin).json() == changed.json()
    wrong = client.patch(path, json={"wind": {"colour": 9}}, headers=admin)
    assert wrong.status_code == 422
    assert client.patch(path, json={"gone": {"unit": "m"}}, headers=admin).status_code == 404
