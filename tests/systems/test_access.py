"""Who may call without a credential: this machine's user only, and only where that is enough."""

import json

import pytest

REG = {"command": "reg", "params": {"name": "x", "user": "nobody@example.org"}}
OPEN_CALLS = [
    pytest.param("POST", "/devices", REG, id="temperature"),
    pytest.param("POST", "/stats/{key}", {"x": 1}, id="statistics-write"),
    pytest.param("GET", "/stats/{key}/summary", None, id="statistics-read"),
    pytest.param("POST", "/api/devices/{key}/data", {"x": 1}, id="monitoring-write"),
    pytest.param("GET", "/api/analytics/devices/{key}", None, id="monitoring-read"),
    pytest.param("PUT", "/temperature/", {"value": 1}, id="parameters-write"),
    pytest.param("GET", "/x/last?device={key}", None, id="parameters-read"),
    pytest.param("GET", "/x?device={key}", None, id="parameters-list"),
    pytest.param("GET", "/last", None, id="parameters-newest"),
]
"""The calls of each system that name no credential (the dealer has none)."""

STRANGE = [
    pytest.param({"X-Forwarded-For": "203.0.113.5"}, id="through-a-proxy"),
    pytest.param({"Forwarded": "for=203.0.113.5"}, id="through-a-proxy-of-the-standard"),
    pytest.param({"Host": "evil.example"}, id="under-a-foreign-name"),
    pytest.param({"Sec-Fetch-Site": "cross-site"}, id="from-another-sites-page"),
    pytest.param({"Origin": "https://evil.example"}, id="from-another-origin"),
]


@pytest.fixture(scope="module")
def key(server):
    server.client.post("/stats/guarded", json={"x": 1}).raise_for_status()
    return "guarded"


@pytest.mark.parametrize(("method", "path", "body"), OPEN_CALLS)
def test_this_machines_user_needs_no_credential(client, key, method, path, body):
    answer = client.request(method, path.format(key=key), json=body)
    # Registering a device for nobody is refused for that reason, not for want of a credential.
    assert answer.status_code == (400 if body is REG else 201 if body else 200)


@pytest.mark.parametrize("headers", STRANGE)
@pytest.mark.parametrize(("method", "path", "body"), OPEN_CALLS)
def test_others_need_one(client, key, headers, method, path, body):
    answer = client.request(method, path.format(key=key), json=body, headers=headers)
    assert answer.status_code == 401
    if body is REG:
        assert answer.json() == {"type": "ERR", "message": "Token not found!"}


@pytest.mark.parametrize(("method", "path", "body"), OPEN_CALLS)
def test_where_a_credential_is_required_none_is_not_enough(locked, method, path, body):
    answer = locked.client.request(method, path.format(key="guarded"), json=body)
    assert answer.status_code == 401


@pytest.fixture(scope="module")
def admitted(locked):
    """The headers of a user's and of a device's token, on the server that wants them."""
    reg = {"command": "reg", "params": "ann@example.org"}
    user = locked.client.post("/users", json=reg).json()["message"]
    own = {"Authorization": user}
    made = locked.client.post("/api/devices", json={"name": "p", "key": "probe"}, headers=own)
    locked.owner = made.json()["user_id"]
    return own, {"Authorization": f"Bearer {made.json()['token']}"}


@pytest.mark.parametrize("whose", [0, 1], ids=["user", "device"])
def test_calls_that_name_none_accept_the_users_or_the_devices(locked, admitted, whose):
    client, headers = locked.client, admitted[whose]

    def status(method, path, **body):
        return client.request(method, path, headers=headers, **body).status_code

    assert status("POST", "/stats/probe", json={"x": 1}) == 201
    assert status("GET", "/stats/probe/summary") == 200
    assert status("GET", f"/users/{locked.owner}/devices/probe/stats/summary") == 200
    assert status("GET", f"/users/{locked.owner + 1}/devices/probe/stats/summary") == 404
    assert status("POST", "/api/devices/probe/data", json={"x": 1}) == 201
    assert status("GET", "/api/analytics/devices/probe") == 200
    assert status("PUT", "/temperature/", json={"value": 1, "device": "probe"}) == 201
    assert status("GET", "/temperature/last?device=probe") == 200
    assert status("GET", "/temperature/?device=probe") == 200
    assert status("GET", "/last?device=probe") == 200


def test_a_user_registers_devices_for_itself_only(locked, admitted):
    own, device = admitted
    for user, headers, expected in (
        ("ann@example.org", own, 201),
        ("someone@example.org", own, 400),
        ("ann@example.org", device, 403),
    ):
        reg = {"command": "reg", "params": {"name": "124", "user": user}}
        answer = locked.client.post("/devices", json=reg, headers=headers)
        assert answer.status_code == expected
        assert set(answer.json()) == {"type", "message"}


def test_a_closed_registration_is_closed_in_every_system(started):
    client = started(BAROGRAPH_AUTH="required", BAROGRAPH_REGISTRATION="closed").client
    named = {"username": "mallory", "password": "a long walk 7"}
    by_mail = client.post("/users", content=json.dumps({"command": "reg", "params": "m@x.org"}))
    assert (by_mail.status_code, by_mail.json()["type"]) == (403, "ERR")
    assert client.post("/users", json=named).status_code == 403
    answer = client.post("/register", json=named)
    assert (answer.status_code, list(answer.json())) == (403, ["Error"])


def test_a_body_that_is_too_large_is_refused_in_each_systems_shape(started):
    client = started(
        BAROGRAPH_LIMITS__BODY_BYTES_MAX="5000", BAROGRAPH_LIMITS__TEXT_BYTES_MAX="100"
    ).client
    body = b"[" + b" " * 6000 + b"]"
    answer = client.post("/devices", content=body)
    assert (answer.status_code, answer.json()["type"]) == (400, "ERR")
    answer = client.post("/register", content=body)
    assert (answer.status_code, list(answer.json())) == (413, ["Error"])
    assert client.post("/stats/x", content=body).status_code == 413
    assert client.put("/x", content=body).status_code == 413
    client.post("/stats/known", json={"x": 1}).raise_for_status()
    for size, status in ((5000, 201), (5001, 413)):
        answer = client.post("/api/devices/known/data", content=b'{"x": 1}'.ljust(size))
        assert answer.status_code == status
