"""`/api/users` over HTTP."""

import pytest

from barograph.domain.user import OPERATOR

PASSWORD = "nine tall ships"
ADA = {"username": "ada", "email": "ada@example.org", "password": PASSWORD}


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def ada(client):
    return bearer(client.post("/api/users", json=ADA).json()["token"])


@pytest.fixture
def admin(parts):
    return bearer(parts.accounts.register("root", None, None, OPERATOR, role="admin")[1])


def test_registering_answers_with_the_user_and_a_token_that_works(client):
    answer = client.post("/api/users", json=ADA)
    assert answer.status_code == 201
    body = answer.json()
    assert {k: body[k] for k in ("id", "username", "email")} == {
        "id": 1,
        "username": "ada",
        "email": "ada@example.org",
    }
    assert "password" not in answer.text
    me = client.get("/api/users/me", headers=bearer(body["token"])).json()
    assert me == {k: v for k, v in body.items() if k != "token"}


@pytest.mark.parametrize("scheme", ["Bearer ", "JWT ", "Token ", "bearer ", ""])
def test_a_credential_is_accepted_under_every_scheme(client, scheme):
    token = client.post("/api/users", json=ADA).json()["token"]
    headers = {"Authorization": scheme + token}
    assert client.get("/api/users/me", headers=headers).status_code == 200


def test_a_password_is_optional_and_unknown_members_are_ignored(client):
    body = {"username": "a", "email": "a@example.org", "first_name": "A"}
    assert client.post("/api/users", json=body).status_code == 201


def test_a_taken_name_is_a_conflict(client, ada):
    assert client.post("/api/users", json=ADA).status_code == 409


@pytest.mark.parametrize(
    ("at", "change"),
    [
        ("username", {"username": ""}),
        ("username", {"username": None}),
        ("username", {"username": 5}),
        ("username", {"username": "a\x00b"}),
        ("username", {"username": "x" * 65}),
        ("email", {"email": "nonsense"}),
        ("email", {"email": None}),
        ("password", {"password": "short"}),
        ("password", {"password": "x" * 2000}),
        ("role", {"role": "king"}),
    ],
)
def test_wrong_input_is_named(client, at, change):
    answer = client.post("/api/users", json={**ADA, **change})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["at"] == at


def test_half_a_surrogate_pair_is_wrong_input(client):
    body = b'{"username":"\\ud800","email":"a@example.org"}'
    answer = client.post("/api/users", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422


def test_strangers_cannot_make_administrators(client, ada, admin):
    body = {"username": "eve", "email": "eve@example.org", "role": "admin"}
    assert client.post("/api/users", json=body).status_code == 403
    assert client.post("/api/users", json=body, headers=ada).status_code == 403
    assert client.post("/api/users", json=body, headers=admin).json()["role"] == "admin"


def test_a_wrong_credential_is_refused_even_where_none_is_needed(client):
    answer = client.post("/api/users", json=ADA, headers=bearer("x" * 20))
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


def test_registrations_from_one_address_are_slowed_down(client):
    for i in range(60):
        body = {"username": f"u{i}", "email": f"u{i}@example.org"}
        answer = client.post("/api/users", json=body)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0


def test_without_a_credential_nothing_is_told(client, ada):
    for path in ("/api/users", "/api/users/me", "/api/users/1", "/api/users/me/tokens"):
        assert client.get(path).status_code == 401


def test_the_list_is_for_administrators_in_pages(client, ada, admin):
    assert client.get("/api/users", headers=ada).status_code == 403
    page = client.get("/api/users?limit=1&offset=1", headers=admin).json()
    assert [user["username"] for user in page["items"]] == ["root"]
    assert (page["total"], page["limit"], page["offset"]) == (2, 1, 1)
    found = client.get("/api/users?search=AD", headers=admin).json()
    assert [user["username"] for user in found["items"]] == ["ada"]
    for query in ("limit=0", "limit=1001", "limit=x", "offset=-1", f"offset={2**63}"):
        assert client.get(f"/api/users?{query}", headers=admin).status_code == 422


def test_another_user_is_not_there(client, ada, admin):
    assert client.get("/api/users/2", headers=ada).status_code == 404
    assert client.get("/api/users/1", headers=admin).json()["username"] == "ada"
    for path, status in (("0", 422), (str(2**63), 422), ("x", 404), ("-1", 404)):
        assert client.get(f"/api/users/{path}", headers=admin).status_code == status


def test_a_user_changes_themselves(client, ada):
    answer = client.patch("/api/users/1", json={"email": None}, headers=ada)
    assert (answer.status_code, answer.json()["email"]) == (200, None)
    for body, status in (
        ({"emial": "x@example.org"}, 422),
        ({"username": None}, 422),
        ({"role": "admin"}, 403),
        ({"password": "ten tall ships"}, 422),
        ({"password": "ten tall ships", "old_password": PASSWORD}, 200),
        ({}, 200),
    ):
        assert client.patch("/api/users/1", json=body, headers=ada).status_code == status
    sign_in = {"username": "ada", "password": "ten tall ships"}
    assert client.post("/auth", json=sign_in).status_code == 200


def test_removing_a_user_with_devices_asks_what_becomes_of_them(client, ada, admin, parts):
    client.post("/api/devices", json={"name": "a"}, headers=ada)
    assert client.delete("/api/users/1", headers=ada).status_code == 409
    assert client.delete("/api/users/1?devices_to=2", headers=ada).status_code == 403
    assert client.delete("/api/users/1?devices_to=9", headers=admin).status_code == 404
    assert client.delete("/api/users/1?devices=keep", headers=admin).status_code == 422
    assert client.delete("/api/users/1?devices_to=2", headers=admin).status_code == 204
    assert parts.registry.device(1).user_id == 2
    assert client.get("/api/users/me", headers=ada).status_code == 401


def test_removing_oneself_with_everything(client, ada, parts):
    client.post("/api/devices", json={"name": "a"}, headers=ada)
    answer = client.delete("/api/users/1?devices=delete", headers=ada)
    assert (answer.status_code, answer.content) == (204, b"")
    assert parts.registry.devices() == []


def test_api_tokens_are_shown_once_listed_and_revoked(client, ada):
    made = client.post("/api/users/me/tokens", json={"name": "script"}, headers=ada)
    assert made.status_code == 201
    token = made.json()["token"]
    listed = client.get("/api/users/me/tokens", headers=bearer(token))
    assert token not in listed.text
    assert [one["name"] for one in listed.json()["items"]] == ["first token", "script"]
    path = f"/api/users/me/tokens/{made.json()['id']}"
    assert client.delete(path, headers=ada).status_code == 204
    assert client.delete(path, headers=ada).status_code == 404
    assert client.get("/api/users/me", headers=bearer(token)).status_code == 401


def test_a_device_is_no_user(client, ada):
    device = bearer(client.post("/api/devices", json={"name": "a"}, headers=ada).json()["token"])
    for path in ("/api/users/me", "/api/users/1", "/api/users", "/api/users/me/tokens"):
        assert client.get(path, headers=device).status_code == 403
