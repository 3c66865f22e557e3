"""Signing in and out over HTTP, and the first administrator."""

import pytest

PASSWORD = "nine tall ships"
ADA = {"username": "ada", "email": "ada@example.org", "password": PASSWORD}
SIGN_IN = {"username": "ada", "password": PASSWORD}


@pytest.fixture(autouse=True)
def _ada(client):
    client.post("/api/users", json=ADA)


def test_signing_in_gives_a_jwt_that_works_under_both_schemes(client):
    answer = client.post("/auth", json=SIGN_IN)
    assert answer.status_code == 200
    body = answer.json()
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 900)
    assert body["access_token"].count(".") == 2
    for scheme in ("Bearer", "JWT"):
        headers = {"Authorization": f"{scheme} {body['access_token']}"}
        assert client.get("/api/users/me", headers=headers).json()["username"] == "ada"


def test_every_failure_to_sign_in_looks_the_same(client):
    answers = [
        client.post("/auth", json={"username": name, "password": password})
        for name, password in (("ada", "wrong"), ("nobody", PASSWORD), ("", ""), ("\x00", "x"))
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1
    assert answers[0].json()["Error"] == answers[0].json()["detail"]
    assert answers[0].headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "body", [{}, {"username": "ada"}, {"username": 5, "password": "x"}, [], "ada"]
)
def test_a_body_without_name_and_password_is_wrong_input(client, body):
    answer = client.post("/auth", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"]


def test_guessing_is_slowed_down(client, clock):
    wrong = {"username": "ada", "password": "wrong"}
    for _ in range(11):
        answer = client.post("/auth", json=wrong)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert client.post("/auth", json=SIGN_IN).status_code == 429
    clock.now += int(answer.headers["retry-after"]) * 1_000_000
    assert client.post("/auth", json=SIGN_IN).status_code == 200


def test_an_access_token_expires_and_the_refresh_token_renews_it(client, clock):
    first = client.post("/auth", json=SIGN_IN).json()
    clock.now += 900 * 1_000_000
    headers = {"Authorization": f"Bearer {first['access_token']}"}
    assert client.get("/api/users/me", headers=headers).status_code == 401
    again = client.post("/auth/refresh", json={"refresh_token": first["refresh_token"]})
    assert again.status_code == 200
    headers = {"Authorization": f"Bearer {again.json()['access_token']}"}
    assert client.get("/api/users/me", headers=headers).status_code == 200
    reused = client.post("/auth/refresh", json={"refresh_token": first["refresh_token"]})
    assert reused.status_code == 401


def test_signing_out_ends_the_session(client):
    given = client.post("/auth", json=SIGN_IN).json()
    body = {"refresh_token": given["refresh_token"]}
    assert client.post("/auth/sign-out", json=body).status_code == 204
    assert client.post("/auth/refresh", json=body).status_code == 401
    assert client.post("/auth/sign-out", json=body).status_code == 204


def test_the_set_up_link_makes_the_first_administrator_once(client, parts):
    link = parts.accounts.setup_link_token()
    root = {"token": link, "username": "root", "password": PASSWORD}
    assert client.post("/api/setup", json={**root, "token": "x"}).status_code == 403
    assert client.post("/api/setup", json={**root, "password": "short"}).status_code == 422
    assert client.post("/api/setup", json={**root, "username": "Ada"}).status_code == 409
    answer = client.post("/api/setup", json=root)
    assert (answer.status_code, answer.json()) == (201, {"id": 2, "username": "root"})
    assert parts.catalog.users.get(2).role == "admin"
    assert client.post("/api/setup", json={**root, "username": "eve"}).status_code == 403
