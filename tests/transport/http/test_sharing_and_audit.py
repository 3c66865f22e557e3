"""Sharing, tokens that read only, and the audit log over HTTP, from both sides."""

import re

import pytest

from barograph.domain.user import OPERATOR

from .conftest import Client

ASKS_ONLY = {
    ("POST", "/api/analytics/jobs"),
    ("POST", "/api/setup"),
    ("POST", "/auth"),
    ("POST", "/auth/refresh"),
    ("POST", "/auth/sign-out"),
    ("DELETE", "/api/jobs/{job}"),
    ("DELETE", "/api/reports/{report}"),  # there is none here
}
"""What a token that reads only may send: questions, and what goes by other credentials."""


@pytest.fixture
def as_(application, sign_in, fleet):
    """A client that is the user; made where there is none."""

    def as_(name, role="member"):
        client = Client(application)
        client.who = fleet.user(name, role=role)
        client.headers = sign_in(client.who)
        return client

    return as_


def test_a_device_is_shared_read_written_and_taken_back(as_):
    anna, bert = as_("anna"), as_("bert")
    device = anna.post("/api/devices", json={"name": "Kitchen", "key": "home/kitchen"}).json()
    at = f"/api/devices/{device['id']}"
    reading = {"json": {"temperature": 20}}
    assert bert.get(at).status_code == 404
    share = anna.request("PUT", f"{at}/shares", json={"user": "bert"})
    assert share.status_code == 200
    assert share.json()["access"] == "read"
    assert bert.get(at).json()["name"] == "Kitchen"
    assert bert.get("/api/devices").json()["total"] == 1
    assert bert.get(f"{at}/data").status_code == 200
    assert bert.post(f"{at}/data", **reading).status_code == 403
    assert bert.patch(at, json={"name": "x"}).status_code == 403
    assert bert.get(f"{at}/shares").status_code == 403

    anna.request(
        "PUT", "/api/devices/home/kitchen/shares", json={"user": "bert", "access": "write"}
    )
    assert bert.post(f"{at}/data", **reading).status_code == 201
    assert bert.delete(at).status_code == 403
    assert bert.post(f"{at}/token").status_code == 403
    assert bert.get("/api/latest").json() != []
    (told,) = anna.get(f"{at}/shares").json()["items"]
    assert (told["username"], told["access"]) == ("bert", "write")

    assert anna.delete(f"{at}/shares?user_id={bert.who.user_id}").status_code == 204
    assert bert.get(at).status_code == 404
    assert bert.get(f"{at}/shares").status_code == 404
    assert anna.delete(f"{at}/shares?user_id={bert.who.user_id}").status_code == 404


def test_a_token_is_made_with_scope_and_end(as_):
    anna = as_("anna")
    made = anna.post(
        "/api/users/me/tokens", json={"name": "wall", "scope": "read", "expires_in": 60}
    )
    assert made.status_code == 201
    assert made.json()["scope"] == "read"
    assert made.json()["expires_time"] > made.json()["created_time"]
    for wrong in ({"scope": "write"}, {"expires_in": 59}, {"expires_in": 10**12}):
        answer = anna.post("/api/users/me/tokens", json={"name": "x", **wrong})
        assert answer.status_code == 422


@pytest.mark.parametrize("role", ["member", "admin"])
def test_a_token_that_reads_only_is_refused_wherever_something_would_change(
    application, as_, core, role
):
    owner = as_("owner", role)
    device = owner.post("/api/devices", json={"name": "Kitchen"}).json()
    asset = owner.post("/api/assets", json={"kind": "room", "name": "Kitchen"}).json()
    board = owner.post("/api/dashboards", json={"name": "Home"}).json()
    saved = owner.post("/api/questions", json={"name": "Mean", "question": {}}).json()
    plan = {"name": "Daily", "question": {"period": "24h"}, "cron": "0 6 * * *"}
    schedule = owner.post("/api/schedules", json=plan).json()
    told = owner.post(f"/api/devices/{device['id']}/commands", json={"command": "blink"}).json()
    made = owner.post("/api/users/me/tokens", json={"name": "wall", "scope": "read"}).json()
    reader = Client(application)
    reader.headers = {"Authorization": f"Bearer {made['token']}"}
    ids = {
        "device": device["id"],
        "asset_id": asset["id"],
        "user_id": owner.who.user_id,
        "token_id": made["id"],
        "dashboard_id": board["id"],
        "question_id": saved["id"],
        "link_id": 1,
        "schedule": schedule["id"],
        "command": told["id"],
    }
    bodies = {
        "/api/devices": {"name": "x"},
        "/api/assets": {"kind": "room", "name": "x"},
        "/api/devices/{device}/data": {"x": 1},
        "/api/devices/{device}/shares": {"user": "owner"},
        "/api/devices/{device}/commands": {"command": "blink"},
        "/api/users/{user_id}": {"username": "x"},
        "/api/dashboards": {"name": "x"},
        "/api/dashboards/{dashboard_id}": {"name": "x", "panels": []},
        "/api/dashboards/{dashboard_id}/shares": {"user": "owner"},
        "/api/dashboards/import": {"format": "barograph-dashboard", "version": 1, "name": "x"},
        "/api/reports": {"name": "x", "period": "24h"},
        "/api/schedules": {**plan, "name": "x"},
        "/api/system/retention": {"retention": "30d"},
        "/api/questions": {"name": "x", "question": {}},
        "/api/users": {"username": "new", "email": "new@example.org", "role": "viewer"},
    }
    tried = 0
    for path, methods in application.routes.openapi()["paths"].items():
        for method in {"post", "put", "patch", "delete"} & set(methods):
            if (method.upper(), path) in ASKS_ONLY or not path.startswith("/api/"):
                continue
            missing = set(re.findall(r"{(\w+)}", path)) - set(ids)
            assert not missing, f"teach this test what {missing} of {path} is"
            address = path.format(**ids) + ("?user_id=1" if path.endswith("shares") else "")
            body = bodies.get(path, {"name": "x"})
            if method == "patch" and "metrics" in path:
                body = {}
            answer = reader.request(method.upper(), address, json=body)
            assert answer.status_code == 403, (method, path, answer.text)
            tried += 1
    assert tried > 10
    assert reader.get("/api/devices").status_code == 200
    assert core.registry.device(device["id"]) is not None


def test_the_audit_log_is_for_administrators(as_, admin, stranger):
    anna = as_("anna")
    anna.post("/api/devices", json={"name": "Kitchen"})
    assert anna.get("/api/audit").status_code == 403
    assert stranger.get("/api/audit").status_code == 401
    page = admin.get("/api/audit?kind=device&search=kitch&start_time=-1h").json()
    assert page["total"] == 1
    entry = page["items"][0]
    assert (entry["actor"], entry["action"], entry["subject"]) == (
        "anna",
        "device.create",
        "Kitchen",
    )
    assert admin.get("/api/audit?kind=nothing").status_code == 422
    assert admin.get("/api/audit?start_time=yesterdayish").status_code == 422


def test_changing_a_viewers_own_profile_is_no_writing(as_, core):
    vera = as_("vera", "viewer")
    path = f"/api/users/{vera.who.user_id}"
    assert vera.patch(path, json={"username": "Vera"}).status_code == 200
    assert vera.post("/api/devices", json={"name": "x"}).status_code == 403
    assert core.accounts.get(OPERATOR, vera.who.user_id).username == "Vera"


def test_commands_over_http_are_in_the_audit_log(as_):
    anna, root = as_("anna"), as_("root", role="admin")
    device = anna.post("/api/devices", json={"name": "Pump"}).json()
    at = f"/api/devices/{device['id']}/commands"
    made = anna.post(at, json={"command": {"wifi": "sesame"}}).json()
    assert anna.delete(f"{at}/{made['id']}").status_code == 200
    told = root.get("/api/audit", params={"kind": "device", "actor": "anna"})
    entries = [(one["action"], one["detail"]) for one in told.json()["items"]]
    assert entries[:2] == [
        ("device.uncommand", {"command": "wifi"}),
        ("device.command", {"command": "wifi"}),
    ]
    assert "sesame" not in told.text
